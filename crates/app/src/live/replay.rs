//! What was accepted once and must not be again: assertions and proofs, until nobody would accept them anyway.
//!
//! Bounded: each tenant has room for so many, and all have together. Where there is none, further ones are refused until others
//! have ended, so that nothing is ever forgotten too early and no tenant can shut out all the others.

use aws_lc_rs::digest::{Context, SHA256};
use claviger_domain::time::Timestamp;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parts that the tenants are spread over, so that they seldom wait for each other.
const PARTS: usize = 16;
/// Most entries of a tenant.
const TENANT_MAX: usize = 1 << 18;
/// Most entries of all tenants.
const TOTAL_MAX: usize = 16 * TENANT_MAX;
/// Entries that end within so many seconds of each other are forgotten together.
const SLICE: i64 = 60;

/// A text that may be accepted once, as it is remembered: SHA-256 of what it is, who made it, and what makes it different
/// from all others of that maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// Of a kind of text, its maker, and its `jti`.
    pub fn of(kind: &str, maker: &str, jti: &str) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [kind, maker, jti] {
            // With its length, so that nothing of one can pass for the beginning of the next.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    /// A key as it was stored; `None` unless it has 32 bytes.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What became of an attempt to have something accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It was the first.
    First,
    /// It was accepted before, or may have been.
    Again,
    /// There is no room to remember it.
    Full,
}

/// Entries that are forgotten together, and how many of them each tenant has.
#[derive(Debug, Default)]
struct Slice {
    entries: HashSet<ReplayKey>,
    of: HashMap<u128, usize>,
}

/// Entries by the slice of time in which they end.
#[derive(Debug, Default)]
struct Part(HashMap<i64, Slice>);

impl Part {
    fn contains(&self, key: &ReplayKey) -> bool {
        self.0.values().any(|slice| slice.entries.contains(key))
    }

    fn count_of(&self, tenant: u128) -> usize {
        self.0.values().filter_map(|slice| slice.of.get(&tenant)).sum()
    }

    fn len(&self) -> usize {
        self.0.values().map(|slice| slice.entries.len()).sum()
    }

    /// Forgets what has ended; how many entries that were.
    fn forget(&mut self, now: Timestamp) -> usize {
        let ended = self.0.extract_if(|ends, _| *ends < slice(now));
        ended.map(|(_, slice)| slice.entries.len()).sum()
    }

    fn insert(&mut self, tenant: u128, key: ReplayKey, end: Timestamp) -> bool {
        let slice = self.0.entry(slice(end)).or_default();
        let is_new = slice.entries.insert(key);
        *slice.of.entry(tenant).or_default() += usize::from(is_new);
        is_new
    }
}

/// All of it.
#[derive(Debug)]
pub struct Replay {
    parts: [Mutex<Part>; PARTS],
    /// What an earlier process has saved: whose it was is not known any more.
    saved: Mutex<Part>,
    total: AtomicUsize,
    /// From when on everything is remembered.
    birth: Mutex<Timestamp>,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            saved: Mutex::default(),
            total: AtomicUsize::new(0),
            birth: Mutex::new(Timestamp::from_micros(0)),
        }
    }
}

fn slice(at: Timestamp) -> i64 {
    at.seconds().div_euclid(SLICE)
}

impl Replay {
    /// Remembers from when on everything is known.
    pub fn be_born(&self, birth: Timestamp) {
        *self.birth.lock() = birth;
    }

    /// From when on everything is known.
    pub fn birth(&self) -> Timestamp {
        *self.birth.lock()
    }

