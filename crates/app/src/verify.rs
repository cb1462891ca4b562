//! Verification: presented secret and address → caller or refusal. Memory only, no await and no SQL on a hit.

mod checks;

pub(crate) use self::checks::{check, check_bound, check_bound_state, check_end, check_place, check_standing};

use crate::App;
use crate::caller::{Caller, Machine, Principal};
use crate::dpop::BoundToken;
use crate::live::denials::{ActorKind, Denial};
use crate::live::meter::{Arrival, CountedRight};
use crate::live::record::Record;
use crate::temporary::check_use;
use claviger_domain::address::Origin;
use claviger_domain::advice::{Advice, Sunset};
use claviger_domain::catalogue::Permission;
use claviger_domain::grants::{GrantSet, Right, Verb};
use claviger_domain::id::{ApplicationId, ClientId, SecretId, TenantId};
use claviger_domain::lifetime::ADVICE_SECONDS;
use claviger_domain::rate::{Quota, RateLimit};
use claviger_domain::secret::{self, SecretHash};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::Outcome;
use claviger_domain::{Error, Refusal, Result};
use std::sync::Arc;

/// What somebody presents to be recognised.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// A client id with its secret.
    Secret(Presented<'a>),
    /// A session token.
    Token(&'a str),
    /// A session token with a proof of the key that it is bound to, of which the store may have to be asked.
    Bound(BoundToken<'a>),
}

impl<'a> From<Presented<'a>> for Proof<'a> {
    fn from(presented: Presented<'a>) -> Self {
        Self::Secret(presented)
    }
}

/// A credential as it came over the wire: three spellings, one type.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The client id.
    pub client_id: &'a str,
    /// The secret.
    pub secret: &'a str,
}

/// Whom a protected service wants to let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Callers of any tenant.
    Any,
    /// Callers of that tenant or of one beneath it.
    Within(TenantId),
}

/// What a protecting proxy asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The permission, out of this server's catalogue.
    pub permission: &'a Permission,
    /// What is to be done with it.
    pub verb: Verb,
    /// Whose callers are let in.
    pub audience: Audience,
}

/// Who was let in.
#[derive(Debug)]
pub struct Admission {
    /// The application's tenant.
    pub tenant: TenantId,
    /// The application.
    pub application: ApplicationId,
    /// Its client id where that is not its id.
    pub foreign: Option<ClientId>,
    /// Its rate limit and what is left of it; none if it has no limit.
    pub quota: Option<(RateLimit, Quota)>,
    /// What the answer says besides, if anything.
    pub advice: Option<Box<Advice>>,
}

/// Why somebody was not let in.
#[derive(Debug)]
pub struct NotAdmitted {
    /// The refusal.
    pub error: Error,
    /// What is left of the rate limit, where the credential was right.
    pub quota: Option<(RateLimit, Quota)>,
    /// What the answer says besides, where the credential was right.
    pub advice: Option<Box<Advice>>,
}

impl From<Error> for NotAdmitted {
    fn from(error: Error) -> Self {
        Self { error, quota: None, advice: None }
    }
}

/// When and from where a call comes, and what the client calls itself.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) origin: Origin,
    pub(crate) user_agent: &'a str,
    pub(crate) now: Timestamp,
    /// For the rate limit, in nanoseconds.
    pub(crate) monotonic: u64,
    /// By the clock of leases.
    pub(crate) boot: u64,
    /// Whether a proof of possession comes with it.
    pub(crate) proves: bool,
    /// Whether the secret is presented to be changed.
    pub(crate) to_change: bool,
}

/// A secret that was presented and works. Few have an advice, so that it has no room of its own.
struct Accepted {
    id: SecretId,
    advice: Option<Box<Advice>>,
}

/// What an answer to the application says besides, if the secret it presented stops at `end`.
pub(crate) fn advise(record: &Record, end: Timestamp, now: Timestamp) -> Option<Box<Advice>> {
    let expires_at = (end <= now.plus_seconds(ADVICE_SECONDS)).then_some(end);
    let rule = record.policy.legacy.and_then(|kind| record.tenant.legacy_rule(kind));
    let sunset = rule.map(|rule| Sunset { deprecated_at: rule.since, at: rule.end() });
    Advice { expires_at, sunset }.filled().map(Box::new)
}

/// How an application stands to what is wanted of it.
#[derive(Clone, Copy)]
pub(crate) enum Standing {
    Holds,
    Lacks,
    /// Of a tenant that is not let in, whatever it may do.
    Elsewhere,
}

impl Standing {
    /// Whoever presents a token has both, the application's rights and the token's `limit`.
    pub(crate) fn of(record: &Record, limit: Option<&GrantSet>, wanted: Wanted<'_>) -> Self {
        let Wanted { permission, verb, audience } = wanted;
        let belongs = match audience {
            Audience::Any => true,
            Audience::Within(tenant) => record.tenant.is_within(tenant),
        };
        let within = limit.is_none_or(|limit| limit.has(permission.index, verb));
        match (belongs, within && record.policy.held.has(permission.index, verb)) {
            (false, _) => Self::Elsewhere,
            (true, true) => Self::Holds,
            (true, false) => Self::Lacks,
        }
    }

