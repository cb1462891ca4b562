//! The person who is signed in: profile, sessions, the way out.

use crate::kit::{Api, Authenticated, Body, Path, Post, cookies};
use crate::native::answer::{Answer, json, no_content};
use crate::native::grants::GrantsBody;
use crate::native::openapi::{Reading, Writing};
use crate::native::secrets::NothingBody;
use crate::native::tenants::KindWord;
use crate::native::users::{EndedBody, OwnPatchBody, UserBody, UserSessionBody, UserSessionsBody};
use axum::extract::State;
use claviger_app::users::Me;
use claviger_domain::id::UserSessionId;
use claviger_domain::password::Password;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The person who is signed in, as it stands at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeBody {
    /// The person.
    user: UserBody,
    /// Name of its tenant.
    tenant_name: String,
    /// That tenant's key in the paths of Carbon Black clients.
    org_key: String,
    /// That tenant's kind.
    tenant_kind: KindWord,
    /// The session that this request was made with.
    session: UserSessionBody,
    /// Everything it may do, its access levels looked through: permission name → verbs.
    grants: GrantsBody,
}

fn body(api: &Api, me: &Me) -> MeBody {
    let session = &me.caller.session;
    MeBody {
        user: UserBody::from(&me.user),
        tenant_name: me.tenant_name.clone(),
        org_key: me.caller.tenant.org_key.to_string(),
        tenant_kind: me.caller.tenant.kind.into(),
        session: UserSessionBody::of(session, Some(session.id)),
        grants: GrantsBody::from(&me.caller.grants.to_grants(api.app.catalogue())),
    }
}

/// Read who is signed in
#[utoipa::path(get, path = "/v1/me", tag = "me", security(("session" = [])),
    responses((status = 200, description = "Done", body = MeBody), Reading))]
pub(crate) async fn read_me(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    let me = api.app.find_me(&caller).await?;
    json(StatusCode::OK, &body(&api, &me))
}

/// Change one's own profile
#[utoipa::path(patch, path = "/v1/me", tag = "me", security(("session" = [])),
    request_body(content((OwnPatchBody = "application/json"), (OwnPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = MeBody), Writing))]
pub(crate) async fn update_me(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Body(patch): Body<OwnPatchBody>,
) -> Answer {
    let me = api.app.update_me(&caller, patch.parse()?).await?;
    json(StatusCode::OK, &body(&api, &me))
}

/// A new password in place of the current one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub(crate) struct PasswordChangeBody {
    /// The password that the person signs in with.
    #[schema(max_length = 256, format = Password)]
    current_password: String,
    /// The new one.
    #[schema(min_length = 8, max_length = 256, format = Password)]
    new_password: String,
}

/// Change one's own password
///
/// All other sessions of the person have ended when this returns.
#[utoipa::path(put, path = "/v1/me/password", tag = "me", security(("session" = [])), request_body = PasswordChangeBody,
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn change_own_password(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Body(body): Body<PasswordChangeBody>,
) -> Answer {
    let current = Password::presented("/current_password", body.current_password)?;
    let new = Password::presented("/new_password", body.new_password)?;
    api.app.change_own_password(&caller, current, new).await?;
    no_content()
}

/// List one's own sessions
#[utoipa::path(get, path = "/v1/me/sessions", tag = "me", security(("session" = [])),
    responses((status = 200, description = "Done", body = UserSessionsBody), Reading))]
pub(crate) async fn list_own_sessions(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    let sessions = api.app.list_own_sessions(&caller).await?;
    let current = caller.user().map(|user| user.session.id);
    json(StatusCode::OK, &UserSessionsBody::of(&sessions, current))
}

/// End all of one's own sessions but this one
#[utoipa::path(delete, path = "/v1/me/sessions", tag = "me", security(("session" = [])),
    responses((status = 200, description = "Done", body = EndedBody), Writing))]
pub(crate) async fn end_other_sessions(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    let ended = api.app.end_other_sessions(&caller).await?;
    json(StatusCode::OK, &EndedBody { ended })
}

/// End one of one's own sessions
#[utoipa::path(delete, path = "/v1/me/sessions/{session_id}", tag = "me", security(("session" = [])),
    params(("session_id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn end_own_session(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(session): Path<UserSessionId>,
) -> Answer {
    api.app.end_own_session(&caller, session).await?;
    no_content()
}

/// Sign out
///
/// The session has ended when this returns.
#[utoipa::path(post, path = "/v1/sign-out", tag = "me", security(("session" = [])), request_body = Option<NothingBody>,
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn sign_out(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    api.app.sign_out(&caller).await?;
    let mut response = no_content()?;
    cookies::clear_session(response.headers_mut());
    Ok(response)
}
