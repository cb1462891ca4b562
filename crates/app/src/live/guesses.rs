//! Bad guesses at doors that exchange a credential for a session token: counted by name and by address, so that whoever goes on
//! guessing is told to wait. A right secret is let in all the same: nobody can be shut out by the guesses of others, and since secrets have
//! 256 random bits nothing is gained by more of them.

use crate::live::hashing::KeyHashing;
use claviger_domain::id::ClientId;
use claviger_domain::rate::RateLimit;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;

/// Bad guesses at a name, and from an address, that are answered as what they are.
pub const LIMIT: RateLimit = RateLimit { requests: 30, window_seconds: 60 };
const WINDOW_NANOS: u64 = 60 * 1_000_000_000;
/// Names and addresses of a window that are counted each by itself; whatever comes then is counted together.
const TOLD_APART_MAX: usize = 16_384;

/// The guesses of a minute.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    since: u64,
    names: HashMap<u128, u32, KeyHashing>,
    addresses: HashMap<IpAddr, u32>,
    others: u32,
}

impl Guesses {
    /// Counts a bad guess at `monotonic` nanoseconds; if it is one too many, the seconds after which to come back.
    pub fn count(&self, name: Option<&str>, address: Option<IpAddr>, monotonic: u64) -> Option<u64> {
        let mut window = self.0.lock();
        if monotonic.saturating_sub(window.since) >= WINDOW_NANOS {
            *window = Window { since: monotonic, ..Window::default() };
        }
        let Window { since, names, addresses, others } = &mut *window;
        let mut most = 0;
        let mut add = |counted: Option<&mut u32>| {
            let cell = counted.unwrap_or(others);
            *cell = cell.saturating_add(1);
            most = most.max(*cell);
        };
        let has_room = names.len() + addresses.len() < TOLD_APART_MAX;
        if let Some(key) = name.map(ClientId::key) {
            add(if has_room { Some(names.entry(key).or_default()) } else { names.get_mut(&key) });
        }
        if let Some(address) = address {
            add(if has_room { Some(addresses.entry(address).or_default()) } else { addresses.get_mut(&address) });
        }
        let left = WINDOW_NANOS.saturating_sub(monotonic.saturating_sub(*since));
        (most > LIMIT.requests).then(|| left.div_ceil(1_000_000_000).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn whoever_goes_on_guessing_is_told_to_wait() {
        let guesses = Guesses::default();
        let all = |name, from: fn(u32) -> Option<IpAddr>, now| -> Vec<u64> {
            (0..100).filter_map(|number| guesses.count(Some(name), from(number), now)).collect()
        };
        let second = 1_000_000_000;
        assert_eq!(all("one", |_| address(1), 0), [60; 70], "one name from one address");
        assert_eq!(all("one", address, 10 * second), [50; 100], "and then from many");
        assert_eq!(guesses.count(Some("two"), address(200), 10 * second), None, "others are not concerned");
        assert_eq!(guesses.count(Some("three"), address(1), 10 * second), Some(50), "that address is");
        assert_eq!(guesses.count(Some("one"), address(1), 60 * second), None, "a minute later");
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::default();
        for number in 0..40_000 {
            guesses.count(Some(&number.to_string()), address(number), 0);
            let window = guesses.0.lock();
            assert!(window.names.len() + window.addresses.len() <= TOLD_APART_MAX + 1);
        }
        assert!(guesses.count(Some("new"), None, 0).is_some(), "counted with the others");
    }
}
