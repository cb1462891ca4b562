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

/// Seconds that are named where the wait has no end in sight.
const WAIT_MAX: u64 = WINDOW_MAX as u64;

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

impl RateLimit {
    /// Nanoseconds in which one call comes back.
    fn interval(self) -> u64 {
        u64::from(self.window_seconds) * 1_000_000_000 / u64::from(self.requests)
    }

    /// Calls that are left in the bucket.
    pub fn left(self, arrival: u64, now: u64) -> u32 {
        let window = u64::from(self.window_seconds) * 1_000_000_000;
        let used = arrival.saturating_sub(now).min(window);
        u32::try_from((window - used) / self.interval().max(1)).unwrap_or(u32::MAX).min(self.requests)
    }

    /// Takes calls from the bucket that were let through elsewhere; it cannot become emptier than empty.
    pub fn charge(self, arrival: &mut u64, now: u64, calls: u64) {
        let window = u64::from(self.window_seconds) * 1_000_000_000;
        let charged = (*arrival).max(now).saturating_add(self.interval().saturating_mul(calls));
        *arrival = charged.min(now.saturating_add(window));
    }
}

/// What one of several nodes may let through of a limit until they have told each other again what they did: its share of
/// what is left, and of what comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    calls: f64,
    /// Calls that come back in a nanosecond.
    rate: f64,
    most: f64,
    at: u64,
}

impl Share {
    /// A share of `fraction` (0 to 1) of what comes back of a limit, with so many calls to begin with.
    pub fn new(limit: RateLimit, fraction: f64, calls: f64, now: u64) -> Self {
        let fraction = fraction.clamp(0.0, 1.0);
        let window = f64::from(limit.window_seconds) * 1e9;
        let rate = fraction * f64::from(limit.requests) / window;
        let most = f64::from(limit.requests);
        Self { calls: calls.clamp(0.0, most), rate, most: (fraction * most).max(calls), at: now }
    }

    /// Calls that it has.
    pub fn calls(&self) -> f64 {
        self.calls
    }

    /// Takes one call; where there is none, the seconds until there is.
    pub fn take(&mut self, now: u64) -> Result<(), u64> {
        let passed = std::time::Duration::from_nanos(now.saturating_sub(self.at)).as_secs_f64() * 1e9;
        // A share below one call could never be taken: it is saved up to one.
        self.calls = (self.calls + passed * self.rate).min(self.most.max(1.0));
        self.at = now;
        if self.calls < 1.0 {
            let wait = (1.0 - self.calls) / self.rate.max(f64::MIN_POSITIVE);
            return Err(std::time::Duration::try_from_secs_f64(wait / 1e9).map_or(WAIT_MAX, |wait| wait.as_secs() + 1));
        }
        self.calls -= 1.0;
        Ok(())
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

    #[test]
    fn shares_add_up_to_the_limit() {
        let limit = RateLimit { requests: 90, window_seconds: 60 };
        let mut shares = [1.0 / 3.0; 3].map(|fraction| Share::new(limit, fraction, 30.0, SECOND));
        let admitted = |shares: &mut [Share; 3], now| -> usize {
            shares.iter_mut().map(|share| (0..1_000).filter(|_| share.take(now).is_ok()).count()).sum()
        };
        assert_eq!(admitted(&mut shares, SECOND), 90);
        assert_eq!(admitted(&mut shares, SECOND), 0);
        assert_eq!(shares[0].take(SECOND), Err(3));
        assert_eq!(admitted(&mut shares, 21 * SECOND), 30);
        assert!(Share::new(limit, 0.0, 0.0, SECOND).take(2 * SECOND).is_err());
    }

    #[test]
    fn what_was_let_through_elsewhere_is_charged() {
        let limit = RateLimit { requests: 10, window_seconds: 10 };
        let mut arrival = 0;
        limit.charge(&mut arrival, 100 * SECOND, 4);
        assert_eq!(limit.left(arrival, 100 * SECOND), 6);
        assert_eq!(limit.left(arrival, 103 * SECOND), 9);
        limit.charge(&mut arrival, 103 * SECOND, 1_000);
        assert_eq!(limit.left(arrival, 103 * SECOND), 0);
        assert_eq!(limit.left(arrival, 113 * SECOND), 10, "no emptier than empty");
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
