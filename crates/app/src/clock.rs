//! The one place that reads a clock. Everything else is given a [`Timestamp`] or nanoseconds.

use claviger_domain::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Goes on while the process is stopped and while the machine sleeps, so that neither can take a lease for a live one.
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine.
    System {
        /// What the monotonic clock counts from.
        started: u64,
    },
    /// A test, which moves it by hand.
    Fixed(Arc<Hands>),
}

/// The hands of a clock that a test moves.
#[derive(Debug)]
pub struct Hands {
    /// Microseconds since 1970.
    micros: AtomicI64,
    /// How far it is from the database's, in microseconds.
    skew: AtomicI64,
    /// How long the machine has slept, in nanoseconds.
    slept: AtomicU64,
    started: u64,
}

fn boot_time() -> u64 {
    let time = clock_gettime(BOOT);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::System { started: boot_time() }
    }

    /// A clock that stands still at `now`.
    pub fn fixed(now: Timestamp) -> Self {
        let hands = Hands {
            micros: AtomicI64::new(now.micros()),
            skew: AtomicI64::new(0),
            slept: AtomicU64::new(0),
            started: boot_time(),
        };
        Self::Fixed(Arc::new(hands))
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Fixed(hands) => Timestamp::from_micros(hands.micros.load(Ordering::Relaxed)),
        }
    }

    /// Nanoseconds of a clock that never goes back, from 1 up.
    pub fn monotonic(&self) -> u64 {
        match self {
            Self::System { started } => boot_time().saturating_sub(*started).saturating_add(1),
            Self::Fixed(hands) => u64::try_from(hands.micros.load(Ordering::Relaxed)).unwrap_or(0) * 1_000,
        }
    }

    /// Nanoseconds by which leases are counted, from 1 up: they pass while the process or the machine sleeps, and also
    /// while a test's clock stands. `monotonic` is what was read just now, so that the machine is asked once.
    pub fn boot(&self, monotonic: u64) -> u64 {
        match self {
            Self::System { .. } => monotonic,
            Self::Fixed(hands) => {
                let slept = hands.slept.load(Ordering::Relaxed);
                boot_time().saturating_sub(hands.started).saturating_add(slept).saturating_add(1)
            }
        }
    }

    /// Microseconds by which this clock, at `here`, is ahead of the database's.
    pub fn offset_from(&self, database: Timestamp, here: Timestamp) -> i64 {
        match self {
            Self::System { .. } => here.micros().saturating_sub(database.micros()),
            Self::Fixed(hands) => hands.skew.load(Ordering::Relaxed),
        }
    }

    /// Moves a fixed clock by `seconds`; the machine's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(hands) = self {
            hands.micros.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }

    /// Lets the machine of a fixed clock sleep: only the clock that leases are counted by goes on.
    pub fn sleep(&self, seconds: u64) {
        if let Self::Fixed(hands) = self {
            hands.slept.fetch_add(seconds * 1_000_000_000, Ordering::Relaxed);
        }
    }

    /// Puts a fixed clock `seconds` ahead of the database's, as far as nodes compare them.
    pub fn skew(&self, seconds: i64) {
        if let Self::Fixed(hands) = self {
            hands.skew.store(seconds * 1_000_000, Ordering::Relaxed);
        }
    }
}
