//! Who holds how many connections: a seat per connection, given back when it is dropped.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ipnet::IpNet;
use parking_lot::Mutex;

/// The seats of one listener.
pub(crate) struct Seats {
    taken: AtomicUsize,
    per_peer: u32,
    exempt: Vec<IpNet>,
    peers: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    counted: Option<IpAddr>,
}

impl Seats {
    pub(crate) fn new(per_peer: u32, exempt: Vec<IpNet>) -> Self {
        Self { taken: AtomicUsize::new(0), per_peer, exempt, peers: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// A seat for a peer, unless it has all it may have.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Seat> {
        let counted = (!self.exempt.iter().any(|net| net.contains(&peer))).then(|| bucket(peer));
        if let Some(peer) = counted {
            let mut peers = self.peers.lock();
            let held = peers.entry(peer).or_insert(0);
            if *held >= self.per_peer {
                return None;
            }
            *held += 1;
        }
        self.taken.fetch_add(1, Relaxed);
        Some(Seat { seats: Arc::clone(self), counted })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Relaxed);
        let Some(peer) = self.counted else { return };
        let mut peers = self.seats.peers.lock();
        if let Some(held) = peers.get_mut(&peer) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                peers.remove(&peer);
            }
        }
    }
}

/// The address under which a peer is counted: itself, or its /64, which is what one IPv6 host usually owns.
fn bucket(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_returns_when_it_is_dropped() {
        let seats = Arc::new(Seats::new(1, Vec::new()));
        let peer: IpAddr = "203.0.113.9".parse().unwrap();
        let seat = seats.take(peer).unwrap();
        assert!(seats.take(peer).is_none());
        assert!(seats.take("::ffff:203.0.113.9".parse().unwrap()).is_none(), "the same address in its mapped form");
        drop(seat);
        assert_eq!(seats.taken(), 0);
        assert!(seats.take(peer).is_some());
        assert!(seats.peers.lock().is_empty());
    }

    #[test]
    fn ipv6_counts_by_64() {
        let seats = Arc::new(Seats::new(1, Vec::new()));
        let _seat = seats.take("2001:db8:1:2::1".parse().unwrap()).unwrap();
        assert!(seats.take("2001:db8:1:2:ffff::9".parse().unwrap()).is_none());
        assert!(seats.take("2001:db8:1:3::1".parse().unwrap()).is_some());
    }

    #[test]
    fn a_proxy_is_not_counted() {
        let seats = Arc::new(Seats::new(1, vec!["10.0.0.0/8".parse().unwrap()]));
        let peer: IpAddr = "10.1.2.3".parse().unwrap();
        let held: Vec<_> = (0..5).filter_map(|_| seats.take(peer)).collect();
        assert_eq!((held.len(), seats.taken()), (5, 5));
    }
}
