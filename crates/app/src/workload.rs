//! Workload identity: a token that a trusted issuer has signed, in place of a secret. Whoever presents one that fits a binding
//! is the application that the binding names, and gets a session token that ends with the binding.
//!
//! What comes without a fitting binding is a stranger's, however well it is signed: issuers sign for everybody.

use crate::App;
use crate::caller::{Caller, Machine, Principal};
use crate::live::denials::{ActorKind, Denial};
use crate::live::foreign::pretend;
use crate::live::issuers::LiveIssuer;
use crate::live::record::Record;
use crate::replay::Single;
use crate::verify::{Call, check_bound};
use claviger_domain::address::Origin;
use claviger_domain::foreign_token::{self, Checked, Mismatch, Unverified};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::trusted_issuer::Binding;
use claviger_domain::{Error, Refusal, Result};
use serde_json::Value;
use std::sync::Arc;

/// A token of a trusted issuer as it was presented, and for whom.
#[derive(Clone, Copy)]
pub struct Assertion<'a> {
    /// The token.
    pub text: &'a str,
    /// The application that it is to stand for, if it is named.
    pub client_id: Option<&'a str>,
    /// The tenant whose application that is, if it is named.
    pub tenant: Option<TenantId>,
    /// This server's addresses that such a token may name as its audience, this server's URL first.
    pub audiences: [&'a str; 2],
}

/// Who presented it.
#[derive(Debug)]
pub struct Workload {
    /// The application.
    pub caller: Caller,
    /// Seconds until the token ends, which no session token got for it outlives.
    pub lifetime: i64,
    /// Who the token is about, and who says so.
    pub source: String,
}

/// Whose a token is said to be.
struct Named {
    tenant: TenantId,
    application: Option<ApplicationId>,
    /// As denials name it; empty where only the tenant is named.
    actor: String,
}

impl App {
    /// Verifies a token of a trusted issuer. Refusals are `Malformed` with the code `invalid_grant`, and alike for everything
    /// that a stranger could present; the tenant's audit record says what was wrong.
    pub async fn authenticate_workload(
        &self,
        assertion: &Assertion<'_>,
        origin: Origin,
        user_agent: &str,
    ) -> Result<Workload> {
        // As it was claimed, so that whether there is such a name tells nobody anything.
        let tenant = assertion.tenant.map(|tenant| tenant.to_string());
        let claimed = assertion.client_id.or(tenant.as_deref());
        let verified = self.verify_workload(assertion, self.call(origin, user_agent)).await;
        verified.map_err(|error| match self.refuse_guess(error, claimed, origin) {
            Error::Unauthenticated(_) => {
                told("the token is not accepted; if it should be, the tenant's audit record says why it is not")
            }
            other => other,
        })
    }

    async fn verify_workload(&self, assertion: &Assertion<'_>, call: Call<'_>) -> Result<Workload> {
        self.state.nodes.may_answer(call.boot)?;
        let Some(unverified) = foreign_token::read(assertion.text) else {
            return Err(self.unbound(Refusal::TokenInvalid, call));
        };
        let Some(named) = self.named(assertion, &unverified).await? else {
            pretend(unverified.parts);
            return Err(self.unbound(Refusal::UnknownClient, call));
        };
        // Whatever is wrong before a signature is looked at takes as long as that would.
        let refuse = |mismatch: Mismatch| {
            if matches!(mismatch, Mismatch::Header | Mismatch::Key) {
                pretend(unverified.parts);
            }
            self.mismatch(&named, mismatch.code(), call)
        };
        let header = foreign_token::read_header(unverified.parts.header).map_err(refuse)?;
        let Some(live) = self.state.issuers.find(named.tenant, &unverified.issuer) else {
            pretend(unverified.parts);
            return Err(self.mismatch(&named, "issuer_untrusted", call));
        };
        let trust = &live.issuer.trust;
        if !trust.algorithms.contains(&header.algorithm) {
            return Err(refuse(Mismatch::Header));
        }
        let keys = self.issuer_keys(&live, &header).await.inspect_err(|_| {
            self.mismatch(&named, "issuer_keys_unavailable", call);
        })?;
        keys.verify(&header, unverified.parts).map_err(refuse)?;
        let [here, door] = assertion.audiences;
        let own = tenant_audience(here, named.tenant);
        let audiences = match &trust.audience {
            Some(audience) => vec![audience.as_str()],
            None => vec![here, door, own.as_str()],
        };
        // Not of before a wait for keys.
        let call = Call { now: self.state.clock.now(), ..call };
        let claims = &unverified.claims;
        let checked = foreign_token::check(claims, &audiences, trust.max_age_seconds, call.now).map_err(refuse)?;
        let binding = live.issuer.bind(claims, named.application).map_err(|mismatch| {
            let refused = refuse(mismatch);
            match mismatch {
                Mismatch::Ambiguous => told("the token fits bindings to several applications; name one by client_id"),
                _ => refused,
            }
        })?;
        let caller = self.bound(&live, binding, &named, call).await?;
        self.use_up(&live, &checked, &named, call).await?;
        let lifetime = checked.expires_at.seconds() - call.now.seconds();
        Ok(Workload { caller, lifetime, source: format!("{} {}", trust.issuer.as_str(), checked.subject) })
    }

