//! Usage: how often an application asked for what, and how it ended.

use crate::id::{ApplicationId, SecretId, TenantId};
use crate::time::Timestamp;

/// How a verified call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The right was held.
    Allowed,
    /// The right was missing.
    Denied,
    /// The rate limit was used up.
    Limited,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::Limited];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Limited => "limited",
        }
    }

    /// The outcome that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// Calls since the last flush: added to what is stored for the hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageDelta {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Application.
    pub application_id: ApplicationId,
    /// Start of the hour.
    pub hour: Timestamp,
    /// `permission:VERB`, or empty for calls that need no right and for calls over the rate limit.
    pub right: String,
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub count: i64,
    /// The last of them.
    pub last_at: Timestamp,
}

/// The last use of a secret since the last flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Application.
    pub application_id: ApplicationId,
    /// Secret.
    pub secret_id: SecretId,
    /// When, from where and by what.
    pub last_use: crate::application::LastUse,
}

/// The last call out of one of an application's allowed networks since the last flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkUse {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Application.
    pub application_id: ApplicationId,
    /// The narrowest allowed network that held the caller's address, in CIDR notation.
    pub network: String,
    /// When.
    pub at: Timestamp,
}

/// How finely usage is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grain {
    /// Per hour.
    Hour,
    /// Per day (UTC).
    Day,
}

impl Grain {
    /// Length of a period in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// Usage of one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Application.
    pub application_id: ApplicationId,
    /// Start of the period.
    pub period: Timestamp,
    /// `permission:VERB`, or empty.
    pub right: String,
    /// How the calls ended.
    pub outcome: Outcome,
    /// How many.
    pub count: i64,
    /// The last of them.
    pub last_at: Timestamp,
}
