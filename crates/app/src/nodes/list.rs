//! The nodes, as an operator sees them.

use super::{LEASE, MARGIN};
use crate::App;
use crate::caller::Caller;
use claviger_domain::grants::Verb;
use claviger_domain::tenant::Kind;
use claviger_domain::{Error, Result};
use claviger_store::nodes::Node;
use std::time::Duration;

const PERMISSION: &str = "nodes";

/// A node.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// What it has written down.
    pub node: Node,
    /// Whether it is the one that answers.
    pub is_this: bool,
    /// Revisions that it has not confirmed yet.
    pub lag: i64,
    /// Milliseconds of its lease that are left, as far as can be told from here; 0 when it has run out or none was given.
    pub lease_millis: i64,
    /// Milliseconds for which it has left changes unconfirmed, as far as can be told from here; 0 where it has confirmed all.
    pub lag_millis: i64,
    /// Whether it does what one does for all.
    pub in_charge: bool,
}

impl App {
    /// The servers of the store. Needs `nodes:READ`, and is the operator's own: nodes belong to no other tenant.
    pub async fn list_nodes(&self, caller: &Caller) -> Result<Vec<NodeView>> {
        caller.allow(PERMISSION, Verb::Read)?;
        if caller.tenant().kind != Kind::Operator {
            let detail = "nodes are the operator's; ask with a credential of the operator's tenant".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        self.know_nodes().await
    }

    /// The servers of the store, for this server's own monitoring.
    pub async fn know_nodes(&self) -> Result<Vec<NodeView>> {
        let (store, nodes) = (&self.state.store, &self.state.nodes);
        let now = store.database_time().await?;
        let head = store.head().await?;
        if !nodes.shared {
            let node = Node { applied: head, beat: 1, ..nodes.row(now) };
            let (lag, lag_millis, lease_millis) = (0, 0, millis_max());
            return Ok(vec![NodeView { node, is_this: true, lag, lease_millis, lag_millis, in_charge: true }]);
        }
        let charged = store.find_lease_holder(super::charge::NAME, now).await?;
        let view = |node: Node| {
            let age = (now.millis() - node.renewed_at.millis()).max(0);
            let lease_millis = if node.beat > 0 { (millis_max() - age).max(0) } else { 0 };
            let lag = (head - node.applied).max(0);
            let (is_this, in_charge) = (node.run == nodes.run, charged == Some(node.run));
            NodeView { is_this, lag, lease_millis, lag_millis: if lag > 0 { age } else { 0 }, in_charge, node }
        };
        Ok(store.list_nodes().await?.into_iter().map(view).collect())
    }

    /// How long this server may go on answering if it can confirm nothing from now on. On an embedded store that is for ever,
    /// and said as the length of a lease.
    pub fn lease_left(&self) -> Duration {
        let clock = &self.state.clock;
        self.state.nodes.lease_left(clock.boot(clock.monotonic())).min(LEASE)
    }

    /// Other servers of the store that may have a lease.
    pub(crate) async fn others_at_work(&self) -> Result<Vec<Node>> {
        let (store, nodes) = (&self.state.store, &self.state.nodes);
        if !nodes.shared {
            return Ok(Vec::new());
        }
        let now = store.database_time().await?;
        let lasts = millis_max() + i64::try_from(MARGIN.as_millis()).unwrap_or(i64::MAX);
        let mut found = store.list_nodes().await?;
        found.retain(|node| node.run != nodes.run && now.millis() - node.renewed_at.millis() <= lasts);
        Ok(found)
    }
}

fn millis_max() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}
