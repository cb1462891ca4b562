//! Rate limits: a token bucket in one number (the generic cell rate algorithm, GCRA).

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Most calls a limit may allow in its window.
pub const REQUESTS_MAX: u32 = 10_000_000;
/// Longest window in seconds.
pub const WINDOW_MAX: u32 = 86_400;

/// So many calls in so many seconds; a bucket of `requests` refills evenly over the window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RateLimit {
    /// Calls allowed in the window, and at once when none was made for a window.
    pub requests: u32,
    /// The window in seconds.
    pub window_seconds: u32,
}

/// What the bucket answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Whether the call may proceed.
    pub allowed: bool,
    /// Calls left right now.
    pub remaining: u32,
    /// Whole seconds: until the bucket is full if the call was allowed, else until a call can succeed; at least 1 then.
    pub reset_seconds: u64,
}

impl RateLimit {
    /// Accepts a limit at `pointer`.
    pub fn parse(pointer: &str, requests: i64, window_seconds: i64) -> Result<Self> {
        let bounded = |value: i64, max: u32| u32::try_from(value).ok().filter(|v| (1..=max).contains(v));
        let Some(requests) = bounded(requests, REQUESTS_MAX) else {
            let fix = format!("give 1 to {REQUESTS_MAX}; leave rate_limit out for no limit");
            return Err(Error::invalid(&format!("{pointer}/requests"), format!("{requests} requests"), fix));
        };
        let Some(window_seconds) = bounded(window_seconds, WINDOW_MAX) else {
            let fix = format!("give 1 to {WINDOW_MAX} seconds");
            return Err(Error::invalid(&format!("{pointer}/window_seconds"), format!("{window_seconds} seconds"), fix));
        };
        Ok(Self { requests, window_seconds })
    }

    /// Takes one call from the bucket whose theoretical arrival time is `arrival` (nanoseconds of a monotonic clock; 0 for a
    /// full bucket). A refused call takes nothing, so that calling during a penalty does not lengthen it.
    pub fn take(self, arrival: &mut u64, now: u64) -> Quota {
        let window = u64::from(self.window_seconds) * 1_000_000_000;
        let interval = window / u64::from(self.requests);
        // An arrival that lies further ahead is of a limit before this one: the bucket is empty, and no more than that.
        *arrival = (*arrival).min(now.saturating_add(window));
        let base = (*arrival).max(now);
        let next = base.saturating_add(interval);
        let used = next.saturating_sub(now);
        if used > window {
            let wait = used - window;
            return Quota { allowed: false, remaining: 0, reset_seconds: wait.div_ceil(1_000_000_000).max(1) };
        }
        *arrival = next;
        let remaining = u32::try_from((window - used) / interval.max(1)).unwrap_or(u32::MAX);
        Quota { allowed: true, remaining, reset_seconds: used.div_ceil(1_000_000_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_empties_the_bucket_and_waiting_fills_it() {
        let limit = RateLimit { requests: 5, window_seconds: 10 };
        let mut arrival = 0;
        let remaining: Vec<_> = (0..5).map(|_| limit.take(&mut arrival, 100 * SECOND).remaining).collect();
        assert_eq!(remaining, [4, 3, 2, 1, 0]);
        let refused = limit.take(&mut arrival, 100 * SECOND);
        assert_eq!(refused, Quota { allowed: false, remaining: 0, reset_seconds: 2 });
        assert!(!limit.take(&mut arrival, 102 * SECOND - 1).allowed);
        assert!(limit.take(&mut arrival, 102 * SECOND).allowed);
    }

    #[test]
    fn a_new_limit_does_not_inherit_the_wait_of_the_old_one() {
        let (old, new) =
            (RateLimit { requests: 2, window_seconds: 86_400 }, RateLimit { requests: 60, window_seconds: 60 });
        let mut arrival = 0;
        assert!(old.take(&mut arrival, SECOND).allowed && old.take(&mut arrival, SECOND).allowed);
        assert_eq!(new.take(&mut arrival, SECOND).reset_seconds, 1);
        assert!(new.take(&mut arrival, 2 * SECOND).allowed);
    }

    #[test]
    fn bounds_are_said() {
        assert!(RateLimit::parse("/rate_limit", 0, 1).is_err());
        assert!(RateLimit::parse("/rate_limit", 1, 0).is_err());
        assert!(RateLimit::parse("/rate_limit", i64::from(REQUESTS_MAX), i64::from(WINDOW_MAX)).is_ok());
        assert!(RateLimit::parse("/rate_limit", i64::MAX, 1).is_err());
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_in_any_window(requests in 1_u32..50, window in 1_u32..20, gaps in prop::collection::vec(0_u64..3 * SECOND, 1..200)) {
            let limit = RateLimit { requests, window_seconds: window };
            let (mut arrival, mut now, mut allowed) = (0, SECOND, Vec::new());
            for gap in gaps {
                now += gap;
                let before = arrival;
                if limit.take(&mut arrival, now).allowed { allowed.push(now) } else { prop_assert_eq!(before, arrival) }
            }
            let span = u64::from(window) * SECOND;
            for (index, start) in allowed.iter().enumerate() {
                let count = allowed[index..].iter().take_while(|t| **t - start < span).count();
                // A full bucket and one window's refill is the most that fits in a window.
                prop_assert!(count <= 2 * requests as usize);
            }
        }
    }
}
