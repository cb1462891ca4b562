//! A tenant's policy about the credentials of its applications: how long they may live, how often their secrets are to be
//! rotated, when they count as unused, what happens to one that leaks.
//!
//! A policy binds the tenant and everything beneath it. Of several ceilings and rotations the strictest counts; of what is
//! merely a choice (when unused, what on a leak) the nearest tenant's.

use crate::lifetime::{Bounds, RotationRule};
use crate::rotation::{OVERLAP_DEFAULT, OVERLAP_MAX};
use crate::time::Timestamp;
use crate::{Error, Result};

/// Shortest lifetime that a ceiling may set, in seconds.
pub const LIFETIME_MIN: i64 = 60;
/// Longest lifetime that a ceiling may set, in seconds: ten years.
pub const LIFETIME_MAX: i64 = 315_360_000;
/// Most days between rotations, and before something counts as unused.
pub const DAYS_MAX: i64 = 3_650;
/// Days without a call after which something counts as unused unless a policy says otherwise.
pub const UNUSED_AFTER_DEFAULT: i64 = 90;

/// What happens to a secret that is reported as leaked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnLeak {
    /// It is dead at once.
    #[default]
    Revoke,
    /// It is dead at once, and its application is disabled until somebody has looked at it.
    Quarantine,
}

impl OnLeak {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Quarantine => "quarantine",
        }
    }

    /// What a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Revoke, Self::Quarantine].into_iter().find(|one| one.as_str() == text)
    }
}

/// What a tenant says itself; what it does not say it leaves to the tenants above.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CredentialPolicy {
    /// Seconds after its making at which an application stops.
    pub max_application_lifetime_seconds: Option<i64>,
    /// Seconds after its making at which a secret stops.
    pub max_secret_lifetime_seconds: Option<i64>,
    /// Days after its making at which a secret is due for rotation.
    pub rotate_every_days: Option<i64>,
    /// Seconds for which a secret that is due goes on working.
    pub rotation_overlap_seconds: Option<i64>,
    /// Days without a call after which something counts as unused.
    pub unused_after_days: Option<i64>,
    /// What happens to a leaked secret.
    pub on_leak: Option<OnLeak>,
}

impl CredentialPolicy {
    /// Days after which a secret is due, and seconds for which it goes on working then; none where no rotation is demanded.
    pub fn rotation(&self) -> Option<(i64, i64)> {
        self.rotate_every_days.map(|days| (days, self.rotation_overlap_seconds.unwrap_or(OVERLAP_DEFAULT)))
    }
}

/// A policy as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredPolicy {
    /// What the tenant says itself.
    pub own: CredentialPolicy,
    /// Since when the rotation holds: no secret is due before.
    pub rotation_since: Option<Timestamp>,
    /// Counts the changes, from 1, which is the policy that says nothing; the entity tag.
    pub version: i64,
    /// When it was set last, if it ever was.
    pub updated_at: Option<Timestamp>,
}

/// What holds for a tenant after those above it have been asked, too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectivePolicy {
    /// The lowest ceiling of applications.
    pub max_application_lifetime_seconds: Option<i64>,
    /// The lowest ceiling of secrets.
    pub max_secret_lifetime_seconds: Option<i64>,
    /// The strictest rotation.
    pub rotate_every_days: Option<i64>,
    /// How long a secret goes on working after it was due by that rotation.
    pub rotation_overlap_seconds: i64,
    /// Days without a call after which something counts as unused.
    pub unused_after_days: i64,
    /// What happens to a leaked secret.
    pub on_leak: OnLeak,
}

impl Default for StoredPolicy {
    fn default() -> Self {
        Self { own: CredentialPolicy::default(), rotation_since: None, version: 1, updated_at: None }
    }
}

impl StoredPolicy {
    /// The policy after the tenant has said `own`. A rotation that became stricter holds from now on: whatever is due by it
    /// has the overlap from now at least.
    #[must_use]
    pub fn replaced(&self, own: CredentialPolicy, now: Timestamp) -> Self {
        let rotation_since = match (self.own.rotation(), own.rotation()) {
            (_, None) => None,
            (Some((days, overlap)), Some((new_days, new_overlap))) if days <= new_days && overlap <= new_overlap => {
                self.rotation_since
            }
            _ => Some(now),
        };
        Self { own, rotation_since, version: self.version + 1, updated_at: Some(now) }
    }

    /// The rotation it demands.
    pub fn rotation(&self) -> Option<RotationRule> {
        Some(RotationRule {
            every_days: self.own.rotate_every_days?,
            overlap_seconds: self.own.rotation_overlap_seconds.unwrap_or(OVERLAP_DEFAULT),
            since: self.rotation_since?,
        })
    }
}

