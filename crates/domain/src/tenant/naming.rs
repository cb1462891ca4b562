//! Names of tenants: some are reserved, look-alikes share a key, and a search finds them by the beginnings of their words.

use crate::name::Name;
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Most words of a name that a search finds it by.
pub const WORDS_MAX: usize = 16;
/// Most characters of a word that count.
pub const WORD_MAX: usize = 48;
/// Most words of a search.
pub const SEARCH_MAX: usize = 4;

/// What could be taken for something else, in a path, a host name or a sentence.
const RESERVED: [&str; 14] = [
    "admin",
    "administrator",
    "all",
    "any",
    "api",
    "localhost",
    "me",
    "null",
    "root",
    "self",
    "superuser",
    "system",
    "undefined",
    "www",
];

/// Accepts `text` as the name of a tenant at `pointer`.
pub fn parse_name(pointer: &str, text: &str) -> Result<Name> {
    let name = Name::parse(pointer, text)?;
    let key = name_key(&name);
    if key.is_empty() {
        return Err(Error::invalid(pointer, "the name is nothing but dots", "give a name with letters or digits"));
    }
    if RESERVED.contains(&key.as_str()) {
        return Err(Error::invalid(pointer, format!("{:?} is reserved", name.as_str()), "choose another name"));
    }
    if let Some(word) = name.as_str().split(|c: char| !c.is_alphabetic()).find(|word| mixes_scripts(word)) {
        let message = format!("the word {word:?} mixes letters of several scripts that look alike");
        return Err(Error::invalid(pointer, message, "write each word in one script"));
    }
    Ok(name)
}

/// The key under which a tenant's name is unique beneath its parent: that of the name, without dots and blanks at its end.
pub fn name_key(name: &Name) -> String {
    name.key().trim_end_matches(|c: char| c == '.' || c.is_whitespace()).trim_start().to_owned()
}

/// The words by whose beginnings a search finds the tenant of this key.
pub fn words(name_key: &str) -> BTreeSet<String> {
    split(name_key).take(WORDS_MAX).collect()
}

/// The words of a search at `pointer`: compared as names are.
pub fn parse_search(pointer: &str, text: &str) -> Result<Vec<String>> {
    let fix = format!("give 1 to {SEARCH_MAX} words, or the beginnings of words");
    let name = Name::parse(pointer, text)?;
    let mut words: Vec<_> = split(&name.key()).take(SEARCH_MAX + 1).collect();
    words.sort();
    words.dedup();
    if words.is_empty() || words.len() > SEARCH_MAX {
        return Err(Error::invalid(pointer, format!("{text:?} has no words, or too many"), fix));
    }
    Ok(words)
}

fn split(key: &str) -> impl Iterator<Item = String> {
    let words = key.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(WORD_MAX).collect())
}

/// Scripts whose letters look like those of another.
fn script(c: char) -> Option<u8> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1EFF}' => Some(0),
        '\u{0370}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}' => Some(1),
        '\u{0400}'..='\u{052F}' => Some(2),
        '\u{0530}'..='\u{058F}' => Some(3),
        '\u{13A0}'..='\u{13FF}' | '\u{AB70}'..='\u{ABBF}' => Some(4),
        _ => None,
    }
}

fn mixes_scripts(word: &str) -> bool {
    let mut scripts = word.chars().filter_map(script);
    scripts.next().is_some_and(|first| scripts.any(|other| other != first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> String {
        name_key(&parse_name("/name", text).unwrap())
    }

    #[test]
    fn reserved_and_misleading_names_are_refused() {
        for bad in [
            "root",
            "ADMIN",
            " Root ",
            "ｒｏｏｔ",
            "root.",
            ".",
            "..",
            "...",
            " . ",
            "O1\u{200B}A",
            "Аcme",
            "Acmе Ltd",
            "Ωmega",
            "null",
        ] {
            assert!(parse_name("/name", bad).is_err(), "{bad:?}");
        }
        for good in ["O1A", "Root Insurance", "Acme Inc.", "Ёлка Ltd", "3M", "株式会社 Acme"] {
            assert!(parse_name("/name", good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn names_that_look_alike_share_a_key() {
        assert_eq!(key("Acme Inc."), key("ACME INC"));
        assert_eq!(key("Acme..."), key(" acme "));
        assert_eq!(key("O1A"), key("o1a"));
        assert_ne!(key("Acme 1"), key("Acme 2"));
    }

    #[test]
    fn words_are_what_stands_between_signs() {
        let found = words(&key("Müller & Söhne (Zürich), Müller 24/7"));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["24", "7", "müller", "söhne", "zürich"]);
        assert_eq!(parse_search("q", "ZÜR  mül").unwrap(), ["mül", "zür"]);
        for bad in ["", "  ", "&/", "a b c d e", &"x".repeat(1_000_000)] {
            assert!(parse_search("q", bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_word_finds_it(name in "[a-zA-Zäöß0-9 ._-]{1,60}", at in 0_usize..8) {
            let Ok(name) = parse_name("/name", &name) else { return Ok(()) };
            for word in words(&name_key(&name)) {
                let beginning: String = word.chars().take(at + 1).collect();
                let wanted = parse_search("q", &beginning).unwrap();
                prop_assert!(word.starts_with(&wanted[0]), "{wanted:?} of {word}");
            }
        }
    }
}
