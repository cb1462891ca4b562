//! The access record of a tenant: who got a session token.

use crate::kit::{Api, Authenticated, Path, Query};
use crate::native::answer::{Answer, page};
use crate::native::members::PageOf;
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_domain::access::{Access, Filter};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What narrows the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccessQuery {
    /// Entries at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Entries before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The application's id.
    #[param(value_type = Option<Uuid>)]
    application: Option<ApplicationId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A session token that was got.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessEntry)]
pub(crate) struct AccessBody {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The token's `jti`.
    #[schema(format = Uuid)]
    token_id: String,
    /// The application.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// By which door.
    #[schema(example = "client_credentials")]
    door: String,
    /// From which address; `null` if a proxy did not say.
    #[schema(required = true)]
    address: Option<String>,
    /// What the client calls itself.
    user_agent: String,
    /// What the client says of where it runs; empty where the door does not ask.
    source: String,
    /// When the token ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Access> for AccessBody {
    fn from(entry: Access) -> Self {
        Self {
            at: entry.at,
            token_id: entry.token_id.to_string(),
            application_id: entry.application_id,
            door: entry.door,
            address: entry.address.map(|address| address.to_string()),
            user_agent: entry.user_agent,
            source: entry.source,
            expires_at: entry.expires_at,
        }
    }
}

/// Read who got session tokens
///
/// Newest first. Entries are kept for 90 days.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/access-record", tag = "insight",
    params(("tenant_id" = Uuid, Path), AccessQuery),
    responses((status = 200, description = "Done", body = PageOf<AccessBody>), Reading))]
pub(crate) async fn list_accesses(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<AccessQuery>,
    uri: Uri,
) -> Answer {
    let request = PageRequest::parse(query.limit, query.cursor.as_deref())?;
    let filter = Filter { since: query.since, until: query.until, application: query.application };
    page(&uri, api.app.list_accesses(&caller, tenant, &filter, &request).await?.map(AccessBody::from))
}
