//! All open connections, as the accept loop sees them.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::pulse::{Deadlines, Pulse, Verdict};

/// The connections that were accepted and not yet seen to be over.
#[derive(Default)]
pub(crate) struct Roster {
    entries: Vec<(Arc<Pulse>, AbortHandle)>,
}

impl Roster {
    pub(crate) fn add(&mut self, pulse: Arc<Pulse>, task: AbortHandle) {
        self.entries.push((pulse, task));
    }

    /// Forgets what is over and ends what has taken too long; tells how many were dropped.
    pub(crate) fn sweep(&mut self, deadlines: &Deadlines) -> usize {
        let mut dropped = 0;
        self.entries.retain(|(pulse, task)| {
            if task.is_finished() {
                return false;
            }
            match pulse.verdict(deadlines) {
                Verdict::Keep => true,
                Verdict::Leave => {
                    pulse.leave();
                    true
                }
                Verdict::Drop => {
                    task.abort();
                    dropped += 1;
                    false
                }
            }
        });
        dropped
    }

    /// Closes up to `wanted` of the connections that have been idle longest, to make room; tells how many.
    pub(crate) fn shed(&mut self, wanted: usize) -> usize {
        let mut idle: Vec<(u32, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, (pulse, task))| !pulse.is_leaving() && !task.is_finished())
            .filter_map(|(at, (pulse, _))| Some((pulse.idle_since()?, at)))
            .collect();
        idle.sort_unstable();
        idle.truncate(wanted);
        for (pulse, _) in idle.iter().filter_map(|(_, at)| self.entries.get(*at)) {
            pulse.leave();
        }
        idle.len()
    }

    /// Asks everybody to leave; who is still shaking hands has no request in flight and goes at once.
    pub(crate) fn dismiss(&self) {
        for (pulse, task) in &self.entries {
            if pulse.is_handshaking() {
                task.abort();
            } else {
                pulse.leave();
            }
        }
    }

    /// Ends everything that is left.
    pub(crate) fn cut(&self) {
        for (_, task) in &self.entries {
            task.abort();
        }
    }
}
