//! Identity providers: make, list, read, change, delete. Their client secrets go in and never come out.

pub(crate) mod bodies;

use self::bodies::{IdentityProviderBody, IdentityProviderPatchBody, NewIdentityProviderBody, UserIdentitiesBody};
use crate::kit::{Api, Authenticated, Body, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, json, keep, no_content, page, versioned};
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use axum::extract::State;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{ProviderId, TenantId, UserId};
use claviger_domain::identity_provider::IdentityProvider;
use http::{StatusCode, Uri};

fn kept(provider: &IdentityProvider) -> Kept {
    keep(StatusCode::CREATED, &IdentityProviderBody::from(provider))
}

/// Have people sign in at an identity provider
///
/// People of the tenant whose addresses are of one of the domains sign in there, by OpenID Connect. A domain leads to one provider
/// of the whole server. Nobody can name access levels, or domains of people, that may do more than they may themselves.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/identity-providers", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), Creating), request_body = NewIdentityProviderBody,
    responses((status = 201, description = "Made", body = IdentityProviderBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_identity_provider(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<NewIdentityProviderBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    let made = Made { collection: format!("/v1/tenants/{tenant}/identity-providers"), id: "/id" };
    match api.app.create_identity_provider(&caller, tenant, body.parse()?, once).await? {
        Posted::Done(provider) => made.created(&IdentityProviderBody::from(&provider)),
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// List the identity providers
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/identity-providers", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<IdentityProviderBody>), Reading))]
pub(crate) async fn list_identity_providers(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let providers = api.app.list_identity_providers(&caller, tenant, &query.parse()?).await?;
    page(&uri, providers.map(|provider| IdentityProviderBody::from(&provider)))
}

/// Read an identity provider
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/identity-providers/{id}", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = IdentityProviderBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_identity_provider(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ProviderId)>,
) -> Answer {
    let provider = api.app.find_identity_provider(&caller, tenant, id).await?;
    versioned(provider.version, &IdentityProviderBody::from(&provider))
}

/// Change an identity provider
///
/// Sign-ins that are under way there come to nothing; sessions last. Another issuer forgets which accounts people have there. Lists
/// are taken as a whole.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/identity-providers/{id}", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    request_body(content((IdentityProviderPatchBody = "application/json"), (IdentityProviderPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = IdentityProviderBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_identity_provider(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ProviderId)>,
    Precondition(if_match): Precondition,
    Body(body): Body<IdentityProviderPatchBody>,
) -> Answer {
    let provider = api.app.update_identity_provider(&caller, tenant, id, body.parse()?, if_match).await?;
    versioned(provider.version, &IdentityProviderBody::from(&provider))
}

/// Delete an identity provider
///
/// Its domains are free again, and which accounts people have there is forgotten. Sessions that were begun there last.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/identity-providers/{id}", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_identity_provider(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ProviderId)>,
    Precondition(if_match): Precondition,
) -> Answer {
    api.app.delete_identity_provider(&caller, tenant, id, if_match).await?;
    no_content()
}

/// List the accounts at identity providers that a user is
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users/{id}/identities", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = UserIdentitiesBody), Reading))]
pub(crate) async fn list_user_identities(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    let found = api.app.list_user_identities(&caller, tenant, id).await?;
    json(StatusCode::OK, &UserIdentitiesBody::from(found))
}

/// Forget which accounts at identity providers a user has
///
/// The next account with the user's address is taken for the user: for somebody who has got a new one.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/users/{id}/identities", tag = "single sign-on",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn forget_user_identities(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    api.app.forget_user_identities(&caller, tenant, id).await?;
    no_content()
}
