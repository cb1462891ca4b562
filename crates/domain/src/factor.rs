//! Second factors of people: what there is, what is asked for, and how often somebody may guess.

use crate::guess::Allowance;
use crate::id::FactorId;
use crate::secret::SecretHash;
use crate::tenant::details::MfaRequirement;
use crate::time::Timestamp;
use crate::user_session::Method;
use crate::{Error, Result};

/// Most factors that a person has.
pub const FACTORS_MAX: usize = 10;
/// Recovery codes that are made at a time.
pub const RECOVERY_CODES: usize = 10;
/// For how long a code sent by mail counts, in seconds.
pub const MAIL_CODE_SECONDS: i64 = 10 * 60;
/// How often a code sent by mail may be tried.
pub const MAIL_CODE_TRIES: i64 = 5;
/// For how long a passkey's ceremony may take, in seconds.
pub const CEREMONY_SECONDS: i64 = 5 * 60;
/// For how long somebody who has just proved who it is need not do so again, in seconds.
pub const STEP_UP_SECONDS: i64 = 10 * 60;
/// Checks of codes of an account.
pub const CHECKS: Allowance = Allowance { guesses: 5, seconds: 15 * 60 };
/// Wrong codes in a row after which none is accepted any more.
pub const WRONG_IN_A_ROW: i64 = 20;
/// Codes and links that are sent to one mailbox.
pub const MAILS_EACH: Allowance = Allowance { guesses: 3, seconds: 15 * 60 };
/// Codes and links that one address asks for.
pub const MAILS_BY_ADDRESS: Allowance = Allowance { guesses: 30, seconds: 15 * 60 };
/// Most characters of what a person calls a factor.
pub const NAME_MAX: usize = 64;

/// What kind a factor is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum FactorKind {
    /// An authenticator with codes by time.
    Totp,
    /// A passkey.
    Passkey,
}

impl FactorKind {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    /// The kind that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Totp, Self::Passkey].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A factor, without what proves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Factor {
    /// Id.
    pub id: FactorId,
    /// Kind.
    pub kind: FactorKind,
    /// What the person calls it.
    pub name: String,
    /// When it was shown to work; until then it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

/// What a person must show besides the password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// A code sent by mail.
    MailCode,
    /// An authenticator, a passkey or a recovery code.
    Authenticator,
    /// It has no authenticator, and must set one up first.
    Enrolment,
}

/// What a person must show: an authenticator where there is one, and what the policy asks for where there is none. A mailbox is never
/// enough for somebody who has better: whoever reads it can have the password set anew, too.
pub fn wanted(required: MfaRequirement, has_authenticator: bool) -> Wanted {
    match (has_authenticator, required) {
        (true, _) => Wanted::Authenticator,
        (false, MfaRequirement::None) => Wanted::Nothing,
        (false, MfaRequirement::Email) => Wanted::MailCode,
        (false, MfaRequirement::Totp) => Wanted::Enrolment,
    }
}

/// Whether a session that was proved by these methods is as strong as the policy asks for now. An organisation's own identity
/// provider is trusted to ask for its own second factor.
pub fn satisfies(methods: &[Method], required: MfaRequirement) -> bool {
    let strong =
        |method: &Method| matches!(method, Method::Code | Method::Passkey | Method::Recovery | Method::SingleSignOn);
    match required {
        MfaRequirement::None => true,
        MfaRequirement::Email => methods.iter().any(|method| strong(method) || *method == Method::Mail),
        MfaRequirement::Totp => methods.iter().any(strong),
    }
}

/// Whether somebody has proved anew who it is, lately enough for what is dangerous.
pub fn is_stepped_up(stepped_up_at: Option<Timestamp>, now: Timestamp) -> bool {
    stepped_up_at.is_some_and(|at| at <= now && now < at.plus_seconds(STEP_UP_SECONDS))
}

/// Accepts what a person calls a factor at `pointer`; it may be empty.
pub fn parse_name(pointer: &str, text: &str) -> Result<String> {
    crate::name::parse_text(pointer, text.trim(), NAME_MAX).and_then(|name| {
        if name.chars().any(char::is_control) {
            return Err(Error::invalid(pointer, "the name holds a control character", "remove it"));
        }
        Ok(name)
    })
}

/// A recovery code: eighty random bits, as four groups of four letters.
pub fn recovery_code(entropy: [u8; 10]) -> String {
    let text = crate::totp::base32(&entropy).to_ascii_lowercase();
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What recognises a recovery code as somebody types it.
pub fn recovery_hash(text: &str) -> SecretHash {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    SecretHash::of(&format!("recovery {}", plain.to_ascii_lowercase()))
}

/// A code to be sent by mail.
pub fn mail_code(entropy: [u8; 8]) -> String {
    format!("{:06}", u64::from_be_bytes(entropy) % 1_000_000)
}

/// What recognises a code that was sent by mail, in one session only.
pub fn mail_code_hash(session: &str, code: &str) -> SecretHash {
    SecretHash::of(&format!("mail code {session} {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn an_authenticator_is_asked_for_where_there_is_one() {
        use MfaRequirement as M;
        for required in M::ALL {
            assert_eq!(wanted(required, true), Wanted::Authenticator);
        }
        let without = M::ALL.map(|required| wanted(required, false));
        assert_eq!(without, [Wanted::Nothing, Wanted::MailCode, Wanted::Enrolment]);
    }

    #[test]
    fn a_session_is_as_strong_as_its_methods() {
        use MfaRequirement as R;
        let both = [Method::Password, Method::Mail];
        assert!(satisfies(&both, R::Email) && !satisfies(&both, R::Totp) && satisfies(&[], R::None));
        for strong in [Method::Code, Method::Passkey, Method::Recovery, Method::SingleSignOn] {
            assert!(satisfies(&[Method::Password, strong], R::Totp));
        }
        assert!(!satisfies(&[Method::Password, Method::Link], R::Email));
    }

    #[test]
    fn proving_anew_counts_for_ten_minutes() {
        assert!(is_stepped_up(Some(NOW), NOW) && is_stepped_up(Some(NOW), NOW.plus_seconds(599)));
        assert!(!is_stepped_up(Some(NOW), NOW.plus_seconds(600)) && !is_stepped_up(None, NOW));
        assert!(!is_stepped_up(Some(NOW.plus_seconds(1)), NOW), "not from the future");
    }

    #[test]
    fn i9_recovery_codes_are_read_however_they_are_typed() {
        let code = recovery_code([0xab; 10]);
        assert_eq!(code.len(), 19);
        assert!(recovery_hash(&code).matches(&recovery_hash(&code.to_uppercase().replace('-', " "))));
        assert!(!recovery_hash(&code).matches(&recovery_hash(&code[1..])));
        assert!(!mail_code_hash("a", "123456").matches(&mail_code_hash("b", "123456")), "of one session only");
        assert_eq!(mail_code([0; 8]), "000000");
    }
}
