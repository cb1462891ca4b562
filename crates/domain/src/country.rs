//! Countries: the codes of ISO 3166-1 and the English names by which people call them.

mod table;

use crate::{Error, Result};
use table::{ALIASES, COUNTRIES};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Most characters of what may name a country.
pub const COUNTRY_MAX: usize = 64;

/// A country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// Two letters, as they are kept and shown.
    pub alpha2: &'static str,
    /// Three letters.
    pub alpha3: &'static str,
    /// The number.
    pub numeric: u16,
    /// English name.
    pub name: &'static str,
}

/// The country that `text` names by two letters, three letters, number or English name, whatever the case.
pub fn find(text: &str) -> Option<&'static Country> {
    let text = text.trim();
    if text.chars().count() > COUNTRY_MAX {
        return None;
    }
    if (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u16 = text.parse().ok()?;
        return COUNTRIES.iter().find(|country| country.numeric == number);
    }
    let is_code = |code: &str| code.eq_ignore_ascii_case(text);
    if let Some(found) = COUNTRIES.iter().find(|country| is_code(country.alpha2) || is_code(country.alpha3)) {
        return Some(found);
    }
    let wanted = folded(text);
    let alias = ALIASES.iter().find(|(name, _)| folded(name) == wanted).map(|(_, code)| *code);
    COUNTRIES.iter().find(|country| alias.map_or_else(|| folded(country.name) == wanted, |code| country.alpha2 == code))
}

/// Accepts `text` as the country at `pointer`; its two letters.
pub fn parse(pointer: &str, text: &str) -> Result<String> {
    find(text).map(|country| country.alpha2.to_owned()).ok_or_else(|| {
        let fix =
            "give a country of ISO 3166-1: two letters such as CH, three such as CHE, its number, or its English name";
        Error::invalid(pointer, "there is no such country", fix)
    })
}

/// A name as it is compared: letters and digits alone, without case, marks and a leading article.
fn folded(name: &str) -> String {
    let plain: String = name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    let plain = plain.trim().strip_prefix("the ").unwrap_or(plain.trim()).replace('&', "and");
    plain.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_country_has_many_spellings() {
        let code = |text| find(text).map(|country| country.alpha2);
        for text in ["CH", "ch", "CHE", "756", " Switzerland ", "SWITZERLAND"] {
            assert_eq!(code(text), Some("CH"), "{text}");
        }
        assert_eq!(code("8"), Some("AL"));
        assert_eq!(code("008"), Some("AL"));
        assert_eq!(code("The Netherlands"), Some("NL"));
        assert_eq!(code("Cote d'Ivoire"), Some("CI"));
        assert_eq!(code("Côte d’Ivoire"), Some("CI"));
        assert_eq!(code("Trinidad & Tobago"), Some("TT"));
        assert_eq!(code("Turkey"), Some("TR"));
        assert_eq!(code("U.S.A."), Some("US"));
        for bad in ["", "XX", "ZZZ", "0", "9999", "-1", "Atlantis", &"x".repeat(10_000)] {
            assert_eq!(code(bad), None, "{bad}");
        }
    }

    #[test]
    fn codes_and_names_are_unique() {
        assert_eq!(COUNTRIES.len(), 249);
        let distinct = |of: fn(&Country) -> String| COUNTRIES.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|country| country.alpha2.into()), 249);
        assert_eq!(distinct(|country| country.alpha3.into()), 249);
        assert_eq!(distinct(|country| country.numeric.to_string()), 249);
        assert_eq!(distinct(|country| folded(country.name)), 249);
        for (alias, code) in ALIASES {
            let found = find(alias).expect("an alias names a country");
            assert_eq!(found.alpha2, *code, "{alias}");
        }
        assert!(COUNTRIES.iter().all(|country| find(country.name) == Some(country)));
    }
}
