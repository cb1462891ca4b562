//! The times of a signing key: published before it signs, so that whoever keeps a copy of the keys has it in time, and
//! accepted after it has signed for as long as its last token can live.

use crate::time::Timestamp;
use crate::token::{LEEWAY, LIFETIME_MAX};
use crate::{Error, Result};

/// Days for which a key signs unless said otherwise.
pub const PERIOD_DAYS: i64 = 30;
/// Seconds for which a key is published before it signs, at least.
pub const LEAD_MIN: i64 = 3_600;
/// Seconds for which others may keep a copy of the published keys: well below [`LEAD_MIN`].
pub const COPY_SECONDS: i64 = 900;

/// How keys follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Seconds for which a key signs.
    pub period: i64,
    /// Seconds for which it is published before that.
    pub lead: i64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { period: PERIOD_DAYS * 86_400, lead: LEAD_MIN }
    }
}

/// When a key does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// Until when it signs.
    pub signs_until: Timestamp,
    /// From when on nothing that it signed is accepted.
    pub retires_at: Timestamp,
    /// When it was revoked, if it was: from then on nothing that it signed is accepted.
    pub revoked_at: Option<Timestamp>,
}

/// What a key does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is published and does not sign yet.
    Published,
    /// It signs.
    Signing,
    /// It does not sign any more; what it signed is accepted.
    Retiring,
    /// Nothing that it signed is accepted.
    Retired,
    /// It was revoked.
    Revoked,
}

impl Stage {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

impl Times {
    /// Of a key made now that signs from `signs_from` on.
    pub fn of(now: Timestamp, signs_from: Timestamp, rhythm: Rhythm) -> Self {
        let signs_until = signs_from.plus_seconds(rhythm.period);
        Self { created_at: now, signs_from, signs_until, retires_at: retirement(signs_until), revoked_at: None }
    }

    /// The same, ending to sign at `end` if that is earlier.
    #[must_use]
    pub fn ending(self, end: Timestamp) -> Self {
        let signs_until = self.signs_until.min(end);
        Self { signs_until, retires_at: self.retires_at.min(retirement(signs_until)), ..self }
    }

    /// What the key does at `now`.
    pub fn stage(&self, now: Timestamp) -> Stage {
        if self.revoked_at.is_some() {
            Stage::Revoked
        } else if now < self.signs_from {
            Stage::Published
        } else if now < self.signs_until {
            Stage::Signing
        } else if now < self.retires_at {
            Stage::Retiring
        } else {
            Stage::Retired
        }
    }
}

fn retirement(signs_until: Timestamp) -> Timestamp {
    signs_until.plus_seconds(LIFETIME_MAX + LEEWAY)
}

/// When the key that is to be made at `now` signs from, if one is to be made: the last one's time must be near its end, and
/// none may be waiting already. Without a key that signs, the new one signs at once.
pub fn next_key(keys: &[Times], now: Timestamp, rhythm: Rhythm) -> Option<Timestamp> {
    let last = keys.iter().filter(|key| key.revoked_at.is_none()).map(|key| key.signs_until).max();
    match last {
        None => Some(now),
        Some(end) if end <= now => Some(now),
        Some(end) if end.plus_seconds(-rhythm.lead) <= now => Some(end),
        Some(_) => None,
    }
}

/// Accepts the rhythm of a configuration.
pub fn parse_rhythm(days: i64, lead: i64) -> Result<Rhythm> {
    if !(1..=366).contains(&days) {
        return Err(Error::invalid("tokens.signing_days", format!("{days} days"), "give 1 to 366"));
    }
    if !(LEAD_MIN..=86_400).contains(&lead) {
        let fix = format!("give {LEAD_MIN} to 86400 seconds: others keep copies of the keys");
        return Err(Error::invalid("tokens.publish_lead", format!("{lead} seconds"), fix));
    }
    Ok(Rhythm { period: days * 86_400, lead })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn keys_follow_each_other_without_a_gap() {
        let rhythm = Rhythm::default();
        assert_eq!(next_key(&[], NOW, rhythm), Some(NOW), "the first signs at once");
        let first = Times::of(NOW, NOW, rhythm);
        let end = first.signs_until;
        assert_eq!(next_key(&[first], end.plus_seconds(-3_601), rhythm), None);
        assert_eq!(next_key(&[first], end.plus_seconds(-3_600), rhythm), Some(end));
        let second = Times::of(end.plus_seconds(-3_600), end, rhythm);
        assert_eq!(next_key(&[first, second], end, rhythm), None, "one is enough");
        assert_eq!(second.stage(end.plus_seconds(-1)), Stage::Published);
        assert_eq!((first.stage(end), second.stage(end)), (Stage::Retiring, Stage::Signing));
        assert_eq!(first.stage(end.plus_seconds(3_629)), Stage::Retiring);
        assert_eq!(first.stage(end.plus_seconds(3_630)), Stage::Retired);
        assert_eq!(next_key(&[first], end.plus_seconds(9_999), rhythm), Some(end.plus_seconds(9_999)), "after a pause");
    }

    #[test]
    fn a_revoked_key_counts_for_nothing() {
        let first = Times { revoked_at: Some(NOW), ..Times::of(NOW, NOW, Rhythm::default()) };
        assert_eq!(first.stage(NOW), Stage::Revoked);
        assert_eq!(next_key(&[first], NOW, Rhythm::default()), Some(NOW));
    }

    #[test]
    fn an_end_only_comes_nearer() {
        let key = Times::of(NOW, NOW, Rhythm::default());
        let ended = key.ending(NOW.plus_seconds(10));
        assert_eq!((ended.signs_until, ended.retires_at), (NOW.plus_seconds(10), NOW.plus_seconds(10 + 3_630)));
        assert_eq!(ended.ending(NOW.plus_seconds(20)), ended);
    }

    #[test]
    fn rhythms_have_bounds() {
        assert_eq!(parse_rhythm(30, 3_600).unwrap(), Rhythm::default());
        assert!(
            parse_rhythm(0, 3_600).is_err() && parse_rhythm(367, 3_600).is_err() && parse_rhythm(30, 3_599).is_err()
        );
    }
}
