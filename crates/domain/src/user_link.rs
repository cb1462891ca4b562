//! Links that are sent to people by mail and used once: to accept an invitation, to set a new password, to confirm another address.
//!
//! A token reads `clv_l_<43 base62><6 base62>`: 256 random bits and the CRC-32 of everything before it. Only its hash is stored. In
//! a link it stands behind `#`: browsers send that to nobody, so no log and no `Referer` has it, and whoever only opens the link
//! uses nothing up.

use crate::secret::{CHECKSUM, SecretHash, decode_checksum, is_alphanumeric, push_base62};
use std::fmt;
use zeroize::Zeroize;

const PREFIX: &str = "clv_l_";
const RANDOM: usize = 43;

/// What a link is for. A person has one of each kind at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum LinkKind {
    /// To set the first password.
    Invitation,
    /// To set another password.
    PasswordReset,
    /// To confirm that one gets mails at another address.
    EmailChange,
}

impl LinkKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Invitation, Self::PasswordReset, Self::EmailChange];

    /// The word in the store and in audit entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password_reset",
            Self::EmailChange => "email_change",
        }
    }

    /// The kind that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// For how many seconds it can be used.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Invitation => 7 * 86_400,
            Self::PasswordReset => 15 * 60,
            Self::EmailChange => 3_600,
        }
    }

    /// The path of the page that a link of it opens.
    pub const fn page(self) -> &'static str {
        match self {
            Self::Invitation => "/people/invitation",
            Self::PasswordReset => "/people/password-reset",
            Self::EmailChange => "/people/email-change",
        }
    }
}

/// The token of a link, between its making and the one mail that holds it.
pub struct PlainLink(String);

impl PlainLink {
    /// Makes a token from 256 bits of entropy.
    pub fn mint(mut entropy: [u8; 32]) -> Self {
        let mut text = String::with_capacity(PREFIX.len() + RANDOM + CHECKSUM);
        text.push_str(PREFIX);
        push_base62(&mut text, &mut entropy, RANDOM);
        let mut checksum = crc32fast::hash(text.as_bytes()).to_be_bytes();
        push_base62(&mut text, &mut checksum, CHECKSUM);
        entropy.zeroize();
        Self(text)
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }

    /// Spends it: the URL, beneath the server's public one, that goes into the mail.
    pub fn into_url(mut self, public_url: &str, kind: LinkKind) -> String {
        let token = std::mem::take(&mut self.0);
        format!("{}{}#{token}", public_url.trim_end_matches('/'), kind.page())
    }

    /// Spends it: the bare text, for whoever hands it over otherwise.
    pub fn reveal(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for PlainLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainLink(…)")
    }
}

impl Drop for PlainLink {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What recognises a presented token; none for what has not its form and checksum, which costs no look-up.
pub fn recognise(text: &str) -> Option<SecretHash> {
    let (bytes, checked) = (text.as_bytes(), PREFIX.len() + RANDOM);
    let (start, checksum) = (bytes.get(..checked)?, bytes.get(checked..)?);
    let ours = bytes.len() == checked + CHECKSUM
        && start.starts_with(PREFIX.as_bytes())
        && start.get(PREFIX.len()..).is_some_and(is_alphanumeric)
        && decode_checksum(checksum) == Some(crc32fast::hash(start));
    ours.then(|| SecretHash::of(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognised_and_stand_behind_the_hash() {
        let link = PlainLink::mint([7; 32]);
        assert_eq!(format!("{link:?}"), "PlainLink(…)");
        let hash = link.hash();
        let url = link.into_url("https://claviger.example/", LinkKind::PasswordReset);
        let (page, token) = url.split_once('#').unwrap();
        assert_eq!(page, "https://claviger.example/people/password-reset");
        assert!(recognise(token).unwrap().matches(&hash));
        for bad in ["", "clv_l_", &token[1..], &token[..20], &format!("{token}0"), &token.replace("clv_l_", "clv_a_")] {
            assert!(recognise(bad).is_none(), "{bad}");
        }
        for place in 0..token.len() {
            let mut bytes = token.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            assert!(recognise(std::str::from_utf8(&bytes).unwrap()).is_none(), "{place}");
        }
    }

    #[test]
    fn kinds_have_words_of_their_own() {
        assert!(LinkKind::ALL.into_iter().all(|kind| LinkKind::parse(kind.as_str()) == Some(kind)));
        assert_eq!(LinkKind::parse("other"), None);
    }
}
