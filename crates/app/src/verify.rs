//! Verification: presented secret and address → caller or refusal. Memory only, no await and no SQL on a hit.

use crate::App;
use crate::caller::Caller;
use crate::live::denials::Denial;
use crate::live::meter::Arrival;
use crate::live::record::{LiveSecret, Record};
use claviger_domain::address::Origin;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::secret::{self, SecretHash};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Refusal, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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

enum Found {
    Caller(Caller),
    Refused(Refusal),
    Miss,
}

impl App {
    /// Verifies a credential. The order of the checks is fixed: secret, address, enabled, tenants, expiry, rate limit.
    pub async fn authenticate(&self, presented: Presented<'_>, origin: Origin, user_agent: &str) -> Result<Caller> {
        if self.state.refusing.load(Ordering::Acquire) {
            return Err(Error::Unavailable("the server cannot confirm what it knows; try again soon".into()));
        }
        let mut found = self.verify(presented, origin, user_agent);
        if matches!(found, Ok(Found::Miss)) {
            let monotonic = self.state.clock.monotonic();
            self.state.keyring.load(self.state.surroundings(), presented.client_id, monotonic).await?;
            found = self.verify(presented, origin, user_agent);
        }
        match found? {
            Found::Caller(caller) => Ok(caller),
            Found::Refused(refusal) => Err(Error::Unauthenticated(refusal)),
            Found::Miss => Err(self.stranger(Refusal::UnknownClient, origin)),
        }
    }

    /// Refuses whoever presented nothing usable, and counts it.
    pub fn stranger(&self, refusal: Refusal, origin: Origin) -> Error {
        if let Some(operator) = self.state.operator.get().filter(|_| refusal != Refusal::Absent) {
            // The id a stranger claims is its own choice and would defeat the aggregation.
            let denial = Denial {
                tenant_id: *operator,
                actor: String::new(),
                reason: refusal.code().into(),
                address: origin.address(),
            };
            self.state.denials.add(denial, *operator, self.state.clock.now());
        }
        Error::Unauthenticated(refusal)
    }

    /// Whether `caller` may do this, and belongs to the audience: what a protecting proxy asks.
    pub fn admit(&self, caller: &Caller, permission: &str, verb: Verb, audience: Audience) -> Result<()> {
        if let Audience::Within(tenant) = audience
            && !caller.tenant().is_within(tenant)
        {
            caller.deny("tenant_not_admitted".into());
            let detail = "the credential's tenant is not admitted here".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        caller.allow(permission, verb)
    }

    fn verify(&self, presented: Presented<'_>, origin: Origin, user_agent: &str) -> Result<Found> {
        let state = &self.state;
        // Garbage is refused by its checksum, before anything is looked up.
        let well_formed = secret::is_well_formed(presented.secret);
        // Hashed before the look-up, so that an unknown client id takes as long as a known one.
        let hash = SecretHash::of(presented.secret);
        let Some(record) = state.keyring.find(presented.client_id) else {
            if well_formed && !state.keyring.is_unknown(presented.client_id, state.clock.monotonic()) {
                return Ok(Found::Miss);
            }
            let refusal = if well_formed { Refusal::UnknownClient } else { Refusal::Malformed };
            return Err(self.stranger(refusal, origin));
        };
        let now = state.clock.now();
        let checked = match record.secret(&hash).filter(|_| well_formed) {
            Some(secret) => check(&record, secret, origin, now).map(|()| secret.id),
            None => Err(Refusal::WrongSecret),
        };
        let secret = match checked {
            Ok(secret) => secret,
            Err(refusal) => {
                self.deny_known(&record, refusal.code().into(), origin, now);
                return Ok(Found::Refused(refusal));
            }
        };
        let limit = record.policy.rate_limit;
        let monotonic = if limit.is_some() { state.clock.monotonic() } else { 0 };
        let arrival = Arrival { secret, now, address: origin.address(), user_agent };
        let quota = state.meter.arrive(record.cell(), &arrival, limit, monotonic);
        let quota = limit.zip(quota);
        if let Some((limit, quota)) = quota.filter(|(_, quota)| !quota.allowed) {
            self.deny_known(&record, "rate_limited".into(), origin, now);
            return Err(Error::Limited { limit, retry_after_seconds: quota.reset_seconds });
        }
        let request = Arc::clone(&self.no_request);
        Ok(Found::Caller(Caller { record, secret, state: Arc::clone(state), origin, quota, request }))
    }

    pub(crate) fn deny_known(&self, record: &Record, reason: String, origin: Origin, now: Timestamp) {
        let tenant_id = record.tenant.id;
        let denial = Denial { tenant_id, actor: record.client_id().to_string(), reason, address: origin.address() };
        self.state.denials.add(denial, tenant_id, now);
    }
}

pub(crate) fn check(record: &Record, secret: &LiveSecret, origin: Origin, now: Timestamp) -> Result<(), Refusal> {
    if let Some(networks) = &record.policy.networks
        && !origin.address().is_some_and(|address| networks.contains(address))
    {
        return Err(Refusal::AddressNotAllowed);
    }
    if !record.enabled {
        return Err(Refusal::Disabled);
    }
    if !record.tenant.is_served() {
        return Err(Refusal::TenantSuspended);
    }
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    if over(record.expires_at) || over(secret.expires_at) {
        return Err(Refusal::Expired);
    }
    Ok(())
}
