//! Names and other short texts that people give: bounds, and the key under which a name is unique.

use crate::{Error, Result};
use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

/// Most characters a name may have.
pub const NAME_MAX: usize = 128;
/// Most characters a description may have.
pub const DESCRIPTION_MAX: usize = 1_024;
/// Most characters an owner's address may have (RFC 5321, 4.5.3.1.3).
pub const OWNER_MAX: usize = 254;

/// A trimmed name of 1 to [`NAME_MAX`] printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Accepts `text` as the name at `pointer`: trimmed, not empty, bounded, without control or invisible characters.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let length = trimmed.chars().count();
        if length == 0 {
            return Err(Error::invalid(pointer, "the name is empty", format!("give 1 to {NAME_MAX} characters")));
        }
        if length > NAME_MAX {
            let message = format!("the name has {length} characters");
            return Err(Error::invalid(pointer, message, format!("give at most {NAME_MAX} characters")));
        }
        refuse_invisible(pointer, trimmed)?;
        Ok(Self(trimmed.to_owned()))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which the name is unique: NFKC, full case folding, NFKC again (folding can undo the first).
    pub fn key(&self) -> String {
        key_of(&self.0)
    }
}

/// The key under which any text is one with its look-alikes; see [`Name::key`].
pub fn key_of(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    let folded = UniCase::unicode(composed.trim()).to_folded_case();
    folded.nfkc().collect()
}

/// Accepts `text` as the free text at `pointer`: at most `max` characters, no control characters but line breaks and tabs.
pub fn parse_text(pointer: &str, text: &str, max: usize) -> Result<String> {
    let length = text.chars().count();
    if length > max {
        let message = format!("the text has {length} characters");
        return Err(Error::invalid(pointer, message, format!("give at most {max} characters")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
        return Err(Error::invalid(pointer, "the text holds a control character", "remove it"));
    }
    Ok(text.to_owned())
}

/// Accepts `text` as the owner's e-mail address at `pointer`: one `@` with something on both sides, no blanks.
pub fn parse_owner(pointer: &str, text: &str) -> Result<String> {
    let text = parse_text(pointer, text.trim(), OWNER_MAX)?;
    let well_formed = text.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && !host.is_empty() && !host.contains('@') && !text.chars().any(char::is_whitespace)
    });
    if well_formed {
        Ok(text)
    } else {
        Err(Error::invalid(pointer, "not an e-mail address", "give one address such as ops@example.com"))
    }
}

/// Refuses characters that nobody sees.
pub(crate) fn refuse_invisible(pointer: &str, text: &str) -> Result<()> {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
    };
    match text.chars().find(|c| invisible(*c)) {
        Some(c) => Err(Error::invalid(
            pointer,
            format!("the name holds the invisible character U+{:04X}", u32::from(c)),
            "remove it",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_bounded_and_visible() {
        assert_eq!(Name::parse("/name", "  SIEM ").unwrap().as_str(), "SIEM");
        assert!(Name::parse("/name", " \t ").is_err());
        assert!(Name::parse("/name", &"x".repeat(NAME_MAX)).is_ok());
        assert!(Name::parse("/name", &"x".repeat(NAME_MAX + 1)).is_err());
        assert!(Name::parse("/name", "SI\u{200B}EM").is_err());
        assert!(Name::parse("/name", "SI\0EM").is_err());
    }

    #[test]
    fn look_alikes_share_one_key() {
        let key = |text: &str| Name::parse("/name", text).unwrap().key();
        assert_eq!(key("Straße"), key("STRASSE"));
        assert_eq!(key("ﬁle"), key("FILE"));
        assert_eq!(key("Ａｌｐｈａ"), key("alpha"));
        assert_eq!(key(" SIEM"), key("siem "));
        assert_ne!(key("SIEM 1"), key("SIEM 2"));
    }

    #[test]
    fn owners_are_addresses() {
        assert!(parse_owner("/owner", "ops@example.com").is_ok());
        for bad in ["", "ops", "@example.com", "ops@", "a@b@c", "a b@c"] {
            assert!(parse_owner("/owner", bad).is_err(), "{bad}");
        }
    }
}
