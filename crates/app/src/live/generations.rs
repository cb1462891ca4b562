//! A bounded memory of what was used of late, in two generations: what is used moves into the young one, and when that is full
//! it becomes the old one and the old one is forgotten.

use crate::live::hashing::KeyHashing;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

/// So many that cores seldom meet in one. A power of two.
const SHARDS: usize = 16;

/// Values by key, at most `MAX` in each generation.
#[derive(Debug)]
pub struct Generations<K: Hash + Eq, V, const MAX: usize> {
    hashing: KeyHashing,
    shards: [Shard<K, V>; SHARDS],
}

/// On lines of its own, so that whoever reads one shard does not take another's line away.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<K, V>(RwLock<Pair<K, V>>);

#[derive(Debug)]
struct Pair<K, V> {
    young: Generation<K, V>,
    old: Generation<K, V>,
}

type Generation<K, V> = HashMap<K, Arc<V>, KeyHashing>;

impl<K: Hash + Eq, V, const MAX: usize> Default for Generations<K, V, MAX> {
    fn default() -> Self {
        let pair = || Pair { young: HashMap::default(), old: HashMap::default() };
        Self { hashing: KeyHashing::default(), shards: std::array::from_fn(|_| Shard(RwLock::new(pair()))) }
    }
}

impl<K: Hash + Eq + Copy, V, const MAX: usize> Generations<K, V, MAX> {
    /// The value of a key, if it is remembered; it is for longer now.
    pub fn find(&self, key: K) -> Option<Arc<V>> {
        let found = {
            let pair = self.shard(key)?.read();
            if let Some(found) = pair.young.get(&key) {
                return Some(Arc::clone(found));
            }
            pair.old.get(&key).map(Arc::clone)?
        };
        self.insert(key, Arc::clone(&found));
        Some(found)
    }

    /// Remembers a value.
    pub fn insert(&self, key: K, value: Arc<V>) {
        let Some(shard) = self.shard(key) else { return };
        let mut pair = shard.write();
        pair.young.insert(key, value);
        // What is forgotten is dropped when nobody waits for it any more.
        let _forgotten = (pair.young.len() >= MAX / SHARDS).then(|| {
            let young = std::mem::take(&mut pair.young);
            std::mem::replace(&mut pair.old, young)
        });
        drop(pair);
    }

    fn shard(&self, key: K) -> Option<&RwLock<Pair<K, V>>> {
        let [first, ..] = self.hashing.hash_one(key).to_le_bytes();
        self.shards.get(usize::from(first) % SHARDS).map(|Shard(pair)| pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1_000;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let remembered = Generations::<u128, u128, MAX>::default();
        let of = |Shard(pair): &Shard<u128, u128>| pair.read().young.len() + pair.read().old.len();
        let len = || remembered.shards.iter().map(of).sum::<usize>();
        remembered.insert(u128::MAX, Arc::new(7));
        for number in 0..4 * MAX as u128 {
            remembered.insert(number, Arc::new(number));
            assert!(len() <= 2 * MAX);
            if number % 100 == 0 {
                assert_eq!(remembered.find(u128::MAX).as_deref(), Some(&7), "{number}");
            }
        }
        assert_eq!(remembered.find(0), None);
        assert_eq!(remembered.find(4 * MAX as u128), None);
        assert_eq!(remembered.find(4 * MAX as u128 - 1).as_deref(), Some(&(4 * MAX as u128 - 1)));
    }
}
