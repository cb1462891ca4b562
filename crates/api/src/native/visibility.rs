//! Secret visibility: read and change it, and read the text of a secret that a tenant retains.

use crate::kit::{Api, Authenticated, Body, Path};
use crate::native::answer::{Answer, json};
use crate::native::openapi::{Reading, Writing};
use axum::extract::State;
use claviger_app::visibility::TenantVisibility;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::time::Timestamp;
use claviger_domain::visibility::{Stage, Visibility};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether secrets are shown once, or their texts are kept.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Visibility)]
pub(crate) enum VisibilityWord {
    /// Shown once and kept nowhere.
    ShowOnce,
    /// Kept sealed besides, to be read again.
    Retaining,
}

/// How a tenant stands to the texts of its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretVisibility)]
pub(crate) struct VisibilityBody {
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// What becomes of the texts of its secrets.
    visibility: VisibilityWord,
    /// Since when; `null` where it has always shown them once.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Texts that can be read again.
    retained_secrets: i64,
    /// Whether they were removed: then nothing makes the tenant retain any again.
    #[serde(rename = "final")]
    made_final: bool,
    /// Whether what was removed is still being destroyed. None of it can be read meanwhile.
    removing: bool,
}

impl From<TenantVisibility> for VisibilityBody {
    fn from(found: TenantVisibility) -> Self {
        let stage = found.state.map(|state| state.stage);
        Self {
            tenant_id: found.tenant_id,
            visibility: match stage.map_or(Visibility::ShowOnce, Stage::visibility) {
                Visibility::ShowOnce => VisibilityWord::ShowOnce,
                Visibility::Retaining => VisibilityWord::Retaining,
            },
            since: found.state.map(|state| state.since),
            retained_secrets: found.retained_secrets,
            made_final: matches!(stage, Some(Stage::Removing | Stage::Removed)),
            removing: stage == Some(Stage::Removing),
        }
    }
}

/// How a tenant is to stand to the texts of its secrets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretVisibilityChange)]
pub(crate) struct VisibilityChangeBody {
    /// `retaining`, which only the operator says, or `show_once`, which is for ever.
    visibility: VisibilityWord,
    /// With `show_once`: says that the caller knows that all kept texts are destroyed and nothing turns that back.
    #[serde(default)]
    confirm: bool,
}

/// The text of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretText)]
pub(crate) struct SecretTextBody {
    /// The secret's id.
    #[schema(value_type = Uuid)]
    id: SecretId,
    /// The secret itself.
    text: String,
    /// By what people recognise it.
    hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Read how a tenant stands to the texts of its secrets
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/secret-visibility", tag = "secrets",
    params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = VisibilityBody), Reading))]
pub(crate) async fn read_secret_visibility(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
) -> Answer {
    json(StatusCode::OK, &VisibilityBody::from(api.app.find_visibility(&caller, tenant).await?))
}

/// Make a tenant retain the texts of its secrets, or remove them for ever
///
/// `retaining` is for an application of the operator, and holds for the secrets made from then on. `show_once` with
/// `"confirm": true` destroys what was retained; the secrets go on working, and no call makes the tenant retain any again.
#[utoipa::path(put, path = "/v1/tenants/{tenant_id}/secret-visibility", tag = "secrets",
    params(("tenant_id" = Uuid, Path)), request_body = VisibilityChangeBody,
    responses((status = 200, description = "Done", body = VisibilityBody), Writing))]
pub(crate) async fn update_secret_visibility(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Body(body): Body<VisibilityChangeBody>,
) -> Answer {
    let found = match body.visibility {
        VisibilityWord::Retaining => api.app.retain_secrets(&caller, tenant).await?,
        VisibilityWord::ShowOnce => api.app.remove_secrets(&caller, tenant, body.confirm).await?,
    };
    json(StatusCode::OK, &VisibilityBody::from(found))
}

/// Read the text of a secret again
///
/// Where the tenant retains texts, and of secrets made since it does. Each reading is an entry of the audit record. Nobody
/// can read the secret of an application that may do more than they may themselves, and a partner reads none of the tenants
/// beneath it.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/applications/{id}/secrets/{secret_id}/text", tag = "secrets",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), ("secret_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = SecretTextBody), Writing))]
pub(crate) async fn read_secret_text(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application, secret)): Path<(TenantId, ApplicationId, SecretId)>,
) -> Answer {
    let found = api.app.read_secret_text(&caller, tenant, application, secret).await?;
    let secret = found.secret;
    let body = SecretTextBody {
        id: secret.id,
        text: found.text.reveal(),
        hint: secret.hint,
        created_at: secret.created_at,
        expires_at: secret.expires_at,
    };
    json(StatusCode::OK, &body)
}
