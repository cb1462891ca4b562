//! The caller: who stands behind a request after verification, and what it may do.

use crate::live::denials::{ActorKind, Denial};
use crate::live::meter::CountedRight;
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
use claviger_domain::id::{ApplicationId, PrincipalId, SecretId, TenantId, UserId};
use claviger_domain::rate::{Quota, RateLimit};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::Outcome;
use claviger_domain::user_session::UserSession;
use claviger_domain::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// Whoever was verified.
#[derive(Clone)]
pub struct Caller {
    pub(crate) principal: Principal,
    pub(crate) state: Arc<State>,
    pub(crate) origin: Origin,
    pub(crate) quota: Option<(RateLimit, Quota)>,
    pub(crate) advice: Option<Box<Advice>>,
    pub(crate) request: Arc<RequestLine>,
}

/// Who it is.
#[derive(Clone)]
pub(crate) enum Principal {
    Application(Machine),
    User(Arc<UserCaller>),
}

/// A verified application.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) record: Arc<Record>,
    /// The secret it was verified by.
    pub(crate) secret: SecretId,
    /// The session token that it presented; none where it presented the secret itself.
    pub(crate) session: Option<Arc<Session>>,
}

/// A verified person, as the store has had it when the request came.
#[derive(Clone, Debug)]
pub struct UserCaller {
    /// The user.
    pub id: UserId,
    /// Its tenant.
    pub tenant: Arc<TenantNode>,
    /// What it signs in with.
    pub email: String,
    /// What it is called by.
    pub name: String,
    /// How far its rights reach.
    pub reach: Reach,
    /// Everything its access levels grant; nothing while a second factor is still to come.
    pub grants: GrantSet,
    /// Its session.
    pub session: UserSession,
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
    /// What stands in for rights at the door by which it came.
    pub stand_ins: &'static [StandIn],
}

/// A right that stands in for another one, at a door whose rights have names of their own: whoever holds either may.
#[derive(Clone, Copy, Debug)]
pub struct StandIn {
    asked: (&'static str, Verb),
    held: (&'static str, Verb),
}

impl StandIn {
    /// `held` stands in for `asked`.
    pub const fn new(asked: (&'static str, Verb), held: (&'static str, Verb)) -> Self {
        Self { asked, held }
    }
}

impl Caller {
    /// The application that calls.
    ///
    /// # Errors
    /// `Forbidden` where a person does.
    pub(crate) fn machine(&self) -> Result<&Machine> {
        match &self.principal {
            Principal::Application(machine) => Ok(machine),
            Principal::User(_) => {
                let detail = "only an application can do this: present its credential in place of a person's session";
                Err(Error::Forbidden { missing: None, detail: detail.into() })
            }
        }
    }

    /// The record of the application that calls.
    ///
    /// # Errors
    /// `Forbidden` where a person does.
    pub fn record(&self) -> Result<&Arc<Record>> {
        self.machine().map(|machine| &machine.record)
    }

    /// The application that calls; none where a person does.
    pub fn application(&self) -> Option<ApplicationId> {
        self.machine().ok().map(|machine| machine.record.id)
    }

    /// The person who calls; none where an application does.
    pub fn user(&self) -> Option<&Arc<UserCaller>> {
        match &self.principal {
            Principal::Application(_) => None,
            Principal::User(user) => Some(user),
        }
    }

    /// Whoever calls.
    pub fn id(&self) -> PrincipalId {
        match &self.principal {
            Principal::Application(machine) => machine.record.id.into(),
            Principal::User(user) => user.id.into(),
        }
    }

    /// The tenant it belongs to.
    pub fn tenant(&self) -> &Arc<TenantNode> {
        match &self.principal {
            Principal::Application(machine) => &machine.record.tenant,
            Principal::User(user) => &user.tenant,
        }
    }

    /// How far its rights reach.
    pub fn reach_kind(&self) -> Reach {
        match &self.principal {
            Principal::Application(machine) => machine.record.policy.reach,
            Principal::User(user) => user.reach,
        }
    }

    /// What audit entries call it: an application's client id, a user's id.
    pub fn name(&self) -> String {
        match &self.principal {
            Principal::Application(machine) => machine.record.client_id().to_string(),
            Principal::User(user) => user.id.to_string(),
        }
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
        let Machine { record, secret, .. } = self.machine().ok()?;
        let end = record.secret_of(*secret).map(|secret| record.end_of(secret));
        end.filter(|end| *end != NEVER)
    }

    /// Everything it may do, as it is now.
    pub fn grants(&self) -> GrantSet {
        match &self.principal {
            Principal::Application(machine) => {
                let held = machine.record.policy.held.set();
                match machine.limit() {
                    None => held,
                    Some(limit) => held.and(limit),
                }
            }
            Principal::User(user) => user.grants.clone(),
        }
    }

    /// The session token that it presented; none where it presented the secret itself, and where a person calls.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.machine().ok().and_then(|machine| machine.session.as_ref())
    }

    /// Whether it has the right: an application must have it, and its token.
    pub(crate) fn has(&self, index: usize, verb: Verb) -> bool {
        match &self.principal {
            Principal::Application(machine) => {
                machine.record.policy.held.has(index, verb)
                    && machine.limit().is_none_or(|limit| limit.has(index, verb))
            }
            Principal::User(user) => user.grants.has(index, verb),
        }
    }

    /// Counts a call of an application; people are not metered.
    fn meter(&self, right: CountedRight, outcome: Outcome, now: Timestamp) {
        if let Principal::Application(machine) = &self.principal {
            self.state.meter.count(machine.record.cell(), right, outcome, now);
        }
    }

    /// Names the request for the audit entries of the verbs that this caller will call.
    #[must_use]
    pub fn with_request(mut self, request: RequestLine) -> Self {
        self.request = Arc::new(request);
        self
    }

    /// The same caller at a door whose rights stand in for others.
    #[must_use]
    pub fn at_door(mut self, stand_ins: &'static [StandIn]) -> Self {
        let RequestLine { id, line, acknowledged, .. } = &*self.request;
        let (id, line, acknowledged) = (id.clone(), line.clone(), Arc::clone(acknowledged));
        self.request = Arc::new(RequestLine { id, line, acknowledged, stand_ins });
        self
    }

    /// The right that is looked for where this one is asked for: what stands in for it here, unless it is held itself.
    fn asked_here<'a>(&self, permission: &'a str, verb: Verb) -> (&'a str, Verb) {
        let stands_in = |one: &&StandIn| one.asked.0 == permission && one.asked.1 == verb;
        match self.request.stand_ins.iter().find(stands_in) {
            Some(found) if !self.state.catalogue.find(permission).is_some_and(|one| self.has(one.index, verb)) => {
                found.held
            }
            _ => (permission, verb),
        }
    }