    /// Accepts something of a tenant's for the first time, that would be accepted until `end`. `could_be` is the earliest time at
    /// which it could have been accepted before: if that lies before the birth, nobody knows.
    pub fn accept(
        &self,
        tenant: u128,
        key: ReplayKey,
        could_be: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> Acceptance {
        if could_be < self.birth() || self.was_saved(&key, now) {
            return Acceptance::Again;
        }
        let first = self.accept_of(tenant, key, end, now);
        // Other parts may hold what has ended: nobody has looked there since.
        if first == Acceptance::Full && self.total.load(Ordering::Relaxed) >= TOTAL_MAX {
            self.parts.iter().for_each(|part| self.sweep(&mut part.lock(), now));
            return self.accept_of(tenant, key, end, now);
        }
        first
    }

    fn accept_of(&self, tenant: u128, key: ReplayKey, end: Timestamp, now: Timestamp) -> Acceptance {
        let mut part = self.part(tenant).lock();
        self.sweep(&mut part, now);
        if part.contains(&key) {
            return Acceptance::Again;
        }
        if part.count_of(tenant) >= TENANT_MAX || self.total.load(Ordering::Relaxed) >= TOTAL_MAX {
            return Acceptance::Full;
        }
        part.insert(tenant, key, end);
        self.total.fetch_add(1, Ordering::Relaxed);
        Acceptance::First
    }

    fn sweep(&self, part: &mut Part, now: Timestamp) {
        self.total.fetch_sub(part.forget(now), Ordering::Relaxed);
    }

    fn was_saved(&self, key: &ReplayKey, now: Timestamp) -> bool {
        let mut saved = self.saved.lock();
        self.sweep(&mut saved, now);
        saved.contains(key)
    }

    fn part(&self, tenant: u128) -> &Mutex<Part> {
        let [first, rest @ ..] = &self.parts;
        // Ids of one millisecond differ in their last bits.
        let index = usize::try_from(tenant % PARTS as u128).unwrap_or(0);
        index.checked_sub(1).and_then(|index| rest.get(index)).unwrap_or(first)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.parts.iter().chain([&self.saved]).map(|part| part.lock().len()).sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that is remembered still, with when it ends at the latest: to be saved.
    pub fn all(&self, now: Timestamp) -> Vec<(ReplayKey, Timestamp)> {
        let mut all = Vec::new();
        for part in self.parts.iter().chain([&self.saved]) {
            let part = part.lock();
            for (ends, slice) in part.0.iter().filter(|(ends, _)| **ends >= slice(now)) {
                let end = Timestamp::from_micros(0).plus_seconds((ends + 1) * SLICE - 1);
                all.extend(slice.entries.iter().map(|key| (*key, end)));
            }
        }
        all
    }

    /// Takes what was saved.
    pub fn restore(&self, saved: &[(ReplayKey, Timestamp)]) {
        let mut part = self.saved.lock();
        let new = saved.iter().filter(|(key, end)| part.insert(0, *key, *end)).count();
        self.total.fetch_add(new, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn accept(replay: &Replay, maker: u128, jti: &str, end: i64, now: i64) -> Acceptance {
        let key = ReplayKey::of("assertion", &maker.to_string(), jti);
        replay.accept(maker, key, NOW, NOW.plus_seconds(end), NOW.plus_seconds(now))
    }

    #[test]
    fn the_first_is_accepted_and_no_other() {
        let replay = Replay::default();
        assert_eq!(accept(&replay, 1, "a", 100, 0), Acceptance::First);
        assert_eq!(accept(&replay, 1, "a", 100, 0), Acceptance::Again);
        assert_eq!(accept(&replay, 1, "a", 1_700, 99), Acceptance::Again, "with another end");
        assert_eq!(accept(&replay, 2, "a", 100, 0), Acceptance::First, "of another maker");
        assert_eq!(accept(&replay, 1, "b", 100, 0), Acceptance::First);
        assert_ne!(ReplayKey::of("a", "bc", "d"), ReplayKey::of("a", "b", "cd"));
    }

    #[test]
    fn what_has_ended_is_forgotten_and_not_before() {
        let replay = Replay::default();
        for (jti, end) in [("a", 59), ("b", 60), ("c", 1_800)] {
            accept(&replay, 1, jti, end, 0);
        }
        assert_eq!(accept(&replay, 1, "a", 59, 59), Acceptance::Again);
        accept(&replay, 1, "d", 2_000, 180);
        assert_eq!(replay.len(), 2, "those of which the time is over are gone");
        assert_eq!(accept(&replay, 1, "c", 1_800, 1_800), Acceptance::Again);
    }

    #[test]
    fn nothing_made_before_the_birth_is_accepted() {
        let replay = Replay::default();
        replay.be_born(NOW.plus_seconds(1));
        assert_eq!(accept(&replay, 1, "a", 100, 5), Acceptance::Again);
        replay.be_born(NOW);
        assert_eq!(accept(&replay, 1, "a", 100, 5), Acceptance::First);
    }

    #[test]
    fn memory_is_bounded_and_full_for_one_tenant_only() {
        let replay = Replay::default();
        for number in 0..TENANT_MAX {
            assert_eq!(accept(&replay, 1, &number.to_string(), 1_800, 0), Acceptance::First);
        }
        assert_eq!(accept(&replay, 1, "more", 1_800, 0), Acceptance::Full);
        assert_eq!(accept(&replay, 1, "0", 1_800, 0), Acceptance::Again);
        for neighbour in [2, 17] {
            assert_eq!(accept(&replay, neighbour, "more", 1_800, 0), Acceptance::First, "of the same part, too");
        }
        assert_eq!(accept(&replay, 1, "more", 5_000, 1_900), Acceptance::First, "when others have ended");
    }

    #[test]
    fn what_is_saved_comes_back() {
        let (old, new) = (Replay::default(), Replay::default());
        accept(&old, 1, "a", 100, 0);
        accept(&old, 2, "b", 30, 0);
        let saved = old.all(NOW.plus_seconds(90));
        assert_eq!(saved.len(), 1);
        assert!(saved.iter().all(|(_, end)| *end >= NOW.plus_seconds(100)));
        new.restore(&saved);
        assert_eq!(accept(&new, 1, "a", 100, 90), Acceptance::Again);
        assert_eq!(accept(&new, 2, "b", 30, 90), Acceptance::First);
    }

    #[test]
    fn what_all_have_is_bounded_and_what_has_ended_makes_room() {
        let replay = Replay::default();
        replay.restore(&[(ReplayKey::of("a", "b", "c"), NOW.plus_seconds(9))]);
        accept(&replay, 1, "a", 9, 0);
        replay.total.fetch_add(TOTAL_MAX - 2, Ordering::Relaxed);
        assert_eq!(accept(&replay, 2, "b", 1_800, 0), Acceptance::Full);
        assert_eq!(accept(&replay, 2, "b", 1_800, 120), Acceptance::First);
        assert_eq!(accept(&replay, 3, "c", 1_800, 120), Acceptance::First);
        assert_eq!(accept(&replay, 3, "d", 1_800, 120), Acceptance::Full);
    }
}
