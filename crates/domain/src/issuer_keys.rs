//! For how long keys that others publish are kept, and when they are asked for again: by what they say themselves, within
//! bounds, so that neither a careless issuer nor a flood of unknown keys has us ask all the time, or never.

/// Fewest seconds for which fetched keys are kept.
pub const FRESH_MIN: i64 = 300;
/// Most seconds.
pub const FRESH_MAX: i64 = 86_400;
/// Seconds where the issuer says nothing.
pub const FRESH_DEFAULT: i64 = 3_600;
/// Seconds beyond that for which they are used while the issuer does not answer.
pub const STALE: i64 = 3_600;
/// Seconds between two attempts, however many unknown keys are named.
pub const AGAIN: i64 = 60;
/// The same while there are no keys at all.
pub const AGAIN_WITHOUT: i64 = 10;

/// How long keys are kept by the answer's `Cache-Control`.
pub fn freshness(cache_control: Option<&str>) -> i64 {
    let Some(text) = cache_control else { return FRESH_DEFAULT };
    let mut seconds = FRESH_DEFAULT;
    for directive in text.split(',').map(|one| one.trim().to_ascii_lowercase()) {
        match directive.split_once('=') {
            None if matches!(directive.as_str(), "no-store" | "no-cache") => return FRESH_MIN,
            Some(("max-age", value)) => seconds = value.trim_matches('"').parse().unwrap_or(FRESH_MIN),
            _ => {}
        }
    }
    seconds.clamp(FRESH_MIN, FRESH_MAX)
}

/// What is known of an issuer's keys, in seconds of one clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Until when they are fresh; none if they were never had.
    pub fresh_until: Option<i64>,
    /// When they were asked for last, with whatever success.
    pub tried_at: Option<i64>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Use what is there.
    Use,
    /// Ask; if nothing comes, use what is there.
    AskOrUse,
    /// Ask; without an answer there is nothing.
    Ask,
    /// There is nothing, and it is too early to ask again.
    Wait,
}

impl Known {
    /// Whether what is there may be used at `now`.
    pub fn is_usable(&self, now: i64) -> bool {
        self.fresh_until.is_some_and(|until| now < until.saturating_add(STALE))
    }

    /// What to do at `now`, where the key that is wanted is among those there or not.
    pub fn step(&self, now: i64, found: bool) -> Step {
        let rested = |seconds| self.tried_at.is_none_or(|tried| now.saturating_sub(tried) >= seconds);
        match self.fresh_until {
            Some(until) if now < until && found => Step::Use,
            Some(_) if self.is_usable(now) && rested(AGAIN) => Step::AskOrUse,
            Some(_) if self.is_usable(now) => Step::Use,
            _ if rested(AGAIN_WITHOUT) => Step::Ask,
            _ => Step::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_say_for_how_long_within_bounds() {
        for (text, seconds) in [
            (None, FRESH_DEFAULT),
            (Some("public"), FRESH_DEFAULT),
            (Some("public, max-age=7200, must-revalidate"), 7_200),
            (Some("Max-Age=1"), FRESH_MIN),
            (Some("max-age=99999999"), FRESH_MAX),
            (Some("max-age=-1"), FRESH_MIN),
            (Some("max-age=x"), FRESH_MIN),
            (Some("no-store, max-age=7200"), FRESH_MIN),
        ] {
            assert_eq!(freshness(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn keys_are_asked_for_now_and_then() {
        let nothing = Known::default();
        assert_eq!(nothing.step(0, false), Step::Ask);
        let failed = Known { tried_at: Some(100), ..nothing };
        assert_eq!((failed.step(109, false), failed.step(110, false)), (Step::Wait, Step::Ask));
        let fresh = Known { fresh_until: Some(1_000), tried_at: Some(100) };
        assert_eq!(
            (fresh.step(999, true), fresh.step(159, false), fresh.step(160, false)),
            (Step::Use, Step::Use, Step::AskOrUse)
        );
        assert_eq!(fresh.step(1_000, true), Step::AskOrUse);
        let down = Known { tried_at: Some(1_000), ..fresh };
        assert_eq!((down.step(1_059, true), down.step(1_060, true)), (Step::Use, Step::AskOrUse));
        let long = Known { tried_at: Some(4_595), ..fresh };
        assert_eq!(
            (long.step(4_599, true), long.step(4_600, true), long.step(4_605, true)),
            (Step::Use, Step::Wait, Step::Ask)
        );
    }
}