    /// Asks for a right, and counts the answer.
    pub fn allow(&self, permission: &str, verb: Verb) -> Result<()> {
        let (permission, verb) = self.asked_here(permission, verb);
        let now = self.state.clock.now();
        let found = self.state.catalogue.find(permission);
        let index = found.map(|permission| permission.index);
        if let Some(index) = index.filter(|index| self.has(*index, verb)) {
            let right = u32::try_from(index).ok().map(|index| (index, verb));
            self.meter(right, Outcome::Allowed, now);
            return Ok(());
        }
        let right = index.and_then(|index| u32::try_from(index).ok()).map(|index| (index, verb));
        self.meter(right, Outcome::Denied, now);
        let missing = Right::new(permission, verb);
        self.deny(missing.to_string());
        Err(Error::missing(missing))
    }

    /// Whether it holds a right; counts nothing.
    pub(crate) fn holds(&self, permission: &str, verb: Verb) -> bool {
        let (permission, verb) = self.asked_here(permission, verb);
        let found = self.state.catalogue.find(permission);
        found.is_some_and(|permission| self.has(permission.index, verb))
    }

    /// Whether [`Caller::allow`] would let it; counts nothing, for nothing is done. For what shows people what they can do.
    pub fn would_be_allowed(&self, permission: &str, verb: Verb) -> bool {
        self.holds(permission, verb)
    }

    /// Refuses whoever lacks a right, as [`Caller::allow`] does; counts nothing.
    pub(crate) fn must_hold(&self, permission: &str, verb: Verb) -> Result<()> {
        let (permission, verb) = self.asked_here(permission, verb);
        if self.holds(permission, verb) {
            return Ok(());
        }
        let missing = Right::new(permission, verb);
        self.deny(missing.to_string());
        Err(Error::missing(missing))
    }

    /// Counts a call that needs no right.
    pub fn count(&self) {
        self.meter(None, Outcome::Allowed, self.state.clock.now());
    }

    /// A tenant within reach, or "not found" as for one that does not exist.
    pub fn reach(&self, tenant: TenantId) -> Result<Arc<TenantNode>> {
        let own = self.tenant();
        if own.id == tenant {
            return Ok(Arc::clone(own));
        }
        let found =
            self.state.tree.find(tenant).filter(|node| self.reach_kind() == Reach::Beneath && node.is_within(own.id));
        found.ok_or_else(|| {
            self.deny("tenant_out_of_reach".into());
            Error::NotFound("tenant")
        })
    }

    /// Whether it reaches a tenant; notes no denial, for it has not asked.
    pub(crate) fn reaches(&self, tenant: TenantId) -> bool {
        let own = self.tenant();
        let beneath = || self.state.tree.find(tenant).is_some_and(|node| node.is_within(own.id));
        own.id == tenant || (self.reach_kind() == Reach::Beneath && beneath())
    }

    /// Refuses `wanted` where it holds more than the caller does.
    pub fn covers(&self, wanted: &GrantSet, reach: Reach) -> Result<()> {
        let refuse = |detail: String, missing| {
            self.deny("above_own_rights".into());
            Err(Error::Forbidden { missing, detail })
        };
        if reach == Reach::Beneath && self.reach_kind() == Reach::Own {
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

    /// Whether it would; notes no denial, for nobody has asked.
    pub(crate) fn would_cover(&self, wanted: &GrantSet, reach: Reach) -> bool {
        (reach == Reach::Own || self.reach_kind() == Reach::Beneath)
            && self.grants().first_missing(wanted, &self.state.catalogue).is_none()
    }

    pub(crate) fn deny(&self, reason: String) {
        let kind = self.kind();
        let denial =
            Denial { tenant_id: self.tenant().id, kind, actor: self.name(), reason, address: self.origin.address() };
        self.state.denials.add(denial, self.tenant().id, self.state.clock.now());
    }

    fn kind(&self) -> ActorKind {
        match &self.principal {
            Principal::Application(_) => ActorKind::Application,
            Principal::User(_) => ActorKind::User,
        }
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor { kind: self.kind().as_str(), id: self.name(), tenant_id: Some(self.tenant().id) }
    }
}

impl Machine {
    /// What its token is narrowed to, if it is.
    fn limit(&self) -> Option<&GrantSet> {
        self.session.as_ref().and_then(|session| session.limit.as_ref())
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.name())
    }
}
