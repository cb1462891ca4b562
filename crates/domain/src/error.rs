//! The one error below the wire. Each face renders it in its own words; a variant exists because some caller acts on it.

use crate::grants::Right;
use crate::rate::RateLimit;
use std::fmt;

/// Shorthand for results of rules and verbs.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was wrong with one member of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or the name of a query parameter or header.
    pub pointer: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it, in a sentence.
    pub fix: String,
}

/// Why a presented credential was not accepted. Told to the tenant in its audit log; told to the caller only where
/// [`Refusal::is_owner`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// No credential was presented.
    Absent,
    /// The credential is not of a form this server issues or imports.
    Malformed,
    /// No application has this client id.
    UnknownClient,
    /// The secret is not one of the application's live secrets.
    WrongSecret,
    /// The secret is right, the address is not in the allowed networks.
    AddressNotAllowed,
    /// The secret is right, the application is disabled.
    Disabled,
    /// The secret is right, the application or the secret has expired.
    Expired,
    /// The secret is right, its tenant or a tenant above it is suspended.
    TenantSuspended,
    /// The secret is right, and its tenant or one above forbids secrets that are stored.
    SecretsForbidden,
    /// The session token is none that this server would have signed.
    TokenInvalid,
    /// The session token was good, and its time is over.
    TokenExpired,
    /// The session token was good and has ended early: it was revoked, or what it was got with was.
    TokenRevoked,
    /// The secret is right, and temporary: it can only be changed.
    SecretTemporary,
    /// The secret is right, the legacy type of its key has reached its sunset.
    KeyTypeRetired,
    /// An assertion that none of the application's secrets or keys has signed, or that names another tenant.
    AssertionInvalid,
    /// An assertion that may have been accepted before.
    AssertionReplayed,
    /// An assertion of an application whose secret came without what verifies assertions.
    SecretCannotSign,
    /// The session token is good and bound to a key of its client, and no proof of that key came with it.
    ProofMissing,
    /// The name or the password is wrong, or the user cannot sign in: whoever signs in is not told which.
    SignInFailed,
    /// A person's session that is over, or that never was.
    SessionEnded,
    /// A person's session that waits for its second factor.
    SecondFactorNeeded,
    /// What a person has shown as second factor is not right.
    SecondFactorWrong,
    /// Nothing is looked at any more that somebody shows as second factor: too many wrong ones came in a row.
    SecondFactorSuspended,
    /// A person who has not proved anew who it is, for what asks for that.
    StepUpNeeded,
    /// The session token is good, and the proof of possession is none of its key for this request, or none that is new.
    ProofInvalid,
}

impl Refusal {
    /// Whether the caller may be told the reason: it has shown a right secret from a right address, or the reason says nothing.
    pub fn is_owner(self) -> bool {
        matches!(
            self,
            Self::Disabled
                | Self::Expired
                | Self::TenantSuspended
                | Self::SecretTemporary
                | Self::KeyTypeRetired
                | Self::SecretsForbidden
                | Self::TokenExpired
                | Self::TokenRevoked
                | Self::ProofMissing
                | Self::ProofInvalid
                | Self::SignInFailed
                | Self::SessionEnded
                | Self::SecondFactorNeeded
                | Self::SecondFactorWrong
                | Self::SecondFactorSuspended
                | Self::StepUpNeeded
        )
    }

    /// Whether a person would sign in, in place of presenting a credential.
    pub fn is_persons(self) -> bool {
        matches!(
            self,
            Self::SignInFailed
                | Self::SessionEnded
                | Self::SecondFactorNeeded
                | Self::SecondFactorWrong
                | Self::SecondFactorSuspended
                | Self::StepUpNeeded
        )
    }

    /// Whether a proof of possession would have been accepted.
    pub fn wants_proof(self) -> bool {
        matches!(self, Self::ProofMissing | Self::ProofInvalid)
    }

    /// The stable code, as in problem documents and audit entries.
    pub fn code(self) -> &'static str {
        match self {
            Self::Absent => "credential_absent",
            Self::Malformed => "credential_malformed",
            Self::UnknownClient => "client_unknown",
            Self::WrongSecret => "secret_wrong",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::Disabled => "application_disabled",
            Self::Expired => "credential_expired",
            Self::TenantSuspended => "tenant_suspended",
            Self::SecretsForbidden => "static_secrets_forbidden",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::SecretTemporary => "secret_temporary",
            Self::KeyTypeRetired => "key_type_retired",
            Self::AssertionInvalid => "assertion_invalid",
            Self::AssertionReplayed => "assertion_replayed",
            Self::SecretCannotSign => "secret_cannot_sign",
            Self::ProofMissing => "dpop_proof_missing",
            Self::ProofInvalid => "dpop_proof_invalid",
            Self::SignInFailed => "sign_in_failed",
            Self::SessionEnded => "session_ended",
            Self::SecondFactorNeeded => "second_factor_needed",
            Self::SecondFactorWrong => "second_factor_wrong",
            Self::SecondFactorSuspended => "second_factor_suspended",
            Self::StepUpNeeded => "step_up_needed",
        }
    }
}

/// What a rule or a verb refuses, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object does not exist, or belongs to a tenant out of reach: the two are not told apart.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The request contradicts the state of things.
    #[error("{detail}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// What stands in the way, and what to do.
        detail: String,
        /// Ids and names of what refers to the object, where that is the reason.
        referrers: Vec<Referrer>,
    },
    /// One or more members are not acceptable.
    #[error("{}", FieldErrors(.0))]
    Invalid(Vec<FieldError>),
    /// The request cannot be read at all.
    #[error("{detail}")]
    Malformed {
        /// Stable code.
        code: &'static str,
        /// What could not be read, and where.
        detail: String,
    },
    /// The credential was not accepted.
    #[error("not authenticated: {}", .0.code())]
    Unauthenticated(Refusal),
    /// The caller is known, but lacks a right.
    #[error("{detail}")]
    Forbidden {
        /// The right that is missing, where it is one.
        missing: Option<Right>,
        /// What is refused, and what to do.
        detail: String,
    },
    /// The rate limit is used up.
    #[error("rate limit used up, retry in {retry_after_seconds} s")]
    Limited {
        /// The limit.
        limit: RateLimit,
        /// Whole seconds until a call can succeed again, at least 1.
        retry_after_seconds: u64,
    },
    /// `If-Match` named another version than the stored one.
    #[error("the object has changed: it is at version {current}")]
    PreconditionFailed {
        /// The version that is stored now.
        current: i64,
    },
    /// A dependency is away or the server is not ready; the same request may succeed later.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A fault of the server. The text is for its log, never for a caller.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Something that refers to an object and so keeps it from being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The kind of noun, such as `application`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Error {
    /// One invalid member.
    pub fn invalid(pointer: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.to_owned(), message: message.into(), fix: fix.into() }])
    }

    /// A conflict without referrers.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into(), referrers: Vec::new() }
    }

    /// A right the caller lacks.
    pub fn missing(right: Right) -> Self {
        let detail = format!("the credential does not hold {right}; ask an administrator of its tenant to grant it");
        Self::Forbidden { missing: Some(right), detail }
    }
}

struct FieldErrors<'a>(&'a [FieldError]);

impl fmt::Display for FieldErrors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", error.pointer, error.message)?;
        }
        Ok(())
    }
}
