//! Where the records lie: a table of shards, each a list of records and the places of their keys.
//!
//! A look-up reads two lines of the cache that others do not use meanwhile, a place and a record, instead of the three or four
//! that a map of pointers takes; and records lie close together, with no room of an allocator between them.

use crate::live::hashing::KeyHashing;
use parking_lot::RwLock;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many that two cores seldom meet in one, and one that grows moves little. A power of two.
const SHARDS: usize = 1_024;
const SHARD_BITS: u32 = SHARDS.ilog2();
/// The lower bits of a place are an index plus one, those above it are a tag out of the hash.
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const EMPTY: u32 = 0;
/// Places of a shard's first records; always a power of two.
const PLACES_MIN: usize = 8;

/// What has a key of its own.
pub(crate) trait Keyed {
    /// The key. It never changes.
    fn key(&self) -> u128;
}

/// Records by their keys, to be looked at where they lie.
#[derive(Debug)]
pub(crate) struct Table<R> {
    hashing: KeyHashing,
    shards: Box<[Shard<R>]>,
    len: AtomicUsize,
}

/// On a line of its own, so that whoever reads one shard does not take another's line away.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<R>(RwLock<Rows<R>>);

#[derive(Debug)]
struct Rows<R> {
    records: Vec<R>,
    /// Open addressing: the place of a key is at the first free one from where its hash points to, or before it.
    places: Box<[u32]>,
}

/// What the hash of a key says: where to begin, and what to look for.
#[derive(Clone, Copy)]
struct Hash {
    shard: usize,
    start: usize,
    tag: u32,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { records: Vec::new(), places: Box::default() }
    }
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Shard(RwLock::default())).collect();
        Self { hashing: KeyHashing::default(), shards, len: AtomicUsize::new(0) }
    }
}

impl<R: Keyed> Table<R> {
    /// Looks at the record of a key. Nothing of this table must be asked meanwhile.
    pub(crate) fn with<T>(&self, key: u128, look: impl FnOnce(&R) -> T) -> Option<T> {
        let hash = self.hash(key);
        let rows = self.shards.get(hash.shard)?.0.read();
        let (_, index) = rows.find(key, hash)?;
        rows.records.get(index).map(look)
    }

