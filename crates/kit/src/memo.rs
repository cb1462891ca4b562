//! Remembers what a pure function said, for arguments that come from configuration and so are few.

use arc_swap::ArcSwap;

/// Most arguments that are remembered; what comes later is worked out each time.
const MAX: usize = 64;

/// The first few arguments and what became of them.
#[derive(Debug)]
pub struct Memo<K, V>(ArcSwap<Vec<(K, V)>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Vec::new()))
    }
}

impl<K: Clone, V: Clone> Memo<K, V> {
    /// What is remembered for the argument that `is_same` recognises.
    pub fn get(&self, is_same: impl Fn(&K) -> bool) -> Option<V> {
        self.0.load().iter().find(|(key, _)| is_same(key)).map(|(_, value)| value.clone())
    }

    /// Remembers, while there is room.
    pub fn put(&self, key: K, value: V) {
        if self.0.load().len() < MAX {
            self.0.rcu(|known| {
                let mut known = Vec::clone(known);
                known.push((key.clone(), value.clone()));
                known
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_and_there_is_an_end_to_it() {
        let memo = Memo::default();
        for key in 0..10 * MAX {
            memo.put(key, key * 2);
        }
        assert_eq!(memo.get(|key| *key == 3), Some(6));
        assert_eq!(memo.get(|key| *key == 5 * MAX), None);
        assert_eq!(memo.0.load().len(), MAX);
    }
}
