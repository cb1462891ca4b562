//! A bounded memory of what was used of late, in two generations: what is used moves into the young one, and when that is full
//! it becomes the old one and the old one is forgotten.

use crate::live::hashing::KeyHashing;
use arc_swap::ArcSwap;
use papaya::HashMap;
use parking_lot::Mutex;
use std::hash::Hash;
use std::sync::Arc;

type Generation<K, V> = HashMap<K, Arc<V>, KeyHashing>;

/// Values by key, about `MAX` in each generation.
#[derive(Debug)]
pub struct Generations<K: Hash + Eq, V, const MAX: usize> {
    young: ArcSwap<Generation<K, V>>,
    old: ArcSwap<Generation<K, V>>,
    turning: Mutex<()>,
}

impl<K: Hash + Eq, V, const MAX: usize> Default for Generations<K, V, MAX> {
    fn default() -> Self {
        let empty = || ArcSwap::from_pointee(HashMap::default());
        Self { young: empty(), old: empty(), turning: Mutex::default() }
    }
}

impl<K: Hash + Eq + Copy, V, const MAX: usize> Generations<K, V, MAX> {
    /// The value of a key, if it is remembered; it is for longer now.
    pub fn find(&self, key: K) -> Option<Arc<V>> {
        if let Some(found) = self.young.load().pin().get(&key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.load().pin().get(&key).map(Arc::clone)?;
        self.insert(key, Arc::clone(&found));
        Some(found)
    }

    /// Remembers a value.
    pub fn insert(&self, key: K, value: Arc<V>) {
        let young = self.young.load();
        young.pin().insert(key, value);
        if young.len() >= MAX {
            self.turn();
        }
    }

    fn turn(&self) {
        let _turning = self.turning.lock();
        let young = self.young.load_full();
        if young.len() >= MAX {
            self.old.store(young);
            self.young.store(Arc::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1_000;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let remembered = Generations::<u128, u128, MAX>::default();
        let len = || remembered.young.load().len() + remembered.old.load().len();
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
