//! What verifies texts that clients sign with their secrets: opened once, and then found by the secret's id. Whether a secret
//! is live is asked of its application's record, each time; what lies here of one that is gone is never looked at.
//!
//! Two generations bound the memory, as for session tokens. Only what the store holds enters.

use crate::live::generations::Generations;
use crate::live::hashing::KeyHashing;
use claviger_domain::id::SecretId;
use claviger_domain::secret::MacStates;
use papaya::HashMap;
use std::sync::Arc;

/// Most secrets of a generation.
const GENERATION: usize = 32_768;

/// What is known of a secret: the states of its HMAC, or that it came without.
pub type Mac = Arc<Option<MacStates>>;

/// All of it.
#[derive(Debug, Default)]
pub struct Macs {
    opened: Generations<u128, Option<MacStates>, GENERATION>,
    /// Those that are unknown and were asked for, so that they take as long as those that are known.
    strangers: HashMap<u128, (), KeyHashing>,
}

impl Macs {
    /// What verifies texts signed with a secret, if it was opened.
    pub fn find(&self, secret: SecretId) -> Option<Mac> {
        self.opened.find(secret.as_u128())
    }

    /// Takes what was opened.
    pub fn insert(&self, secret: SecretId, mac: Mac) {
        self.opened.insert(secret.as_u128(), mac);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_met_once_and_not_all_are_remembered() {
        let macs = Macs::default();
        for number in 0..2 * GENERATION {
            assert!(macs.meets(number as u128));
            assert!(macs.strangers.len() <= GENERATION);
        }
        assert!(!macs.meets(2 * GENERATION as u128 - 1));
    }
}
