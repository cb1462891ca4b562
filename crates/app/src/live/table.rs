//! Where the records lie: shards, each with its records side by side in extents that never move, and an index that says where.
//!
//! A look-up reads one piece of memory that is far away, the record's own, in place of the three or four that a map of pointers
//! takes: the index of a million records is few enough bytes to stay near. And records take hardly any room but their own: what an
//! extent has for others to come is not touched before they come, and a table that grows leaves no old arrays behind.

use crate::live::hashing::KeyHashing;
use parking_lot::RwLock;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many that cores seldom meet in one. A power of two.
const SHARDS: usize = 64;
/// Records of a shard's first extent: as many as a server with few applications can leave unused in every shard. Each further one
/// has room for as many as all before it.
const FIRST: usize = 32;
/// Extents of a shard, at most.
const EXTENTS: usize = PLACES.ilog2() as usize - FIRST.ilog2() as usize + 1;
/// Stands in the index where there is nothing.
const FREE: u32 = 0;
/// How many bits of an entry say which record it is, from 1: of more than four millions a shard, the rest is not kept.
const PLACE_BITS: u32 = 22;
const PLACES: usize = 1 << PLACE_BITS;
/// Entries of a shard's first index.
const ENTRIES_MIN: usize = 8;

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

/// The records of a shard in no order, and for each an entry by open addressing: it is the first one that was free from where the
/// record's hash points to, or stands before that.
#[derive(Debug)]
struct Rows<R> {
    extents: [Vec<R>; EXTENTS],
    /// Each [`FREE`], or some bits of a record's hash and, in the lower ones, its place from 1.
    index: Box<[u32]>,
    len: usize,
}

