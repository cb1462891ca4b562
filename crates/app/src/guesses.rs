//! Guesses at what somebody else knows, counted before they are looked at: in a transaction of their own, which is durable
//! whatever becomes of the request, and in the store, so that all nodes count together and a restart forgets none.

use crate::App;
use crate::unit::to_the_end;
use claviger_domain::Result;
use claviger_domain::address::Origin;
use claviger_domain::guess::{Allowance, key, take_back};
use claviger_domain::time::Timestamp;
use claviger_store::Tx;
use std::net::IpAddr;
use std::sync::Arc;

/// What a guess is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    key: [u8; 32],
    allowance: Allowance,
}

impl Count {
    /// A guess of a kind, at what `of` names.
    pub(crate) fn new(kind: &str, of: &str, allowance: Allowance) -> Self {
        Self { key: key(kind, of), allowance }
    }

    /// A guess of a kind, from an address; those of one IPv6 network are counted together.
    pub(crate) fn from(kind: &str, origin: Origin, allowance: Allowance) -> Self {
        let of = match origin.address() {
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Some(IpAddr::V4(address)) => address.to_string(),
            None => String::new(),
        };
        Self::new(kind, &of, allowance)
    }
}

/// What became of counting a guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// When, which it is taken back by.
    pub(crate) at: Timestamp,
    /// For each that it was counted under: the seconds to wait, where there were too many already.
    pub(crate) waits: Vec<Option<u64>>,
}

impl App {
    /// Counts a guess under each of these. Where there were too many under one already, it counts under the others all the same.
    pub(crate) async fn count_guesses(self: &Arc<Self>, counts: &[Count]) -> Result<Counted> {
        let (app, counts) = (Arc::clone(self), counts.to_vec());
        to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            let at = app.state.shared_now();
            let mut waits = vec![None; counts.len()];
            // In one order, so that two of them cannot wait for each other.
            let mut order: Vec<_> = counts.iter().zip(&mut waits).collect();
            order.sort_by_key(|(count, _)| count.key);
            for (Count { key, allowance }, wait) in order {
                let mut times = tx.lock_guesses(key).await?;
                match allowance.count(&mut times, at) {
                    Ok(()) => tx.put_guesses(key, &times, at).await?,
                    Err(seconds) => *wait = Some(seconds),
                }
            }
            tx.commit().await?;
            Ok(Counted { at, waits })
        })
        .await
    }
}

/// Takes a guess back that was right, in the transaction that says so.
pub(crate) async fn take_back_guesses(tx: &mut Tx, counts: &[Count], counted: &Counted) -> Result<()> {
    let mut order: Vec<_> = counts.iter().zip(&counted.waits).filter(|(_, wait)| wait.is_none()).collect();
    order.sort_by_key(|(count, _)| count.key);
    for (Count { key, .. }, _) in order {
        let mut times = tx.lock_guesses(key).await?;
        take_back(&mut times, counted.at);
        let last = times.iter().max().copied().map_or(counted.at, Timestamp::from_micros);
        tx.put_guesses(key, &times, last).await?;
    }
    Ok(())
}
