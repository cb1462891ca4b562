//! The second step of a sign-in, and the proof made anew that dangerous calls ask for.

use crate::kit::{Api, Authenticated, Body, Failure, Post, cookies};
use crate::native::answer::{Answer, json};
use crate::native::factors::FactorKindWord;
use crate::native::openapi::{Reading, Writing};
use crate::native::secrets::NothingBody;
use crate::native::visits::{HalfWay, Visiting};
use axum::extract::State;
use axum::response::Response;
use claviger_app::second_factors::{Advanced, Shown};
use claviger_domain::factor::{STEP_UP_SECONDS, Wanted};
use claviger_domain::id::UserSessionId;
use claviger_domain::password::Password;
use claviger_domain::time::Timestamp;
use claviger_domain::user_session::{UserSession, ends_at};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a sign-in asks for.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Wanted)]
pub(crate) enum WantedWord {
    /// Nothing.
    Nothing,
    /// A code that `POST /v1/sign-in/second-factor/mail` sends.
    MailCode,
    /// An authenticator, a passkey or a recovery code.
    Authenticator,
    /// An authenticator or a passkey must be set up first, at `/v1/me/factors`.
    Enrolment,
}

/// What a sign-in asks for, and what it can be answered by.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecondFactorAsked)]
pub(crate) struct AskedBody {
    /// What is asked for.
    wanted: WantedWord,
    /// The kinds of factors that the person has.
    kinds: Vec<FactorKindWord>,
    /// Recovery codes that are left.
    recovery_codes_left: i64,
}

/// A session after its stage or its proofs have changed. The session itself is in the cookie alone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionAdvanced)]
pub(crate) struct AdvancedBody {
    /// How far the sign-in has got: `complete`.
    #[schema(example = "complete")]
    stage: &'static str,
    /// Id of the session.
    #[schema(value_type = Uuid)]
    session_id: UserSessionId,
    /// When the session ends if it is not used.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// Until when nothing asks for a proof made anew; `null` where none was made.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    stepped_up_until: Option<Timestamp>,
}

impl From<&UserSession> for AdvancedBody {
    fn from(session: &UserSession) -> Self {
        Self {
            stage: session.stage.as_str(),
            session_id: session.id,
            ends_at: ends_at(session.stage, session.created_at, session.last_seen_at),
            stepped_up_until: session.stepped_up_at.map(|at| at.plus_seconds(STEP_UP_SECONDS)),
        }
    }
}

/// What somebody shows.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = SecondFactor)]
pub(crate) enum ShownBody {
    /// The code of an authenticator.
    Totp {
        /// Six digits.
        #[schema(max_length = 64, example = "123456")]
        code: String,
    },
    /// The code that was sent by mail.
    MailCode {
        /// Six digits.
        #[schema(max_length = 64, example = "123456")]
        code: String,
    },
    /// A recovery code.
    RecoveryCode {
        /// As it was shown; blanks, hyphens and case do not matter.
        #[schema(max_length = 64)]
        code: String,
    },
    /// A passkey's answer.
    Passkey {
        /// What `navigator.credentials.get` gave, as JSON (`PublicKeyCredential.toJSON`).
        #[schema(value_type = Object)]
        credential: Value,
    },
    /// The password once more; only to prove anew who one is, and only where there is no factor.
    Password {
        /// The password.
        #[schema(max_length = 256, format = Password)]
        password: String,
    },
}

impl ShownBody {
    fn parse(self) -> Result<Shown, Failure> {
        Ok(match self {
            Self::Totp { code } => Shown::Totp(code),
            Self::MailCode { code } => Shown::MailCode(code),
            Self::RecoveryCode { code } => Shown::RecoveryCode(code),
            Self::Passkey { credential } => Shown::Passkey(credential),
            Self::Password { password } => Shown::Password(Password::presented("/password", password)?),
        })
    }
}

