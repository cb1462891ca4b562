//! The credential policy of a tenant.

use crate::kit::{Api, Authenticated, Body, Fields, Path, Precondition};
use crate::native::answer::{Answer, versioned};
use crate::native::openapi::{Matching, Reading, Writing};
use axum::extract::State;
use claviger_app::credential_policy::PolicyAndEffect;
use claviger_domain::Result;
use claviger_domain::credential_policy::{
    CredentialPolicy, EffectivePolicy, OnLeak, parse_days, parse_lifetime, parse_overlap,
};
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happens to a leaked secret.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OnLeak)]
pub(crate) enum OnLeakWord {
    /// It is dead at once.
    Revoke,
    /// It is dead at once, and its application is disabled until somebody has looked at it.
    Quarantine,
}

/// A policy to be set. What is absent or `null` is left to the tenants above.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCredentialPolicy)]
pub(crate) struct NewPolicyBody {
    /// Seconds after its making at which an application stops: 60 to 315,360,000.
    #[serde(default)]
    max_application_lifetime_seconds: Option<i64>,
    /// Seconds after its making at which a secret stops: 60 to 315,360,000.
    #[serde(default)]
    max_secret_lifetime_seconds: Option<i64>,
    /// Days after its making at which a secret is due for rotation: 1 to 3,650.
    #[serde(default)]
    rotate_every_days: Option<i64>,
    /// Seconds for which a secret that is due goes on working: 1 to 2,592,000.
    #[serde(default)]
    rotation_overlap_seconds: Option<i64>,
    /// Days without a call after which something counts as unused: 1 to 3,650.
    #[serde(default)]
    unused_after_days: Option<i64>,
    /// What happens to a leaked secret.
    #[serde(default)]
    on_leak: Option<OnLeakWord>,
    /// Says that the caller knows that the policy ends the credential of this very request.
    #[serde(default)]
    confirm: bool,
}

/// A tenant's policy: what it says itself (`null`: nothing), and what holds after all tenants above have been asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CredentialPolicy)]
pub(crate) struct PolicyBody {
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// Seconds after its making at which an application stops.
    #[schema(required = true)]
    max_application_lifetime_seconds: Option<i64>,
    /// Seconds after its making at which a secret stops.
    #[schema(required = true)]
    max_secret_lifetime_seconds: Option<i64>,
    /// Days after its making at which a secret is due for rotation.
    #[schema(required = true)]
    rotate_every_days: Option<i64>,
    /// Seconds for which a secret that is due goes on working.
    #[schema(required = true)]
    rotation_overlap_seconds: Option<i64>,
    /// Days without a call after which something counts as unused.
    #[schema(required = true)]
    unused_after_days: Option<i64>,
    /// What happens to a leaked secret.
    #[schema(required = true)]
    on_leak: Option<OnLeakWord>,
    /// What holds.
    effective: EffectivePolicyBody,
    /// Counts the changes, from 1, which is a policy that says nothing; the entity tag.
    version: i64,
    /// When it was set last; `null` if it never was.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
}

/// What holds for a tenant: the strictest ceilings and rotation, the nearest of everything else.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectiveCredentialPolicy)]
pub(crate) struct EffectivePolicyBody {
    /// Seconds after its making at which an application stops; `null` is never.
    #[schema(required = true)]
    max_application_lifetime_seconds: Option<i64>,
    /// Seconds after its making at which a secret stops; `null` is never.
    #[schema(required = true)]
    max_secret_lifetime_seconds: Option<i64>,
    /// Days after its making at which a secret is due for rotation; `null` is never.
    #[schema(required = true)]
    rotate_every_days: Option<i64>,
    /// Seconds for which a secret that is due goes on working.
    rotation_overlap_seconds: i64,
    /// Days without a call after which something counts as unused.
    unused_after_days: i64,
    /// What happens to a leaked secret.
    on_leak: OnLeakWord,
}

