//! Rotation of an application's secret.

use crate::kit::{Api, Authenticated, Path, Post};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::openapi::{Creating, Writing};
use crate::native::secrets::{MintedBody, SecretBody};
use axum::extract::State;
use claviger_app::rotation::{Renewal, RotatedSecret};
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::application::parse_expiry;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::rotation::Rotation;
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How to rotate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rotation)]
pub(crate) struct RotationBody {
    /// Seconds for which the secret before goes on working: 1 to 2,592,000, 86,400 if left out.
    #[serde(default)]
    overlap_seconds: Option<i64>,
    /// The secret before has leaked: it is dead at once, and the record holds an alarm.
    #[serde(default)]
    leak: Option<bool>,
    /// When the new secret stops, `null` for no end of its own. If left out, it has the end that the secret before was given.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Timestamp>>,
    /// After a leak: disable the application until somebody has looked at it.
    #[serde(default)]
    quarantine: Option<bool>,
}

/// A secret, and the one before it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RotatedSecret)]
pub(crate) struct RotatedBody {
    /// The new secret, whose text is not shown again.
    secret: MintedBody,
    /// The secret before: until when it works, and who called with it last. `null` if there was none.
    #[schema(required = true)]
    previous: Option<SecretBody>,
}

fn body(secret: MintedBody, rotated: Option<SecretBody>) -> RotatedBody {
    RotatedBody { secret, previous: rotated }
}

fn kept(rotated: &RotatedSecret) -> Kept {
    let previous = rotated.previous.as_ref().map(SecretBody::from);
    keep(StatusCode::OK, &body(MintedBody::without_text(&rotated.secret.secret), previous))
}

/// Rotate the secret of an application
///
/// The new secret works at once; the one before goes on working for the overlap, so that clients can be moved without an
/// outage. While two are live a third is refused with 409. A repetition under the same `Idempotency-Key` makes no second
/// one and answers with `secret.text` null.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/rotate", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating),
    request_body = Option<RotationBody>,
    responses((status = 200, description = "Done", body = RotatedBody), Writing))]
pub(crate) async fn rotate_secret(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
    Post { body: wanted, once }: Post<RotationBody>,
) -> Answer {
    let (leak, quarantine) = (wanted.leak.unwrap_or(false), wanted.quarantine.unwrap_or(false));
    let rotation = Rotation::parse(wanted.overlap_seconds, leak, quarantine)?;
    let now = api.app.clock().now();
    let ahead = |end: Option<Timestamp>| end.map(|at| parse_expiry("/expires_at", at, now)).transpose();
    let renewal = Renewal { rotation, expires_at: wanted.expires_at.map(ahead).transpose()? };
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.rotate_secret(&caller, tenant, application, renewal, once).await? {
        Posted::Done(rotated) => {
            let previous = rotated.previous.as_ref().map(SecretBody::from);
            json(StatusCode::OK, &body(MintedBody::reveal(rotated.secret), previous))
        }
        Posted::Replayed(kept) => replayed(kept),
    }
}