/// What the hash of a key says: the shard, where to begin as a share of all entries in 1/2^32, and what to look for.
#[derive(Clone, Copy)]
struct Hash {
    shard: usize,
    start: u32,
    /// In the bits of an entry above the place.
    tag: u32,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { extents: std::array::from_fn(|_| Vec::new()), index: Box::default(), len: 0 }
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
        let (_, place) = rows.find(key, hash)?;
        rows.get(place).map(look)
    }

    /// Puts a record into place, for good or instead of the one that had the key, at which `replace` looks first. Says whether
    /// there was room for it.
    pub(crate) fn put(&self, record: R, replace: impl FnOnce(&R, &R)) -> bool {
        let hash = self.hash(record.key());
        let Some(shard) = self.shards.get(hash.shard) else { return false };
        let mut rows = shard.0.write();
        let found = rows.find(record.key(), hash);
        let is_full = rows.len + 1 >= PLACES;
        // What was replaced is dropped when nobody waits for it any more.
        let _old = match found.and_then(|(_, place)| rows.get_mut(place)) {
            Some(old) => {
                replace(old, &record);
                Some(std::mem::replace(old, record))
            }
            None if is_full => return false,
            None => {
                rows.insert(record, hash, |key| self.hash(key));
                self.len.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        drop(rows);
        true
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

    /// What `look` makes of each record, shard by shard; nothing of this table must be asked meanwhile.
    pub(crate) fn gather<T>(&self, look: impl Fn(&R) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for Shard(rows) in &self.shards {
            let rows = rows.read();
            found.extend(rows.extents.iter().flatten().filter_map(&look));
        }
        found
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn hash(&self, key: u128) -> Hash {
        let hash = self.hashing.hash_one(key);
        let [shard, one, two, three, four, high, higher, _] = hash.to_le_bytes();
        let tag = u32::from(u16::from_le_bytes([high, higher])) << PLACE_BITS;
        Hash { shard: usize::from(shard) % SHARDS, start: u32::from_le_bytes([one, two, three, four]), tag }
    }
}

/// The extent of a place, and where in it that is.
const fn extent_of(place: usize) -> (usize, usize) {
    match (place / FIRST).checked_ilog2() {
        None => (0, place),
        Some(doubled) => (doubled as usize + 1, place - (FIRST << doubled)),
    }
}

/// The place that an entry names.
fn place_of(entry: u32) -> usize {
    usize::try_from(entry).unwrap_or(0) % PLACES - 1
}

impl Hash {
    /// The entry of a record at a place.
    fn entry(self, place: usize) -> u32 {
        self.tag | u32::try_from(place + 1).unwrap_or(FREE)
    }

    /// Whether an entry may be this key's.
    fn may_be(self, entry: u32) -> bool {
        entry >> PLACE_BITS == self.tag >> PLACE_BITS
    }
}

impl<R: Keyed> Rows<R> {
    fn get(&self, place: usize) -> Option<&R> {
        let (extent, at) = extent_of(place);
        self.extents.get(extent)?.get(at)
    }

    fn get_mut(&mut self, place: usize) -> Option<&mut R> {
        let (extent, at) = extent_of(place);
        self.extents.get_mut(extent)?.get_mut(at)
    }

    /// The entry and the place of a key, if it has one.
    fn find(&self, key: u128, hash: Hash) -> Option<(usize, usize)> {
        self.search(hash, |place| self.get(place).is_some_and(|record| record.key() == key))
    }

    /// The first entry with the hash's bits whose place is wanted.
    fn search(&self, hash: Hash, is_wanted: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
        let mut at = self.home(hash);
        loop {
            let entry = *self.index.get(at)?;
            if entry == FREE {
                return None;
            }
            if hash.may_be(entry) && is_wanted(place_of(entry)) {
                return Some((at, place_of(entry)));
            }
            at = self.next(at);
        }
    }

    /// Where a search begins.
    fn home(&self, hash: Hash) -> usize {
        let scaled = (self.index.len() as u64).wrapping_mul(u64::from(hash.start)) >> 32;
        usize::try_from(scaled).unwrap_or(0)
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 < self.index.len() { at + 1 } else { 0 }
    }

    /// How many entries a search goes over from one to the other.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.index.len() - from }
    }

    /// Takes a record whose key has no place yet.
    fn insert(&mut self, record: R, hash: Hash, hash_of: impl Fn(u128) -> Hash) {
        // A quarter of the entries stays free, so that each search soon ends.
        if (self.len + 1) * 4 > self.index.len() * 3 {
            let length = (self.index.len() + self.index.len() / 2).max(ENTRIES_MIN);
            self.index = vec![FREE; length].into();
            for place in 0..self.len {
                if let Some(hash) = self.get(place).map(|record| hash_of(record.key())) {
                    self.enter(hash, place);
                }
            }
        }
        let (extent, at) = extent_of(self.len);
        if let Some(extent) = self.extents.get_mut(extent) {
            if at == 0 {
                *extent = Vec::with_capacity(self.len.max(FIRST));
            }
            extent.push(record);
            self.enter(hash, self.len);
            self.len += 1;
        }
    }

    /// Enters a place at the first free entry. There is one.
    fn enter(&mut self, hash: Hash, place: usize) {
        let mut at = self.home(hash);
        while self.index.get(at).is_some_and(|entry| *entry != FREE) {
            at = self.next(at);
        }
        self.set(at, hash.entry(place));
    }

    fn set(&mut self, at: usize, entry: u32) {
        if let Some(place) = self.index.get_mut(at) {
            *place = entry;
        }
    }

    /// Takes a record away, and puts the last one into its place.
    fn remove(&mut self, key: u128, hash: Hash, hash_of: impl Fn(u128) -> Hash) -> Option<R> {
        let (at, place) = self.find(key, hash)?;
        self.len -= 1;
        let (extent, first) = extent_of(self.len);
        let extent = self.extents.get_mut(extent)?;
        let last = extent.pop()?;
        if first == 0 {
            *extent = Vec::new();
        }
        let removed = if place == self.len {
            last
        } else {
            let hash = hash_of(last.key());
            if let Some((entry, _)) = self.search(hash, |candidate| candidate == self.len) {
                self.set(entry, hash.entry(place));
            }
            std::mem::replace(self.get_mut(place)?, last)
        };
        self.close(at, hash_of);
        Some(removed)
    }

    /// Frees an entry. Those behind it move up, so that none is behind a free one where its search would end.
    fn close(&mut self, mut free: usize, hash_of: impl Fn(u128) -> Hash) {
        self.set(free, FREE);
        let mut at = self.next(free);
        while let Some(entry) = self.index.get(at).copied().filter(|entry| *entry != FREE) {
            let home = self.get(place_of(entry)).map(|record| self.home(hash_of(record.key())));
            if home.is_some_and(|home| self.distance(home, at) >= self.distance(free, at)) {
                self.set(free, entry);
                self.set(at, FREE);
                free = at;
            }
            at = self.next(at);
        }
    }
}

#[cfg(test)]
mod tests;
