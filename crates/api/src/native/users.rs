//! Users: make, list, read, change, give roles, disable, delete; and end their sessions.

mod bodies;

pub(crate) use self::bodies::{EndedBody, OwnPatchBody, UserBody, UserSessionBody, UserSessionsBody};
use self::bodies::{NewUserBody, RolesBody, SuccessorQuery, UserPatchBody, UsersQuery};
use crate::kit::{Api, Authenticated, Body, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, json, keep, no_content, page, versioned};
use crate::native::members::PageOf;
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use crate::native::secrets::NothingBody;
use axum::extract::State;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::user::User;
use http::{StatusCode, Uri};

fn kept(user: &User) -> Kept {
    keep(StatusCode::CREATED, &UserBody::from(user))
}

/// Make a user
///
/// It is invited: a link to set its first password goes to its address. Nobody can give it rights that they do not have themselves. An instance has no users.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/users", tag = "users",
    params(("tenant_id" = Uuid, Path), Creating), request_body = NewUserBody,
    responses((status = 201, description = "Made", body = UserBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<NewUserBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    let made = Made { collection: format!("/v1/tenants/{tenant}/users"), id: "/id" };
    match api.app.create_user(&caller, tenant, body.parse()?, once).await? {
        Posted::Done(user) => made.created(&UserBody::from(&user)),
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// List the users of a tenant
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users", tag = "users",
    params(("tenant_id" = Uuid, Path), UsersQuery),
    responses((status = 200, description = "Done", body = PageOf<UserBody>), Reading))]
pub(crate) async fn list_users(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<UsersQuery>,
    uri: Uri,
) -> Answer {
    let (filter, request) = query.parse()?;
    let users = api.app.list_users(&caller, tenant, &filter, &request).await?;
    page(&uri, users.map(|user| UserBody::from(&user)))
}

/// Read a user
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users/{id}", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = UserBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    let user = api.app.find_user(&caller, tenant, id).await?;
    versioned(user.version, &UserBody::from(&user))
}

/// Change a user
///
/// Nobody can change a user who has rights that they do not have themselves.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/users/{id}", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    request_body(content((UserPatchBody = "application/json"), (UserPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = UserBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Precondition(if_match): Precondition,
    Body(body): Body<UserPatchBody>,
) -> Answer {
    let user = api.app.update_user(&caller, tenant, id, body.parse()?, if_match).await?;
    versioned(user.version, &UserBody::from(&user))
}

/// Give a user other roles
///
/// In place of all that it had; its sessions have the new rights when this returns. The last active user of a tenant who holds
/// Super Admin keeps it.
#[utoipa::path(put, path = "/v1/tenants/{tenant_id}/users/{id}/roles", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching), request_body = RolesBody,
    responses((status = 200, description = "Done", body = UserBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn put_user_roles(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Precondition(if_match): Precondition,
    Body(body): Body<RolesBody>,
) -> Answer {
    let user = api.app.put_user_roles(&caller, tenant, id, body.parse()?, if_match).await?;
    versioned(user.version, &UserBody::from(&user))
}

/// Disable a user
///
/// It cannot sign in any more, and all of its sessions have ended when this returns. Doing it again changes nothing.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/users/{id}/disable", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = UserBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn disable_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Precondition(if_match): Precondition,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    let user = api.app.disable_user(&caller, tenant, id, if_match).await?;
    versioned(user.version, &UserBody::from(&user))
}

/// Enable a user
///
/// It can sign in again with what it had before. Doing it again changes nothing.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/users/{id}/enable", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = UserBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn enable_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Precondition(if_match): Precondition,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    let user = api.app.enable_user(&caller, tenant, id, if_match).await?;
    versioned(user.version, &UserBody::from(&user))
}

/// Delete a user
///
/// With its sessions, at once. While applications belong to it, their new owner must be named; `referrers` of the refusal lists
/// them.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/users/{id}", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), SuccessorQuery, Matching),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Query(query): Query<SuccessorQuery>,
    Precondition(if_match): Precondition,
) -> Answer {
    api.app.delete_user(&caller, tenant, id, query.successor_id, if_match).await?;
    no_content()
}

/// List the sessions of a user
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users/{id}/sessions", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = UserSessionsBody), Reading))]
pub(crate) async fn list_user_sessions(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    let sessions = api.app.list_user_sessions(&caller, tenant, id).await?;
    let current = caller.user().map(|user| user.session.id);
    json(StatusCode::OK, &UserSessionsBody::of(&sessions, current))
}

/// End all sessions of a user
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/users/{id}/sessions", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = EndedBody), Writing))]
pub(crate) async fn end_user_sessions(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    let ended = api.app.end_user_sessions(&caller, tenant, id).await?;
    json(StatusCode::OK, &EndedBody { ended })
}

/// End a session of a user
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/users/{id}/sessions/{session_id}", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), ("session_id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn end_user_session(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id, session)): Path<(TenantId, UserId, UserSessionId)>,
) -> Answer {
    api.app.end_user_session(&caller, tenant, id, session).await?;
    no_content()
}
