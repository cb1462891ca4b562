//! How the keyring finds a place for a key of 128 bits: two operations, since ids are half random already.

use std::hash::{BuildHasher, Hasher, RandomState};

/// An odd number whose bits look like chance: the golden ratio's.
const ODD: u128 = 0x9e37_79b9_7f4a_7c15;

/// Hashes keys of 128 bits. The seeds differ from process to process, so that nobody can choose keys that meet.
#[derive(Clone, Debug)]
pub(crate) struct KeyHashing {
    seeds: [u64; 2],
}

impl Default for KeyHashing {
    fn default() -> Self {
        let state = RandomState::new();
        Self { seeds: [state.hash_one(1), state.hash_one(2)] }
    }
}

impl BuildHasher for KeyHashing {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher { seeds: self.seeds, hash: 0 }
    }
}

/// The hash of one key.
pub(crate) struct KeyHasher {
    seeds: [u64; 2],
    hash: u64,
}

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(16) {
            let word = chunk.iter().fold(0, |word, byte| (word << 8) | u128::from(*byte));
            self.write_u128(word);
        }
    }

    fn write_u128(&mut self, key: u128) {
        let [one, other] = self.seeds.map(u128::from);
        let mixed = fold(u128::from(low(key)) ^ one, (key >> 64) ^ other ^ u128::from(self.hash));
        // Once more, since one half may be alike in all keys and the seeds have met it badly.
        self.hash = fold(u128::from(mixed) ^ other, ODD);
    }
}

/// The two halves of a product of two numbers of 64 bits, laid over each other.
fn fold(one: u128, other: u128) -> u64 {
    let product = one.wrapping_mul(other);
    low(product ^ (product >> 64))
}

/// The lower half.
fn low(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_spread_over_places_whatever_the_seeds() {
        let chances = (0..20).map(|_| KeyHashing::default());
        let worst = [[0, 0], [1, 1], [0, 0x0199_0000_0000_7001]];
        for hashing in chances.chain(worst.map(|seeds| KeyHashing { seeds })) {
            let (mut high, mut low) = (HashSet::new(), HashSet::new());
            // Ids of one millisecond that differ in a few bits.
            for number in 0..65_536_u128 {
                let hash = hashing.hash_one((0x0199_0000_0000_7000_u128 << 64) | number);
                high.insert(hash >> 48);
                low.insert(hash & 0xffff);
            }
            // Of 65,536 balls in as many places, thrown at random, 41,427 places get one.
            let seeds = hashing.seeds;
            assert!(high.len() > 38_000 && low.len() > 38_000, "{} {} {seeds:?}", high.len(), low.len());
        }
    }

    #[test]
    fn other_processes_hash_otherwise() {
        assert_ne!(KeyHashing::default().hash_one(7_u128), KeyHashing::default().hash_one(7_u128));
    }
}
