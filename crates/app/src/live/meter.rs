//! The meter: what applications do, counted in memory and written each second.
//!
//! An application's counters, its rate limit and the last uses of its secrets lie in one [`Cell`], in one piece of memory
//! behind one short lock: a call touches some lines of the cache that are its own and nothing that others share.

use crate::live::sharing::{Shared, Sharing};
use agent::{cut, fingerprint};
use claviger_domain::application::LastUse;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::network::{Network, Networks};
use claviger_domain::rate::{Quota, RateLimit};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::Outcome;
use claviger_store::usage_log::UsageBatch;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;

mod agent;

/// How far ahead cells are fetched while others are written.
const AHEAD: usize = 8;

/// A right as the meter counts it: the permission's place in the catalogue and the verb, or none.
pub type CountedRight = Option<(u32, Verb)>;

/// The counters of one application. What each call writes stands together at the front: the fewer lines of the cache one
/// core has to take from another, the better.
#[derive(Debug)]
#[repr(C)]
pub struct Cell {
    pub(super) state: Mutex<State>,
    tenant_id: TenantId,
    pub(super) application_id: ApplicationId,
}

#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct State {
    pub(super) arrival: u64,
    dirty: bool,
    /// Whether there are `more_calls`, which lie in another line.
    many: bool,
    /// Calls since the last flush. Mostly one kind, which needs no memory of its own.
    calls: Option<Calls>,
    /// The last use of a secret since the first call.
    used: Option<Use>,
    more_calls: Vec<Calls>,
    more_used: Option<Box<Use>>,
    /// What it has of a limit that several nodes share; none where there is one node.
    pub(super) sharing: Option<Box<Sharing>>,
    /// Allowed networks out of which calls came since the last flush, those apart out of which the last one came.
    seen: Vec<(Network, Timestamp)>,
}

#[derive(Debug)]
#[repr(C)]
struct Calls {
    last_at: Timestamp,
    count: u32,
    permission: u32,
    hour: Hour,
    verb: Option<Verb>,
    outcome: Outcome,
}

/// Whole hours since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Hour(u32);

impl Hour {
    fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.seconds() / 3_600).unwrap_or(0))
    }

    fn start(self) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(i64::from(self.0) * 3_600)
    }
}

#[derive(Debug)]
#[repr(C)]
struct Use {
    at: Timestamp,
    dirty: bool,
    /// Whether the network has been looked up in the list as it is now.
    placed: bool,
    /// Tells user agents apart without a look at their texts.
    agent: u64,
    secret: SecretId,
    address: Option<IpAddr>,
    // What follows is looked at when something has changed, or is written.
    user_agent: Box<str>,
    /// The narrowest allowed network that holds the address, where there is a list.
    network: Option<Network>,
    /// The hour for which it was logged last: when a network was seen need not be known better.
    logged: Option<Hour>,
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
    /// The networks it may come from, if there is a list.
    pub networks: Option<&'a Networks>,
}

impl Arrival<'_> {
    fn network(&self) -> Option<Network> {
        self.networks.zip(self.address).and_then(|(networks, address)| networks.narrowest(address))
    }
}

impl Cell {
    /// Counters at zero.
    pub fn new(tenant_id: TenantId, application_id: ApplicationId) -> Self {
        Self { state: Mutex::default(), tenant_id, application_id }
    }

    /// Begins to read them; others may go on writing.
    pub fn fetch(&self) {
        std::hint::black_box(self.state.is_locked());
    }

    /// The last use of a secret since this server started, whether it has been written or not.
    pub fn last_use(&self, secret: SecretId) -> Option<LastUse> {
        let mut state = self.state.lock();
        let used = state.uses().find(|used| used.secret == secret)?;
        Some(LastUse { at: used.at, address: used.address, user_agent: used.user_agent.to_string() })
    }

    /// Looks networks up anew at the next call: the list is another one.
    pub fn forget_networks(&self) {
        self.state.lock().uses().for_each(|used| used.placed = false);
    }
}

/// All counters that have moved since the last flush.
#[derive(Debug, Default)]
pub struct Meter {
    dirty: Mutex<Vec<Arc<Cell>>>,
    /// The limits that several nodes share.
    pub(crate) sharing: Shared,
}