fn advanced(Advanced { session, token }: Advanced) -> Result<Response, Failure> {
    let mut response = json(StatusCode::OK, &AdvancedBody::from(&session))?;
    cookies::set_session(response.headers_mut(), token);
    Ok(response)
}

/// Read what a sign-in asks for
#[utoipa::path(get, path = "/v1/sign-in/second-factor", tag = "me", security(("session" = [])),
    responses((status = 200, description = "Done", body = AskedBody), Reading))]
pub(crate) async fn read_second_factor(State(api): State<Api>, HalfWay { user, .. }: HalfWay) -> Answer {
    let asked = api.app.asked(&user).await?;
    let wanted = match asked.wanted {
        Wanted::Nothing => WantedWord::Nothing,
        Wanted::MailCode => WantedWord::MailCode,
        Wanted::Authenticator => WantedWord::Authenticator,
        Wanted::Enrolment => WantedWord::Enrolment,
    };
    let kinds = asked.kinds.into_iter().map(FactorKindWord::from).collect();
    json(StatusCode::OK, &AskedBody { wanted, kinds, recovery_codes_left: asked.recovery_codes_left })
}

/// Have a code sent by mail
///
/// For whoever has nothing better, where the tenant's policy asks for that. It counts in this session only, for ten minutes and five
/// tries; a newer one takes the place of the one before.
#[utoipa::path(post, path = "/v1/sign-in/second-factor/mail", tag = "me", security(("session" = [])),
    request_body = Option<NothingBody>,
    responses((status = 202, description = "A code was sent", body = Object), Writing))]
pub(crate) async fn send_mail_code(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    api.app.send_mail_code(&user, &visit).await?;
    json(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// Ask one's passkey
///
/// Answers with what `navigator.credentials.get` is to be given. Five minutes are left to answer.
#[utoipa::path(post, path = "/v1/sign-in/second-factor/passkey", tag = "me", security(("session" = [])),
    request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = Object), Writing))]
pub(crate) async fn ask_passkey(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    json(StatusCode::OK, &api.app.ask_passkey(&user, &visit).await?)
}

/// Complete a sign-in by a second factor
///
/// The session goes on under another cookie; the one before is dead. Five checks are made of an account in 15 minutes, whatever the
/// sessions; after twenty wrong ones in a row none is, until a new password is set by a link or an administrator removes the factors.
#[utoipa::path(post, path = "/v1/sign-in/second-factor", tag = "me", security(("session" = [])), request_body = ShownBody,
    responses((status = 200, description = "Done", body = AdvancedBody, headers(("Set-Cookie" = String))), Writing))]
pub(crate) async fn complete_sign_in(
    State(api): State<Api>,
    HalfWay { user, visit }: HalfWay,
    Body(body): Body<ShownBody>,
) -> Answer {
    advanced(api.app.complete_sign_in(&user, body.parse()?, &visit).await?)
}

/// Ask one's passkey to prove anew who one is
#[utoipa::path(post, path = "/v1/me/step-up/passkey", tag = "me", security(("session" = [])),
    request_body = Option<NothingBody>,
    responses((status = 200, description = "Done", body = Object), Writing))]
pub(crate) async fn ask_passkey_again(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Visiting(visit): Visiting,
    Post { body: NothingBody {}, .. }: Post<NothingBody>,
) -> Answer {
    json(StatusCode::OK, &api.app.ask_passkey_again(&caller, &visit).await?)
}

/// Prove anew who one is
///
/// For what is dangerous, for ten minutes: by an authenticator, a passkey or a recovery code, and by the password where there is none
/// of these. A code sent by mail is not enough. The session goes on under another cookie.
#[utoipa::path(post, path = "/v1/me/step-up", tag = "me", security(("session" = [])), request_body = ShownBody,
    responses((status = 200, description = "Done", body = AdvancedBody, headers(("Set-Cookie" = String))), Writing))]
pub(crate) async fn step_up(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Visiting(visit): Visiting,
    Body(body): Body<ShownBody>,
) -> Answer {
    advanced(api.app.step_up(&caller, body.parse()?, &visit).await?)
}
