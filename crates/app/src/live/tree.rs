//! The tree of tenants in memory. A node knows its parent, so that one change of a status reaches everything beneath.

use arc_swap::ArcSwapOption;
use claviger_domain::credential_policy::{EffectivePolicy, StoredPolicy};
use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::key_type::{LegacyRule, LegacyRules, LegacyType};
use claviger_domain::lifetime::Bounds;
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::tenant::{DEPTH_MAX, Kind, Status, Tenant};
use papaya::HashMap;
use std::collections::{HashMap as StdMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A tenant as the hot path sees it. What each call asks stands at the front.
#[derive(Debug)]
#[repr(C)]
pub struct TenantNode {
    /// The tenant above.
    pub parent: Option<Arc<TenantNode>>,
    suspended: AtomicBool,
    /// Whether `bounds` holds anything: what the hot path asks.
    bounded: AtomicBool,
    /// Kind.
    pub kind: Kind,
    /// Id.
    pub id: TenantId,
    /// Short key, as some clients have it in paths.
    pub org_key: OrgKey,
    bounds: ArcSwapOption<Bounds>,
    policy: ArcSwapOption<StoredPolicy>,
    /// What is said here of legacy key types.
    legacy: ArcSwapOption<LegacyRules>,
    /// What the tenant says itself that its people must sign in with, as a place in [`MfaRequirement::ALL`].
    mfa: AtomicUsize,
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

    /// What the policies of the tenant and of those above it allow its credentials at most; none if nothing is bounded.
    pub fn bounds(&self) -> Option<Arc<Bounds>> {
        if self.bounded.load(Ordering::Acquire) { self.bounds.load_full() } else { None }
    }

    /// Asks the same where it lies.
    pub fn with_bounds<T>(&self, ask: impl FnOnce(&Bounds) -> T) -> Option<T> {
        if !self.bounded.load(Ordering::Acquire) {
            return None;
        }
        self.bounds.load().as_deref().map(ask)
    }

    /// What holds for its credentials.
    pub fn effective_policy(&self) -> EffectivePolicy {
        let chain: Vec<_> = self.chain().filter_map(|node| node.policy.load_full()).collect();
        EffectivePolicy::of(chain.iter().map(AsRef::as_ref))
    }

    /// The bounds there would be if `tenant` said `policy`.
    pub fn bounds_with(&self, tenant: TenantId, policy: &StoredPolicy) -> Option<Bounds> {
        let said: Vec<_> = self
            .chain()
            .filter_map(|node| if node.id == tenant { Some(Arc::new(policy.clone())) } else { node.policy.load_full() })
            .collect();
        Bounds::of(said.iter().map(AsRef::as_ref))
    }

    fn rebound(&self) {
        let said: Vec<_> = self.chain().filter_map(|node| node.policy.load_full()).collect();
        let bounds = Bounds::of(said.iter().map(AsRef::as_ref)).map(Arc::new);
        let bounded = bounds.is_some();
        // Whoever sees that there are bounds finds them.
        if bounded {
            self.bounds.store(bounds);
            self.bounded.store(true, Ordering::Release);
        } else {
            self.bounded.store(false, Ordering::Release);
            self.bounds.store(None);
        }
    }

    /// What the tenant says itself about its credentials, and of legacy key types.
    pub fn said(&self) -> (Option<Arc<StoredPolicy>>, LegacyRules) {
        (self.policy.load_full(), self.legacy.load().as_deref().copied().unwrap_or_default())
    }

    /// What holds for a legacy key type: what the nearest tenant says that says anything.
    pub fn legacy_rule(&self, kind: LegacyType) -> Option<LegacyRule> {
        self.chain().find_map(|node| node.legacy.load().as_deref().and_then(|rules| rules.get(kind)))
    }

    /// What people of the tenant must sign in with: the strongest that it or a tenant above asks for.
    pub fn mfa_required(&self) -> MfaRequirement {
        let said = self.chain().map(|node| node.mfa.load(Ordering::Acquire)).max();
        said.and_then(|place| MfaRequirement::ALL.get(place).copied()).unwrap_or_default()
    }

    /// What the tenant itself asks its people to sign in with.
    pub fn own_mfa(&self) -> MfaRequirement {
        MfaRequirement::ALL.get(self.mfa.load(Ordering::Acquire)).copied().unwrap_or_default()
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
        let suspended = tenant.status != Status::Active;
        let mfa = MfaRequirement::ALL.iter().position(|one| *one == tenant.details.mfa_required).unwrap_or_default();
        if let Some(node) = self.find(tenant.id) {
            node.suspended.store(suspended, Ordering::Release);
            node.mfa.store(mfa, Ordering::Release);
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
            bounded: AtomicBool::new(false),
            bounds: ArcSwapOption::empty(),
            policy: ArcSwapOption::empty(),
            legacy: ArcSwapOption::empty(),
            mfa: AtomicUsize::new(mfa),
        };
        node.rebound();
        self.nodes.pin().insert(tenant.id.as_u128(), Arc::new(node));
        self.org_keys.pin().insert(tenant.org_key.as_str().to_owned(), tenant.id);
        true
    }

    /// Takes the policy of a tenant as it is stored, for itself and everything beneath. To be called by one at a time, and
    /// not while tenants are taken.
    pub fn put_policy(&self, tenant: TenantId, policy: StoredPolicy) {
        let Some(node) = self.find(tenant) else { return };
        node.policy.store(Some(Arc::new(policy)));
        let nodes = self.nodes.pin();
        nodes.values().filter(|node| node.is_within(tenant)).for_each(|node| node.rebound());
    }

    /// Takes the policies of many tenants, as [`Tree::put_policy`] takes one.
    pub fn put_policies(&self, policies: Vec<(TenantId, StoredPolicy)>) {
        for (tenant, policy) in policies {
            if let Some(node) = self.find(tenant) {
                node.policy.store(Some(Arc::new(policy)));
            }
        }
        self.nodes.pin().values().for_each(|node| node.rebound());
    }

    /// The tenants whose credentials are bounded.
    pub fn bounded(&self) -> Vec<TenantId> {
        let nodes = self.nodes.pin();
        nodes.values().filter(|node| node.bounded.load(Ordering::Acquire)).map(|node| node.id).collect()
    }

    /// Those among them that stand at a tenant or beneath it.
    pub fn bounded_within(&self, root: TenantId) -> Vec<TenantId> {
        let nodes = self.nodes.pin();
        let within = |node: &&Arc<TenantNode>| node.bounded.load(Ordering::Acquire) && node.is_within(root);
        nodes.values().filter(within).map(|node| node.id).collect()
    }

    /// Whether anything is said of legacy key types anywhere.
    pub fn has_legacy_rules(&self) -> bool {
        self.nodes.pin().values().any(|node| node.legacy.load().is_some())
    }

    /// Takes what is said of legacy key types at a tenant, for itself and everything beneath.
    pub fn put_legacy(&self, tenant: TenantId, rules: LegacyRules) {
        if let Some(node) = self.find(tenant) {
            node.legacy.store((rules != LegacyRules::default()).then(|| Arc::new(rules)));
        }
    }

    /// Takes what is said of them at every tenant; where nothing is, nothing is said any more.
    pub fn put_all_legacy(&self, rules: &[(TenantId, LegacyRules)]) {
        let said: StdMap<_, _> = rules.iter().copied().collect();
        for node in self.nodes.pin().values() {
            node.legacy.store(said.get(&node.id).map(|rules| Arc::new(*rules)));
        }
    }

    /// Serves neither a tenant nor anything beneath it until it is taken again.
    pub fn doubt(&self, id: TenantId) {
        if let Some(node) = self.find(id) {
            node.suspended.store(true, Ordering::Release);
        }
    }

    /// Takes a tenant out that is gone. There must be nothing beneath it.
    pub fn remove(&self, id: TenantId) {
        if let Some(node) = self.nodes.pin().remove(&id.as_u128()) {
            self.org_keys.pin().remove(node.org_key.as_str());
        }
    }

    /// The tenants in memory that are none of these.
    pub fn others_than(&self, kept: &HashSet<TenantId>) -> Vec<TenantId> {
        self.nodes.pin().values().map(|node| node.id).filter(|id| !kept.contains(id)).collect()
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
