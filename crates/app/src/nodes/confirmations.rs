//! Waiting until every node has followed a change, or has stopped answering.
//!
//! Whoever waits is told together with all others who wait: one task reads how far the nodes are. By itself time is
//! enough: a lease that was asked for before the change ends within a lease's length after it, and one that was asked for
//! later is confirmed only with the change applied. So nobody waits longer than that, whatever can be read.

use super::keeper::nanos;
use super::{LEASE, MARGIN};
use crate::App;
use claviger_domain::{Error, Result};
use claviger_store::Store;
use claviger_store::nodes::{Hint, Node};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// How often it is looked how far the nodes are, hint or not: at first, and when it takes longer.
const LOOK_EACH: Duration = Duration::from_millis(5);
const LOOK_LATER: Duration = Duration::from_millis(50);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Looks after which they become rarer.
const EAGER: usize = 20;

/// Who has followed a change, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Nodes that have applied it, this one first.
    pub confirmed: Vec<String>,
    /// Nodes that have not, and whose lease has run out: they answer nothing until they have.
    pub lapsed: Vec<String>,
}

/// Where a request finds who has followed what it changed.
pub type AcknowledgedSlot = parking_lot::Mutex<Option<Acknowledged>>;

/// Somebody who waits.
pub(crate) struct Waiting {
    /// When the change was durable, with the length of a lease added.
    deadline: u64,
    /// The sum of revisions that counts; known after the first look.
    target: Option<i64>,
    /// Nodes that were seen meanwhile and had not confirmed, by run.
    pending: BTreeMap<i64, String>,
    reply: oneshot::Sender<Acknowledged>,
}

impl App {
    /// Waits until every node has followed all that is durable by now, or has stopped answering.
    pub(crate) async fn acknowledged(&self) -> Result<Acknowledged> {
        let nodes = &self.state.nodes;
        if !nodes.shared {
            return Ok(Acknowledged { confirmed: vec![nodes.identity.name.clone()], lapsed: Vec::new() });
        }
        let now = self.state.clock.boot(self.state.clock.monotonic());
        let (reply, told) = oneshot::channel();
        let pending = nodes.seen.lock().iter().map(|(run, seen)| (*run, seen.name.clone())).collect();
        let deadline = now.saturating_add(nanos(LEASE + MARGIN));
        nodes.waiting.lock().push(Waiting { deadline, target: None, pending, reply });
        nodes.asked.notify_one();
        told.await.map_err(|_| Error::Unavailable("the server is being stopped".into()))
    }
}

/// Looks how far the nodes are while somebody waits for it.
pub(super) async fn watch(app: Weak<App>, mut link: Store) {
    loop {
        let Some(strong) = app.upgrade() else { return };
        let state = Arc::clone(&strong.state);
        drop(strong);
        let nodes = &state.nodes;
        if nodes.waiting.lock().is_empty() {
            tokio::select! {
                () = nodes.asked.notified() => {}
                () = sleep(PATIENCE) => continue,
            }
        }
        let mut looks = 0;
        while !nodes.waiting.lock().is_empty() {
            let mut waiting = std::mem::take(&mut *nodes.waiting.lock());
            let newcomers = waiting.iter().filter(|one| one.target.is_none()).count();
            let read = async {
                if newcomers > 0 {
                    link.hint(Hint::Changed).await?;
                }
                Ok::<_, Error>((link.head().await?, link.list_nodes().await?))
            };
            let looked = timeout(PATIENCE, read).await.map_err(|_| Error::Unavailable("no answer".into()));
            match looked.and_then(|looked| looked) {
                Ok((head, found)) => {
                    for one in &mut waiting {
                        one.see(head, &found, nodes.run);
                    }
                    let now = state.clock.boot(state.clock.monotonic());
                    settle(waiting, now, &found, &nodes.identity.name, nodes.run, &nodes.waiting);
                }
                Err(error) => {
                    tracing::debug!(%error, "how far the nodes are could not be read");
                    link = state.store.beside();
                    let now = state.clock.boot(state.clock.monotonic());
                    let (over, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.deadline <= now);
                    for one in over {
                        one.tell(vec![nodes.identity.name.clone()]);
                    }
                    nodes.waiting.lock().extend(rest);
                }
            }
            if nodes.waiting.lock().is_empty() {
                break;
            }
            looks += 1;
            tokio::select! {
                () = sleep(if looks < EAGER { LOOK_EACH } else { LOOK_LATER }) => {}
                () = nodes.confirmed.notified() => {}
                () = nodes.asked.notified() => {}
            }
        }
    }
}

impl Waiting {
    fn see(&mut self, head: i64, found: &[Node], own: i64) {
        let target = *self.target.get_or_insert(head);
        for node in found.iter().filter(|node| node.run != own) {
            if node.applied >= target {
                self.pending.remove(&node.run);
            } else {
                self.pending.insert(node.run, node.name.clone());
            }
        }
    }

    fn tell(self, confirmed: Vec<String>) {
        let lapsed = self.pending.into_values().collect();
        // Whoever asked may have gone away.
        let _gone = self.reply.send(Acknowledged { confirmed, lapsed });
    }
}

/// Tells whoever need not wait any more, and puts the others back.
fn settle(
    waiting: Vec<Waiting>,
    now: u64,
    found: &[Node],
    own_name: &str,
    own: i64,
    put_back: &parking_lot::Mutex<Vec<Waiting>>,
) {
    for one in waiting {
        let target = one.target.unwrap_or(i64::MAX);
        let others = || found.iter().filter(|node| node.run != own);
        if one.deadline > now && others().any(|node| node.applied < target) {
            put_back.lock().push(one);
            continue;
        }
        let confirmed = others().filter(|node| node.applied >= target).map(|node| node.name.clone());
        let confirmed = std::iter::once(own_name.to_owned()).chain(confirmed).collect();
        one.tell(confirmed);
    }
}
