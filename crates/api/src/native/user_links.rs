//! Links that people get by mail: invitations, new passwords, another address. Whoever opens a link uses nothing up: it is used by a
//! POST of its token.

use crate::kit::{Api, Authenticated, Body, Failure, Path, Post};
use crate::native::answer::{Answer, json, no_content};
use crate::native::openapi::{Creating, Reading, Writing};
use crate::native::secrets::NothingBody;
use crate::native::visits::Visiting;
use axum::extract::State;
use claviger_app::unit::{OnceFor, Posted};
use claviger_app::user_links::Names;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::password::Password;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Email, parse_person_name};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmailAddress)]
pub(crate) struct EmailBody {
    /// The e-mail address.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
}

/// The token of a link, and a new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordByLink)]
pub(crate) struct PasswordByLinkBody {
    /// What stands in the link behind `#`.
    #[schema(example = "clv_l_…")]
    token: String,
    /// The new password: 15 to 256 characters, or from 8 on where the tenant's policy asks for a second factor.
    #[schema(max_length = 256, format = Password)]
    password: String,
}

/// The token of an invitation, the first password, and what one wants to be called by.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationAccepted)]
pub(crate) struct AcceptedBody {
    /// What stands in the link behind `#`.
    #[schema(example = "clv_l_…")]
    token: String,
    /// The first password: 15 to 256 characters, or from 8 on where the tenant's policy asks for a second factor.
    #[schema(max_length = 256, format = Password)]
    password: String,
    /// First name, if it is to be another one.
    #[serde(default)]
    #[schema(max_length = 64)]
    first_name: Option<String>,
    /// Last name, if it is to be another one.
    #[serde(default)]
    #[schema(max_length = 64)]
    last_name: Option<String>,
}

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkToken)]
pub(crate) struct TokenBody {
    /// What stands in the link behind `#`.
    #[schema(example = "clv_l_…")]
    token: String,
}

/// A link that was sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkSent)]
pub(crate) struct SentBody {
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Until when it can be used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Ask for a link to set a new password
///
/// Also for somebody who never had one. The answer is the same whoever the address belongs to; the link goes to the stored address,
/// three times in 15 minutes at most, and can be used for 15 minutes. A newer one takes the place of the one before.
#[utoipa::path(post, path = "/v1/password-resets", tag = "me", security(()), request_body = EmailBody,
    responses((status = 202, description = "If somebody has this address, a link was sent", body = Object), Writing))]
pub(crate) async fn request_password_reset(
    State(api): State<Api>,
    Visiting(visit): Visiting,
    Body(body): Body<EmailBody>,
) -> Answer {
    let email = Email::parse("/email", &body.email)?;
    api.app.request_password_reset(&email, &visit).await?;
    json(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// Set a new password by a link
///
/// The link is used up, all sessions end, and nobody is signed in by it: the second factor is still asked for at the next sign-in.
#[utoipa::path(post, path = "/v1/password-resets/complete", tag = "me", security(()), request_body = PasswordByLinkBody,
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn complete_password_reset(
    State(api): State<Api>,
    Visiting(visit): Visiting,
    Body(body): Body<PasswordByLinkBody>,
) -> Answer {
    let password = Password::presented("/password", body.password)?;
    api.app.complete_password_reset(&body.token, password, &visit).await?;
    no_content()
}

/// Accept an invitation
///
/// Sets the first password; then one can sign in.
#[utoipa::path(post, path = "/v1/invitations/accept", tag = "me", security(()), request_body = AcceptedBody,
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn accept_invitation(
    State(api): State<Api>,
    Visiting(visit): Visiting,
    Body(body): Body<AcceptedBody>,
) -> Answer {
    let password = Password::presented("/password", body.password)?;
    let name = |pointer: &str, name: Option<String>| name.map(|name| parse_person_name(pointer, &name)).transpose();
    let names = Names { first: name("/first_name", body.first_name)?, last: name("/last_name", body.last_name)? };
    api.app.accept_invitation(&body.token, password, names, &visit).await?;
    no_content()
}

/// Ask for another address to sign in with
///
/// It counts once it is confirmed by the link that is sent there; the address before is told. Asks for a proof made anew.
#[utoipa::path(post, path = "/v1/me/email", tag = "me", security(("session" = [])), request_body = EmailBody,
    responses((status = 202, description = "A link was sent to the new address", body = SentBody), Writing))]
pub(crate) async fn request_email_change(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Visiting(visit): Visiting,
    Body(body): Body<EmailBody>,
) -> Answer {
    let email = Email::parse("/email", &body.email)?;
    let shown = email.as_str().to_owned();
    let expires_at = api.app.request_email_change(&caller, email, &visit).await?;
    json(StatusCode::ACCEPTED, &SentBody { email: Some(shown), expires_at })
}

/// Confirm another address by a link
#[utoipa::path(post, path = "/v1/email-changes/confirm", tag = "me", security(()), request_body = TokenBody,
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn confirm_email_change(
    State(api): State<Api>,
    Visiting(visit): Visiting,
    Body(body): Body<TokenBody>,
) -> Answer {
    api.app.confirm_email_change(&body.token, &visit).await?;
    no_content()
}

/// Invite a user once more
///
/// A new link goes by mail and can be used for seven days; those before can be used no more.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/users/{id}/invitation", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating), request_body = Option<NothingBody>,
    responses((status = 202, description = "A link was sent", body = SentBody), Writing))]
pub(crate) async fn invite_user(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Post { body: NothingBody {}, once }: Post<NothingBody>,
) -> Answer {
    let keep = |expires_at: &Timestamp| {
        crate::native::answer::keep(StatusCode::ACCEPTED, &SentBody { email: None, expires_at: *expires_at })
    };
    let once = once.map(|once| OnceFor { once, keep });
    match api.app.invite_user(&caller, tenant, id, once).await? {
        Posted::Done(expires_at) => json(StatusCode::ACCEPTED, &SentBody { email: None, expires_at }),
        Posted::Replayed(kept) => crate::native::answer::replayed(kept),
    }
}

/// Read a user's invitation
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users/{id}/invitation", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = SentBody), Reading))]
pub(crate) async fn read_invitation(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Result<axum::response::Response, Failure> {
    let link = api.app.find_invitation(&caller, tenant, id).await?;
    json(StatusCode::OK, &SentBody { email: Some(link.email), expires_at: link.expires_at })
}

/// Take a user's invitation back
///
/// It cannot be used when this returns.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/users/{id}/invitation", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn cancel_invitation(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    api.app.cancel_invitation(&caller, tenant, id).await?;
    no_content()
}
