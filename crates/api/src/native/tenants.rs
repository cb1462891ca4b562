//! Tenants: create, list and search, read, change; suspend, reactivate, convert, delete.

pub(crate) mod bodies;

pub(crate) use self::bodies::{KindWord, StatusWord};

use self::bodies::{NewTenantBody, TenantBody, TenantPatchBody};
use crate::kit::{Api, Authenticated, Body, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, keep, page, replayed, versioned};
use crate::native::members::PageOf;
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use crate::native::secrets::NothingBody;
use axum::extract::State;
use claviger_app::tenants::{Standing, TenantFilter, TenantOrder, TenantQuery};
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Tenant;
use claviger_domain::tenant::details::parse_external_id;
use claviger_domain::tenant::naming::parse_search;
use claviger_domain::{Error, Result};
use http::{StatusCode, Uri};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// In which order tenants are listed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantOrder)]
pub(crate) enum OrderWord {
    /// In which they were made.
    Id,
    /// By name.
    Name,
}

/// Which tenants are wanted: those that fit every parameter that is given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TenantsQuery {
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// This tenant and everything beneath it; the caller's own if not given.
    #[param(value_type = Option<Uuid>)]
    beneath: Option<TenantId>,
    /// Right beneath this tenant.
    #[param(value_type = Option<Uuid>)]
    parent_id: Option<TenantId>,
    /// Of this kind.
    kind: Option<KindWord>,
    /// Of this status of their own.
    status: Option<StatusWord>,
    /// With this external id, letter by letter.
    #[param(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// With a word in their name that begins so, for each of these words; up to four.
    #[param(min_length = 1, max_length = 128)]
    q: Option<String>,
    /// The order, `id` if nothing is said. What `q` finds comes by the word that was found.
    sort: Option<OrderWord>,
}

impl TenantsQuery {
    fn parse(self) -> Result<(TenantQuery, PageRequest)> {
        let page = PageRequest::parse(self.limit, self.cursor.as_deref())?;
        let words = self.q.map(|text| parse_search("q", &text)).transpose()?;
        if words.is_some() && self.sort.is_some() {
            return Err(Error::invalid("sort", "a search has an order of its own", "leave sort out, or q"));
        }
        let filter = TenantFilter {
            parent_id: self.parent_id,
            kind: self.kind.map(Into::into),
            status: self.status.map(Into::into),
            external_id: self.external_id.map(|id| parse_external_id("external_id", &id)).transpose()?,
        };
        let order = if self.sort == Some(OrderWord::Name) { TenantOrder::Name } else { TenantOrder::Id };
        Ok((TenantQuery { beneath: self.beneath, filter, order, words }, page))
    }
}

fn kept(tenant: &Tenant) -> Kept {
    keep(StatusCode::CREATED, &TenantBody::from(tenant))
}

/// Make a tenant
///
/// It stands beneath a tenant within the caller's reach.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = NewTenantBody, params(Creating),
    responses((status = 201, description = "Made", body = TenantBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Post { body, once }: Post<NewTenantBody>,
) -> Answer {
    let made = Made { collection: "/v1/tenants".into(), id: "/id" };
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.create_tenant(&caller, body.parse(api.app.clock().now())?, once).await? {
        Posted::Done(tenant) => made.created(&TenantBody::from(&tenant)),
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// List the tenants within reach
///
/// The caller's own among them. `q` searches by the beginnings of words.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(TenantsQuery),
    responses((status = 200, description = "Done", body = PageOf<TenantBody>), Reading))]
pub(crate) async fn list_tenants(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Query(query): Query<TenantsQuery>,
    uri: Uri,
) -> Answer {
    let (query, request) = query.parse()?;
    let tenants = api.app.list_tenants(&caller, &query, &request).await?;
    page(&uri, tenants.map(|tenant| TenantBody::from(&tenant)))
}

/// Read a tenant
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}", tag = "tenants", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
) -> Answer {
    let tenant = api.app.find_tenant(&caller, id).await?;
    versioned(tenant.version, &TenantBody::from(&tenant))
}

/// Change a tenant
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}", tag = "tenants", request_body(content((TenantPatchBody = "application/json"), (TenantPatchBody = "application/merge-patch+json"))),
    params(("tenant_id" = Uuid, Path), Matching),
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
    Precondition(if_match): Precondition,
    Body(body): Body<TenantPatchBody>,
) -> Answer {
    let tenant = api.app.update_tenant(&caller, id, body.parse(api.app.clock().now())?, if_match).await?;
    versioned(tenant.version, &TenantBody::from(&tenant))
}

fn stands(tenant: &Tenant) -> Kept {
    keep(StatusCode::OK, &TenantBody::from(tenant))
}

fn standing(posted: Posted<Tenant>) -> Answer {
    match posted {
        Posted::Done(tenant) => versioned(tenant.version, &TenantBody::from(&tenant)),
        Posted::Replayed(kept) => replayed(kept),
    }
}

/// Suspend a tenant
///
/// Neither it nor anything beneath it is served any more, on any node, when this is answered: no secret, no session token and
/// no person gets in. Nothing is lost. A credential cannot suspend its own tenant. Doing it again is a success.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/suspend", tag = "tenants",
    params(("tenant_id" = Uuid, Path), Creating, Matching), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn suspend_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
    Precondition(if_match): Precondition,
    Post { body: NothingBody {}, once }: Post<NothingBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: stands });
    standing(api.app.change_standing(&caller, id, Standing::Suspended, if_match, once).await?)
}

/// Reactivate a tenant
///
/// It and what is beneath it is served again as it was; a deletion whose grace is not over is taken back. Doing it again is a
/// success.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/reactivate", tag = "tenants",
    params(("tenant_id" = Uuid, Path), Creating, Matching), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn reactivate_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
    Precondition(if_match): Precondition,
    Post { body: NothingBody {}, once }: Post<NothingBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: stands });
    standing(api.app.change_standing(&caller, id, Standing::Reactivated, if_match, once).await?)
}

/// End the trial of an instance
///
/// It is a standard one from then on, and cannot go back. Doing it again is a success; for a tenant that is no instance it is
/// refused with 409.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/convert", tag = "tenants",
    params(("tenant_id" = Uuid, Path), Creating, Matching), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn convert_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
    Precondition(if_match): Precondition,
    Post { body: NothingBody {}, once }: Post<NothingBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: stands });
    standing(api.app.change_standing(&caller, id, Standing::Converted, if_match, once).await?)
}

/// Delete a tenant
///
/// Only one that is suspended, with everything beneath it. It stays as it is for 30 days, until `purge_at`, and can be
/// reactivated; then it is gone for good. Doing it again is a success and does not begin the 30 days anew.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}", tag = "tenants",
    params(("tenant_id" = Uuid, Path), Matching),
    responses((status = 202, description = "It will be gone at `purge_at`", body = TenantBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn delete_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
    Precondition(if_match): Precondition,
) -> Answer {
    let mut answer = standing(api.app.change_standing(&caller, id, Standing::Deleted, if_match, None).await?)?;
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}
