//! Temporary secrets of an application.

use crate::kit::{Api, Authenticated, Path, Post};
use crate::native::answer::{Answer, json, replayed};
use crate::native::openapi::{Creating, Writing};
use crate::native::secrets::{MintedBody, RegeneratedBody, kept};
use axum::extract::State;
use claviger_app::unit::{OnceFor, Posted};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// How long a temporary secret waits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTemporarySecret)]
pub(crate) struct TemporaryBody {
    /// Until when it can be changed: within 30 days; 7 days if left out, or what the tenant's policy allows.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Issue a temporary secret for an application
///
/// In place of all its secrets, which are dead when this returns. A temporary secret can do nothing but be changed for the one
/// that counts (`POST /app/partner/login/regen-pass`), which only whoever changes it gets to see. A repetition under the same
/// `Idempotency-Key` makes no second one and answers with `secret.text` null.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/temporary-secret", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating),
    request_body = Option<TemporaryBody>,
    responses((status = 200, description = "Done", body = RegeneratedBody), Writing))]
pub(crate) async fn issue_temporary_secret(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
    Post { body: TemporaryBody { expires_at }, once }: Post<TemporaryBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.issue_temporary_secret(&caller, tenant, application, expires_at, once).await? {
        Posted::Done(minted) => json(StatusCode::OK, &RegeneratedBody { secret: MintedBody::reveal(minted) }),
        Posted::Replayed(kept) => replayed(kept),
    }
}
