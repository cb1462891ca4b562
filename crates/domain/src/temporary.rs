//! Temporary secrets: handed to somebody who is to change them, and good for nothing else.

use crate::lifetime::earlier;
use crate::time::Timestamp;
use crate::{Error, Result};

/// How long a temporary secret waits to be changed where nothing else is said, in seconds.
pub const WAIT_SECONDS: i64 = 7 * 86_400;
/// How long it waits at most.
pub const WAIT_MAX_SECONDS: i64 = 30 * 86_400;

/// Accepts the end of a temporary secret at `pointer`; none is that of [`WAIT_SECONDS`]. Never later than `ceiling`.
pub fn parse_end(
    pointer: &str,
    given: Option<Timestamp>,
    now: Timestamp,
    ceiling: Option<Timestamp>,
) -> Result<Timestamp> {
    let latest = now.plus_seconds(WAIT_MAX_SECONDS);
    let latest = earlier(Some(latest), ceiling).unwrap_or(latest);
    match given {
        None => Ok(now.plus_seconds(WAIT_SECONDS).min(latest)),
        Some(end) if end > now && end <= latest => Ok(end),
        Some(end) => {
            let fix = format!("give a time after {now} and not after {latest}, or leave it out");
            Err(Error::invalid(pointer, format!("a temporary secret cannot end at {end}"), fix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_secret_always_ends() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let days = |days: i64| now.plus_seconds(days * 86_400);
        let end = |given, ceiling| parse_end("/expires_at", given, now, ceiling).ok();
        assert_eq!(end(None, None), Some(days(7)));
        assert_eq!(end(None, Some(days(3))), Some(days(3)), "as the tenant's policy has it");
        assert_eq!(end(None, Some(days(90))), Some(days(7)));
        assert_eq!(end(Some(days(30)), None), Some(days(30)));
        assert_eq!(end(Some(days(1)), Some(days(3))), Some(days(1)));
        for (bad, ceiling) in [(days(0), None), (days(-1), None), (days(31), None), (days(4), Some(days(3)))] {
            assert_eq!(end(Some(bad), ceiling), None, "{bad}");
        }
    }
}
