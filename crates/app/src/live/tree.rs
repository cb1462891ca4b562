//! The tree of tenants in memory. A node knows its parent, so that one change of a status reaches everything beneath.

use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::tenant::{DEPTH_MAX, Kind, Status, Tenant};
use papaya::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A tenant as the hot path sees it.
#[derive(Debug)]
pub struct TenantNode {
    /// Id.
    pub id: TenantId,
    /// Kind.
    pub kind: Kind,
    /// Short key, as some clients have it in paths.
    pub org_key: OrgKey,
    /// The tenant above.
    pub parent: Option<Arc<TenantNode>>,
    suspended: AtomicBool,
}

impl TenantNode {
    /// Whether neither the tenant nor one above it is suspended.
    pub fn is_served(&self) -> bool {
        self.chain().all(|node| !node.suspended.load(Ordering::Acquire))
    }

    /// Whether the tenant itself is suspended, whatever those above it are.
    pub fn is_suspended_itself(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    /// Whether the tenant is `root` or stands beneath it.
    pub fn is_within(&self, root: TenantId) -> bool {
        self.chain().any(|node| node.id == root)
    }

    /// The tenant and those above it, upwards.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |node| node.parent.as_deref()).take(DEPTH_MAX + 1)
    }

    /// How many tenants stand above.
    pub fn depth(&self) -> usize {
        self.chain().count() - 1
    }
}

/// All tenants.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: HashMap<u128, Arc<TenantNode>>,
    org_keys: HashMap<String, TenantId>,
}

impl Tree {
    /// The node of a tenant.
    pub fn find(&self, id: TenantId) -> Option<Arc<TenantNode>> {
        self.nodes.pin().get(&id.as_u128()).cloned()
    }

    /// The tenant of an org key.
    pub fn find_org(&self, org_key: &str) -> Option<Arc<TenantNode>> {
        self.org_keys.pin().get(org_key).and_then(|id| self.find(*id))
    }

    /// Takes a tenant as it is stored. Its parent must have been taken before; `false` if it has not.
    pub fn put(&self, tenant: &Tenant) -> bool {
        let suspended = tenant.status == Status::Suspended;
        if let Some(node) = self.find(tenant.id) {
            node.suspended.store(suspended, Ordering::Release);
            return true;
        }
        let parent = match tenant.parent_id.map(|id| self.find(id)) {
            Some(None) => return false,
            Some(found) => found,
            None => None,
        };
        let node = TenantNode {
            id: tenant.id,
            kind: tenant.kind,
            org_key: tenant.org_key.clone(),
            parent,
            suspended: AtomicBool::new(suspended),
        };
        self.nodes.pin().insert(tenant.id.as_u128(), Arc::new(node));
        self.org_keys.pin().insert(tenant.org_key.as_str().to_owned(), tenant.id);
        true
    }

    /// Serves neither a tenant nor anything beneath it until it is taken again.
    pub fn doubt(&self, id: TenantId) {
        if let Some(node) = self.find(id) {
            node.suspended.store(true, Ordering::Release);
        }
    }

    /// How many tenants there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