    /// Whose application the token is to stand for. Where neither it nor its tenant is named, the audience must name the
    /// tenant: another tenant may trust the same issuer, and must not get hold of workloads that were not meant for it.
    async fn named(&self, assertion: &Assertion<'_>, unverified: &Unverified<'_>) -> Result<Option<Named>> {
        let state = &self.state;
        let of_tenant = |tenant| Named { tenant, application: None, actor: String::new() };
        let named = match (assertion.client_id, assertion.tenant) {
            (Some(client_id), tenant) => {
                self.look_up(client_id).await?;
                let found = state.keyring.with(client_id, |record| Named {
                    tenant: record.tenant.id,
                    application: Some(record.id),
                    actor: record.client_id().to_string(),
                });
                found.filter(|named| tenant.is_none_or(|tenant| tenant == named.tenant))
            }
            (None, Some(tenant)) => Some(of_tenant(tenant)),
            (None, None) => {
                let audience = match unverified.claims.get("aud") {
                    Some(Value::Array(list)) => list.first().and_then(Value::as_str),
                    other => other.and_then(Value::as_str),
                };
                let [here, _] = assertion.audiences;
                let tenant = audience.and_then(|audience| {
                    let id = TenantId::parse(audience.rsplit('/').next()?)?;
                    (tenant_audience(here, id) == audience).then_some(id)
                });
                let Some(tenant) = tenant else {
                    let detail =
                        "name the application by client_id, or its tenant by tenant_id, or get the token for the \
                        tenant's own audience"
                            .into();
                    return Err(Error::Malformed { code: "invalid_request", detail });
                };
                Some(of_tenant(tenant))
            }
        };
        Ok(named.filter(|named| state.tree.find(named.tenant).is_some()))
    }

    /// The application of a binding as a caller, if it may call from there now.
    async fn bound(&self, live: &LiveIssuer, binding: &Binding, named: &Named, call: Call<'_>) -> Result<Caller> {
        let (state, secret) = (&self.state, SecretId::from_u128(binding.id.as_u128()));
        let go_on = |record: &Record| {
            check_bound(record, call.origin, call.now).map_err(|refusal| {
                self.deny_known(record, refusal.code().into(), call.origin, call.now);
                if refusal.is_owner() {
                    told(&format!("the token is right, but: {}", refusal.code()))
                } else {
                    strange()
                }
            })?;
            let quota = self.meter(record, secret, call, None)?;
            let (state, request) = (Arc::clone(&self.state), Arc::clone(&self.no_request));
            let principal = Principal::Application(Machine { record: record.share(), secret, session: None });
            Ok(Caller { principal, state, origin: call.origin, quota, advice: None, request })
        };
        let application = binding.application_id;
        if let Some(found) = state.keyring.with_application(application, go_on) {
            return found;
        }
        state.keyring.refresh(state.surroundings(), live.issuer.tenant_id, application).await?;
        let found = state.keyring.with_application(application, go_on);
        found.unwrap_or_else(|| Err(self.mismatch(named, Mismatch::Binding.code(), call)))
    }

    /// Accepts a token that is to be used once only.
    async fn use_up(&self, live: &LiveIssuer, checked: &Checked, named: &Named, call: Call<'_>) -> Result<()> {
        let Some(jti) = checked.jti.as_deref().filter(|_| live.issuer.trust.single_use) else { return Ok(()) };
        let single = Single {
            kind: "issuer_token",
            maker: &format!("{} {}", named.tenant, live.issuer.trust.issuer.as_str()),
            tenant: named.tenant,
            jti,
            could_be: checked.valid_from,
            ends_at: checked.useless_from,
        };
        if self.accept_once(&single, call.now).await? {
            return Ok(());
        }
        let _ = self.mismatch(named, Mismatch::Used.code(), call);
        Err(told("the token has been used before, or may have been before this server was started; get another one"))
    }

    /// Refuses a stranger, and counts it.
    fn unbound(&self, refusal: Refusal, call: Call<'_>) -> Error {
        let _ = self.stranger(refusal, call.origin);
        strange()
    }

    /// Refuses whoever claims to be a tenant's workload, and lets that tenant know why.
    fn mismatch(&self, named: &Named, reason: &'static str, call: Call<'_>) -> Error {
        let (tenant_id, actor) = (named.tenant, named.actor.clone());
        let kind = ActorKind::Application;
        let denial = Denial { tenant_id, kind, actor, reason: reason.into(), address: call.origin.address() };
        self.state.denials.add(denial, tenant_id, call.now);
        strange()
    }
}

/// The audience that names a tenant: its address beneath this server's URL.
pub(crate) fn tenant_audience(here: &str, tenant: TenantId) -> String {
    format!("{here}/tenants/{tenant}")
}

/// The refusal of whoever is to learn nothing.
fn strange() -> Error {
    Error::Unauthenticated(Refusal::TokenInvalid)
}

fn told(detail: &str) -> Error {
    Error::Malformed { code: "invalid_grant", detail: detail.to_owned() }
}
