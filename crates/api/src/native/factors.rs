//! Second factors of a person: set up, listed, removed. What proves one stands in the answer that makes it, and nowhere else.

use crate::kit::{Api, Authenticated, Body, Path, Post, cookies};
use crate::native::answer::{Answer, json, no_content};
use crate::native::openapi::{Reading, Writing};
use crate::native::secrets::NothingBody;
use crate::native::visits::{HalfWay, Visiting};
use axum::extract::State;
use axum::response::Response;
use claviger_app::factors::{Confirmed, Factors};
use claviger_domain::factor::{Factor, FactorKind, parse_name};
use claviger_domain::id::{FactorId, TenantId, UserId};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What kind a factor is of.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FactorKind)]
pub(crate) enum FactorKindWord {
    /// An authenticator with codes by time.
    Totp,
    /// A passkey.
    Passkey,
}

impl From<FactorKind> for FactorKindWord {
    fn from(kind: FactorKind) -> Self {
        match kind {
            FactorKind::Totp => Self::Totp,
            FactorKind::Passkey => Self::Passkey,
        }
    }
}

/// A second factor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Factor)]
pub(crate) struct FactorBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: FactorId,
    /// Kind.
    kind: FactorKindWord,
    /// What the person calls it.
    name: String,
    /// Whether it was shown to work; until then it counts for nothing.
    confirmed: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was used last; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<&Factor> for FactorBody {
    fn from(factor: &Factor) -> Self {
        Self {
            id: factor.id,
            kind: factor.kind.into(),
            name: factor.name.clone(),
            confirmed: factor.confirmed_at.is_some(),
            created_at: factor.created_at,
            last_used_at: factor.last_used_at,
        }
    }
}

/// A person's second factors.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Factors)]
pub(crate) struct FactorsBody {
    /// The factors, oldest first.
    items: Vec<FactorBody>,
    /// Recovery codes that are left.
    recovery_codes_left: i64,
    /// What the tenant's policy asks for: `none`, `email` or `totp`.
    #[schema(example = "totp")]
    required: &'static str,
}

impl From<&Factors> for FactorsBody {
    fn from(factors: &Factors) -> Self {
        Self {
            items: factors.factors.iter().map(FactorBody::from).collect(),
            recovery_codes_left: factors.recovery_codes_left,
            required: factors.required.as_str(),
        }
    }
}

/// What a factor is to be called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFactor)]
pub(crate) struct NewFactorBody {
    /// A name to tell it from others.
    #[serde(default)]
    #[schema(max_length = 64, example = "Phone")]
    name: String,
}

/// A change of a factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FactorPatch)]
pub(crate) struct FactorPatchBody {
    /// New name.
    #[schema(max_length = 64, example = "Old phone")]
    name: String,
}

/// An authenticator that is being set up. Shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewTotp)]
pub(crate) struct NewTotpBody {
    /// The factor; it counts once a code of it is sent to `/v1/me/factors/{id}/confirm`.
    factor: FactorBody,
    /// The seed, in base32, to be typed into an authenticator.
    secret: String,
    /// The seed as authenticators read it, to be shown as a picture.
    #[schema(example = "otpauth://totp/…")]
    otpauth_url: String,
}

/// A code of the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Code)]
pub(crate) struct CodeBody {
    /// Six digits.
    #[schema(example = "123456", max_length = 64)]
    code: String,
}

/// A passkey's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPasskey)]
pub(crate) struct NewPasskeyBody {
    /// A name to tell it from others.
    #[serde(default)]
    #[schema(max_length = 64, example = "Security key")]
    name: String,
    /// What `navigator.credentials.create` gave, as JSON (`PublicKeyCredential.toJSON`).
    #[schema(value_type = Object)]
    credential: Value,
}

/// A factor that counts from now on. The session goes on under another cookie; all others have ended.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfirmedFactor)]
pub(crate) struct ConfirmedBody {
    /// The factor.
    factor: FactorBody,
    /// Recovery codes, where it is the first: shown this once, each used once. `null` where there were some before.
    #[schema(required = true)]
    recovery_codes: Option<Vec<String>>,
}

/// Recovery codes. Shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub(crate) struct RecoveryCodesBody {
    /// The codes, each used once.
    recovery_codes: Vec<String>,
}

fn confirmed(status: StatusCode, confirmed: Confirmed) -> Result<Response, crate::kit::Failure> {
    let Confirmed { factor, recovery_codes, advanced } = confirmed;
    let mut response = json(status, &ConfirmedBody { factor: FactorBody::from(&factor), recovery_codes })?;
    cookies::set_session(response.headers_mut(), advanced.token);
    Ok(response)
}

/// List one's own second factors
///
/// Also for whoever is signing in.
#[utoipa::path(get, path = "/v1/me/factors", tag = "me", security(("session" = [])),
    responses((status = 200, description = "Done", body = FactorsBody), Reading))]