impl Meter {
    /// Notes a call with a right secret and takes it from the rate limit, if there is one; `monotonic` in nanoseconds. A
    /// call over the limit is counted as such, any other as what it `asks` for, if that is known by now.
    pub fn arrive(
        &self,
        cell: &Arc<Cell>,
        arrival: &Arrival<'_>,
        limit: Option<RateLimit>,
        monotonic: u64,
        asks: Option<(CountedRight, Outcome)>,
    ) -> Option<Quota> {
        let mut state = cell.state.lock();
        state.touch(arrival);
        let quota = limit.map(|limit| match self.sharing.is_needed() {
            false => limit.take(&mut state.arrival, monotonic),
            true => self.sharing.take(cell, &mut state, limit, monotonic),
        });
        if quota.is_some_and(|quota| !quota.allowed) {
            state.count(None, Outcome::Limited, arrival.now);
        } else if let Some((right, outcome)) = asks {
            state.count(right, outcome, arrival.now);
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
    pub fn take(&self, catalogue: &Catalogue) -> UsageBatch {
        let cells = std::mem::take(&mut *self.dirty.lock());
        let mut batch = UsageBatch::default();
        let mut right = String::new();
        for (place, cell) in cells.iter().enumerate() {
            // Nobody has touched them since their calls: the next ones come nearer while this one is written.
            if let Some(ahead) = cells.get(place + AHEAD) {
                ahead.fetch();
            }
            let mut state = cell.state.lock();
            state.dirty = false;
            let mut of = batch.of(cell.tenant_id, cell.application_id);
            for calls in state.take_calls() {
                spell(&mut right, calls.permission, calls.verb, catalogue);
                of.called(&right, calls.outcome, calls.count, calls.hour.start(), calls.last_at);
            }
            for used in state.uses().filter(|used| used.dirty) {
                used.dirty = false;
                of.used(used.secret, used.at, used.address, &used.user_agent);
                let hour = Some(Hour::of(used.at));
                if let Some(network) = used.network.filter(|_| used.logged != hour) {
                    used.logged = hour;
                    of.seen(&network.to_string(), used.at);
                }
            }
            for (network, at) in std::mem::take(&mut state.seen) {
                of.seen(&network.to_string(), at);
            }
        }
        batch
    }
}

/// `permission:VERB`, or nothing.
fn spell(text: &mut String, permission: u32, verb: Option<Verb>, catalogue: &Catalogue) {
    text.clear();
    let permission = usize::try_from(permission).ok().and_then(|index| catalogue.get(index));
    if let (Some(permission), Some(verb)) = (permission, verb) {
        text.push_str(&permission.name);
        text.push(':');
        text.push_str(verb.as_str());
    }
}

impl State {
    fn take_calls(&mut self) -> impl Iterator<Item = Calls> + use<> {
        let more = if std::mem::take(&mut self.many) { std::mem::take(&mut self.more_calls) } else { Vec::new() };
        self.calls.take().into_iter().chain(more)
    }

    fn uses(&mut self) -> impl Iterator<Item = &mut Use> {
        self.used.iter_mut().chain(self.more_used.as_deref_mut())
    }

    fn touch(&mut self, arrival: &Arrival<'_>) {
        let text = cut(arrival.user_agent);
        let agent = fingerprint(text);
        let (secret, at, address) = (arrival.secret, arrival.now, arrival.address);
        let Self { used, more_used, seen, .. } = self;
        let is_its = |used: &&mut Use| used.secret == secret;
        let known = match used.as_mut().filter(is_its) {
            None => more_used.as_deref_mut().filter(is_its),
            first => first,
        };
        if let Some(used) = known {
            // Looked at before it is written, since it seldom changes.
            if used.address != address || !used.placed {
                let network = arrival.network();
                if used.network != network {
                    note(seen, used.network, used.at);
                    seen.retain(|(known, _)| Some(*known) != network);
                    used.network = network;
                    used.logged = None;
                }
                used.address = address;
                used.placed = true;
            }
            used.at = used.at.max(at);
            used.dirty = true;
            if used.agent != agent {
                used.agent = agent;
                used.user_agent = text.into();
            }
            return;
        }
        let network = arrival.network();
        let new = Use {
            at,
            dirty: true,
            placed: true,
            agent,
            secret,
            address,
            user_agent: text.into(),
            network,
            logged: None,
        };
        if self.used.is_none() {
            self.used = Some(new);
        } else if let Some(newer) = self.more_used.replace(Box::new(new)) {
            // Two secrets are live at most; an older one is no longer of interest.
            self.used = Some(*newer);
        }
    }

    fn count(&mut self, right: CountedRight, outcome: Outcome, now: Timestamp) {
        let hour = Hour::of(now);
        let (permission, verb) = right.map_or((u32::MAX, None), |(permission, verb)| (permission, Some(verb)));
        let is_alike = |calls: &&mut Calls| {
            calls.permission == permission && calls.verb == verb && calls.outcome == outcome && calls.hour == hour
        };
        let alike = match self.calls.as_mut().filter(is_alike) {
            None if self.many => self.more_calls.iter_mut().find(is_alike),
            alike => alike,
        };
        if let Some(calls) = alike {
            calls.count = calls.count.saturating_add(1);
            calls.last_at = calls.last_at.max(now);
            return;
        }
        let new = Calls { last_at: now, count: 1, permission, hour, verb, outcome };
        match &self.calls {
            None => self.calls = Some(new),
            Some(_) => {
                self.many = true;
                self.more_calls.push(new);
            }
        }
    }
}

/// Keeps the last call out of a network: a list has [`NETWORKS_MAX`](claviger_domain::network::NETWORKS_MAX) at most.
fn note(seen: &mut Vec<(Network, Timestamp)>, network: Option<Network>, at: Timestamp) {
    let Some(network) = network else { return };
    match seen.iter_mut().find(|(known, _)| *known == network) {
        Some((_, last)) => *last = at.max(*last),
        None => seen.push((network, at)),
    }
}

#[cfg(test)]
mod tests;
