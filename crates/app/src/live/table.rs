//! Where the records lie: a table of shards, each with places in which the records themselves are, and a byte beside each place.
//!
//! A look-up reads one line of memory that is far away, the record's own, in place of the three or four that a map of pointers
//! takes: the bytes of a million places are few enough to stay near. And records lie close together, with no room of an
//! allocator between them.

use crate::live::hashing::KeyHashing;
use parking_lot::RwLock;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many that two cores seldom meet in one, and one that grows moves little. A power of two.
const SHARDS: usize = 1_024;
/// Stands beside a place that holds nothing.
const FREE: u8 = 0;
/// Places of a shard's first records.
const PLACES_MIN: usize = 4;

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

/// Open addressing: a record is at the first place that was free from where its hash points to, or before it.
#[derive(Debug)]
struct Rows<R> {
    places: Box<[Option<R>]>,
    /// What tells most records apart without a look at them, for each place.
    tags: Box<[u8]>,
    len: usize,
}

/// What the hash of a key says: where to begin, as a share of all places in 1/2^32, and what to look for.
#[derive(Clone, Copy)]
struct Hash {
    shard: usize,
    start: u32,
    tag: u8,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { places: Box::default(), tags: Box::default(), len: 0 }
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
        let at = rows.find(key, hash)?;
        rows.places.get(at)?.as_ref().map(look)
    }

    /// Puts a record into place, for good or instead of the one that had the key, at which `replace` looks first.
    pub(crate) fn put(&self, record: R, replace: impl FnOnce(&R, &R)) {
        let hash = self.hash(record.key());
        let Some(shard) = self.shards.get(hash.shard) else { return };
        let mut rows = shard.0.write();
        let found = rows.find(record.key(), hash);
        // What was replaced is dropped when nobody waits for it any more.
        let _old = match found.and_then(|at| rows.places.get_mut(at)?.as_mut()) {
            Some(old) => {
                replace(old, &record);
                Some(std::mem::replace(old, record))
            }
            None => {
                rows.insert(record, hash, |key| self.hash(key));
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
            self.len.fetch_sub(rows.len, Ordering::Relaxed);
        }
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn hash(&self, key: u128) -> Hash {
        let hash = self.hashing.hash_one(key);
        let [one, two, .., tag] = hash.to_le_bytes();
        let start = u32::try_from((hash >> 16) & u64::from(u32::MAX)).unwrap_or(0);
        Hash { shard: usize::from(u16::from_le_bytes([one, two])) % SHARDS, start, tag: tag.max(FREE + 1) }
    }
}

impl<R: Keyed> Rows<R> {
    /// The place of a key, if it has one.
    fn find(&self, key: u128, hash: Hash) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let tag = *self.tags.get(at)?;
            if tag == FREE {
                return None;
            }
            if tag == hash.tag && self.places.get(at)?.as_ref()?.key() == key {
                return Some(at);
            }
            at = self.next(at);
        }
    }

    /// Where a search begins.
    fn home(&self, hash: Hash) -> usize {
        let scaled = (self.tags.len() as u64).wrapping_mul(u64::from(hash.start)) >> 32;
        usize::try_from(scaled).unwrap_or(0)
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 < self.tags.len() { at + 1 } else { 0 }
    }

    /// How many places a search goes over from one to the other.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.tags.len() - from }
    }

    /// Takes a record whose key has no place yet.
    fn insert(&mut self, record: R, hash: Hash, hash_of: impl Fn(u128) -> Hash) {
        // A quarter of the places stays free, so that each search soon ends.
        if (self.len + 1) * 4 > self.tags.len() * 3 {
            // By an eighth and not by the double: records are most of what a server keeps in memory.
            let length = (self.tags.len() + self.tags.len() / 8).max(self.tags.len() + PLACES_MIN);
            let places = std::iter::repeat_with(|| None).take(length).collect();
            let old = std::mem::replace(&mut self.places, places);
            self.tags = vec![FREE; length].into();
            for record in old.into_iter().flatten() {
                let hash = hash_of(record.key());
                self.place(record, hash);
            }
        }
        self.place(record, hash);
        self.len += 1;
    }

    /// Puts a record at the first free place. There is one.
    fn place(&mut self, record: R, hash: Hash) {
        let mut at = self.home(hash);
        while self.tags.get(at).is_some_and(|tag| *tag != FREE) {
            at = self.next(at);
        }
        self.set(at, Some(record), hash.tag);
    }

    fn set(&mut self, at: usize, record: Option<R>, tag: u8) {
        if let (Some(place), Some(beside)) = (self.places.get_mut(at), self.tags.get_mut(at)) {
            *place = record;
            *beside = tag;
        }
    }

    /// Takes a record away. Those behind it move up, so that none is behind a free place where its search would end.
    fn remove(&mut self, key: u128, hash: Hash, hash_of: impl Fn(u128) -> Hash) -> Option<R> {
        let mut free = self.find(key, hash)?;
        let removed = self.places.get_mut(free).and_then(Option::take);
        let mut at = self.next(free);
        while let Some(record) = self.places.get(at).and_then(Option::as_ref) {
            let hash = hash_of(record.key());
            let home = self.home(hash);
            if self.distance(home, at) >= self.distance(free, at) {
                let moved = self.places.get_mut(at).and_then(Option::take);
                self.set(free, moved, hash.tag);
                free = at;
            }
            at = self.next(at);
        }
        self.set(free, None, FREE);
        self.len -= 1;
        removed
    }
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
        fn rows_are_a_map(steps in steps(), spread in 0..256_u32) {
            let start = |key: u128| u32::try_from(key).unwrap().wrapping_mul(spread << 18);
            let hash_of = |key: u128| Hash { shard: 0, start: start(key), tag: 1 };
            let (mut rows, mut model) = (Rows::<Entry>::default(), HashMap::new());
            for step in steps {
                match step {
                    Step::Put(key, value) => {
                        match rows.find(key, hash_of(key)) {
                            Some(at) => rows.places[at].as_mut().unwrap().1 = value,
                            None => rows.insert(Entry(key, value), hash_of(key), hash_of),
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
            prop_assert_eq!(rows.len, model.len());
            for key in 0..200 {
                let found = rows.find(key, hash_of(key)).map(|at| rows.places[at].as_ref().unwrap().1);
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
