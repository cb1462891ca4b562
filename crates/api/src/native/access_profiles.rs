//! Access profiles of users, to be read: clients of another family give them, and nobody's rights are to be out of sight here.

use crate::kit::{Api, Authenticated, Path};
use crate::native::answer::{Answer, json};
use crate::native::applications::ReachWord;
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_domain::access_profile::AccessProfile;
use claviger_domain::id::{AccessLevelId, AccessProfileId, TenantId, UserId};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Access levels that a user holds under conditions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessProfile)]
pub(crate) struct AccessProfileBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: AccessProfileId,
    /// How far it reaches; the nearest of all that count narrows the user.
    reach: ReachWord,
    /// Its access levels.
    #[schema(value_type = Vec<Uuid>)]
    access_level_ids: Vec<AccessLevelId>,
    /// It counts for requests from these; `null` for any.
    #[schema(required = true, example = json!(["192.0.2.0/24"]))]
    networks: Option<Vec<String>>,
    /// It counts until then; `null` for ever.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whether it is switched off.
    disabled: bool,
}

impl From<&AccessProfile> for AccessProfileBody {
    fn from(profile: &AccessProfile) -> Self {
        let conditions = &profile.conditions;
        let networks = conditions.networks.as_ref();
        Self {
            id: profile.id,
            reach: profile.reach.into(),
            access_level_ids: profile.roles.clone(),
            networks: networks.map(|all| all.iter().map(ToString::to_string).collect()),
            expires_at: conditions.expires_at,
            disabled: conditions.disabled,
        }
    }
}

/// The profiles of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessProfiles)]
pub(crate) struct AccessProfilesBody {
    items: Vec<AccessProfileBody>,
}

/// List the access profiles of a user
///
/// What it holds under conditions, besides its roles. They are given by clients of Carbon Black's access service.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users/{id}/access-profiles", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = AccessProfilesBody), Reading))]
pub(crate) async fn list_access_profiles(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    let grant = api.app.find_user_grant(&caller, tenant, id).await?;
    let items = grant.profiles.iter().map(AccessProfileBody::from).collect();
    json(StatusCode::OK, &AccessProfilesBody { items })
}
