//! The first secret of a provisioned tenant, which is shown once.

use crate::kit::{Api, Authenticated, Path, Post};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::openapi::{Creating, Writing};
use crate::native::secrets::{MintedBody, NothingBody};
use axum::extract::State;
use claviger_app::provisionings::ClaimedSecret;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{ApplicationId, ProvisioningId, TenantId};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A first secret, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimedSecret)]
pub(crate) struct ClaimedBody {
    /// Its application.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// What that presents.
    client_id: String,
    /// The secret. It can do nothing but be changed.
    secret: MintedBody,
}

fn kept_claim(claimed: &ClaimedSecret) -> Kept {
    let secret = MintedBody::without_text(&claimed.minted.secret);
    let client_id = claimed.client_id.to_string();
    keep(StatusCode::OK, &ClaimedBody { application_id: claimed.application_id, client_id, secret })
}

/// Claim the first secret of a provisioned tenant
///
/// Once: whoever comes later gets 410, and so does everybody once it has lapsed. It is a temporary secret, which can do nothing
/// but be changed for the one that counts. A repetition under the same `Idempotency-Key` answers with `secret.text` null.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/provisionings/{provisioning_id}/secret", tag = "tenants",
    params(("tenant_id" = Uuid, Path), ("provisioning_id" = Uuid, Path), Creating), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = ClaimedBody),
        (status = 410, description = "It was claimed, or has lapsed", body = crate::native::error::Problem<'static>, content_type = "application/problem+json"),
        Writing))]
pub(crate) async fn claim_first_secret(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((parent, id)): Path<(TenantId, ProvisioningId)>,
    Post { body: NothingBody {}, once }: Post<NothingBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept_claim });
    match api.app.claim_first_secret(&caller, parent, id, once).await? {
        Posted::Done(ClaimedSecret { application_id, client_id, minted }) => {
            let (client_id, secret) = (client_id.to_string(), MintedBody::reveal(minted));
            json(StatusCode::OK, &ClaimedBody { application_id, client_id, secret })
        }
        Posted::Replayed(kept) => replayed(kept),
    }
}
