//! Rotation: a new secret beside the old one for a while, or in its place at once.

use crate::application::Secret;
use crate::time::Timestamp;
use crate::{Error, Result};

/// Seconds for which the old secret goes on working unless said otherwise.
pub const OVERLAP_DEFAULT: i64 = 86_400;
/// Longest overlap in seconds.
pub const OVERLAP_MAX: i64 = 2_592_000;
/// A secret used within so many seconds is in use.
pub const IN_USE_SECONDS: i64 = 86_400;
/// Secrets that may be live at a time.
pub const LIVE_MAX: usize = 2;

/// How a secret is rotated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// The old secret goes on working for a while.
    Routine {
        /// How long, in seconds.
        overlap_seconds: i64,
    },
    /// The old secret has leaked: it is dead at once.
    Leak {
        /// Whether the application is disabled until somebody has looked at it.
        quarantine: bool,
    },
}

impl Rotation {
    /// Accepts a rotation as it came in a body.
    pub fn parse(overlap_seconds: Option<i64>, leak: bool, quarantine: bool) -> Result<Self> {
        if !leak && quarantine {
            let fix = "add \"leak\": true, or leave it out";
            return Err(Error::invalid("/quarantine", "only a leak puts an application into quarantine", fix));
        }
        match (leak, overlap_seconds) {
            (true, None | Some(0)) => Ok(Self::Leak { quarantine }),
            (true, Some(_)) => {
                Err(Error::invalid("/overlap_seconds", "a leaked secret has no overlap", "leave it out"))
            }
            (false, given) => {
                let overlap_seconds = given.unwrap_or(OVERLAP_DEFAULT);
                if (1..=OVERLAP_MAX).contains(&overlap_seconds) {
                    return Ok(Self::Routine { overlap_seconds });
                }
                let fix = format!("give 1 to {OVERLAP_MAX}, or \"leak\": true for none");
                Err(Error::invalid("/overlap_seconds", format!("{overlap_seconds} seconds"), fix))
            }
        }
    }
}

/// Whether a secret still works at `now`, as far as it alone is concerned.
pub fn is_live(secret: &Secret, now: Timestamp) -> bool {
    secret.ends_at.is_none_or(|end| end > now)
}

/// Whether somebody has called with a secret lately.
pub fn is_in_use(secret: &Secret, now: Timestamp) -> bool {
    secret.last_use.as_ref().is_some_and(|last| last.at.plus_seconds(IN_USE_SECONDS) > now)
}

/// Refuses a further secret while as many as may be are live; `live` oldest first.
pub fn check_room(live: &[Secret]) -> Result<()> {
    let Some(oldest) = live.first().filter(|_| live.len() >= LIVE_MAX) else { return Ok(()) };
    let until = oldest.ends_at.map_or_else(|| "for ever".to_owned(), |end| format!("until {end}"));
    let detail =
        format!("{LIVE_MAX} secrets are live; the older one, {}, works {until}: revoke it, or wait", oldest.hint);
    Err(Error::conflict("two_secrets_live", detail))
}

/// Refuses to retire one of two live secrets while somebody calls with it, unless that is meant.
pub fn check_retirement(secret: &Secret, live: usize, force: bool, now: Timestamp) -> Result<()> {
    let Some(last) = secret.last_use.as_ref().filter(|_| live > 1 && !force && is_in_use(secret, now)) else {
        return Ok(());
    };
    let address = last.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    let detail = format!(
        "{} is in use: last at {} from {address} by {:?}; move that client to the other secret, or repeat with force=true",
        secret.hint, last.at, last.user_agent
    );
    Err(Error::conflict("secret_in_use", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::LastUse;
    use crate::id::{ApplicationId, SecretId};

    fn secret(used: Option<i64>) -> Secret {
        let last_use =
            used.map(|at| LastUse { at: Timestamp::from_micros(at), address: None, user_agent: "curl".into() });
        Secret {
            id: SecretId::from_u128(1),
            application_id: ApplicationId::from_u128(2),
            hint: "clv_a_…abcd".into(),
            created_at: Timestamp::from_micros(0),
            expires_at: None,
            ends_at: None,
            last_use,
            temporary: false,
        }
    }

    #[test]
    fn rotations_are_routine_or_a_leak() {
        assert_eq!(Rotation::parse(None, false, false).unwrap(), Rotation::Routine { overlap_seconds: 86_400 });
        assert_eq!(Rotation::parse(Some(1), false, false).unwrap(), Rotation::Routine { overlap_seconds: 1 });
        assert_eq!(Rotation::parse(Some(0), true, true).unwrap(), Rotation::Leak { quarantine: true });
        for (overlap, leak, quarantine) in [
            (Some(0), false, false),
            (Some(OVERLAP_MAX + 1), false, false),
            (Some(1), true, false),
            (None, false, true),
        ] {
            assert!(Rotation::parse(overlap, leak, quarantine).is_err(), "{overlap:?} {leak} {quarantine}");
        }
    }

    #[test]
    fn a_third_secret_has_no_room() {
        assert!(check_room(&[secret(None)]).is_ok());
        assert!(check_room(&[secret(None), secret(None)]).is_err());
    }

    #[test]
    fn what_is_in_use_is_retired_by_force_only() {
        let now = Timestamp::from_micros(0).plus_seconds(IN_USE_SECONDS);
        assert!(check_retirement(&secret(Some(1)), 2, false, now).is_err());
        assert!(check_retirement(&secret(Some(1)), 2, true, now).is_ok());
        assert!(check_retirement(&secret(Some(1)), 1, false, now).is_ok(), "the only one may be revoked at any time");
        assert!(check_retirement(&secret(Some(0)), 2, false, now).is_ok());
        assert!(check_retirement(&secret(None), 2, false, now).is_ok());
    }
}
