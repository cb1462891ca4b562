//! The meter: what applications do, counted in memory and written each second.
//!
//! An application's counters, its rate limit and the last uses of its secrets lie in one [`Cell`] behind one short lock: a
//! call touches one cache line of its own and nothing that other applications share.

use claviger_domain::application::{LastUse, USER_AGENT_MAX};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{Right, Verb};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::rate::{Quota, RateLimit};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Outcome, SecretUse, UsageDelta};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A right as the meter counts it: the permission's place in the catalogue and the verb, or none.
pub type CountedRight = Option<(u32, Verb)>;

/// The counters of one application.
#[derive(Debug)]
pub struct Cell {
    tenant_id: TenantId,
    application_id: ApplicationId,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    arrival: u64,
    dirty: bool,
    counts: Vec<Count>,
    uses: Vec<Use>,
}

#[derive(Debug)]
struct Count {
    right: CountedRight,
    outcome: Outcome,
    hour: Timestamp,
    count: u32,
    last_at: Timestamp,
}

#[derive(Debug)]
struct Use {
    secret: SecretId,
    at: Timestamp,
    address: Option<IpAddr>,
    user_agent: Box<str>,
    dirty: bool,
}

/// A call with a right secret, as the meter takes it.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The secret it was made with.
    pub secret: SecretId,
    /// When.
    pub now: Timestamp,
    /// From where.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: &'a str,
}

impl Cell {
    /// Counters at zero.
    pub fn new(tenant_id: TenantId, application_id: ApplicationId) -> Self {
        Self { tenant_id, application_id, state: Mutex::default() }
    }
}

/// What was counted since the last flush.
#[derive(Debug, Default)]
pub struct Flush {
    /// Calls.
    pub usage: Vec<UsageDelta>,
    /// Last uses of secrets.
    pub uses: Vec<SecretUse>,
}

impl Flush {
    /// Adds what was counted later; what belongs together is one delta, however often this is done.
    pub fn absorb(&mut self, later: Self) {
        if self.is_empty() {
            *self = later;
            return;
        }
        let key = |delta: &UsageDelta| (delta.application_id, delta.hour, delta.right.clone(), delta.outcome);
        let mut places: HashMap<_, _> =
            self.usage.iter().enumerate().map(|(place, delta)| (key(delta), place)).collect();
        for delta in later.usage {
            let place = *places.entry(key(&delta)).or_insert(self.usage.len());
            match self.usage.get_mut(place) {
                Some(sum) => {
                    sum.count = sum.count.saturating_add(delta.count);
                    sum.last_at = sum.last_at.max(delta.last_at);
                }
                None => self.usage.push(delta),
            }
        }
        let mut places: HashMap<_, _> =
            self.uses.iter().enumerate().map(|(place, one)| (one.secret_id, place)).collect();
        for one in later.uses {
            let place = *places.entry(one.secret_id).or_insert(self.uses.len());
            match self.uses.get_mut(place) {
                Some(last) => *last = one,
                None => self.uses.push(one),
            }
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.usage.is_empty() && self.uses.is_empty()
    }
}

/// All counters that have moved since the last flush.
#[derive(Debug, Default)]
pub struct Meter {
    dirty: Mutex<Vec<Arc<Cell>>>,
}

impl Meter {
    /// Notes a call with a right secret and takes it from the rate limit, if there is one; `monotonic` in nanoseconds.
    pub fn arrive(
        &self,
        cell: &Arc<Cell>,
        arrival: &Arrival<'_>,
        limit: Option<RateLimit>,
        monotonic: u64,
    ) -> Option<Quota> {
        let mut state = cell.state.lock();
        state.touch(arrival);
        let quota = limit.map(|limit| limit.take(&mut state.arrival, monotonic));
        if quota.is_some_and(|quota| !quota.allowed) {
            state.count(None, Outcome::Limited, arrival.now);
        }
        self.mark(cell, &mut state);
        quota
    }

    /// Counts a call that asked for a right, or for none.
    pub fn count(&self, cell: &Arc<Cell>, right: CountedRight, outcome: Outcome, now: Timestamp) {
        let mut state = cell.state.lock();
        state.count(right, outcome, now);
        self.mark(cell, &mut state);
    }

    fn mark(&self, cell: &Arc<Cell>, state: &mut State) {
        if !state.dirty {
            state.dirty = true;
            self.dirty.lock().push(Arc::clone(cell));
        }
    }

