//! Sign-in of people by address and password.

use crate::kit::{Api, Body, Failure, RequestId, circumstances, cookies};
use crate::native::answer::{Answer, json};
use crate::native::openapi::Writing;
use axum::extract::{FromRequestParts, State};
use claviger_app::user_sign_in::{Attempt, Entered};
use claviger_domain::id::UserSessionId;
use claviger_domain::password::Password;
use claviger_domain::time::Timestamp;
use claviger_domain::user_session::{Stage, ends_at};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
pub(crate) struct SignInBody {
    /// The e-mail address.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// The password.
    #[schema(max_length = 256, format = Password)]
    password: String,
}

/// How far a sign-in has got.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SignInStage)]
pub(crate) enum StageWord {
    /// A second factor is still to come, at `POST /v1/sign-in/second-factor`.
    SecondFactor,
    /// Done.
    Complete,
}

impl From<Stage> for StageWord {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::SecondFactor => Self::SecondFactor,
            Stage::Complete => Self::Complete,
        }
    }
}

/// What came of a sign-in. The session itself is in the cookie alone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(crate) struct EnteredBody {
    /// How far it has got.
    stage: StageWord,
    /// Id of the session.
    #[schema(value_type = Uuid)]
    session_id: UserSessionId,
    /// When the session ends if it is not used.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
}

/// The head of a request at a door: of a page of another site it is refused, whatever else it says.
pub(crate) struct Door(pub(crate) Parts);

impl FromRequestParts<Api> for Door {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        cookies::check_no_foreign_page(api, (&*parts).into())?;
        Ok(Self(parts.clone()))
    }
}

/// Sign in
///
/// Sets the cookie `__Host-claviger_session`, which stands for the person on every path of this API; and
/// `__Host-claviger_device`, which proves nobody and keeps strangers' guesses from shutting its owner out. Why a sign-in failed is
/// not said: an unknown address, a wrong password and a user who cannot sign in are one answer.
#[utoipa::path(post, path = "/v1/sign-in", tag = "me", security(()), request_body = SignInBody,
    responses((status = 200, description = "Done", body = EnteredBody, headers(("Set-Cookie" = String))), Writing))]
pub(crate) async fn sign_in(State(api): State<Api>, Door(parts): Door, Body(body): Body<SignInBody>) -> Answer {
    let (origin, user_agent) = circumstances(&api, (&parts).into());
    let id = parts.extensions.get::<RequestId>().copied().unwrap_or_default().to_string();
    let attempt = Attempt {
        email: body.email,
        password: Password::presented("/password", body.password)?,
        device: cookies::device(&parts.headers).map(str::to_owned),
        session: cookies::session(&parts.headers).ok().flatten().map(str::to_owned),
        origin,
        user_agent: user_agent.to_owned(),
        request: (id, format!("{} {}", parts.method, parts.uri.path())),
    };
    let Entered { session, token, device } = api.app.sign_in_user(attempt).await?;
    let ends_at = ends_at(session.stage, session.created_at, session.last_seen_at);
    let body = EnteredBody { stage: session.stage.into(), session_id: session.id, ends_at };
    let mut response = json(StatusCode::OK, &body)?;
    cookies::set_session(response.headers_mut(), token);
    if let Some(device) = device {
        cookies::set_device(response.headers_mut(), device);
    }
    Ok(response)
}