impl EffectivePolicy {
    /// What the policies of a tenant and those above it come to; `chain` begins with the tenant's own.
    pub fn of<'a>(chain: impl Iterator<Item = &'a StoredPolicy> + Clone) -> Self {
        let own = || chain.clone().map(|policy| &policy.own);
        let bounds = Bounds::of(chain.clone());
        let rotation = bounds.as_ref().and_then(Bounds::strictest_rotation);
        Self {
            max_application_lifetime_seconds: bounds.as_ref().and_then(|bounds| bounds.application_seconds),
            max_secret_lifetime_seconds: bounds.as_ref().and_then(|bounds| bounds.secret_seconds),
            rotate_every_days: rotation.map(|rule| rule.every_days),
            rotation_overlap_seconds: rotation
                .map(|rule| rule.overlap_seconds)
                .or_else(|| own().find_map(|policy| policy.rotation_overlap_seconds))
                .unwrap_or(OVERLAP_DEFAULT),
            unused_after_days: own().find_map(|policy| policy.unused_after_days).unwrap_or(UNUSED_AFTER_DEFAULT),
            on_leak: own().find_map(|policy| policy.on_leak).unwrap_or_default(),
        }
    }
}

/// Accepts a ceiling at `pointer`.
pub fn parse_lifetime(pointer: &str, seconds: i64) -> Result<i64> {
    within(pointer, seconds, LIFETIME_MIN, LIFETIME_MAX, "seconds")
}

/// Accepts a number of days at `pointer`.
pub fn parse_days(pointer: &str, days: i64) -> Result<i64> {
    within(pointer, days, 1, DAYS_MAX, "days")
}

/// Accepts an overlap at `pointer`.
pub fn parse_overlap(pointer: &str, seconds: i64) -> Result<i64> {
    within(pointer, seconds, 1, OVERLAP_MAX, "seconds")
}

fn within(pointer: &str, given: i64, min: i64, max: i64, unit: &str) -> Result<i64> {
    if (min..=max).contains(&given) {
        return Ok(given);
    }
    Err(Error::invalid(pointer, format!("{given} {unit}"), format!("give {min} to {max} {unit}, or null for none")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn set(own: CredentialPolicy) -> StoredPolicy {
        StoredPolicy::default().replaced(own, NOW)
    }

    #[test]
    fn the_strictest_ceiling_and_the_nearest_choice_count() {
        let own = set(CredentialPolicy {
            max_secret_lifetime_seconds: Some(900),
            unused_after_days: Some(30),
            rotate_every_days: Some(80),
            rotation_overlap_seconds: Some(OVERLAP_MAX),
            ..CredentialPolicy::default()
        });
        let above = set(CredentialPolicy {
            max_application_lifetime_seconds: Some(7_200),
            max_secret_lifetime_seconds: Some(600),
            rotate_every_days: Some(90),
            unused_after_days: Some(10),
            on_leak: Some(OnLeak::Quarantine),
            ..CredentialPolicy::default()
        });
        let effective = EffectivePolicy::of([&own, &above].into_iter());
        let expected = EffectivePolicy {
            max_application_lifetime_seconds: Some(7_200),
            max_secret_lifetime_seconds: Some(600),
            rotate_every_days: Some(90),
            rotation_overlap_seconds: OVERLAP_DEFAULT,
            unused_after_days: 30,
            on_leak: OnLeak::Quarantine,
        };
        assert_eq!(effective, expected, "a shorter period with a longer overlap does not loosen what stands above");
        let nothing = EffectivePolicy::of(std::iter::empty());
        assert_eq!((nothing.unused_after_days, nothing.on_leak), (90, OnLeak::Revoke));
    }

    #[test]
    fn a_stricter_rotation_holds_from_now_on() {
        let rotating = |days, overlap| CredentialPolicy {
            rotate_every_days: days,
            rotation_overlap_seconds: overlap,
            ..CredentialPolicy::default()
        };
        let first = set(rotating(Some(90), None));
        assert_eq!((first.rotation_since, first.version), (Some(NOW), 2));
        let later = NOW.plus_seconds(9);
        assert_eq!(first.replaced(rotating(Some(90), None), later).rotation_since, Some(NOW));
        assert_eq!(first.replaced(rotating(Some(99), Some(OVERLAP_MAX)), later).rotation_since, Some(NOW));
        assert_eq!(first.replaced(rotating(Some(89), None), later).rotation_since, Some(later));
        assert_eq!(first.replaced(rotating(Some(90), Some(1)), later).rotation_since, Some(later));
        assert_eq!(first.replaced(rotating(None, None), later).rotation(), None);
    }

    #[test]
    fn numbers_have_bounds() {
        assert!(parse_lifetime("/a", LIFETIME_MIN).is_ok() && parse_lifetime("/a", LIFETIME_MIN - 1).is_err());
        assert!(parse_days("/a", DAYS_MAX).is_ok() && parse_days("/a", 0).is_err() && parse_days("/a", -1).is_err());
        assert!(parse_overlap("/a", 1).is_ok() && parse_overlap("/a", OVERLAP_MAX + 1).is_err());
    }
}
