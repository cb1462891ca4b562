//! `/csp`: the sign-in of organisations whose identities live on the vendor's cloud-services platform. An app id with its secret,
//! or an API token, for a session token. App ids are client ids; an API token is what `X-Auth-Token` has: secret, slash, client
//! id.

use super::error::answer;
use crate::kit::{
    Api, Asked, Client, Face, Failure, Form, auth_token, authenticate_client, circumstances, exchanged, status,
    with_request,
};
use axum::extract::{Request, State};
use axum::response::Response;
use claviger_app::caller::Caller;
use claviger_app::sessions::Wish;
use claviger_domain::token::LIFETIME_DEFAULT;
use claviger_domain::{Error, Refusal, Result};
use http::StatusCode;
use serde_json::json;

/// What exchanges here are counted as.
const FAMILY: &str = "carbon_black";

/// The words of `/csp`: clients show `message`.
#[derive(Debug)]
pub(super) struct Csp;

impl Face for Csp {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        let status = match error {
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            other => status(other),
        };
        let message = match error {
            Error::Unauthenticated(refusal) if refusal.is_owner() => {
                format!("the credential is right, but: {}", refusal.code())
            }
            Error::Unauthenticated(_) => "the app id and secret, or the API token, are not valid".into(),
            Error::Unavailable(_) => "not available right now; send the request again".into(),
            Error::Internal(_) => format!("internal error; the request's id is {}", asked.id),
            other => other.to_string(),
        };
        answer(status, &json!({ "statusCode": status.as_u16(), "message": message }))
    }
}

/// Answers `POST /csp/gateway/am/api/auth/token`.
pub(super) async fn by_app(State(api): State<Api>, request: Request) -> Result<Response, Failure> {
    exchanged(&api, FAMILY, exchange_app(&api, request).await)
}

async fn exchange_app(api: &Api, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&parts.headers, body).await?;
    if form.require("grant_type")? != "client_credentials" {
        return Err(malformed("grant_type can be client_credentials").into());
    }
    let Client { caller, user_agent } = authenticate_client(api, &parts, &form).await?;
    issue(api, &caller, "csp_app", &user_agent)
}

/// Answers `POST /csp/gateway/am/api/auth/api-tokens/authorize`.
pub(super) async fn by_api_token(State(api): State<Api>, request: Request) -> Result<Response, Failure> {
    exchanged(&api, FAMILY, exchange_api_token(&api, request).await)
}

async fn exchange_api_token(api: &Api, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&parts.headers, body).await?;
    let text = match (form.get("api_token"), form.get("refresh_token")) {
        (Some(text), None) | (None, Some(text)) => text,
        _ => return Err(malformed("send api_token or refresh_token, once").into()),
    };
    let (origin, user_agent) = circumstances(api, (&parts).into());
    let found = match auth_token(text) {
        Some(presented) => api.app.authenticate(presented, origin, user_agent).await,
        None => Err(api.app.stranger(Refusal::Malformed, origin)),
    };
    let name = auth_token(text).map(|presented| presented.client_id);
    let caller = found.map_err(|error| api.app.refuse_guess(error, name, origin))?;
    issue(api, &with_request(caller, &parts), "csp_api_token", user_agent)
}

fn issue(api: &Api, caller: &Caller, door: &'static str, user_agent: &str) -> Result<Response, Failure> {
    let wish = Wish { door, scope: None, lifetime: None, usual: LIFETIME_DEFAULT, user_agent, source: "" };
    let issued = api.app.issue_token(caller, &wish)?;
    let body = json!({
        "access_token": issued.text,
        "token_type": "bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    });
    Ok(answer(StatusCode::OK, &body))
}

fn malformed(detail: &str) -> Error {
    Error::Malformed { code: "invalid_request", detail: detail.to_owned() }
}
