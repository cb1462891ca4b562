//! The table behind the keyring: 128 bits → record, nine bytes a place.
//!
//! A record knows its own key, so the table holds pointers and nothing else. It is cut into shards with a lock each, which a
//! look-up holds for some nanoseconds; growing one stops no other.

use crate::live::record::Record;
use hashbrown::HashTable;
use parking_lot::RwLock;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

const SHARDS: usize = 256;

/// A line of the cache to itself, so that no shard's lock slows its neighbour.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(RwLock<HashTable<Arc<Record>>>);

/// Records by key.
#[derive(Debug)]
pub(crate) struct Table {
    shards: [Shard; SHARDS],
    /// Differ from process to process: nobody can choose keys that meet in one place.
    seeds: [u64; 2],
}

impl Default for Table {
    fn default() -> Self {
        let state = RandomState::new();
        Self { shards: std::array::from_fn(|_| Shard::default()), seeds: [state.hash_one(1), state.hash_one(2)] }
    }
}

impl Table {
    /// The record with that key.
    pub(crate) fn find(&self, key: u128) -> Option<Arc<Record>> {
        let hash = hash(self.seeds, key);
        self.shard(hash).read().find(hash, |record| record.key() == key).cloned()
    }

    /// Puts a record in the place of the one with its key.
    pub(crate) fn put(&self, record: Arc<Record>) {
        let (key, seeds) = (record.key(), self.seeds);
        let hash_of = hash(seeds, key);
        let mut shard = self.shard(hash_of).write();
        match shard.find_mut(hash_of, |old| old.key() == key) {
            Some(place) => *place = record,
            None => {
                shard.insert_unique(hash_of, record, |record| hash(seeds, record.key()));
            }
        }
    }

    /// Takes the record with that key away.
    pub(crate) fn remove(&self, key: u128) {
        let hash = hash(self.seeds, key);
        if let Ok(found) = self.shard(hash).write().find_entry(hash, |record| record.key() == key) {
            found.remove();
        }
    }

    /// Takes all away.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            *shard.0.write() = HashTable::new();
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Arc<Record>>> {
        // Neither the bits that choose the place within a shard nor those that tell its neighbours apart.
        let [.., byte, _] = hash.to_le_bytes();
        let [first, ..] = &self.shards;
        &self.shards.get(usize::from(byte)).unwrap_or(first).0
    }
}

/// Both halves count, and neither can be chosen so that many keys meet without knowing the seeds.
fn hash([one, other]: [u64; 2], key: u128) -> u64 {
    let [low, high] = [key & u128::from(u64::MAX), key >> 64];
    let product = (low ^ u128::from(one)).wrapping_mul(high ^ u128::from(other));
    u64::try_from((product ^ (product >> 64)) & u128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_over_shards_and_places() {
        let seeds = Table::default().seeds;
        // Ids of one millisecond that differ in a few bits.
        let (mut shards, mut low) = ([0_usize; SHARDS], std::collections::HashSet::new());
        for number in 0..65_536_u128 {
            let hash = hash(seeds, (0x0199_0000_0000_7000_u128 << 64) | number);
            let [.., byte, _] = hash.to_le_bytes();
            shards[usize::from(byte)] += 1;
            low.insert(hash & 0xffff);
        }
        assert!(shards.iter().all(|count| (100..=450).contains(count)), "{shards:?}");
        assert!(low.len() > 30_000, "{}", low.len());
    }
}
