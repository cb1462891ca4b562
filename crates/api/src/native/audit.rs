//! The audit record of a tenant.

use crate::kit::{Api, Authenticated, Path, Query};
use crate::native::answer::{Answer, page};
use crate::native::members::PageOf;
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_domain::audit::{Entry, Filter};
use claviger_domain::id::TenantId;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// What narrows the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Entries at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Entries before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The actor's client id.
    actor: Option<String>,
    /// The action.
    #[param(example = "application.created")]
    action: Option<String>,
    /// The target's id.
    target: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An entry of the audit record. `hash` is SHA-256 of the hash before it and of the other members in canonical JSON.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryBody {
    /// Place in the tenant's chain, from 1, without gaps.
    number: i64,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// What: noun and past participle.
    #[schema(example = "application.created")]
    action: String,
    /// Who.
    actor: ActorBody,
    /// Upon what.
    target: TargetBody,
    /// From which address.
    #[schema(required = true)]
    address: Option<String>,
    /// Method and path of the request; empty for the server's own doing.
    request: String,
    /// The id that the request's answer carried.
    request_id: String,
    /// The tenant whose record this is.
    #[schema(format = Uuid)]
    tenant_id: String,
    /// Further members, which depend on the action.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
    /// Hash of the chain up to and with this entry, in hexadecimal.
    #[serde(default)]
    #[schema(required = true)]
    hash: String,
}

/// Who acted.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub(crate) struct ActorBody {
    /// `application`, `system` for the server itself, or `stranger`.
    kind: String,
    /// The client id.
    id: String,
    /// The tenant the actor belongs to.
    #[schema(required = true)]
    tenant_id: Option<String>,
}

/// What was acted upon.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = AuditTarget)]
pub(crate) struct TargetBody {
    /// The kind of noun.
    kind: String,
    /// Its id.
    id: String,
    /// Its name at the time.
    name: String,
}

impl EntryBody {
    fn of(entry: Entry) -> Result<Self> {
        let unreadable = |error| Error::Internal(format!("audit entry {}: {error}", entry.number));
        let body: Self = serde_json::from_value(entry.body).map_err(unreadable)?;
        Ok(Self { hash: entry.hash.iter().map(|byte| format!("{byte:02x}")).collect(), ..body })
    }
}

/// Read the audit record
///
/// Newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/audit", tag = "insight",
    params(("tenant_id" = Uuid, Path), AuditQuery),
    responses((status = 200, description = "Done", body = PageOf<EntryBody>), Reading))]
pub(crate) async fn list_audit(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<AuditQuery>,
    uri: Uri,
) -> Answer {
    let request = PageRequest::parse(query.limit, query.cursor.as_deref())?;
    let AuditQuery { since, until, actor, action, target, .. } = query;
    let filter = Filter { since, until, actor, action, target };
    let Page { items, next } = api.app.list_audit(&caller, tenant, &filter, &request).await?;
    let items = items.into_iter().map(EntryBody::of).collect::<Result<_>>()?;
    page(&uri, Page { items, next })
}
