//! Many servers on one PostgreSQL: what each knows of itself and of the others.
//!
//! A node may answer while it has a lease. It gets one by reading the revisions of the store, applying what has changed,
//! and writing down how far it is; the lease counts from the moment at which that reading was asked for. So a lease is
//! never older than what its node has applied, and whoever changes something knows by when every node has either
//! followed or stopped answering. ARCHITECTURE.md has the argument in full.

mod charge;
mod confirmations;
mod keeper;
mod list;
mod rates;

pub use confirmations::{Acknowledged, AcknowledgedSlot};
pub use list::NodeView;

use crate::App;
use crate::clock::Clock;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::changes::shard_of;
use claviger_store::nodes::Node;
use claviger_store::{Engine, Store};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a lease lasts.
pub const LEASE: Duration = Duration::from_secs(5);
/// By how much two clocks may differ in the length of a lease, and then some.
pub const MARGIN: Duration = Duration::from_millis(250);
/// By how much a node's clock may differ from the database's, in microseconds.
pub const OFFSET_MAX: i64 = 30_000_000;

/// Who a server is among those of its store.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its id; two processes that live at the same time never have the same one. Empty for one that is made for this run.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where clients reach it.
    pub address: String,
    /// Where it keeps what was revoked, so that a restored backup cannot revive it; none to keep nothing.
    pub revocations: Option<PathBuf>,
}

/// What a server knows of itself and of the others.
pub(crate) struct Nodes {
    pub(crate) identity: Identity,
    pub(crate) run: i64,
    /// Whether there can be others.
    pub(crate) shared: bool,
    pub(crate) started_at: Timestamp,
    /// Until when it may answer, by the clock of leases; 0 for not at all.
    lease: AtomicU64,
    /// Microseconds by which this clock is ahead of the database's.
    offset: AtomicI64,
    /// Why it does not answer although it could.
    refusing: Mutex<Option<&'static str>>,
    followed: Mutex<Followed>,
    /// The others as they were last seen, with their renewals and since when these stand still.
    seen: Mutex<HashMap<i64, Seen>>,
    waiting: Mutex<Vec<confirmations::Waiting>>,
    /// Woken when there may be something to follow, a confirmation to look at, somebody who waits for one.
    changed: Notify,
    confirmed: Notify,
    asked: Notify,
    leaving: Notify,
    left: AtomicBool,
    /// The epoch in which this node does what one does for all; 0 for not.
    charge: AtomicI64,
    rates: Mutex<rates::Rates>,
}

/// How far memory has followed the store.
#[derive(Debug, Default)]
struct Followed {
    history: i64,
    /// The revision of each shard.
    revisions: HashMap<i64, i64>,
    /// Changes of our own that are in memory already.
    own: HashSet<(i64, i64)>,
    /// The sum that was last confirmed, and when.
    confirmed: Option<(i64, u64)>,
}

/// Another node, as it was last seen.
#[derive(Debug)]
struct Seen {
    name: String,
    beat: i64,
    since: u64,
}

impl Nodes {
    /// Enters this server among those of the store; it has no lease yet, unless it is the only one there can be.
    pub(crate) async fn enter(store: &Store, clock: &Clock, identity: Identity) -> Result<Self> {
        let run = store.next_run().await?;
        let identity = Identity {
            id: if identity.id.is_empty() { format!("run-{run}") } else { identity.id },
            name: if identity.name.is_empty() { format!("node-{run}") } else { identity.name },
            ..identity
        };
        let shared = store.engine() == Engine::Postgres;
        let nodes = Self {
            identity,
            run,
            shared,
            started_at: clock.now(),
            lease: AtomicU64::new(if shared { 0 } else { u64::MAX }),
            offset: AtomicI64::new(0),
            refusing: Mutex::default(),
            followed: Mutex::default(),
            seen: Mutex::default(),
            waiting: Mutex::default(),
            changed: Notify::new(),
            confirmed: Notify::new(),
            asked: Notify::new(),
            leaving: Notify::new(),
            left: AtomicBool::new(false),
            charge: AtomicI64::new(0),
            rates: Mutex::default(),
        };
        if shared {
            store.register_node(&nodes.row(store.database_time().await?)).await?;
        }
        // Only now: whatever is committed after this, its committer waits for this node.
        let (history, revisions) = store.look().await?;
        {
            let mut followed = nodes.followed.lock();
            followed.history = history;
            followed.revisions = revisions.into_iter().collect();
        }
        Ok(nodes)
    }

    fn row(&self, now: Timestamp) -> Node {
        Node {
            id: self.identity.id.clone(),
            run: self.run,
            name: self.identity.name.clone(),
            address: self.identity.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            renewed_at: now,
            clock_offset: self.offset.load(Ordering::Relaxed),
            applied: 0,
            beat: 0,
        }
    }

    /// Whether calls may be answered at that moment of the clock of leases.
    pub(crate) fn may_answer(&self, boot: u64) -> Result<()> {
        if boot < self.lease.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Error::Unavailable(self.why_not().into()))
    }

    /// What is left of the lease at that moment of the clock of leases.
    fn lease_left(&self, boot: u64) -> Duration {
        Duration::from_nanos(self.lease.load(Ordering::Acquire).saturating_sub(boot))
    }

    /// The database's time, where this clock says `here`: nodes agree about it. On an embedded store it is the same.
    pub(crate) fn shared_time(&self, here: Timestamp) -> Timestamp {
        Timestamp::from_micros(here.micros().saturating_sub(self.offset.load(Ordering::Relaxed)))
    }

    /// By how much another node's idea of that time may be ahead, in seconds; nothing where there is no other.
    pub(crate) fn time_slack(&self) -> i64 {
        i64::from(!self.seen.lock().is_empty())
    }

    fn why_not(&self) -> &'static str {
        self.refusing.lock().unwrap_or("the server cannot confirm what it knows; every call is refused until it can")
    }

    /// Says that changes of this node are in memory, so that they need not be followed.
    pub(crate) fn has_applied(&self, tenant: claviger_domain::id::TenantId, last: i64, count: i64) {
        if self.shared {
            let shard = shard_of(tenant);
            self.followed.lock().own.extend((last - count + 1..=last).map(|revision| (shard, revision)));
        }
    }

    /// Answers until then, if this server has not left.
    fn grant(&self, until: u64) {
        if self.refusing.lock().take().is_some() {
            tracing::info!("calls are answered again");
        }
        self.lease.store(until, Ordering::Release);
        if self.has_left() {
            self.lease.store(0, Ordering::Release);
        }
    }

    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    fn refuse(&self, why: &'static str) {
        self.lease.store(0, Ordering::Release);
        if self.refusing.lock().replace(why) != Some(why) {
            tracing::error!(why, "every call is refused");
        }
    }
}

impl App {
    /// Whether this server may answer now; if not, why.
    pub(crate) fn may_answer(&self) -> Result<()> {
        let clock = &self.state.clock;
        self.state.nodes.may_answer(clock.boot(clock.monotonic()))
    }

    /// Gives the lease up and takes this server away from those of the store. Nothing may be answered after this.
    pub async fn leave(self: &Arc<Self>) {
        let nodes = &self.state.nodes;
        if !nodes.shared {
            return;
        }
        nodes.left.store(true, Ordering::Release);
        nodes.leaving.notify_waiters();
        nodes.refuse("the server is being stopped");
        let left = tokio::time::timeout(LEASE, self.state.store.remove_node(&nodes.identity.id, nodes.run)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::warn!("this node could not sign off; the others go on without it when its lease has run out");
        }
    }
}
