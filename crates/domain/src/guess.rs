//! Guesses at what somebody else knows: counted before they are looked at, so many within a window that slides.

use crate::secret::SecretHash;
use crate::time::Timestamp;

/// How many guesses there may be, and within how many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// At most so many.
    pub guesses: usize,
    /// Within any so many seconds.
    pub seconds: i64,
}

/// No allowance counts over a longer time.
pub const WINDOW_MAX_SECONDS: i64 = 86_400;

/// Guesses at the password behind one name, from wherever.
pub const BY_NAME: Allowance = Allowance { guesses: 10, seconds: 15 * 60 };
/// Guesses from a device that the user has signed in on before: strangers do not use them up.
pub const BY_DEVICE: Allowance = Allowance { guesses: 10, seconds: 15 * 60 };
/// Guesses from one address, at whichever names.
pub const BY_ADDRESS: Allowance = Allowance { guesses: 200, seconds: 15 * 60 };

/// What guesses are counted under; nobody reads from it what was guessed at.
pub fn key(kind: &str, of: &str) -> [u8; 32] {
    *SecretHash::of(&format!("{kind} {of}")).as_bytes()
}

impl Allowance {
    /// Counts a guess at `now` among those of `times`, in microseconds, if there may be one more; otherwise the seconds after which
    /// there may. A clock that was set back forgives nothing.
    pub fn count(self, times: &mut Vec<i64>, now: Timestamp) -> Result<(), u64> {
        let since = now.plus_seconds(-self.seconds).micros();
        times.retain(|time| *time > since);
        times.sort_unstable();
        let Some(over) = times.len().checked_sub(self.guesses) else {
            times.push(now.micros());
            return Ok(());
        };
        let first = times.get(over).copied().unwrap_or(since);
        let wait = first.saturating_sub(since).max(0) / 1_000_000;
        Err(u64::try_from(wait).unwrap_or(0) + 1)
    }
}

/// Takes a guess back that was none, since it was right.
pub fn take_back(times: &mut Vec<i64>, at: Timestamp) {
    if let Some(place) = times.iter().position(|time| *time == at.micros()) {
        times.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn the_window_slides() {
        let (allowance, mut times) = (Allowance { guesses: 2, seconds: 10 }, Vec::new());
        assert_eq!(allowance.count(&mut times, at(0)), Ok(()));
        assert_eq!(allowance.count(&mut times, at(4)), Ok(()));
        assert_eq!(allowance.count(&mut times, at(5)), Err(6));
        assert_eq!(allowance.count(&mut times, at(10)), Ok(()));
        assert_eq!(allowance.count(&mut times, at(13)), Err(2));
        assert_eq!(allowance.count(&mut times, at(-1_000)), Err(1_015), "a clock set back forgives nothing");
    }

    #[test]
    fn what_was_right_is_taken_back() {
        let (allowance, mut times) = (Allowance { guesses: 1, seconds: 10 }, Vec::new());
        assert_eq!(allowance.count(&mut times, at(0)), Ok(()));
        take_back(&mut times, at(0));
        assert_eq!(allowance.count(&mut times, at(1)), Ok(()));
        take_back(&mut times, at(0));
        assert!(allowance.count(&mut times, at(2)).is_err());
        assert_ne!(key("name", "a"), key("device", "a"));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_is_allowed(pauses in prop::collection::vec(0_i64..30, 1..80), guesses in 1_usize..6) {
            let (allowance, mut times, mut now) = (Allowance { guesses, seconds: 60 }, Vec::new(), 0);
            let mut counted = Vec::new();
            for pause in pauses {
                now += pause;
                match allowance.count(&mut times, at(now)) {
                    Ok(()) => counted.push(now),
                    Err(wait) => {
                        let wait = i64::try_from(wait).unwrap();
                        prop_assert!((1..=61).contains(&wait));
                        let mut later = times.clone();
                        prop_assert_eq!(allowance.count(&mut later, at(now + wait)), Ok(()), "after the wait there may be one");
                    }
                }
            }
            for start in &counted {
                let within = counted.iter().filter(|time| (*start..start + 60).contains(time)).count();
                prop_assert!(within <= guesses);
            }
        }
    }
}
