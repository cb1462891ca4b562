//! The caller: who stands behind a request after verification, and what it may do.

use crate::live::denials::Denial;
use crate::live::record::{NEVER, Record};
use crate::live::sessions::Session;
use crate::live::tree::TenantNode;
use crate::nodes::AcknowledgedSlot;
use crate::state::State;
use claviger_domain::address::Origin;
use claviger_domain::advice::Advice;
use claviger_domain::application::Reach;
use claviger_domain::audit::Actor;
use claviger_domain::grants::{GrantSet, Right, Verb};
use claviger_domain::id::{ClientId, SecretId, TenantId};
use claviger_domain::rate::{Quota, RateLimit};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::Outcome;
use claviger_domain::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A verified application.
#[derive(Clone)]
pub struct Caller {
    pub(crate) record: Arc<Record>,
    /// The secret it was verified by.
    pub(crate) secret: SecretId,
    /// The session token that it presented; none where it presented the secret itself.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) state: Arc<State>,
    pub(crate) origin: Origin,
    pub(crate) quota: Option<(RateLimit, Quota)>,
    pub(crate) advice: Option<Box<Advice>>,
    pub(crate) request: Arc<RequestLine>,
}

/// The request a caller makes, as audit entries name it.
#[derive(Debug, Default)]
pub struct RequestLine {
    /// The id that the answer carries.
    pub id: String,
    /// Method and path, without the query.
    pub line: String,
    /// Which nodes have followed what it changed, once that is known.
    pub acknowledged: Arc<AcknowledgedSlot>,
}

impl Caller {
    /// The caller's application.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The tenant it belongs to.
    pub fn tenant(&self) -> &Arc<TenantNode> {
        &self.record.tenant
    }

    /// What it presented.
    pub fn client_id(&self) -> ClientId {
        self.record.client_id()
    }

    /// Where the request comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The application's rate limit and what is left of it; none if it has no limit.
    pub fn quota(&self) -> Option<(RateLimit, Quota)> {
        self.quota
    }

    /// What answers to it say besides what it asked, if anything.
    pub fn advice(&self) -> Option<Advice> {
        self.advice.as_deref().copied()
    }

    /// When the secret it presented really stops; none if never.
    pub fn credential_end(&self) -> Option<Timestamp> {
        let end = self.record.secret_of(self.secret).map(|secret| self.record.end_of(secret));
        end.filter(|end| *end != NEVER)
    }

    /// Everything it may do, as it is now.
    pub fn grants(&self) -> GrantSet {
        let held = self.record.policy.held.set();
        match self.limit() {
            None => held,
            Some(limit) => held.and(limit),
        }
    }

    /// The session token that it presented; none where it presented the secret itself.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// What its token is narrowed to, if it is.
    fn limit(&self) -> Option<&GrantSet> {
        self.session.as_ref().and_then(|session| session.limit.as_ref())
    }

    /// Whether both its application and its token have the right.
    pub(crate) fn has(&self, index: usize, verb: Verb) -> bool {
        self.record.policy.held.has(index, verb) && self.limit().is_none_or(|limit| limit.has(index, verb))
    }

    /// Names the request for the audit entries of the verbs that this caller will call.
    #[must_use]
    pub fn with_request(mut self, request: RequestLine) -> Self {
        self.request = Arc::new(request);
        self
    }

    /// Asks for a right, and counts the answer.
    pub fn allow(&self, permission: &str, verb: Verb) -> Result<()> {
        let now = self.state.clock.now();
        let found = self.state.catalogue.find(permission);
        let index = found.map(|permission| permission.index);
        if let Some(index) = index.filter(|index| self.has(*index, verb)) {
            let right = u32::try_from(index).ok().map(|index| (index, verb));
            self.state.meter.count(self.record.cell(), right, Outcome::Allowed, now);
            return Ok(());
        }
        let right = index.and_then(|index| u32::try_from(index).ok()).map(|index| (index, verb));
        self.state.meter.count(self.record.cell(), right, Outcome::Denied, now);
        let missing = Right::new(permission, verb);
        self.deny(missing.to_string());
        Err(Error::missing(missing))
    }

    /// Whether it holds a right; counts nothing.
    pub(crate) fn holds(&self, permission: &str, verb: Verb) -> bool {
        let found = self.state.catalogue.find(permission);
        found.is_some_and(|permission| self.has(permission.index, verb))
    }

    /// Refuses whoever lacks a right, as [`Caller::allow`] does; counts nothing.
    pub(crate) fn must_hold(&self, permission: &str, verb: Verb) -> Result<()> {
        if self.holds(permission, verb) {
            return Ok(());
        }
        let missing = Right::new(permission, verb);
        self.deny(missing.to_string());
        Err(Error::missing(missing))
    }

    /// Counts a call that needs no right.
    pub fn count(&self) {
        self.state.meter.count(self.record.cell(), None, Outcome::Allowed, self.state.clock.now());
    }

    /// A tenant within reach, or "not found" as for one that does not exist.
    pub fn reach(&self, tenant: TenantId) -> Result<Arc<TenantNode>> {
        let own = self.tenant();
        if own.id == tenant {
            return Ok(Arc::clone(own));
        }
        let found = self
            .state
            .tree
            .find(tenant)
            .filter(|node| self.record.policy.reach == Reach::Beneath && node.is_within(own.id));
        found.ok_or_else(|| {
            self.deny("tenant_out_of_reach".into());
            Error::NotFound("tenant")
        })
    }

    /// Whether it reaches a tenant; notes no denial, for it has not asked.
    pub(crate) fn reaches(&self, tenant: TenantId) -> bool {
        let own = self.tenant();
        let beneath = || self.state.tree.find(tenant).is_some_and(|node| node.is_within(own.id));
        own.id == tenant || (self.record.policy.reach == Reach::Beneath && beneath())
    }

    /// Refuses `wanted` where it holds more than the caller does.
    pub fn covers(&self, wanted: &GrantSet, reach: Reach) -> Result<()> {
        let refuse = |detail: String, missing| {
            self.deny("above_own_rights".into());
            Err(Error::Forbidden { missing, detail })
        };
        if reach == Reach::Beneath && self.record.policy.reach == Reach::Own {
            return refuse(
                "the credential's reach is its own tenant; it cannot deal with one that reaches beneath".into(),
                None,
            );
        }
        match self.grants().first_missing(wanted, &self.state.catalogue) {
            None => Ok(()),
            Some(right) => refuse(format!("{right} lies above the credential's own rights"), Some(right)),
        }
    }

    pub(crate) fn deny(&self, reason: String) {
        let actor = self.client_id().to_string();
        let denial = Denial { tenant_id: self.tenant().id, actor, reason, address: self.origin.address() };
        self.state.denials.add(denial, self.tenant().id, self.state.clock.now());
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor { kind: "application", id: self.client_id().to_string(), tenant_id: Some(self.tenant().id) }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.record.id)
    }
}
