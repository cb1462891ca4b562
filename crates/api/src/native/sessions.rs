//! Session tokens: how long those of a tenant live, and their end all at once.

use crate::kit::{Api, Authenticated, Body, Path, Post};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::openapi::{Creating, Reading, Writing};
use axum::extract::State;
use claviger_app::tokens::TokenLifetime;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::time::Timestamp;
use claviger_domain::token::parse_lifetime;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long session tokens live.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenSettings)]
pub(crate) struct TokenSettingsBody {
    /// What the tenant says, in seconds; `null` for as long as those above say, or 900.
    #[schema(required = true)]
    lifetime_seconds: Option<i64>,
    /// What holds for it: the shortest of what it and those above say.
    effective_lifetime_seconds: i64,
    /// Tokens signed up to then are invalid; `null` if that was never said of the tenant.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    invalid_before: Option<Timestamp>,
}

/// How long session tokens are to live.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTokenSettings)]
pub(crate) struct NewTokenSettingsBody {
    /// 60 to 3,600 seconds; `null` for as long as those above say, or 900.
    #[serde(deserialize_with = "crate::kit::given")]
    #[schema(required = true, minimum = 60, maximum = 3600, value_type = Option<i64>)]
    lifetime_seconds: Option<Option<i64>>,
}

/// Which tokens are to end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenInvalidation)]
pub(crate) struct InvalidationBody {
    /// Those signed up to then; up to now if it is left out. It cannot lie ahead.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    before: Option<Timestamp>,
}

/// Which tokens have ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvalidatedTokens)]
pub(crate) struct InvalidatedBody {
    /// Those signed up to then: the latest time that was ever said.
    #[schema(value_type = String, format = DateTime)]
    before: Timestamp,
}

impl From<TokenLifetime> for TokenSettingsBody {
    fn from(found: TokenLifetime) -> Self {
        Self {
            lifetime_seconds: found.own,
            effective_lifetime_seconds: found.effective,
            invalid_before: found.not_before,
        }
    }
}

/// Read how long session tokens live
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/token-settings", tag = "session tokens", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = TokenSettingsBody), Reading))]
pub(crate) async fn read_token_settings(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
) -> Answer {
    json(StatusCode::OK, &TokenSettingsBody::from(api.app.token_lifetime(&caller, tenant).await?))
}

/// Set how long session tokens live
///
/// It holds for the tenant and, as the longest they may have, for all beneath it. Tokens that are out already end when they
/// would have.
#[utoipa::path(put, path = "/v1/tenants/{tenant_id}/token-settings", tag = "session tokens", params(("tenant_id" = Uuid, Path)),
    request_body = NewTokenSettingsBody,
    responses((status = 200, description = "Done", body = TokenSettingsBody), Writing))]
pub(crate) async fn update_token_settings(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Body(body): Body<NewTokenSettingsBody>,
) -> Answer {
    let seconds = body.lifetime_seconds.flatten();
    let seconds = seconds.map(|seconds| parse_lifetime("/lifetime_seconds", seconds)).transpose()?;
    json(StatusCode::OK, &TokenSettingsBody::from(api.app.set_token_lifetime(&caller, tenant, seconds).await?))
}

fn kept(before: &Timestamp) -> Kept {
    keep(StatusCode::OK, &InvalidatedBody { before: *before })
}

fn answer(posted: Posted<Timestamp>) -> Answer {
    match posted {
        Posted::Done(before) => json(StatusCode::OK, &InvalidatedBody { before }),
        Posted::Replayed(kept) => replayed(kept),
    }
}

/// End the session tokens of a tenant
///
/// Those of its applications and of all tenants beneath it that were signed up to a time; of the operator, everybody's. They
/// are dead when this is answered. Secrets go on working, and get new tokens.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/invalidate-tokens", tag = "session tokens",
    params(("tenant_id" = Uuid, Path), Creating), request_body = Option<InvalidationBody>,
    responses((status = 200, description = "Done", body = InvalidatedBody), Writing))]
pub(crate) async fn invalidate_tenant_tokens(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<InvalidationBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    answer(api.app.invalidate_tokens(&caller, tenant, None, body.before, once).await?)
}

/// End the session tokens of an application
///
/// Those that were signed up to a time; they are dead when this is answered. Its secrets go on working, and get new tokens.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/invalidate-tokens", tag = "session tokens",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating), request_body = Option<InvalidationBody>,
    responses((status = 200, description = "Done", body = InvalidatedBody), Writing))]
pub(crate) async fn invalidate_application_tokens(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
    Post { body, once }: Post<InvalidationBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    answer(api.app.invalidate_tokens(&caller, tenant, Some(application), body.before, once).await?)
}
