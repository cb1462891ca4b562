//! Leak reports: texts in which somebody found what may be a secret of ours. The texts are looked at and forgotten.

use crate::name::parse_text;
use crate::secret::{SecretHash, Sighting, redact, sightings};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// Most texts of one call.
pub const REPORTS_MAX: usize = 100;
/// Most bytes of a text.
pub const TEXT_MAX: usize = 65_536;
/// Most characters of a source.
pub const SOURCE_MAX: usize = 200;
/// Most characters of a URL.
pub const URL_MAX: usize = 2_048;
/// Most different secrets of one call.
pub const SECRETS_MAX: usize = 256;
/// Most characters of a text that could be an imported secret.
const WHOLE_MAX: usize = 512;
/// Fewest characters of one of which a hint is shown, and which is cut out of source and URL.
const TELLING_MIN: usize = 16;

/// A text in which a secret may stand. It cannot be printed.
pub struct Report {
    /// The secrets that stand in it, each once.
    pub sightings: Vec<Sighting>,
    /// Where none does: the whole text, if it could be a secret that was imported, which has no form of its own.
    pub whole: Option<Sighting>,
    /// Who or what found it, without any secret.
    pub source: String,
    /// Where, without any secret.
    pub url: Option<String>,
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report({} secrets)", self.sightings.len())
    }
}

/// A report as it came, and where its members stand in the body.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// The text, and its pointer.
    pub text: (&'a str, &'a str),
    /// The source, and its pointer.
    pub source: (&'a str, &'a str),
    /// The URL, and its pointer; empty counts as none.
    pub url: (&'a str, &'a str),
}

impl Report {
    /// Accepts a report: bounded, and nothing of the text but what was recognised in it is kept.
    pub fn parse(written: Written<'_>) -> Result<Self> {
        let (text, at) = written.text;
        if text.len() > TEXT_MAX {
            let message = format!("the text has {} bytes", text.len());
            return Err(Error::invalid(at, message, format!("give at most {TEXT_MAX}, in several texts")));
        }
        let (source, at) = written.source;
        let source = parse_text(at, source.trim(), SOURCE_MAX)?;
        if source.is_empty() {
            return Err(Error::invalid(at, "the source is empty", "say who or what found it, such as \"gitleaks\""));
        }
        let (url, at) = written.url;
        let url = parse_text(at, url.trim(), URL_MAX)?;
        let mut distinct = BTreeMap::new();
        for (place, sighting) in sightings(text.as_bytes()).into_iter().enumerate() {
            distinct.entry(*sighting.hash.as_bytes()).or_insert((place, sighting));
        }
        let mut sightings: Vec<_> = distinct.into_values().collect();
        sightings.sort_by_key(|(place, _)| *place);
        let whole = sightings.is_empty().then(|| could_be_imported(text)).flatten();
        let without = |told: &str| match whole {
            Some(secret) if secret.len() >= TELLING_MIN => redact(told).replace(secret, &hint_of(secret)),
            _ => redact(told),
        };
        Ok(Self {
            source: without(&source),
            url: Some(without(&url)).filter(|url| !url.is_empty()),
            whole: whole.map(|secret| Sighting { hash: SecretHash::of(secret), hint: hint_of(secret) }),
            sightings: sightings.into_iter().map(|(_, sighting)| sighting).collect(),
        })
    }
}

/// The one word of a text that has no other, without the blanks around it.
fn could_be_imported(text: &str) -> Option<&str> {
    let word = text.trim();
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    (is_word && word.len() <= WHOLE_MAX).then_some(word)
}

fn hint_of(secret: &str) -> String {
    let last = if secret.len() < TELLING_MIN { None } else { secret.get(secret.len() - 4..) };
    format!("…{}", last.unwrap_or_default())
}

/// What became of a secret that was reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is dead.
    Revoked,
    /// It is dead, and its application disabled.
    Quarantined,
    /// It was reported before, and is dead.
    AlreadyRevoked,
    /// It is no secret of an application within reach, or has been replaced long since.
    Unknown,
}

