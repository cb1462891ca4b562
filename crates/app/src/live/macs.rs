//! What verifies texts that clients sign with their secrets: opened once, and then found by the secret's id. Whether a secret
//! is live is asked of its application's record, each time; what lies here of one that is gone is never looked at.
//!
//! Two generations bound the memory, as for session tokens. Only what the store holds enters.

use crate::live::hashing::KeyHashing;
use arc_swap::ArcSwap;
use claviger_domain::id::SecretId;
use claviger_domain::secret::MacStates;
use papaya::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;

/// Most secrets of a generation.
const GENERATION: usize = 32_768;

/// What is known of a secret: the states of its HMAC, or that it came without.
pub type Mac = Arc<Option<MacStates>>;

type Generation = HashMap<u128, Mac, KeyHashing>;

/// All of it.
#[derive(Debug, Default)]
pub struct Macs {
    young: ArcSwap<Generation>,
    old: ArcSwap<Generation>,
    turning: Mutex<()>,
    /// Those that are unknown and were asked for, so that they take as long as those that are known.
    strangers: HashMap<u128, (), KeyHashing>,
}

impl Macs {
    /// What verifies texts signed with a secret, if it was opened.
    pub fn find(&self, secret: SecretId) -> Option<Mac> {
        let key = secret.as_u128();
        if let Some(found) = self.young.load().pin().get(&key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.load().pin().get(&key).map(Arc::clone)?;
        self.insert(secret, Arc::clone(&found));
        Some(found)
    }

    /// Takes what was opened.
    pub fn insert(&self, secret: SecretId, mac: Mac) {
        let young = self.young.load();
        young.pin().insert(secret.as_u128(), mac);
        if young.len() >= GENERATION {
            self.turn();
        }
    }

    /// Whether an unknown client id, by its key, is asked for the first time.
    pub fn meets(&self, stranger: u128) -> bool {
        let strangers = self.strangers.pin();
        if strangers.get(&stranger).is_some() {
            return false;
        }
        if strangers.len() >= GENERATION {
            strangers.clear();
        }
        strangers.insert(stranger, ()).is_none()
    }

    fn turn(&self) {
        let _turning = self.turning.lock();
        let young = self.young.load_full();
        if young.len() >= GENERATION {
            self.old.store(young);
            self.young.store(Arc::default());
        }
    }

    /// How many are in memory, those twice that are in both generations.
    pub fn len(&self) -> usize {
        self.young.load().len() + self.old.load().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let (macs, used) = (Macs::default(), SecretId::from_u128(u128::MAX));
        macs.insert(used, Arc::new(Some(MacStates::of(b"key"))));
        for number in 0..3 * GENERATION {
            macs.insert(SecretId::from_u128(number as u128), Arc::new(None));
            assert!(macs.len() <= 2 * GENERATION);
            if number % 1_000 == 0 {
                assert!(macs.find(used).is_some_and(|mac| mac.is_some()), "{number}");
            }
        }
        assert!(macs.find(SecretId::from_u128(0)).is_none());
        for number in 0..2 * GENERATION {
            assert!(macs.meets(number as u128));
            assert!(macs.strangers.len() <= GENERATION);
        }
        assert!(!macs.meets(2 * GENERATION as u128 - 1));
    }
}
