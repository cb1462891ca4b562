//! The one place that reads a clock. Everything else is given a [`Timestamp`] or nanoseconds.

use claviger_domain::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine.
    System {
        /// What the monotonic clock counts from.
        started: Instant,
    },
    /// A test, which moves it by hand; microseconds since 1970.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::System { started: Instant::now() }
    }

    /// A clock that stands still at `now`.
    pub fn fixed(now: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(now.micros())))
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Fixed(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// Nanoseconds of a clock that never goes back, from 1 up.
    pub fn monotonic(&self) -> u64 {
        match self {
            Self::System { started } => {
                u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
            }
            Self::Fixed(micros) => u64::try_from(micros.load(Ordering::Relaxed)).unwrap_or(0) * 1_000,
        }
    }

    /// Moves a fixed clock by `seconds`; the machine's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(micros) = self {
            micros.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }
}
