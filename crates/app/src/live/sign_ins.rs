//! Sign-ins in memory: which session tokens of them are dead before their time, all of it known at any time; and on what they
//! may report, as far as somebody asked.
//!
//! A list of instances only grows while its sign-in lasts. So what is in memory is never wrong, and whatever is not is asked
//! of the store: nothing has to tell one node what another has added.

use claviger_domain::id::{SignInId, TenantId};
use claviger_domain::sign_in::Standing;
use claviger_domain::time::Timestamp;
use papaya::HashMap;
use parking_lot::Mutex;
use std::collections::HashMap as StdMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most instances of all lists in memory; beyond that they are forgotten and read again.
const LISTED_MAX: usize = 1_000_000;

/// What memory knows of sign-ins.
#[derive(Debug, Default)]
pub struct SignIns {
    standings: HashMap<u128, Standing>,
    /// How many those are, to be asked without a look at them.
    count: AtomicUsize,
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    known: StdMap<u128, Arc<[TenantId]>>,
    listed: usize,
}

/// What holds of two words on one sign-in: nothing that was dead comes to life.
fn later(one: Standing, other: Standing) -> Standing {
    let (old, new) = if one.generation <= other.generation { (one, other) } else { (other, one) };
    Standing { ended_at: new.ended_at.or(old.ended_at), ..new }
}

impl SignIns {
    /// Takes the standing of a sign-in as it is stored.
    pub fn put(&self, id: SignInId, standing: Standing) {
        // Counted first: whoever finds the count at zero need not look.
        self.count.fetch_add(1, Ordering::AcqRel);
        let standings = self.standings.pin();
        let is_new = standings.get(&id.as_u128()).is_none();
        standings.update_or_insert_with(id.as_u128(), |old| later(*old, standing), || standing);
        if !is_new {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Takes every session token of a sign-in for dead.
    pub fn end(&self, id: SignInId, now: Timestamp) {
        let ended = Standing { ended_at: Some(now), ..Standing::NEW };
        let known = self.standings.pin().get(&id.as_u128()).copied();
        self.put(id, known.map_or(ended, |known| Standing { ended_at: Some(now), ..known }));
    }

    /// Whether session tokens of that place are dead.
    pub fn is_over(&self, place: Option<(SignInId, i64)>, now: Timestamp) -> bool {
        let Some((id, generation)) = place.filter(|_| self.count.load(Ordering::Acquire) > 0) else { return false };
        self.standings.pin().get(&id.as_u128()).is_some_and(|standing| standing.is_over(generation, now))
    }

    /// Forgets standings that say nothing of a token which could still live: nothing has happened to them since `then`.
    pub fn forget(&self, then: Timestamp) {
        let standings = self.standings.pin();
        let past = |standing: &Standing| standing.ending_at < then && standing.ended_at.is_none_or(|at| at < then);
        let gone: Vec<u128> = standings.iter().filter(|(_, standing)| past(standing)).map(|(id, _)| *id).collect();
        for id in gone {
            if standings.remove(&id).is_some() {
                self.count.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// How many standings are in memory.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// On what a sign-in may report, as far as memory knows.
    pub fn instances(&self, id: SignInId) -> Arc<[TenantId]> {
        self.lists.lock().known.get(&id.as_u128()).cloned().unwrap_or_default()
    }

    /// Takes a list as it is stored.
    pub fn put_instances(&self, id: SignInId, instances: Arc<[TenantId]>) {
        let mut lists = self.lists.lock();
        if lists.listed.saturating_add(instances.len()) > LISTED_MAX {
            *lists = Lists::default();
        }
        lists.listed += instances.len();
        if let Some(before) = lists.known.insert(id.as_u128(), instances) {
            lists.listed -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn nothing_dead_comes_to_life_whatever_comes_late() {
        let (sign_ins, id) = (SignIns::default(), SignInId::from_u128(7));
        let (once, twice) = (Standing::NEW.refreshed(at(0)), Standing::NEW.refreshed(at(0)).refreshed(at(60)));
        assert!(!sign_ins.is_over(Some((id, 1)), at(0)) && !sign_ins.is_over(None, at(0)));
        sign_ins.put(id, twice);
        sign_ins.put(id, once);
        assert!(sign_ins.is_over(Some((id, 1)), at(60)) && sign_ins.is_over(Some((id, 2)), at(90)));
        assert!(
            !sign_ins.is_over(Some((id, 3)), at(90)) && !sign_ins.is_over(Some((SignInId::from_u128(8), 1)), at(90))
        );
        sign_ins.end(id, at(95));
        sign_ins.put(id, twice.refreshed(at(96)));
        assert!(sign_ins.is_over(Some((id, 4)), at(97)), "ended is ended");
        assert_eq!(sign_ins.len(), 1);
        sign_ins.forget(at(95));
        assert_eq!(sign_ins.len(), 1);
        sign_ins.forget(at(200));
        assert!(sign_ins.is_empty());
    }

    #[test]
    fn lists_are_bounded() {
        let sign_ins = SignIns::default();
        let long: Arc<[TenantId]> = (0..LISTED_MAX as u128 / 2).map(TenantId::from_u128).collect();
        for number in 0..5 {
            let id = SignInId::from_u128(number);
            sign_ins.put_instances(id, Arc::clone(&long));
            sign_ins.put_instances(id, Arc::clone(&long));
            assert_eq!(sign_ins.instances(id).len(), long.len());
            assert!(sign_ins.lists.lock().listed <= LISTED_MAX);
        }
        assert!(sign_ins.instances(SignInId::from_u128(0)).is_empty());
    }
}
