//! Export of a tenant: everything but secrets, as `claviger apply` takes it.

mod providers;

use self::providers::ProviderEntry;
use crate::kit::{Api, Authenticated, Path, Query};
use crate::native::answer::{Answer, json};
use crate::native::applications::{KeyTypeWord, ReachWord};
use crate::native::credential_policy::{OnLeakWord, StaticSecretsWord};
use crate::native::grants::GrantsBody;
use crate::native::openapi::Reading;
use crate::native::rate_limit::RateLimitBody;
use crate::native::tenants::{KindWord, StatusWord};
use crate::native::trusted_issuers::bodies::{ConditionBody, key_members};
use axum::extract::State;
use claviger_app::export::ExportedTenant;
use claviger_domain::application::{Application, Rights};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::tenant::Status;
use claviger_domain::time::Timestamp;
use claviger_domain::trusted_issuer::TrustedIssuer;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

/// How much to export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// Tenants beneath, too.
    #[serde(default)]
    beneath: Option<bool>,
}

/// A tenant's things by name. Tenants are named by the names that lead to them from the tenant that was exported, which
/// itself is the empty list.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Export)]
pub(crate) struct ExportBody {
    /// Tenants beneath, parents before children.
    tenants: Vec<TenantEntry>,
    /// Credential policies that tenants have set.
    credential_policies: Vec<PolicyEntry>,
    /// Access levels; those that come with the server are not among them.
    access_levels: Vec<LevelEntry>,
    /// Applications.
    applications: Vec<ApplicationEntry>,
    /// How long session tokens live, where tenants have said something; missing without `sessions:READ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_settings: Option<Vec<TokenSettingsEntry>>,
    /// Trusted issuers; missing without `trusted-issuers:READ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    trusted_issuers: Option<Vec<IssuerEntry>>,
    /// Identity providers; missing without `sso:READ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    identity_providers: Option<Vec<ProviderEntry>>,
}

/// How long a tenant's session tokens live by its own word.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedTokenSettings)]
pub(crate) struct TokenSettingsEntry {
    /// Its tenant.
    tenant: Vec<String>,
    /// In seconds.
    lifetime_seconds: i64,
}

/// A trusted issuer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedTrustedIssuer)]
pub(crate) struct IssuerEntry {
    /// Its tenant.
    tenant: Vec<String>,
    /// Name.
    name: String,
    /// The `iss` of its tokens.
    issuer: String,
    /// Their `aud`; `null` is the usual ones.
    #[schema(required = true)]
    audience: Option<String>,
    /// Where its keys lie; `null` where its discovery document says that, or they are given.
    #[schema(required = true)]
    jwks_uri: Option<String>,
    /// Its keys, where they are given.
    #[schema(required = true, value_type = Option<Object>)]
    jwks: Option<Value>,
    /// By which algorithms it may sign.
    algorithms: Vec<&'static str>,
    /// How old a token may be.
    max_token_age_seconds: i64,
    /// Whether a token that has an id is accepted once only.
    single_use: bool,
    /// Whether its tokens are accepted at all.
    enabled: bool,
    /// What they stand for.
    bindings: Vec<BindingEntry>,
}

/// Which tokens stand for an application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedIssuerBinding)]
pub(crate) struct BindingEntry {
    /// Name of the application.
    application: String,
    /// What it is for.
    description: String,
    /// All of them must hold.
    conditions: Vec<ConditionBody>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedTenant)]
pub(crate) struct TenantEntry {
    /// The tenant above.
    parent: Vec<String>,
    /// Name.
    name: String,
    /// Kind.
    kind: KindWord,
    /// Status.
    status: StatusWord,
    /// Applications it may have.
    application_limit: i64,
}

/// What a tenant's own credential policy says; `null` is nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedCredentialPolicy)]
pub(crate) struct PolicyEntry {
    /// Its tenant.
    tenant: Vec<String>,
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
    /// Whether secrets work at all.
    #[schema(required = true)]
    static_secrets: Option<StaticSecretsWord>,
}

/// An access level.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedAccessLevel)]
pub(crate) struct LevelEntry {
    /// Its tenant.
    tenant: Vec<String>,
    /// Name.
    name: String,
    /// What it is for.
    description: String,
    /// What it grants.
    grants: GrantsBody,
}

/// An application, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedApplication)]
pub(crate) struct ApplicationEntry {
    /// Its tenant.
    tenant: Vec<String>,
    /// What it presents. Told for information: applying does not change it.
    client_id: String,
    /// Name.
    name: String,
    /// Description.
    description: String,
    /// Owner.
    #[schema(required = true)]
    owner: Option<String>,
    /// The legacy type of its key, where its rights come from that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key_type: Option<KeyTypeWord>,
    /// Name of the access level it has its rights from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    access_level: Option<String>,
    /// Its own grants, where they do not come from an access level.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    grants: Option<GrantsBody>,
    /// How far its rights reach.
    reach: ReachWord,
    /// Networks it may call from: `null` is any, an empty list is none.
    #[schema(required = true)]
    allowed_networks: Option<Vec<String>>,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whether it may call at all.
    enabled: bool,
    /// Rate limit; `null` is none.
    #[schema(required = true)]
    rate_limit: Option<RateLimitBody>,
    /// Whether its session tokens are bound to a key of its client.
    dpop_bound: bool,
}

