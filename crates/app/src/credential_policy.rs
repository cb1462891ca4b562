//! Credential policies: read with what holds after all tenants above have been asked, and set. A policy bites in memory, for
//! the tenant and everything beneath it, before the verb that sets it returns.

use crate::App;
use crate::applications::changed;
use crate::caller::{Caller, Machine};
use crate::live::record::LiveSecret;
use crate::unit::{Effect, Needs, Unit, to_the_end};
use claviger_domain::audit::Target;
use claviger_domain::credential_policy::{CredentialPolicy, EffectivePolicy, OnLeak, StaticSecrets, StoredPolicy};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::lifetime::earlier;
use claviger_domain::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "credential-policy";

/// A tenant's policy, and what holds for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyAndEffect {
    /// The tenant.
    pub tenant_id: TenantId,
    /// What it says itself.
    pub stored: StoredPolicy,
    /// What holds.
    pub effective: EffectivePolicy,
}

/// For how long the operator must have a way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// At this moment.
    Now,
    /// Beyond the end of any application that is to end.
    ForGood,
}

impl App {
    /// A tenant's policy. Needs `credential-policy:READ`.
    pub async fn find_credential_policy(&self, caller: &Caller, tenant: TenantId) -> Result<PolicyAndEffect> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Read)?;
        let stored = self.state.store.find_credential_policy(tenant).await?.unwrap_or_default();
        Ok(PolicyAndEffect { tenant_id: tenant, stored, effective: node.effective_policy() })
    }

    /// Sets a tenant's policy in place of the one before. What it ends has ended when this returns. Needs
    /// `credential-policy:UPDATE`; whoever would end their own credential with it must `confirm` that.
    pub async fn put_credential_policy(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        own: CredentialPolicy,
        confirm: bool,
        if_match: Option<i64>,
    ) -> Result<PolicyAndEffect> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Update)?;
        let before = self.state.store.find_credential_policy(tenant).await?.unwrap_or_default();
        if before.own.rotation() != own.rotation() {
            // What has retired by the rotation before stays so.
            let app = Arc::clone(self);
            to_the_end(async move { app.settle_retirements(tenant).await }).await?;
        }
        let stored = self
            .unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
                Box::pin(async move {
                    let target = unit.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
                    let before = unit.tx.find_credential_policy(tenant).await?.unwrap_or_default();
                    crate::check_version(if_match, before.version)?;
                    let after = before.replaced(own, unit.now);
                    unit.refuse_own_end(tenant, &after, confirm)?;
                    unit.tx.put_credential_policy(tenant, &after, unit.now).await?;
                    if after.own.static_secrets == Some(StaticSecrets::Forbidden) {
                        unit.refuse_lock_out(tenant, Stay::Now).await?;
                    }
                    let target = Target { kind: "tenant", id: tenant.to_string(), name: target.name };
                    let details = changed(&describe(&before.own), &describe(&after.own));
                    unit.record("credential_policy.updated", target, details);
                    unit.affects(Effect::Tenant(tenant));
                    Ok(after)
                })
            })
            .await?;
        Ok(PolicyAndEffect { tenant_id: tenant, stored, effective: node.effective_policy() })
    }

    /// What holds for the credentials of a tenant, from memory.
    pub fn effective_policy(&self, tenant: TenantId) -> Result<EffectivePolicy> {
        Ok(self.state.tree.find(tenant).ok_or(Error::NotFound("tenant"))?.effective_policy())
    }
}

impl Unit {
    /// Refuses to leave the operator without a way in where secrets are forbidden: nobody else could let it in again.
    pub(crate) async fn refuse_operator_lock_out(&mut self, tenant: TenantId, stay: Stay) -> Result<()> {
        if self.forbids_secrets(tenant) { self.refuse_lock_out(tenant, stay).await } else { Ok(()) }
    }

    async fn refuse_lock_out(&mut self, tenant: TenantId, stay: Stay) -> Result<()> {
        if !self.is_locked_out(tenant, stay).await? {
            return Ok(());
        }
        let detail = "nobody could take this back: an application of the operator that holds credential-policy:UPDATE, is enabled \
            and does not expire must have a public key, or be bound to the tokens of a trusted issuer; see to another such \
            application first";
        Err(Error::conflict("operator_locked_out", detail))
    }

    /// Whether the operator would have no application left that can change the policy and be proved without a secret.
    pub(crate) async fn is_locked_out(&mut self, tenant: TenantId, stay: Stay) -> Result<bool> {
        if self.app.state.operator.get() != Some(&tenant) {
            return Ok(false);
        }
        let index = self.app.state.catalogue.find(PERMISSION).map(|permission| permission.index);
        for id in self.tx.list_secretless(tenant, self.now).await? {
            let Some(application) = self.tx.find_application(tenant, id).await? else { continue };
            let ended = self.app.state.ended(application.clone()).ends_at.is_some_and(|end| end <= self.now);
            let stays = stay == Stay::Now || application.expires_at.is_none();
            let somewhere = application.allowed_networks.as_ref().is_none_or(|networks| !networks.is_empty());
            let held = self.rights_of(tenant, &application.rights).await?;
            let may = index.is_some_and(|index| held.has(index, Verb::Update));
            if application.enabled && !ended && stays && somewhere && may {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn refuse_own_end(&self, tenant: TenantId, policy: &StoredPolicy, confirm: bool) -> Result<()> {
        // A person has no credential of that kind.
        let Ok(Machine { record, secret, .. }) = self.caller.machine() else { return Ok(()) };
        let bounds = self.caller.tenant().bounds_with(tenant, policy);
        let presented = record.secret_of(*secret).is_some_and(LiveSecret::is_presented);
        if !confirm && presented && bounds.as_ref().is_some_and(|bounds| bounds.secrets_forbidden) {
            return Err(Error::invalid(
                "/confirm",
                "the policy would forbid the secret that this very request was made with, or that its session token was got with",
                "call by a public key or a trusted issuer, or repeat the request with \"confirm\": true",
            ));
        }
        let end = bounds.and_then(|bounds| {
            let secret = bounds.secret_end(secret.made_at());
            earlier(secret, bounds.application_ceiling(record.id.made_at()))
        });
        if confirm || end.is_none_or(|end| end > self.now) {
            return Ok(());
        }
        Err(Error::invalid(
            "/confirm",
            "the policy would end the credential that this very request was made with",
            "rotate that credential first, set a longer lifetime, or repeat the request with \"confirm\": true",
        ))
    }
}

/// The members of a policy that its audit entries may hold.
fn describe(policy: &CredentialPolicy) -> Map<String, Value> {
    let members = json!({
        "max_application_lifetime_seconds": policy.max_application_lifetime_seconds,
        "max_secret_lifetime_seconds": policy.max_secret_lifetime_seconds,
        "rotate_every_days": policy.rotate_every_days,
        "rotation_overlap_seconds": policy.rotation_overlap_seconds,
        "unused_after_days": policy.unused_after_days,
        "on_leak": policy.on_leak.map(OnLeak::as_str),
        "static_secrets": policy.static_secrets.map(StaticSecrets::as_str),
    });
    members.as_object().cloned().unwrap_or_default()
}
