//! Secrets of an application: list the live ones, regenerate, revoke.

use crate::kit::{Api, Authenticated, Body, Path, Post, Query};
use crate::native::answer::{Answer, json, keep, no_content, replayed};
use crate::native::members::PageOf;
use crate::native::openapi::{Creating, Reading, Writing};
use axum::extract::State;
use claviger_app::secrets::MintedSecret;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::Error;
use claviger_domain::application::{LastUse, Secret};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A live secret, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
pub(crate) struct SecretBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: SecretId,
    /// By what people recognise it: prefix and last four characters.
    #[schema(example = "clv_a_…3fXq")]
    hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it really stops, the tenant's ceilings and rotation considered, its application left out of account; `null` is
    /// never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    effective_expires_at: Option<Timestamp>,
    /// Its last use; `null` if it has not been used.
    #[schema(required = true)]
    last_use: Option<LastUseBody>,
    /// Whether it can do nothing but be changed for another one.
    temporary: bool,
}

/// The last use of a secret, exact within two seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastUse)]
pub(crate) struct LastUseBody {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// From which address; `null` if a proxy did not say.
    #[schema(required = true)]
    address: Option<String>,
    /// What the client called itself.
    user_agent: String,
}

/// A secret just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewSecret)]
pub(crate) struct MintedBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: SecretId,
    /// The secret itself. It is not shown again: a repetition of the request has `null` here.
    #[schema(required = true)]
    text: Option<String>,
    /// By what people recognise it.
    hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it really stops, the tenant's ceilings and rotation considered, its application left out of account; `null` is
    /// never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    effective_expires_at: Option<Timestamp>,
    /// Whether it can do nothing but be changed for another one.
    temporary: bool,
}

/// A secret in place of all before it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegeneratedSecret)]
pub(crate) struct RegeneratedBody {
    /// The secret, whose text is not shown again.
    pub(super) secret: MintedBody,
}

/// Nothing: the call takes no members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nothing)]
pub(crate) struct NothingBody {}

impl From<&Secret> for SecretBody {
    fn from(secret: &Secret) -> Self {
        Self {
            id: secret.id,
            hint: secret.hint.clone(),
            created_at: secret.created_at,
            expires_at: secret.expires_at,
            effective_expires_at: secret.ends_at,
            last_use: secret.last_use.as_ref().map(LastUseBody::from),
            temporary: secret.temporary,
        }
    }
}

impl From<&LastUse> for LastUseBody {
    fn from(last: &LastUse) -> Self {
        let address = last.address.map(|address| address.to_string());
        Self { at: last.at, address, user_agent: last.user_agent.clone() }
    }
}

impl MintedBody {
    /// The one answer that shows the text.
    pub(crate) fn reveal(minted: MintedSecret) -> Self {
        Self { text: Some(minted.text.reveal()), ..Self::without_text(&minted.secret) }
    }

    /// The answer as it is kept.
    pub(crate) fn without_text(secret: &Secret) -> Self {
        Self {
            id: secret.id,
            text: None,
            hint: secret.hint.clone(),
            created_at: secret.created_at,
            expires_at: secret.expires_at,
            effective_expires_at: secret.ends_at,
            temporary: secret.temporary,
        }
    }
}

/// How to revoke.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevokeQuery {
    /// Revoke a secret that is in use.
    #[serde(default)]
    force: Option<bool>,
}

/// A change of a secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretPatch)]
pub(crate) struct SecretPatchBody {
    /// New end; `null` is no end of its own.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Timestamp>>,
}

pub(super) fn kept(minted: &MintedSecret) -> Kept {
    keep(StatusCode::OK, &RegeneratedBody { secret: MintedBody::without_text(&minted.secret) })
}

/// List the live secrets of an application
///
/// With hint and last use, never with their texts. There are two at most, so there is one page.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/applications/{id}/secrets", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = PageOf<SecretBody>), Reading))]
pub(crate) async fn list_secrets(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
) -> Answer {
    let secrets = api.app.list_secrets(&caller, tenant, application).await?;
    let items = secrets.iter().map(SecretBody::from).collect();
    json(StatusCode::OK, &PageOf { items, next_cursor: None })
}

/// Regenerate the secret of an application
///
/// All secrets before it are dead when this returns. A repetition under the same `Idempotency-Key` makes no second one and
/// answers with `secret.text` null.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/regenerate", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating),
    request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = RegeneratedBody), Writing))]
pub(crate) async fn regenerate_secret(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
    Post { body: NothingBody {}, once }: Post<NothingBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.regenerate_secret(&caller, tenant, application, once).await? {
        Posted::Done(minted) => json(StatusCode::OK, &RegeneratedBody { secret: MintedBody::reveal(minted) }),
        Posted::Replayed(kept) => replayed(kept),
    }
}

/// Revoke a secret
///
/// It is dead when this returns. One of two live secrets with which somebody has called within 24 hours is refused with
/// 409, which says who calls; `force=true` revokes it all the same.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/applications/{id}/secrets/{secret_id}", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), ("secret_id" = Uuid, Path), RevokeQuery),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn revoke_secret(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application, secret)): Path<(TenantId, ApplicationId, SecretId)>,
    Query(query): Query<RevokeQuery>,
) -> Answer {
    api.app.revoke_secret(&caller, tenant, application, secret, query.force.unwrap_or(false)).await?;
    no_content()
}

/// Change a secret
///
/// Sets or clears its end. A merge patch (RFC 7396); the one member there is must be given.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/applications/{id}/secrets/{secret_id}", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), ("secret_id" = Uuid, Path)),
    request_body(content((SecretPatchBody = "application/json"), (SecretPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = SecretBody), Writing))]
pub(crate) async fn update_secret(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application, secret)): Path<(TenantId, ApplicationId, SecretId)>,
    Body(body): Body<SecretPatchBody>,
) -> Answer {
    let missing = || Error::invalid("/expires_at", "it is not given", "give a time, or null for no end");
    let expires_at = body.expires_at.ok_or_else(missing)?;
    let secret = api.app.update_secret(&caller, tenant, application, secret, expires_at).await?;
    json(StatusCode::OK, &SecretBody::from(&secret))
}
