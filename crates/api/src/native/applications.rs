//! Applications: create, list, read, change, delete.

mod bodies;
mod patch;

use crate::kit::{Api, Authenticated, Body, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, keep, no_content, page, versioned};
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use crate::native::secrets::{MintedBody, SecretBody};
use axum::extract::State;
pub(crate) use bodies::{ApplicationBody, KeyTypeWord, NewApplicationBody, ReachWord};
use bodies::{CreatedBody, DetailedBody};
use claviger_app::applications::CreatedApplication;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{ApplicationId, TenantId};
use http::{StatusCode, Uri};
use patch::ApplicationPatchBody;

fn kept(created: &CreatedApplication) -> Kept {
    let application = ApplicationBody::from(&created.application);
    let secret = created.secret.as_ref().map(|minted| MintedBody::without_text(&minted.secret));
    keep(StatusCode::CREATED, &CreatedBody { application, secret })
}

/// Make an application
///
/// With its first secret, which stands in this one answer and never again; `secret` is null where the credential policy
/// forbids secrets. A repetition under the same `Idempotency-Key`
/// answers with `secret.text` null. Nobody can hand out rights that they do not hold themselves.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications", tag = "applications",
    params(("tenant_id" = Uuid, Path), Creating), request_body = NewApplicationBody,
    responses((status = 201, description = "Made", body = CreatedBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_application(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<NewApplicationBody>,
) -> Answer {
    let new = body.parse(api.app.catalogue(), api.app.clock().now())?;
    let made = Made { collection: format!("/v1/tenants/{tenant}/applications"), id: "/application/id" };
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.create_application(&caller, tenant, new, once).await? {
        Posted::Done(created) => {
            let application = ApplicationBody::from(&created.application);
            made.created(&CreatedBody { application, secret: created.secret.map(MintedBody::reveal) })
        }
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// List the applications of a tenant
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/applications", tag = "applications",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<ApplicationBody>), Reading))]
pub(crate) async fn list_applications(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let applications = api.app.list_applications(&caller, tenant, &query.parse()?).await?;
    page(&uri, applications.map(|application| ApplicationBody::from(&application)))
}

/// Read an application
///
/// With its live secrets and their last use, never with a secret's text.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/applications/{id}", tag = "applications",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = DetailedBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_application(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
) -> Answer {
    let (found, secrets) = api.app.find_application_and_secrets(&caller, tenant, id).await?;
    let secrets = secrets.iter().map(SecretBody::from).collect();
    versioned(found.version, &DetailedBody { application: ApplicationBody::from(&found), secrets })
}

/// Change an application
///
/// A merge patch (RFC 7396): what is absent stays, `null` clears. `grants` and `rate_limit` are taken as a whole; giving
/// `grants` takes the access level away and the other way round. Networks that would shut out the address of this very
/// request need `"confirm": true`.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/applications/{id}", tag = "applications",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    request_body(content((ApplicationPatchBody = "application/json"), (ApplicationPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = ApplicationBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_application(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
    Precondition(if_match): Precondition,
    Body(body): Body<ApplicationPatchBody>,
) -> Answer {
    let patch = body.parse(api.app.catalogue(), api.app.clock().now())?;
    let application = api.app.update_application(&caller, tenant, id, patch, if_match).await?;
    versioned(application.version, &ApplicationBody::from(&application))
}

/// Delete an application
///
/// With its secrets, which are dead when this returns. Refused with 409 while something refers to it; the answer lists
/// what does.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/applications/{id}", tag = "applications",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_application(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
    Precondition(if_match): Precondition,
) -> Answer {
    api.app.delete_application(&caller, tenant, id, if_match).await?;
    no_content()
}