    /// What the meter counts: who does not belong here asked for no right.
    pub(crate) fn counted(self, Wanted { permission, verb, .. }: Wanted<'_>) -> Option<(CountedRight, Outcome)> {
        let right = u32::try_from(permission.index).ok().map(|index| (index, verb));
        match self {
            Self::Holds => Some((right, Outcome::Allowed)),
            Self::Lacks => Some((right, Outcome::Denied)),
            Self::Elsewhere => None,
        }
    }
}

impl App {
    /// Verifies a credential. The order of the checks is fixed: secret, address, enabled, tenants, expiry, rate limit.
    pub async fn authenticate<'a>(
        &self,
        proof: impl Into<Proof<'a>>,
        origin: Origin,
        user_agent: &str,
    ) -> Result<Caller> {
        let presented = match proof.into() {
            Proof::Secret(presented) => presented,
            Proof::Token(text) => return self.authenticate_token(text, self.call(origin, user_agent)).await,
            Proof::Bound(bound) => {
                return Box::pin(self.authenticate_bound(bound, self.call(origin, user_agent))).await;
            }
        };
        self.authenticate_secret(presented, self.call(origin, user_agent)).await
    }

    pub(crate) async fn authenticate_secret(&self, presented: Presented<'_>, call: Call<'_>) -> Result<Caller> {
        let origin = call.origin;
        let caller = |record: &Record, Accepted { id: secret, advice }: Accepted| {
            let quota = self.meter(record, secret, call, None)?;
            let (state, request) = (Arc::clone(&self.state), Arc::clone(&self.no_request));
            let principal = Principal::Application(Machine { record: record.share(), secret, session: None });
            Ok(Caller { principal, state, origin, quota, advice, request })
        };
        let mut found = self.recognise(presented, call, caller)?;
        if found.is_none() {
            self.look_up(presented.client_id).await?;
            found = self.recognise(presented, call, caller)?;
        }
        found.ok_or_else(|| self.stranger(Refusal::UnknownClient, origin))?
    }

    /// Whether whoever presents a credential may do what is asked for, and belongs to the audience: what a protecting proxy
    /// wants to know, answered from memory in one go. None where the application is not in memory:
    /// [`App::authenticate`] and [`App::admit_caller`] say then.
    pub fn admit<'a>(
        &self,
        proof: impl Into<Proof<'a>>,
        origin: Origin,
        user_agent: &str,
        wanted: Wanted<'_>,
    ) -> Option<Result<Admission, NotAdmitted>> {
        let call = self.call(origin, user_agent);
        let go_on = |record: &Record, Accepted { id, advice }: Accepted, limit: Option<&GrantSet>| {
            let standing = Standing::of(record, limit, wanted);
            let quota = self.meter(record, id, call, standing.counted(wanted))?;
            self.judge(standing, record, (quota, advice), call, wanted)
        };
        let admitted = match proof.into() {
            Proof::Secret(presented) => self.recognise(presented, call, |record, secret| go_on(record, secret, None)),
            Proof::Token(text) => self.recognise_token(text, call, |record, session, end| {
                let accepted = Accepted { id: session.secret, advice: advise(record, end, call.now) };
                go_on(record, accepted, session.limit.as_ref())
            }),
            Proof::Bound(_) => return None,
        };
        match admitted {
            Ok(admitted) => admitted,
            Err(error) => Some(Err(error.into())),
        }
    }

    pub(crate) fn call<'a>(&self, origin: Origin, user_agent: &'a str) -> Call<'a> {
        // The clocks are read before anything is looked up: reading one waits for every look-up under way.
        let clock = &self.state.clock;
        let monotonic = clock.monotonic();
        let (now, boot) = (clock.now(), clock.boot(monotonic));
        Call { origin, user_agent, now, monotonic, boot, proves: false, to_change: false }
    }

    /// As [`App::admit`], for a caller that was verified before.
    pub fn admit_caller(&self, caller: &Caller, wanted: Wanted<'_>) -> Result<Admission, NotAdmitted> {
        let Machine { record, session, .. } = caller.machine()?;
        let limit = session.as_ref().and_then(|session| session.limit.as_ref());
        let standing = Standing::of(record, limit, wanted);
        let call = self.call(caller.origin, "");
        if let Some((right, outcome)) = standing.counted(wanted) {
            self.state.meter.count(record.cell(), right, outcome, call.now);
        }
        self.judge(standing, record, (caller.quota, caller.advice.clone()), call, wanted)
    }

    fn judge(
        &self,
        standing: Standing,
        record: &Record,
        (quota, advice): (Option<(RateLimit, Quota)>, Option<Box<Advice>>),
        call: Call<'_>,
        Wanted { permission, verb, .. }: Wanted<'_>,
    ) -> Result<Admission, NotAdmitted> {
        let (reason, error) = match standing {
            Standing::Holds => {
                let (tenant, application, foreign) = (record.tenant.id, record.id, record.foreign().cloned());
                return Ok(Admission { tenant, application, foreign, quota, advice });
            }
            Standing::Lacks => {
                let missing = Right::new(&permission.name, verb);
                (missing.to_string(), Error::missing(missing))
            }
            Standing::Elsewhere => {
                let detail = "the credential's tenant is not admitted here".into();
                ("tenant_not_admitted".to_owned(), Error::Forbidden { missing: None, detail })
            }
        };
        self.deny_known(record, reason, call.origin, call.now);
        Err(NotAdmitted { error, quota, advice })
    }

    /// Reads the application of a client id from the store, unless it is known not to exist.
    pub(crate) async fn look_up(&self, client_id: &str) -> Result<()> {
        let monotonic = self.state.clock.monotonic();
        // Boxed, so that those who are in memory do not carry its room about.
        Box::pin(self.state.keyring.load(self.state.surroundings(), client_id, monotonic)).await
    }

    /// Refuses whoever presented nothing usable, and counts it.
    pub fn stranger(&self, refusal: Refusal, origin: Origin) -> Error {
        if let Some(operator) = self.state.operator.get().filter(|_| refusal != Refusal::Absent) {
            // The id a stranger claims is its own choice and would defeat the aggregation.
            let denial = Denial {
                tenant_id: *operator,
                kind: ActorKind::Application,
                actor: String::new(),
                reason: refusal.code().into(),
                address: origin.address(),
            };
            self.state.denials.add(denial, *operator, self.state.clock.now());
        }
        Error::Unauthenticated(refusal)
    }

    /// Goes on with whoever presents this, if it may call from there now; none if it has to be looked up.
    fn recognise<T>(
        &self,
        presented: Presented<'_>,
        call: Call<'_>,
        go_on: impl FnOnce(&Record, Accepted) -> T,
    ) -> Result<Option<T>> {
        let state = &self.state;
        state.nodes.may_answer(call.boot)?;
        // Whoever is unknown has hashed as well, and so takes as long as who is known.
        let found = state.keyring.with(presented.client_id, |record| {
            // What the call will read is on its way through memory while the secret is hashed.
            record.fetch();
            let admitted = check_place(record, call.origin);
            let hash = SecretHash::of(presented.secret);
            // No matter of form: imported secrets have any, and equal hashes mean equal texts.
            let checked = match record.secret(&hash) {
                Some(secret) => admitted
                    .and_then(|()| check_end(record, secret, call.now))
                    .and_then(|end| check_use(record, secret, call).map(|()| end))
                    .map(|end| Accepted { id: secret.id, advice: advise(record, end, call.now) }),
                None => Err(Refusal::WrongSecret),
            };
            checked.map(|secret| go_on(record, secret)).map_err(|refusal| {
                self.deny_known(record, refusal.code().into(), call.origin, call.now);
                Error::Unauthenticated(refusal)
            })
        });
        if found.is_none() {
            std::hint::black_box(SecretHash::of(presented.secret));
        }
        match found {
            Some(found) => found.map(Some),
            None if state.keyring.is_unknown(presented.client_id, call.monotonic) => {
                let is_ours = secret::is_well_formed(presented.secret);
                let refusal = if is_ours { Refusal::UnknownClient } else { Refusal::Malformed };
                Err(self.stranger(refusal, call.origin))
            }
            // Only while applications are being loaded: it may be an imported secret, or garbage that anybody can send.
            None if !secret::is_well_formed(presented.secret) && !state.keyring.affords_look_up(call.monotonic) => {
                Err(Error::Unavailable("the applications are still being read; try again soon".into()))
            }
            None => Ok(None),
        }
    }

    /// Counts the call, and refuses it where it is over the rate limit.
    pub(crate) fn meter(
        &self,
        record: &Record,
        secret: SecretId,
        Call { origin, user_agent, now, monotonic, .. }: Call<'_>,
        asks: Option<(CountedRight, Outcome)>,
    ) -> Result<Option<(RateLimit, Quota)>> {
        let limit = record.policy.rate_limit;
        let networks = record.policy.networks.as_ref();
        let arrival = Arrival { secret, now, address: origin.address(), user_agent, networks };
        let quota = limit.zip(self.state.meter.arrive(record.cell(), &arrival, limit, monotonic, asks));
        if let Some((limit, quota)) = quota.filter(|(_, quota)| !quota.allowed) {
            self.deny_known(record, "rate_limited".into(), origin, now);
            return Err(Error::Limited { limit, retry_after_seconds: quota.reset_seconds });
        }
        Ok(quota)
    }

    pub(crate) fn deny_known(&self, record: &Record, reason: String, origin: Origin, now: Timestamp) {
        let tenant_id = record.tenant.id;
        let (kind, actor) = (ActorKind::Application, record.client_id().to_string());
        let denial = Denial { tenant_id, kind, actor, reason, address: origin.address() };
        self.state.denials.add(denial, tenant_id, now);
    }
}