impl From<OnLeak> for OnLeakWord {
    fn from(on_leak: OnLeak) -> Self {
        match on_leak {
            OnLeak::Revoke => Self::Revoke,
            OnLeak::Quarantine => Self::Quarantine,
        }
    }
}

impl From<OnLeakWord> for OnLeak {
    fn from(word: OnLeakWord) -> Self {
        match word {
            OnLeakWord::Revoke => Self::Revoke,
            OnLeakWord::Quarantine => Self::Quarantine,
        }
    }
}

impl From<&EffectivePolicy> for EffectivePolicyBody {
    fn from(policy: &EffectivePolicy) -> Self {
        Self {
            max_application_lifetime_seconds: policy.max_application_lifetime_seconds,
            max_secret_lifetime_seconds: policy.max_secret_lifetime_seconds,
            rotate_every_days: policy.rotate_every_days,
            rotation_overlap_seconds: policy.rotation_overlap_seconds,
            unused_after_days: policy.unused_after_days,
            on_leak: policy.on_leak.into(),
        }
    }
}

impl From<&PolicyAndEffect> for PolicyBody {
    fn from(PolicyAndEffect { tenant_id, stored, effective }: &PolicyAndEffect) -> Self {
        Self {
            tenant_id: *tenant_id,
            max_application_lifetime_seconds: stored.own.max_application_lifetime_seconds,
            max_secret_lifetime_seconds: stored.own.max_secret_lifetime_seconds,
            rotate_every_days: stored.own.rotate_every_days,
            rotation_overlap_seconds: stored.own.rotation_overlap_seconds,
            unused_after_days: stored.own.unused_after_days,
            on_leak: stored.own.on_leak.map(Into::into),
            effective: effective.into(),
            version: stored.version,
            updated_at: stored.updated_at,
        }
    }
}

impl NewPolicyBody {
    fn parse(self) -> Result<CredentialPolicy> {
        let mut fields = Fields::new();
        let mut take = |given: Option<i64>, pointer, parse: fn(&str, i64) -> Result<i64>| {
            given.and_then(|given| fields.take(parse(pointer, given)))
        };
        let application = self.max_application_lifetime_seconds;
        let policy = CredentialPolicy {
            max_application_lifetime_seconds: take(application, "/max_application_lifetime_seconds", parse_lifetime),
            max_secret_lifetime_seconds: take(
                self.max_secret_lifetime_seconds,
                "/max_secret_lifetime_seconds",
                parse_lifetime,
            ),
            rotate_every_days: take(self.rotate_every_days, "/rotate_every_days", parse_days),
            rotation_overlap_seconds: take(self.rotation_overlap_seconds, "/rotation_overlap_seconds", parse_overlap),
            unused_after_days: take(self.unused_after_days, "/unused_after_days", parse_days),
            on_leak: self.on_leak.map(Into::into),
        };
        fields.finish(Some(policy))
    }
}

/// Read the credential policy of a tenant
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/credential-policy", tag = "tenants",
    params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = PolicyBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_credential_policy(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
) -> Answer {
    let found = api.app.find_credential_policy(&caller, tenant).await?;
    versioned(found.stored.version, &PolicyBody::from(&found))
}

/// Set the credential policy of a tenant
///
/// In place of the one before, for the tenant and everything beneath it. A credential that is older than a ceiling has
/// stopped when this returns. A rotation that became stricter leaves every secret its overlap from now on. A policy that
/// would end the credential of this very request needs `"confirm": true`.
#[utoipa::path(put, path = "/v1/tenants/{tenant_id}/credential-policy", tag = "tenants",
    params(("tenant_id" = Uuid, Path), Matching), request_body = NewPolicyBody,
    responses((status = 200, description = "Done", body = PolicyBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn put_credential_policy(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Precondition(if_match): Precondition,
    Body(body): Body<NewPolicyBody>,
) -> Answer {
    let confirm = body.confirm;
    let set = api.app.put_credential_policy(&caller, tenant, body.parse()?, confirm, if_match).await?;
    versioned(set.stored.version, &PolicyBody::from(&set))
}
