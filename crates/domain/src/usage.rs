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
    /// All of the time that is asked for, as one period that begins in 1970.
    Whole,
}

impl Grain {
    /// Length of a period in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
            Self::Whole => i64::MAX,
        }
    }
}

/// Periods that people think in, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Period {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Months.
    Month,
}

impl Period {
    /// Most periods that are told of at once.
    pub const MOST: usize = 800;

    /// What usage is added up by in the store, so that it can be added up by this.
    pub const fn grain(self) -> Grain {
        match self {
            Self::Hour => Grain::Hour,
            Self::Day | Self::Month => Grain::Day,
        }
    }

    /// The start of the period that holds a time.
    pub fn start(self, at: Timestamp) -> Timestamp {
        let length = self.grain().micros();
        let start = Timestamp::from_micros(at.micros().div_euclid(length) * length);
        if self == Self::Month { start.plus_seconds((1 - start.day_of_month()) * 86_400) } else { start }
    }

    /// The start of the period after that which holds a time.
    pub fn next(self, at: Timestamp) -> Timestamp {
        let start = self.start(at);
        match self {
            Self::Hour => start.plus_seconds(3_600),
            Self::Day => start.plus_seconds(86_400),
            // No month is longer, and none is half as long.
            Self::Month => self.start(start.plus_seconds(31 * 86_400)),
        }
    }

    /// The start of the period that lies so many before that which holds a time.
    pub fn back(self, at: Timestamp, periods: usize) -> Timestamp {
        (0..periods).fold(self.start(at), |start, _| self.start(start.plus_seconds(-1)))
    }

    /// The starts of all periods from that which holds `since` to the last before `until`; [`Period::MOST`] and one at most.
    pub fn starts(self, since: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let first = Some(self.start(since)).filter(|first| *first < until);
        std::iter::successors(first, |start| Some(self.next(*start)).filter(|next| *next < until))
            .take(Self::MOST + 1)
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn months_follow_each_other() {
        let days: Vec<_> = Period::Month
            .starts(at("2027-12-31T23:59:59Z"), at("2028-04-01T00:00:00Z"))
            .iter()
            .map(|start| start.to_string().chars().take(10).collect::<String>())
            .collect();
        assert_eq!(days, ["2027-12-01", "2028-01-01", "2028-02-01", "2028-03-01"]);
        assert_eq!(Period::Month.back(at("2028-03-31T05:00:00Z"), 2), at("2028-01-01T00:00:00Z"));
        assert_eq!(Period::Hour.back(at("2028-03-01T00:30:00Z"), 1), at("2028-02-29T23:00:00Z"));
        assert_eq!(Period::Day.starts(at("2028-03-01T00:30:00Z"), at("2028-03-01T00:00:00Z")), []);
        assert_eq!(Period::Hour.starts(at("2020-03-01T00:30:00Z"), at("2028-03-01T00:00:00Z")).len(), Period::MOST + 1);
    }

    proptest! {
        #[test]
        fn a_period_holds_what_lies_between_its_start_and_the_next(micros in -60_000_000_000_000_000_i64..8_000_000_000_000_000) {
            for period in [Period::Hour, Period::Day, Period::Month] {
                let time = Timestamp::from_micros(micros);
                let (start, next) = (period.start(time), period.next(time));
                prop_assert!(start <= time && time < next);
                prop_assert_eq!((period.start(start), period.start(next)), (start, next));
                prop_assert_eq!(period.start(next.plus_seconds(-1)), start);
            }
        }
    }
}