impl Outcome {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
            Self::AlreadyRevoked => "already_revoked",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::PlainSecret;

    fn parse(text: &str, source: &str, url: &str) -> Result<Report> {
        Report::parse(Written { text: (text, "/0/text"), source: (source, "/0/source"), url: (url, "/0/url") })
    }

    fn pointer(result: Result<Report>) -> String {
        match result {
            Err(Error::Invalid(mut fields)) => fields.remove(0).pointer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn secrets_are_kept_once_in_their_order_and_nothing_else() {
        let (one, two) = (PlainSecret::mint([1; 32]).reveal(), PlainSecret::mint([2; 32]).reveal());
        let report = parse(&format!("a={two}\nb={one} again {two}"), " gitleaks ", "").unwrap();
        let hints: Vec<_> = report.sightings.iter().map(|sighting| &sighting.hint).collect();
        assert!(two.ends_with(hints[0].split('…').next_back().unwrap()) && hints.len() == 2);
        assert_eq!((report.source.as_str(), &report.url), ("gitleaks", &None));
        assert!(!format!("{report:?}").contains("clv_a_"));
    }

    #[test]
    fn a_secret_in_the_source_or_the_url_is_not_kept() {
        let secret = PlainSecret::mint([1; 32]).reveal();
        let report = parse("", &format!("by {secret}"), &format!("https://example.com/?t={secret}&x=1")).unwrap();
        let url = report.url.unwrap();
        assert!(url.starts_with("https://example.com/?t=clv_a_…") && url.ends_with("&x=1"), "{url}");
        assert!(!report.source.contains(&secret) && !url.contains(&secret));
    }

    #[test]
    fn a_word_alone_could_be_an_imported_secret() {
        let whole =
            |text: &str| parse(text, "s", "").unwrap().whole.map(|sighting| (*sighting.hash.as_bytes(), sighting.hint));
        let word = "R7T9YQ2XK0PLM4VB6NWZ8C3D";
        let expected = Some((*SecretHash::of(word).as_bytes(), "…8C3D".to_owned()));
        assert_eq!(whole(word), expected);
        assert_eq!(whole(&format!(" \t{word}\r\n")), expected);
        assert_eq!(
            whole("short"),
            Some((*SecretHash::of("short").as_bytes(), "…".to_owned())),
            "too short to be told apart"
        );
        for none in ["", " \n", "two words", "a\u{7f}b", "schlüssel", &"x".repeat(WHOLE_MAX + 1)] {
            assert_eq!(whole(none), None, "{none:?}");
        }
        assert!(whole(&"x".repeat(WHOLE_MAX)).is_some());
        assert_eq!(whole(&PlainSecret::mint([1; 32]).reveal()), None, "it has our form");
        let report = parse(word, word, &format!("https://example.com/?t={word}")).unwrap();
        assert_eq!((report.source.as_str(), report.url.unwrap().as_str()), ("…8C3D", "https://example.com/?t=…8C3D"));
        let report = parse("git", "git", "https://git.example.com").unwrap();
        assert_eq!((report.source.as_str(), report.url.unwrap().as_str()), ("git", "https://git.example.com"));
    }

    #[test]
    fn bounds_are_kept() {
        assert!(parse(&"x".repeat(TEXT_MAX), &"s".repeat(SOURCE_MAX), &"u".repeat(URL_MAX)).is_ok());
        assert_eq!(pointer(parse(&"x".repeat(TEXT_MAX + 1), "s", "")), "/0/text");
        assert_eq!(pointer(parse("", " ", "")), "/0/source");
        assert_eq!(pointer(parse("", &"s".repeat(SOURCE_MAX + 1), "")), "/0/source");
        assert_eq!(pointer(parse("", "s", &"u".repeat(URL_MAX + 1))), "/0/url");
        assert_eq!(pointer(parse("", "s", "a\u{7}")), "/0/url");
    }
}