    /// Puts a record into place, for good or instead of the one that had the key, at which `replace` looks first.
    pub(crate) fn put(&self, record: R, replace: impl FnOnce(&R, &R)) {
        let hash = self.hash(record.key());
        let Some(shard) = self.shards.get(hash.shard) else { return };
        let mut rows = shard.0.write();
        let found = rows.find(record.key(), hash);
        // What was replaced is dropped when nobody waits for it any more.
        let _old = match found.and_then(|(_, index)| rows.records.get_mut(index)) {
            Some(old) => {
                replace(old, &record);
                Some(std::mem::replace(old, record))
            }
            None => {
                rows.push(record, hash, |key| self.hash(key));
                self.len.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        drop(rows);
    }

    /// Takes the record of a key away.
    pub(crate) fn remove(&self, key: u128) {
        let hash = self.hash(key);
        let Some(shard) = self.shards.get(hash.shard) else { return };
        let removed = shard.0.write().remove(key, hash, |key| self.hash(key));
        if removed.is_some() {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes all away.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let rows = std::mem::take(&mut *shard.0.write());
            self.len.fetch_sub(rows.records.len(), Ordering::Relaxed);
        }
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn hash(&self, key: u128) -> Hash {
        let hash = self.hashing.hash_one(key);
        let bits = |from: u32| usize::try_from((hash >> from) & u64::from(u32::MAX)).unwrap_or(0);
        let tag = u32::try_from((hash >> 32) & 0xffff_ffff).unwrap_or(0) >> INDEX_BITS << INDEX_BITS;
        Hash { shard: bits(0) % SHARDS, start: bits(SHARD_BITS), tag }
    }
}

impl<R: Keyed> Rows<R> {
    /// Where the place of a key is and what stands there, if it has one.
    fn find(&self, key: u128, hash: Hash) -> Option<(usize, usize)> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = hash.start & mask;
        loop {
            let place = *self.places.get(at)?;
            if place == EMPTY {
                return None;
            }
            if place & !INDEX_MASK == hash.tag {
                let index = index_of(place);
                if self.records.get(index).is_some_and(|record| record.key() == key) {
                    return Some((at, index));
                }
            }
            at = (at + 1) & mask;
        }
    }

    fn push(&mut self, record: R, hash: Hash, hash_of: impl Fn(u128) -> Hash) {
        // A quarter of the places stays free, so that each search soon ends.
        if (self.records.len() + 1) * 4 > self.places.len() * 3 {
            self.places = vec![EMPTY; (self.places.len() * 2).max(PLACES_MIN)].into();
            for index in 0..self.records.len() {
                let Some(record) = self.records.get(index) else { break };
                self.place(index, hash_of(record.key()));
            }
        }
        if self.records.len() == self.records.capacity() {
            // By an eighth and not by the double: records are most of what a server keeps in memory.
            self.records.reserve_exact((self.records.len() / 8).max(PLACES_MIN / 2));
        }
        self.records.push(record);
        self.place(self.records.len() - 1, hash);
    }

    /// Takes the first free place. There is one.
    fn place(&mut self, index: usize, hash: Hash) {
        let mask = self.places.len().saturating_sub(1);
        let mut at = hash.start & mask;
        while self.places.get(at).is_some_and(|place| *place != EMPTY) {
            at = (at + 1) & mask;
        }
        self.set(at, place_of(hash, index));
    }
    fn remove(&mut self, key: u128, hash: Hash, hash_of: impl Fn(u128) -> Hash) -> Option<R> {
        let (at, index) = self.find(key, hash)?;
        self.vacate(at, &hash_of);
        let last = self.records.len() - 1;
        let removed = self.records.swap_remove(index);
        if let Some(moved) = self.records.get(index) {
            let hash = hash_of(moved.key());
            self.rename(hash, last, index);
        }
        Some(removed)
    }

    /// Frees a place. Those behind it move up, so that none is behind a free one where its search would end.
    fn vacate(&mut self, at: usize, hash_of: &impl Fn(u128) -> Hash) {
        let mask = self.places.len().saturating_sub(1);
        let distance = |from: usize, to: usize| to.wrapping_sub(from) & mask;
        let (mut free, mut next) = (at, (at + 1) & mask);
        while let Some(place) = self.places.get(next).copied().filter(|place| *place != EMPTY) {
            let home = self.records.get(index_of(place)).map_or(next, |record| hash_of(record.key()).start & mask);
            if distance(home, next) >= distance(free, next) {
                self.set(free, place);
                free = next;
            }
            next = (next + 1) & mask;
        }
        self.set(free, EMPTY);
    }

    /// The record at `from` lies at `to` now.
    fn rename(&mut self, hash: Hash, from: usize, to: usize) {
        let mask = self.places.len().saturating_sub(1);
        let mut at = hash.start & mask;
        while let Some(place) = self.places.get(at).copied().filter(|place| *place != EMPTY) {
            if index_of(place) == from {
                return self.set(at, place_of(hash, to));
            }
            at = (at + 1) & mask;
        }
    }

    fn set(&mut self, at: usize, place: u32) {
        if let Some(slot) = self.places.get_mut(at) {
            *slot = place;
        }
    }
}

/// The place of a record. There are never so many of a shard that an index has no room: they would fill a terabyte.
fn place_of(hash: Hash, index: usize) -> u32 {
    hash.tag | (u32::try_from(index + 1).unwrap_or(INDEX_MASK) & INDEX_MASK)
}

/// The index in a place that is not free.
fn index_of(place: u32) -> usize {
    usize::try_from(place & INDEX_MASK).unwrap_or(0).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Entry(u128, u32);

    impl Keyed for Entry {
        fn key(&self) -> u128 {
            self.0
        }
    }

    fn contents(table: &Table<Entry>, keys: impl Iterator<Item = u128>) -> HashMap<u128, u32> {
        keys.filter_map(|key| table.with(key, |entry| (entry.0, entry.1))).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u128, u32),
        Remove(u128),
        Clear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            20 => (0..200_u128, any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
            15 => (0..200_u128).prop_map(Step::Remove),
            1 => Just(Step::Clear),
        ];
        proptest::collection::vec(step, 0..600)
    }

    proptest! {
        /// All keys in one shard, so that their searches cross each other.
        #[test]
        fn rows_are_a_map(steps in steps(), spread in 0..64_usize) {
            let hash_of = |key: u128| Hash { shard: 0, start: usize::try_from(key).unwrap() * spread / 8, tag: 0 };
            let (mut rows, mut model) = (Rows::<Entry>::default(), HashMap::new());
            for step in steps {
                match step {
                    Step::Put(key, value) => {
                        match rows.find(key, hash_of(key)) {
                            Some((_, index)) => rows.records[index].1 = value,
                            None => rows.push(Entry(key, value), hash_of(key), hash_of),
                        }
                        model.insert(key, value);
                    }
                    Step::Remove(key) => {
                        let removed = rows.remove(key, hash_of(key), hash_of).map(|entry| entry.1);
                        prop_assert_eq!(removed, model.remove(&key));
                    }
                    Step::Clear => {
                        rows = Rows::default();
                        model.clear();
                    }
                }
            }
            prop_assert_eq!(rows.records.len(), model.len());
            for key in 0..200 {
                let found = rows.find(key, hash_of(key)).map(|(_, index)| rows.records[index].1);
                prop_assert_eq!(found, model.get(&key).copied());
            }
        }
    }

    #[test]
    fn many_are_found_and_none_twice() {
        let table = Table::default();
        for key in 0..100_000 {
            table.put(Entry(key, 1), |_, _| unreachable!("there was none"));
        }
        for key in (0..100_000).step_by(3) {
            table.put(Entry(key, 2), |old, new| assert_eq!((old.1, new.1), (1, 2)));
        }
        for key in (0..100_000).step_by(5) {
            table.remove(key);
            table.remove(key);
        }
        assert_eq!(table.len(), 80_000);
        let expected = (0..100_000_u128).filter(|key| key % 5 != 0);
        let expected: HashMap<_, _> = expected.map(|key| (key, if key % 3 == 0 { 2 } else { 1 })).collect();
        assert_eq!(contents(&table, 0..100_001), expected);
        table.clear();
        assert_eq!((table.len(), contents(&table, 0..100_000).len()), (0, 0));
    }

    #[test]
    fn whoever_stays_is_found_while_others_come_and_go() {
        let table = Table::default();
        for key in 0..2_000 {
            table.put(Entry(key, 0), |_, _| ());
        }
        let busy = AtomicUsize::new(2);
        std::thread::scope(|scope| {
            let (table, busy) = (&table, &busy);
            for half in 0..2_u128 {
                scope.spawn(move || {
                    for round in 0..20_u32 {
                        let coming = (2_000..12_000).filter(|key| key % 2 == half);
                        coming.clone().for_each(|key| table.put(Entry(key, round), |_, _| ()));
                        coming.for_each(|key| table.remove(key));
                    }
                    busy.fetch_sub(1, Ordering::AcqRel);
                });
            }
            while busy.load(Ordering::Acquire) > 0 {
                assert_eq!(contents(table, 0..2_000).len(), 2_000);
            }
        });
        assert_eq!(table.len(), 2_000);
    }
}
