//! Denials on their way to the audit record: counted per (tenant, actor, reason, address, minute), so that a flood of them
//! fills neither the disk nor memory. The first of each minute is written at once, the sum when the minute is over.

use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use tokio::sync::Notify;

/// Most different denials that are told apart in a minute; what comes beyond is counted together.
pub const KEYS_MAX: usize = 4_096;

/// What somebody is that was denied something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A machine.
    #[default]
    Application,
    /// A person.
    User,
}

impl ActorKind {
    /// The word in audit entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::User => "user",
        }
    }
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Denial {
    /// The tenant whose record tells of it.
    pub tenant_id: TenantId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The client id that was presented, or the id of a user, if it is one we know; empty for a stranger.
    pub actor: String,
    /// The reason's stable code, or the right that is missing.
    pub reason: String,
    /// From where.
    pub address: Option<IpAddr>,
}

/// Denials of one minute, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What was denied.
    pub denial: Denial,
    /// Start of the minute.
    pub minute: Timestamp,
    /// How often, this tally included; 1 for the first of the minute.
    pub count: u64,
}

/// The denials of the running minute.
#[derive(Debug, Default)]
pub struct Denials {
    state: Mutex<State>,
    /// Woken when there is something to write at once.
    pub arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    minute: Option<Timestamp>,
    counts: HashMap<Denial, u64>,
    ready: Vec<Tally>,
}

impl Denials {
    /// Counts a denial; `overflow` is the tenant that is told of those beyond [`KEYS_MAX`].
    pub fn add(&self, denial: Denial, overflow: TenantId, now: Timestamp) {
        let mut state = self.state.lock();
        state.turn(now.minute());
        let full = state.counts.len() >= KEYS_MAX && !state.counts.contains_key(&denial);
        let denial = if full {
            Denial {
                tenant_id: overflow,
                kind: ActorKind::default(),
                actor: String::new(),
                reason: "many".into(),
                address: None,
            }
        } else {
            denial
        };
        let count = state.counts.entry(denial.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            state.ready.push(Tally { denial, minute: now.minute(), count: 1 });
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// What is to be written now: the firsts that have come, and the sums of a minute that is over.
    pub fn take(&self, now: Timestamp) -> Vec<Tally> {
        let mut state = self.state.lock();
        state.turn(now.minute());
        std::mem::take(&mut state.ready)
    }

    /// What is left when the server stops.
    pub fn take_all(&self) -> Vec<Tally> {
        let mut state = self.state.lock();
        state.turn(Timestamp::from_micros(i64::MAX).minute());
        std::mem::take(&mut state.ready)
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, tallies: Vec<Tally>) {
        let mut state = self.state.lock();
        if state.ready.len() < 2 * KEYS_MAX {
            state.ready.extend(tallies);
        }
    }
}

impl State {
    fn turn(&mut self, minute: Timestamp) {
        if let Some(over) = self.minute.filter(|running| *running < minute) {
            let sums = self.counts.drain().filter(|(_, count)| *count > 1);
            self.ready.extend(sums.map(|(denial, count)| Tally { denial, minute: over, count }));
        }
        if self.minute.is_none_or(|running| running < minute) {
            self.minute = Some(minute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(actor: &str) -> Denial {
        Denial {
            tenant_id: TenantId::from_u128(1),
            kind: ActorKind::default(),
            actor: actor.into(),
            reason: "secret_wrong".into(),
            address: None,
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_sum_at_the_end() {
        let (denials, root) = (Denials::default(), TenantId::from_u128(9));
        let minute = Timestamp::from_micros(60_000_000);
        for _ in 0..1_000 {
            denials.add(denial("a"), root, minute);
        }
        denials.add(denial("b"), root, minute);
        let firsts = denials.take(minute);
        assert_eq!(firsts.iter().map(|tally| tally.count).collect::<Vec<_>>(), [1, 1]);
        assert!(denials.take(minute.plus_seconds(59)).is_empty());
        let sums = denials.take(minute.plus_seconds(60));
        assert_eq!(sums, [Tally { denial: denial("a"), minute, count: 1_000 }]);
    }

    #[test]
    fn a_flood_stays_bounded() {
        let (denials, root) = (Denials::default(), TenantId::from_u128(9));
        for index in 0..100_000 {
            denials.add(denial(&index.to_string()), root, Timestamp::from_micros(1));
        }
        let firsts = denials.take(Timestamp::from_micros(2));
        assert_eq!(firsts.len(), KEYS_MAX + 1);
        let sum: u64 = denials.take_all().iter().map(|tally| tally.count).sum();
        assert_eq!(usize::try_from(sum).unwrap(), 100_000 - KEYS_MAX);
    }
}
