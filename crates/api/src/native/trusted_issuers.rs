//! Trusted issuers: make, list, read, change, delete. What their tokens stand for is written in bindings.

pub(crate) mod bodies;
pub(crate) mod trial;

pub(crate) use self::bodies::TrustedIssuerBody;
use self::bodies::{NewTrustedIssuerBody, TrustedIssuerPatchBody};
use crate::kit::{Api, Authenticated, Body, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, keep, no_content, page, versioned};
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use axum::extract::State;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{IssuerId, TenantId};
use claviger_domain::trusted_issuer::TrustedIssuer;
use http::{StatusCode, Uri};

fn kept(issuer: &TrustedIssuer) -> Kept {
    keep(StatusCode::CREATED, &TrustedIssuerBody::from(issuer))
}

/// Trust an issuer
///
/// Its signed tokens stand for the applications that bindings name, at `POST /oauth2/token`. Nobody can bind an application
/// that may do more than they may themselves.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/trusted-issuers", tag = "trusted issuers",
    params(("tenant_id" = Uuid, Path), Creating), request_body = NewTrustedIssuerBody,
    responses((status = 201, description = "Made", body = TrustedIssuerBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_trusted_issuer(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<NewTrustedIssuerBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    let made = Made { collection: format!("/v1/tenants/{tenant}/trusted-issuers"), id: "/id" };
    match api.app.create_trusted_issuer(&caller, tenant, body.parse()?, once).await? {
        Posted::Done(issuer) => made.created(&TrustedIssuerBody::from(&issuer)),
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// List the trusted issuers
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/trusted-issuers", tag = "trusted issuers",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<TrustedIssuerBody>), Reading))]
pub(crate) async fn list_trusted_issuers(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let issuers = api.app.list_trusted_issuers(&caller, tenant, &query.parse()?).await?;
    page(&uri, issuers.map(|issuer| TrustedIssuerBody::from(&issuer)))
}

/// Read a trusted issuer
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/trusted-issuers/{id}", tag = "trusted issuers",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = TrustedIssuerBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_trusted_issuer(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
) -> Answer {
    let issuer = api.app.find_trusted_issuer(&caller, tenant, id).await?;
    versioned(issuer.issuer.version, &TrustedIssuerBody::from(&issuer))
}

/// Change a trusted issuer
///
/// Session tokens that were got by a binding that is gone or changed have ended when this returns; where tokens of the issuer
/// are verified otherwise than before, all of them. `bindings` is taken as a whole.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/trusted-issuers/{id}", tag = "trusted issuers",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    request_body(content((TrustedIssuerPatchBody = "application/json"), (TrustedIssuerPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = TrustedIssuerBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_trusted_issuer(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    Precondition(if_match): Precondition,
    Body(body): Body<TrustedIssuerPatchBody>,
) -> Answer {
    let issuer = api.app.update_trusted_issuer(&caller, tenant, id, body.parse()?, if_match).await?;
    versioned(issuer.issuer.version, &TrustedIssuerBody::from(&issuer))
}

/// Delete a trusted issuer
///
/// Session tokens that were got by its tokens have ended when this returns.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/trusted-issuers/{id}", tag = "trusted issuers",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_trusted_issuer(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    Precondition(if_match): Precondition,
) -> Answer {
    api.app.delete_trusted_issuer(&caller, tenant, id, if_match).await?;
    no_content()
}
