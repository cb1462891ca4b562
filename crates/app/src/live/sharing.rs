//! A rate limit that several nodes share. Each lets through its share of what is left of the limit, by how much it is asked
//! for, and twice a second they tell each other what they let through.

use crate::live::meter::{Cell, State};
use claviger_domain::id::ApplicationId;
use claviger_domain::rate::{Quota, RateLimit, Share};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How much of what was asked for in the round before still counts.
const MEMORY: f64 = 0.3;
/// Below this nobody asks any more.
const QUIET: f64 = 0.5;

/// What one application has of its limit here.
#[derive(Debug)]
pub(crate) struct Sharing {
    limit: RateLimit,
    share: Share,
    /// Calls that were let through in all, and those of them that the others were told of.
    admitted: u64,
    told: u64,
    /// Calls since the last round, let through or not, and those of earlier rounds, fading.
    asked: u32,
    demand: f64,
    /// Rounds since it has been looked at in each; none while it is not.
    rounds: Option<u32>,
}

/// What one node tells of an application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Told {
    /// The application.
    pub(crate) application: ApplicationId,
    /// Calls that were let through in all.
    pub(crate) admitted: u64,
    /// Those of them since the round before.
    pub(crate) recent: u32,
    /// How much is asked for.
    pub(crate) demand: f32,
    /// Calls that it may still let through.
    pub(crate) held: f32,
}

/// What the other nodes did with an application.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Elsewhere {
    /// Calls that they let through since they were last heard.
    pub(crate) admitted: u64,
    /// How much they are asked for.
    pub(crate) demand: f64,
    /// Calls that they may still let through.
    pub(crate) held: f64,
}

/// All limits that are shared.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// How many other nodes there are.
    others: AtomicU32,
    listed: Mutex<Vec<Arc<Cell>>>,
}

impl Shared {
    /// Says how many other nodes there are.
    pub(crate) fn set_others(&self, others: u32) {
        self.others.store(others, Ordering::Relaxed);
    }

    /// Whether there are any.
    pub(super) fn is_needed(&self) -> bool {
        self.others.load(Ordering::Relaxed) > 0
    }

    fn equal_part(&self) -> f64 {
        1.0 / (1.0 + f64::from(self.others.load(Ordering::Relaxed)))
    }

    /// Takes a call from what this node has of the limit.
    pub(super) fn take(&self, cell: &Arc<Cell>, state: &mut State, limit: RateLimit, now: u64) -> Quota {
        let left = f64::from(limit.left(state.arrival, now));
        // What nobody has asked for yet is shared equally.
        let part = self.equal_part();
        let fresh = || Share::new(limit, part, part * left, now);
        let sharing = state.sharing.get_or_insert_with(|| {
            let share = fresh();
            Box::new(Sharing { limit, share, admitted: 0, told: 0, asked: 0, demand: 0.0, rounds: None })
        });
        if sharing.rounds.is_none() || sharing.limit != limit {
            sharing.share = fresh();
            sharing.limit = limit;
        }
        if sharing.rounds.is_none() {
            sharing.rounds = Some(0);
            self.listed.lock().push(Arc::clone(cell));
        }
        sharing.asked = sharing.asked.saturating_add(1);
        let mut ahead = state.arrival;
        let quota = limit.take(&mut ahead, now);
        if !quota.allowed {
            return quota;
        }
        match sharing.share.take(now) {
            Ok(()) => {
                state.arrival = ahead;
                sharing.admitted += 1;
                quota
            }
            Err(reset_seconds) => Quota { allowed: false, remaining: 0, reset_seconds },
        }
    }

    /// Shares out anew by what the others did. What is not asked for any more is left out of the next round.
    pub(crate) fn share_out(&self, elsewhere: &mut HashMap<ApplicationId, Elsewhere>, now: u64) {
        self.listed.lock().retain(|cell| {
            let mut state = cell.state.lock();
            let mut arrival = state.arrival;
            let Some(sharing) = state.sharing.as_deref_mut() else { return false };
            let heard = elsewhere.get_mut(&cell.application_id);
            // What is charged here is not to be charged again.
            let others =
                heard.map(|heard| std::mem::replace(heard, Elsewhere { admitted: 0, ..*heard })).unwrap_or_default();
            sharing.limit.charge(&mut arrival, now, others.admitted);
            sharing.demand = sharing.demand * MEMORY + f64::from(std::mem::take(&mut sharing.asked));
            let rounds = sharing.rounds.unwrap_or(0);
            // In the first round the others may not have told yet that they are asked, too.
            if rounds > 0 {
                let all = sharing.demand + others.demand;
                let fraction = if all > 0.0 { sharing.demand / all } else { self.equal_part() };
                let left = f64::from(sharing.limit.left(arrival, now));
                let calls = (fraction * left).min(left - others.held);
                sharing.share = Share::new(sharing.limit, fraction, calls, now);
            }
            let asked_for = sharing.demand >= QUIET || sharing.admitted > sharing.told;
            sharing.rounds = asked_for.then_some(rounds.saturating_add(1));
            if !asked_for {
                sharing.demand = 0.0;
            }
            if others.admitted > 0 {
                state.arrival = arrival;
            }
            asked_for
        });
    }

    /// What this node tells the others.
    pub(crate) fn tell(&self, most: usize) -> Vec<Told> {
        let cells: Vec<_> = self.listed.lock().iter().take(most).cloned().collect();
        let told = cells.into_iter().filter_map(|cell| {
            let mut state = cell.state.lock();
            let sharing = state.sharing.as_deref_mut()?;
            let recent = u32::try_from(sharing.admitted - sharing.told).unwrap_or(u32::MAX);
            sharing.told = sharing.admitted;
            let (application, admitted) = (cell.application_id, sharing.admitted);
            let (demand, held) = (narrow(sharing.demand), narrow(sharing.share.calls()));
            Some(Told { application, admitted, recent, demand, held })
        });
        told.collect()
    }

    /// Takes from an application's bucket what was let through elsewhere while nobody asked for it here.
    pub(crate) fn charge(&self, cell: &Cell, limit: RateLimit, admitted: u64, now: u64) {
        let mut state = cell.state.lock();
        if state.sharing.as_ref().is_none_or(|sharing| sharing.rounds.is_none()) {
            limit.charge(&mut state.arrival, now, admitted);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "how much is asked for need not be exact")]
fn narrow(demand: f64) -> f32 {
    demand as f32
}
