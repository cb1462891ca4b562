//! Sessions of people: what a browser holds after a sign-in, how long it lasts, and what it was proved by.
//!
//! A token reads `clv_s_<43 base62><6 base62>`, that of a known device `clv_d_…`, that of the first person `clv_f_…`, those of a
//! sign-in at an identity provider `clv_o_…` and `clv_q_…`: 256 random bits and the CRC-32 of everything before it. Only its hash
//! is stored.

use crate::id::UserSessionId;
use crate::secret::{CHECKSUM, SecretHash, decode_checksum, is_alphanumeric, push_base62};
use crate::time::Timestamp;
use std::fmt;
use std::net::IpAddr;
use zeroize::Zeroize;

const RANDOM: usize = 43;

/// For how long a session may rest, in seconds.
pub const IDLE_SECONDS: i64 = 30 * 60;
/// For how long a session lasts at most, in seconds.
pub const ABSOLUTE_SECONDS: i64 = 12 * 3_600;
/// For how long a sign-in may wait for its second factor, in seconds.
pub const SECOND_FACTOR_SECONDS: i64 = 10 * 60;
/// How often at most it is written down that a session was used, in seconds.
pub const SEEN_EACH_SECONDS: i64 = 60;
/// For how long a device stays known after its last sign-in, in seconds.
pub const DEVICE_SECONDS: i64 = 180 * 86_400;

/// What a token of a browser is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// It stands for a session.
    Session,
    /// It says that the device was there before, and proves nobody.
    Device,
    /// It says that a sign-in at an identity provider was begun in this browser.
    SingleSignOn,
    /// It names such a sign-in, and goes to the provider and back.
    SingleSignOnState,
    /// It lets the first person in, once. It is printed and never a cookie.
    FirstPerson,
}

impl Cookie {
    /// What its tokens start with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "clv_s_",
            Self::Device => "clv_d_",
            Self::SingleSignOn => "clv_o_",
            Self::SingleSignOnState => "clv_q_",
            Self::FirstPerson => "clv_f_",
        }
    }
}

/// A token in clear, between its making and the one answer that sets it.
pub struct PlainCookie(String);

impl PlainCookie {
    /// Makes a token from 256 bits of entropy.
    pub fn mint(of: Cookie, mut entropy: [u8; 32]) -> Self {
        let mut text = String::with_capacity(of.prefix().len() + RANDOM + CHECKSUM);
        text.push_str(of.prefix());
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

    /// Spends it: the text moves into the one answer that sets it.
    pub fn reveal(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for PlainCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainCookie(…)")
    }
}

impl Drop for PlainCookie {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What recognises a presented token; none for what has not its form and checksum, which costs no look-up.
pub fn recognise(of: Cookie, text: &str) -> Option<SecretHash> {
    let (bytes, checked) = (text.as_bytes(), of.prefix().len() + RANDOM);
    let (start, checksum) = (bytes.get(..checked)?, bytes.get(checked..)?);
    let ours = bytes.len() == checked + CHECKSUM
        && start.starts_with(of.prefix().as_bytes())
        && start.get(of.prefix().len()..).is_some_and(is_alphanumeric)
        && decode_checksum(checksum) == Some(crc32fast::hash(start));
    ours.then(|| SecretHash::of(text))
}

/// How far a sign-in has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Stage {
    /// A second factor is still to come; until then the session may do nothing else.
    SecondFactor,
    /// Done.
    Complete,
}

impl Stage {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Complete => "complete",
        }
    }

    /// The stage that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::SecondFactor, Self::Complete].into_iter().find(|stage| stage.as_str() == text)
    }
}

/// What proves a person, named as in RFC 8176 where that has a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Method {
    /// A password.
    Password,
    /// A code of an authenticator.
    Code,
    /// A code sent by mail.
    Mail,
    /// A passkey.
    Passkey,
    /// A recovery code.
    Recovery,
    /// The organisation's own identity provider.
    SingleSignOn,
    /// A link that was printed or sent, used once.
    Link,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Password, Self::Code, Self::Mail, Self::Passkey, Self::Recovery, Self::SingleSignOn, Self::Link];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Code => "otp",
            Self::Mail => "mail",
            Self::Passkey => "hwk",
            Self::Recovery => "rec",
            Self::SingleSignOn => "sso",
            Self::Link => "link",
        }
    }

    /// The method that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// The methods of a list of words with blanks between them, as it is stored.
pub fn parse_methods(text: &str) -> Vec<Method> {
    text.split(' ').filter_map(Method::parse).collect()
}

/// The list of words.
pub fn spell_methods(methods: &[Method]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(" ")
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSession {
    /// Id.
    pub id: UserSessionId,
    /// How far it has got.
    pub stage: Stage,
    /// What proved the person.
    pub methods: Vec<Method>,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen_at: Timestamp,
    /// When the person proved anew who it is, for what is dangerous.
    pub stepped_up_at: Option<Timestamp>,
    /// From where.
    pub address: Option<IpAddr>,
    /// What the browser calls itself, cut to [`crate::application::USER_AGENT_MAX`] characters.
    pub user_agent: String,
    /// When it was ended, if it did not end by itself.
    pub ended_at: Option<Timestamp>,
}

impl UserSession {
    /// Whether it can be used no more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || ends_at(self.stage, self.created_at, self.last_seen_at) <= now
    }
}

/// When a session ends by itself, if it is not used any more.
pub fn ends_at(stage: Stage, created_at: Timestamp, last_seen_at: Timestamp) -> Timestamp {
    match stage {
        Stage::SecondFactor => created_at.plus_seconds(SECOND_FACTOR_SECONDS),
        Stage::Complete => last_seen_at.plus_seconds(IDLE_SECONDS).min(created_at.plus_seconds(ABSOLUTE_SECONDS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn tokens_are_recognised_by_their_kind() {
        let session = PlainCookie::mint(Cookie::Session, [7; 32]);
        assert_eq!(format!("{session:?}"), "PlainCookie(…)");
        let (hash, text) = (session.hash(), session.reveal());
        assert!(recognise(Cookie::Session, &text).unwrap().matches(&hash));
        assert!(recognise(Cookie::Device, &text).is_none());
        for bad in
            ["", "clv_s_", &text[1..], &format!("{text}0"), &text.replace("clv_s_", "clv_a_"), &text.to_uppercase()]
        {
            assert!(recognise(Cookie::Session, bad).is_none(), "{bad}");
        }
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            assert!(recognise(Cookie::Session, std::str::from_utf8(&bytes).unwrap()).is_none(), "{place}");
        }
    }

    #[test]
    fn k5_sessions_end_by_rest_and_by_age() {
        assert_eq!(ends_at(Stage::Complete, at(0), at(10)), at(10 + 1_800));
        assert_eq!(ends_at(Stage::Complete, at(0), at(43_000)), at(43_200));
        assert_eq!(ends_at(Stage::SecondFactor, at(0), at(500)), at(600));
    }

    #[test]
    fn methods_keep_their_words() {
        let both = [Method::Password, Method::Code];
        assert_eq!(spell_methods(&both), "pwd otp");
        assert_eq!(parse_methods("pwd otp"), both);
        assert!(Method::ALL.into_iter().all(|method| Method::parse(method.as_str()) == Some(method)));
        assert!(parse_methods("").is_empty());
    }
}
