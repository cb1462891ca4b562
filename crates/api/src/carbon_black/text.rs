//! What a text that somebody looks for means in a record. Descriptions and URLs are read as words, so that a part of them
//! finds them; all other members are compared as a whole. Case never matters.

use super::model::Record;
use super::wildcard::Pattern;

/// A member of a record that can be looked for and sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// From where.
    ActorIp,
    /// Who.
    Actor,
    /// The path that was called.
    RequestUrl,
    /// The sentence.
    Description,
    /// Whether it was refused.
    Flagged,
    /// Whether it sums up.
    Verbose,
    /// When.
    CreateTime,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ActorIp,
        Self::Actor,
        Self::RequestUrl,
        Self::Description,
        Self::Flagged,
        Self::Verbose,
        Self::CreateTime,
    ];

    /// Their names, in the same order.
    pub const NAMES: [&str; 7] =
        ["actor_ip", "actor", "request_url", "description", "flagged", "verbose", "create_time"];

    /// The field of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).and_then(|index| Self::ALL.get(index).copied())
    }

    /// Whether it is read as words.
    fn is_words(self) -> bool {
        matches!(self, Self::RequestUrl | Self::Description)
    }

    /// Whether a text without a field is looked for in it.
    fn is_default(self) -> bool {
        matches!(self, Self::ActorIp | Self::Actor | Self::RequestUrl | Self::Description)
    }
}

/// A record made ready to be looked at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The record itself.
    pub record: &'a Record,
    texts: Vec<(Field, Folded)>,
}

#[derive(Debug)]
struct Folded {
    whole: String,
    words: String,
}

impl<'a> Subject<'a> {
    /// Folds the texts of a record.
    pub fn new(record: &'a Record) -> Self {
        let flag = |value: bool| Some(value.to_string());
        let texts = [
            (Field::ActorIp, record.actor_ip.clone()),
            (Field::Actor, Some(record.actor.clone())),
            (Field::RequestUrl, record.request_url.clone()),
            (Field::Description, Some(record.description.clone())),
            (Field::Flagged, flag(record.flagged)),
            (Field::Verbose, flag(record.verbose)),
            (Field::CreateTime, Some(record.at.to_millis_text())),
        ];
        let fold = |(field, text): (Field, Option<String>)| {
            let text = text?;
            let words = if field.is_words() { words(&text) } else { String::new() };
            Some((field, Folded { whole: text.to_lowercase(), words }))
        };
        Self { record, texts: texts.into_iter().filter_map(fold).collect() }
    }

    /// Whether `wanted` is found in `field`, or without one in any that such texts are looked for in.
    pub fn has(&self, field: Option<Field>, wanted: &Wanted) -> bool {
        let asked = |candidate: Field| field.map_or(candidate.is_default(), |field| field == candidate);
        self.texts.iter().any(|(candidate, folded)| asked(*candidate) && wanted.is_in(*candidate, folded))
    }
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This text: the whole of a member, or these words one after the other.
    Text {
        /// As a whole, in lower case.
        whole: String,
        /// As words; empty if there is none in it.
        words: String,
    },
    /// A pattern, for the whole of a member or for one word.
    Pattern(Pattern),
}

impl Wanted {
    /// A text to look for.
    pub fn text(text: &str) -> Self {
        Self::Text { whole: text.to_lowercase(), words: words(text) }
    }

    fn is_in(&self, field: Field, folded: &Folded) -> bool {
        match self {
            Self::Text { whole, words } if field.is_words() && !words.is_empty() => {
                folded.words.contains(words.as_str()) || folded.whole == *whole
            }
            Self::Text { whole, .. } => folded.whole == *whole,
            Self::Pattern(pattern) => {
                pattern.matches(&folded.whole)
                    || folded.words.split(' ').any(|word| !word.is_empty() && pattern.matches(word))
            }
        }
    }
}

/// The words of a text in lower case with one blank around each, so that finding words is finding a text; empty without any.
fn words(text: &str) -> String {
    let mut found = String::with_capacity(text.len() + 2);
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        found.push(' ');
        found.push_str(&word.to_lowercase());
    }
    if !found.is_empty() {
        found.push(' ');
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::record;
    use super::*;
    use crate::carbon_black::wildcard::Atom;

    fn has(field: Option<Field>, text: &str) -> bool {
        Subject::new(&record(1)).has(field, &Wanted::text(text))
    }

    #[test]
    fn names_and_fields_agree() {
        for (field, name) in Field::ALL.into_iter().zip(Field::NAMES) {
            assert_eq!(Field::parse(name), Some(field));
        }
        assert_eq!(Field::parse("org_key"), None);
    }

    #[test]
    fn sentences_are_found_by_their_words() {
        let description = Some(Field::Description);
        for text in
            ["connector", "CREATED connector", "splunk hec", "api-key", "0199-ffff", "Connector Splunk HEC with"]
        {
            assert!(has(description, text), "{text}");
            assert!(has(None, text), "{text}");
        }
        for text in ["conn", "connector created", "ector", "", "-", "splunk api"] {
            assert!(!has(description, text), "{text}");
        }
        assert!(has(Some(Field::RequestUrl), "tenants/1"));
    }

    #[test]
    fn everything_else_is_compared_as_a_whole() {
        assert!(has(Some(Field::ActorIp), "192.0.2.7") && has(Some(Field::Actor), "0199-ABCD"));
        assert!(!has(Some(Field::ActorIp), "192.0.2") && !has(Some(Field::Actor), "0199"));
        assert!(has(Some(Field::Flagged), "FALSE") && has(Some(Field::CreateTime), "2026-01-01T00:00:00.001Z"));
        assert!(has(None, "192.0.2.7") && !has(None, "false"));
    }

    #[test]
    fn patterns_are_for_words_and_for_the_whole() {
        let pattern = |text: &str| {
            let atoms: Vec<_> = text.chars().map(|c| if c == '*' { Atom::Many } else { Atom::Char(c) }).collect();
            Wanted::Pattern(Pattern::compile(&atoms).unwrap())
        };
        let record = record(1);
        let subject = Subject::new(&record);
        assert!(subject.has(Some(Field::Description), &pattern("conn*")));
        assert!(subject.has(Some(Field::Description), &pattern("created*0199-ffff")));
        assert!(subject.has(Some(Field::ActorIp), &pattern("192.0.2.*")));
        assert!(!subject.has(Some(Field::ActorIp), &pattern("192")));
        assert!(!subject.has(Some(Field::Description), &pattern("nn*")));
    }
}