pub(crate) async fn list_factors(State(api): State<Api>, HalfWay { user, .. }: HalfWay) -> Answer {
    json(StatusCode::OK, &FactorsBody::from(&api.app.list_factors(&user).await?))
}

/// Set up an authenticator
///
/// Asks for a proof made anew, unless it is the first one and the tenant's policy asks for it. The seed is shown in this answer and
/// never again; one that was begun before and not confirmed is given up.
#[utoipa::path(post, path = "/v1/me/factors/totp", tag = "me", security(("session" = [])), request_body = NewFactorBody,
    responses((status = 201, description = "Done", body = NewTotpBody), Writing))]
pub(crate) async fn create_totp(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Post { body, .. }: Post<NewFactorBody>,
) -> Answer {
    let name = parse_name("/name", &body.name)?;
    let made = api.app.create_totp(&user, name, &visit).await?;
    let body = NewTotpBody {
        factor: FactorBody::from(&made.factor),
        secret: made.secret.to_string(),
        otpauth_url: made.otpauth_url.to_string(),
    };
    json(StatusCode::CREATED, &body)
}

/// Confirm an authenticator by a code of it
///
/// It counts from now on. Completes a sign-in that waited for it.
#[utoipa::path(post, path = "/v1/me/factors/{id}/confirm", tag = "me", security(("session" = [])),
    params(("id" = Uuid, Path)), request_body = CodeBody,
    responses((status = 200, description = "Done", body = ConfirmedBody, headers(("Set-Cookie" = String))), Writing))]
pub(crate) async fn confirm_factor(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Path(id): Path<FactorId>,
    Body(body): Body<CodeBody>,
) -> Answer {
    confirmed(StatusCode::OK, api.app.confirm_totp(&user, id, body.code, &visit).await?)
}

/// Begin to register a passkey
///
/// Answers with what `navigator.credentials.create` is to be given. Five minutes are left to answer.
#[utoipa::path(post, path = "/v1/me/factors/passkeys/begin", tag = "me", security(("session" = [])),
    request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = Object), Writing))]
pub(crate) async fn begin_passkey(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    json(StatusCode::OK, &api.app.begin_passkey(&user, &visit).await?)
}

/// Register a passkey
///
/// It counts from now on. Completes a sign-in that waited for it.
#[utoipa::path(post, path = "/v1/me/factors/passkeys", tag = "me", security(("session" = [])), request_body = NewPasskeyBody,
    responses((status = 201, description = "Done", body = ConfirmedBody, headers(("Set-Cookie" = String))), Writing))]
pub(crate) async fn create_passkey(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Body(body): Body<NewPasskeyBody>,
) -> Answer {
    let name = parse_name("/name", &body.name)?;
    confirmed(StatusCode::CREATED, api.app.create_passkey(&user, name, body.credential, &visit).await?)
}

/// Give one of one's own second factors another name
#[utoipa::path(patch, path = "/v1/me/factors/{id}", tag = "me", security(("session" = [])), params(("id" = Uuid, Path)),
    request_body(content((FactorPatchBody = "application/json"), (FactorPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = FactorBody), Writing))]
pub(crate) async fn rename_factor(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Visiting(visit): Visiting,
    Path(id): Path<FactorId>,
    Body(body): Body<FactorPatchBody>,
) -> Answer {
    let name = parse_name("/name", &body.name)?;
    json(StatusCode::OK, &FactorBody::from(&api.app.rename_factor(&caller, id, name, &visit).await?))
}

/// Remove one of one's own second factors
///
/// Asks for a proof made anew. All other sessions end; the last factor takes the recovery codes along.
#[utoipa::path(delete, path = "/v1/me/factors/{id}", tag = "me", security(("session" = [])), params(("id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_factor(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Visiting(visit): Visiting,
    Path(id): Path<FactorId>,
) -> Answer {
    api.app.delete_factor(&caller, id, &visit).await?;
    no_content()
}

/// Make new recovery codes
///
/// Asks for a proof made anew. Those before count no more.
#[utoipa::path(post, path = "/v1/me/recovery-codes", tag = "me", security(("session" = [])), request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = RecoveryCodesBody), Writing))]
pub(crate) async fn create_recovery_codes(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Visiting(visit): Visiting,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    let recovery_codes = api.app.create_recovery_codes(&caller, &visit).await?;
    json(StatusCode::OK, &RecoveryCodesBody { recovery_codes })
}

/// List the second factors of a user
///
/// Nothing that would prove one is among what is said.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/users/{id}/factors", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = FactorsBody), Reading))]
pub(crate) async fn list_user_factors(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    json(StatusCode::OK, &FactorsBody::from(&api.app.list_user_factors(&caller, tenant, id).await?))
}

/// Remove all second factors of a user
///
/// For somebody who has lost them. All sessions of the user end, and it is told by mail. A person who calls this must have proved
/// anew who it is.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/users/{id}/factors", tag = "users",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn reset_factors(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    api.app.reset_factors(&caller, tenant, id).await?;
    no_content()
}