impl ExportBody {
    fn of(exported: &[ExportedTenant], catalogue: &Catalogue) -> Self {
        let mut body = Self::default();
        for ExportedTenant { tenant, path, policy, levels, applications, token_lifetime, issuers, providers } in
            exported
        {
            if let [parent @ .., name] = &path[..] {
                body.tenants.push(TenantEntry {
                    parent: parent.to_vec(),
                    name: name.clone(),
                    kind: tenant.kind.into(),
                    // A deletion is not applied to another server.
                    status: if tenant.status == Status::Active { StatusWord::Active } else { StatusWord::Suspended },
                    application_limit: tenant.application_limit,
                });
            }
            body.credential_policies.extend(policy.as_ref().map(|policy| PolicyEntry {
                tenant: path.clone(),
                max_application_lifetime_seconds: policy.max_application_lifetime_seconds,
                max_secret_lifetime_seconds: policy.max_secret_lifetime_seconds,
                rotate_every_days: policy.rotate_every_days,
                rotation_overlap_seconds: policy.rotation_overlap_seconds,
                unused_after_days: policy.unused_after_days,
                on_leak: policy.on_leak.map(Into::into),
                static_secrets: policy.static_secrets.map(Into::into),
            }));
            let mut names: HashMap<AccessLevelId, &str> =
                catalogue.levels().iter().map(|level| (level.id, level.name.as_str())).collect();
            for level in levels {
                names.insert(level.id, &level.name);
                body.access_levels.push(LevelEntry {
                    tenant: path.clone(),
                    name: level.name.clone(),
                    description: level.description.clone(),
                    grants: GrantsBody::from(&level.grants),
                });
            }
            let entries = applications.iter().map(|application| entry(application, path, &names));
            body.applications.extend(entries);
            if let Some(own) = token_lifetime {
                let settings = body.token_settings.get_or_insert_default();
                settings
                    .extend(own.map(|seconds| TokenSettingsEntry { tenant: path.clone(), lifetime_seconds: seconds }));
            }
            if let Some(issuers) = issuers {
                let entries = issuers.iter().map(|issuer| issuer_entry(issuer, path, applications));
                body.trusted_issuers.get_or_insert_default().extend(entries);
            }
            if let Some(providers) = providers {
                let entries = providers.iter().map(|provider| ProviderEntry::of(provider, path, &names));
                body.identity_providers.get_or_insert_default().extend(entries);
            }
        }
        body
    }
}

fn issuer_entry(issuer: &TrustedIssuer, path: &[String], applications: &[Application]) -> IssuerEntry {
    let trust = &issuer.trust;
    let (jwks_uri, jwks) = key_members(&trust.keys);
    let named = |id: ApplicationId| {
        let found = applications.iter().find(|application| application.id == id);
        found.map_or_else(|| id.to_string(), |application| application.name.clone())
    };
    let bindings = issuer.bindings.iter().map(|binding| BindingEntry {
        application: named(binding.application_id),
        description: binding.description.clone(),
        conditions: binding.conditions.iter().map(ConditionBody::from).collect(),
    });
    IssuerEntry {
        tenant: path.to_vec(),
        name: issuer.name.clone(),
        issuer: trust.issuer.as_str().to_owned(),
        audience: trust.audience.clone(),
        jwks_uri,
        jwks,
        algorithms: trust.algorithms.iter().map(|algorithm| algorithm.as_str()).collect(),
        max_token_age_seconds: trust.max_age_seconds,
        single_use: trust.single_use,
        enabled: trust.enabled,
        bindings: bindings.collect(),
    }
}

fn entry(application: &Application, path: &[String], levels: &HashMap<AccessLevelId, &str>) -> ApplicationEntry {
    let (access_level, grants) = match &application.rights {
        Rights::Level(id) => (Some(levels.get(id).map_or_else(|| id.to_string(), |name| (*name).to_owned())), None),
        Rights::Inline(grants) => (None, Some(GrantsBody::from(grants))),
        Rights::Legacy(_) => (None, None),
    };
    let networks = application.allowed_networks.as_ref();
    ApplicationEntry {
        tenant: path.to_vec(),
        client_id: application.client_id.to_string(),
        name: application.name.clone(),
        description: application.description.clone(),
        owner: application.owner.clone(),
        key_type: application.rights.legacy().map(|_| KeyTypeWord::from(&application.rights)),
        access_level,
        grants,
        reach: application.reach.into(),
        allowed_networks: networks.map(|list| list.iter().map(ToString::to_string).collect()),
        expires_at: application.expires_at,
        enabled: application.enabled,
        rate_limit: application.rate_limit.map(Into::into),
        dpop_bound: application.dpop_bound,
    }
}

/// Export a tenant
///
/// Everything about it but secrets, by name: a document that `claviger apply` takes. The record tells of it. At most
/// 20,000 objects; beyond that it is refused with 409.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/export", tag = "tenants",
    params(("tenant_id" = Uuid, Path), ExportQuery),
    responses((status = 200, description = "Done", body = ExportBody), Reading,
        (status = 409, description = "It would be too large", body = crate::native::error::Problem<'static>, content_type = "application/problem+json")))]
pub(crate) async fn export_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ExportQuery>,
) -> Answer {
    let exported = api.app.export(&caller, tenant, query.beneath.unwrap_or(false)).await?;
    json(StatusCode::OK, &ExportBody::of(&exported, api.app.catalogue()))
}
