//! The configuration of a tenant as one document.

use crate::kit::{Api, Authenticated, Path};
use crate::native::access_levels::AccessLevelBody;
use crate::native::answer::{Answer, json};
use crate::native::applications::ApplicationBody;
use crate::native::credential_policy::PolicyBody;
use crate::native::identity_providers::bodies::IdentityProviderBody;
use crate::native::key_types::RulesBody;
use crate::native::openapi::Reading;
use crate::native::sessions::TokenSettingsBody;
use crate::native::tenants::bodies::TenantBody;
use crate::native::trusted_issuers::TrustedIssuerBody;
use crate::native::users::UserBody;
use axum::extract::State;
use claviger_app::configuration::Configuration;
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Everything that was set at a tenant, by id. It holds no secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantConfiguration)]
pub(crate) struct ConfigurationBody {
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    read_at: Timestamp,
    /// The tenant.
    tenant: TenantBody,
    /// What it says of the lives of credentials, and what holds.
    credential_policy: PolicyBody,
    /// How long its session tokens live.
    token_settings: TokenSettingsBody,
    /// What it says of legacy key types, and what holds.
    legacy_key_types: RulesBody,
    /// Its own access levels, by id.
    access_levels: Vec<AccessLevelBody>,
    /// Its applications, by id.
    applications: Vec<ApplicationBody>,
    /// The issuers it trusts, by id.
    trusted_issuers: Vec<TrustedIssuerBody>,
    /// Where its people sign in, without client secrets.
    identity_providers: Vec<IdentityProviderBody>,
    /// Its people with their roles, by id.
    users: Vec<UserBody>,
}

impl ConfigurationBody {
    fn of(found: Configuration, read_at: Timestamp) -> Self {
        Self {
            read_at,
            tenant: TenantBody::from(&found.tenant),
            credential_policy: PolicyBody::from(&found.policy),
            token_settings: found.tokens.into(),
            legacy_key_types: found.key_types.into(),
            access_levels: found.levels.iter().map(AccessLevelBody::from).collect(),
            applications: found.applications.iter().map(ApplicationBody::from).collect(),
            trusted_issuers: found.issuers.iter().map(TrustedIssuerBody::from).collect(),
            identity_providers: found.providers.iter().map(IdentityProviderBody::from).collect(),
            users: found.users.iter().map(UserBody::from).collect(),
        }
    }
}

/// Read the configuration of a tenant
///
/// All that was set there in one document, by id; what is made for `claviger apply`, by name, is `…/export`. At most 20,000
/// objects; beyond that it is refused with 409. The record tells of it.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/configuration", tag = "tenants", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = ConfigurationBody), Reading,
        (status = 409, description = "It would be too large", body = crate::native::error::Problem<'static>, content_type = "application/problem+json")))]
pub(crate) async fn read_configuration(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
) -> Answer {
    let found = api.app.configuration(&caller, tenant).await?;
    json(StatusCode::OK, &ConfigurationBody::of(found, api.app.clock().now()))
}