    /// Takes what was counted since the last time.
    pub fn take(&self, catalogue: &Catalogue) -> Flush {
        let cells = std::mem::take(&mut *self.dirty.lock());
        let mut flush = Flush::default();
        for cell in cells {
            let mut state = cell.state.lock();
            state.dirty = false;
            let (tenant_id, application_id) = (cell.tenant_id, cell.application_id);
            flush.usage.extend(state.counts.drain(..).map(|count| UsageDelta {
                tenant_id,
                application_id,
                hour: count.hour,
                right: right_text(count.right, catalogue),
                outcome: count.outcome,
                count: i64::from(count.count),
                last_at: count.last_at,
            }));
            state.counts.shrink_to(4);
            for used in state.uses.iter_mut().filter(|used| used.dirty) {
                used.dirty = false;
                let last_use = LastUse { at: used.at, address: used.address, user_agent: used.user_agent.to_string() };
                flush.uses.push(SecretUse { tenant_id, application_id, secret_id: used.secret, last_use });
            }
        }
        flush
    }
}

fn right_text(right: CountedRight, catalogue: &Catalogue) -> String {
    let named = right.and_then(|(index, verb)| {
        let permission = catalogue.get(usize::try_from(index).ok()?)?;
        Some(Right::new(&permission.name, verb).to_string())
    });
    named.unwrap_or_default()
}

impl State {
    fn touch(&mut self, arrival: &Arrival<'_>) {
        let agent = cut(arrival.user_agent);
        match self.uses.iter_mut().find(|used| used.secret == arrival.secret) {
            Some(used) => {
                used.at = used.at.max(arrival.now);
                used.address = arrival.address;
                used.dirty = true;
                if *used.user_agent != *agent {
                    used.user_agent = agent.into();
                }
            }
            None => {
                // Two secrets are live at most; an older one is no longer of interest.
                if self.uses.len() >= 2 {
                    self.uses.remove(0);
                }
                let (secret, at, address) = (arrival.secret, arrival.now, arrival.address);
                self.uses.push(Use { secret, at, address, user_agent: agent.into(), dirty: true });
            }
        }
    }

    fn count(&mut self, right: CountedRight, outcome: Outcome, now: Timestamp) {
        let hour = now.hour();
        let same = |count: &&mut Count| count.right == right && count.outcome == outcome && count.hour == hour;
        match self.counts.iter_mut().find(same) {
            Some(count) => {
                count.count = count.count.saturating_add(1);
                count.last_at = count.last_at.max(now);
            }
            None => self.counts.push(Count { right, outcome, hour, count: 1, last_at: now }),
        }
    }
}

fn cut(text: &str) -> &str {
    if text.len() <= USER_AGENT_MAX {
        return text;
    }
    let end = (0..=USER_AGENT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(now: i64) -> Arrival<'static> {
        Arrival {
            secret: SecretId::from_u128(1),
            now: Timestamp::from_micros(now),
            address: Some(IpAddr::from([192, 0, 2, 1])),
            user_agent: "curl/8",
        }
    }

    #[test]
    fn calls_are_counted_once_and_flushed_once() {
        let catalogue = Catalogue::built_in();
        let meter = Meter::default();
        let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
        let audits = u32::try_from(catalogue.find("org.audits").unwrap().index).unwrap();
        for now in 1..=3 {
            assert_eq!(meter.arrive(&cell, &arrival(now), None, 0), None);
            meter.count(&cell, Some((audits, Verb::Read)), Outcome::Allowed, Timestamp::from_micros(now));
        }
        let flush = meter.take(&catalogue);
        assert_eq!((flush.usage.len(), flush.uses.len()), (1, 1));
        assert_eq!((flush.usage[0].count, flush.usage[0].right.as_str()), (3, "org.audits:READ"));
        assert_eq!(flush.uses[0].last_use.at, Timestamp::from_micros(3));
        assert!(meter.take(&catalogue).is_empty());
        meter.count(&cell, None, Outcome::Allowed, Timestamp::from_micros(4));
        assert_eq!(meter.take(&catalogue).usage[0].right, "");
    }

    #[test]
    fn what_cannot_be_written_does_not_grow() {
        let catalogue = Catalogue::built_in();
        let meter = Meter::default();
        let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
        let mut unwritten = Flush::default();
        for now in 1..=50 {
            meter.arrive(&cell, &arrival(now), None, 0);
            meter.count(&cell, None, Outcome::Allowed, Timestamp::from_micros(now));
            unwritten.absorb(meter.take(&catalogue));
        }
        assert_eq!((unwritten.usage.len(), unwritten.uses.len()), (1, 1));
        assert_eq!((unwritten.usage[0].count, unwritten.uses[0].last_use.at.micros()), (50, 50));
    }

    #[test]
    fn hours_are_kept_apart_and_limits_are_counted() {
        let catalogue = Catalogue::built_in();
        let meter = Meter::default();
        let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
        let limit = Some(RateLimit { requests: 1, window_seconds: 60 });
        assert!(meter.arrive(&cell, &arrival(1), limit, 1).unwrap().allowed);
        assert!(!meter.arrive(&cell, &arrival(2), limit, 2).unwrap().allowed);
        assert!(!meter.arrive(&cell, &arrival(3_600_000_000), limit, 3).unwrap().allowed);
        let flush = meter.take(&catalogue);
        assert!(flush.usage.iter().all(|usage| usage.outcome == Outcome::Limited && usage.count == 1));
        assert_eq!(flush.usage.len(), 2);
    }
}
