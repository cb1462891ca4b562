//! Entries of the access record on their way to the store: an exchange puts one here and waits for nothing.

use claviger_domain::access::Access;
use parking_lot::Mutex;

/// Most entries that wait. What comes while the store is away for longer is counted and logged, and not kept.
const WAITING_MAX: usize = 200_000;

/// Entries that wait to be written.
#[derive(Debug, Default)]
pub struct Accesses {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Access>,
    lost: u64,
}

impl Accesses {
    /// Takes an entry.
    pub fn add(&self, access: Access) {
        let mut waiting = self.waiting.lock();
        if waiting.entries.len() < WAITING_MAX {
            waiting.entries.push(access);
        } else {
            waiting.lost += 1;
        }
    }

    /// Takes what waits, and how many had no room since the last time.
    pub fn take(&self) -> (Vec<Access>, u64) {
        let mut waiting = self.waiting.lock();
        (std::mem::take(&mut waiting.entries), std::mem::take(&mut waiting.lost))
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, mut entries: Vec<Access>) {
        let mut waiting = self.waiting.lock();
        entries.append(&mut waiting.entries);
        waiting.lost += u64::try_from(entries.len().saturating_sub(WAITING_MAX)).unwrap_or(u64::MAX);
        entries.truncate(WAITING_MAX);
        waiting.entries = entries;
    }
}
