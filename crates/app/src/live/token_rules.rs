//! What keeps tokens out before their time, in memory: cut-offs of tenants and applications, and tokens revoked one by one.
//! And how long they live where a tenant says so.

use crate::live::record::Record;
use crate::live::tree::TenantNode;
use claviger_domain::id::{ApplicationId, TenantId, TokenId};
use claviger_domain::tenant::DEPTH_MAX;
use claviger_domain::time::Timestamp;
use claviger_store::tokens::TokenRule;
use papaya::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// What is said of the tokens of a tenant or an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rule {
    lifetime: Option<i64>,
    not_before: Option<Timestamp>,
}

/// All of it.
#[derive(Debug)]
pub struct TokenRules {
    /// By the bits of a tenant's or an application's id.
    rules: HashMap<u128, Rule>,
    /// The latest of all cut-offs: a token signed after it has nothing to fear.
    latest: AtomicI64,
    /// Revoked tokens, and when they would have ended.
    revoked: HashMap<u128, Timestamp>,
    /// How many those are, to be asked without a look at them.
    revoked_count: AtomicUsize,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            rules: HashMap::new(),
            latest: AtomicI64::new(i64::MIN),
            revoked: HashMap::new(),
            revoked_count: AtomicUsize::new(0),
        }
    }
}

fn chain(tenant: &TenantNode) -> impl Iterator<Item = &TenantNode> {
    std::iter::successors(Some(tenant), |node| node.parent.as_deref()).take(DEPTH_MAX + 1)
}

impl TokenRules {
    /// Takes a rule as it is stored. A cut-off only ever moves forward.
    pub fn put(&self, stored: &TokenRule) {
        let key = stored.application.map_or(stored.tenant.as_u128(), ApplicationId::as_u128);
        if let Some(not_before) = stored.not_before {
            // Before the rule itself, so that whoever finds the one finds the other.
            self.latest.fetch_max(not_before.micros(), Ordering::AcqRel);
        }
        let new = Rule { lifetime: stored.lifetime, not_before: stored.not_before };
        self.rules.pin().update_or_insert_with(
            key,
            |old| Rule { lifetime: new.lifetime, not_before: new.not_before.max(old.not_before) },
            || new,
        );
    }

    /// Keeps out all tokens of a tenant signed up to then: what is to be done where nobody knows what was said of them.
    pub fn cut_off(&self, tenant: TenantId, at: Timestamp) {
        let lifetime = self.lifetime_of(tenant);
        self.put(&TokenRule { tenant, application: None, lifetime, not_before: Some(at) });
    }

    /// The time up to which tokens of an application must not have been signed.
    pub fn cut_off_of(&self, record: &Record) -> Option<Timestamp> {
        let rules = self.rules.pin();
        let keys = std::iter::once(record.id.as_u128()).chain(chain(&record.tenant).map(|node| node.id.as_u128()));
        keys.filter_map(|key| rules.get(&key)?.not_before).max()
    }

    /// Whether a token of an application signed then is cut off.
    pub fn is_cut_off(&self, record: &Record, issued_at: Timestamp) -> bool {
        issued_at.micros() <= self.latest.load(Ordering::Acquire)
            && self.cut_off_of(record).is_some_and(|not_before| issued_at <= not_before)
    }

    /// The lifetimes that a tenant and those above it have set.
    pub fn lifetimes(&self, tenant: &TenantNode) -> Vec<i64> {
        let rules = self.rules.pin();
        chain(tenant).filter_map(|node| rules.get(&node.id.as_u128())?.lifetime).collect()
    }

    /// The lifetime that a tenant itself has set.
    pub fn lifetime_of(&self, tenant: TenantId) -> Option<i64> {
        self.rules.pin().get(&tenant.as_u128())?.lifetime
    }

    /// Keeps a token out that would have ended then.
    pub fn revoke(&self, token: TokenId, expires_at: Timestamp) {
        let revoked = self.revoked.pin();
        // Counted first: whoever finds the count at zero need not look.
        self.revoked_count.fetch_add(1, Ordering::AcqRel);
        if revoked.insert(token.as_u128(), expires_at).is_some() {
            self.revoked_count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Whether a token was revoked.
    pub fn is_revoked(&self, token: TokenId) -> bool {
        self.revoked_count.load(Ordering::Acquire) > 0 && self.revoked.pin().contains_key(&token.as_u128())
    }

    /// How many revoked tokens are in memory.
    pub fn revoked(&self) -> usize {
        self.revoked_count.load(Ordering::Acquire)
    }

    /// Forgets revoked tokens that ended before `then`.
    pub fn forget(&self, then: Timestamp) {
        let revoked = self.revoked.pin();
        let ended: Vec<u128> = revoked.iter().filter(|(_, end)| **end < then).map(|(key, _)| *key).collect();
        for key in ended {
            if revoked.remove(&key).is_some() {
                self.revoked_count.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}
