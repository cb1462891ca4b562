//! `POST /auth/v2/token`: a signed assertion for an access token.

use super::assertion::{Unacceptable, read};
use super::error::{Answer, Refused, answer_text};
use crate::kit::{Api, authenticate_assertion, exchanged, read_json, stranger};
use axum::extract::{Request, State};
use claviger_app::sessions::Wish;
use claviger_domain::assertion::Parts;
use claviger_domain::jws::TEXT_MAX;
use claviger_domain::{Error, Refusal};
use http::StatusCode;
use serde::Deserialize;

pub(crate) const PATH: &str = "/auth/v2/token";
/// How long the tokens of this family live where no tenant has said anything, in seconds: its clients count on it.
const LIFETIME: i64 = 1_800;

#[derive(Deserialize)]
struct TokenRequest {
    auth_token: String,
}

/// Answers `POST /auth/v2/token`.
pub(super) async fn issue(State(api): State<Api>, request: Request) -> Answer {
    exchanged(&api, "cylance", exchange(&api, request).await)
}

async fn exchange(api: &Api, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let TokenRequest { auth_token } = read_json(&parts.headers, body).await?;
    if auth_token.len() > TEXT_MAX {
        let detail = format!("auth_token has more than {TEXT_MAX} characters");
        return Err(Error::Malformed { code: "invalid_request", detail }.into());
    }
    let text = Parts::read(auth_token.trim());
    let asked = text.as_ref().ok_or(Unacceptable::Claims).and_then(|parts| read(parts, api.app.clock().now()));
    let asked = match asked {
        Ok(asked) => asked,
        Err(Unacceptable::TooLong) => return Err(Refused::TooLong),
        Err(Unacceptable::Claims) => {
            return Err(stranger(api, &parts, Refusal::AssertionInvalid).into());
        }
    };
    let client = authenticate_assertion(api, &parts, &asked.assertion).await?;
    let wish = Wish {
        door: "assertion",
        scope: asked.scope.as_deref(),
        lifetime: None,
        usual: LIFETIME,
        user_agent: &client.user_agent,
        source: &asked.source,
    };
    let issued = api.app.issue_token(&client.caller, &wish)?;
    // Nothing in a token is escaped in JSON, and there are 700 characters in which that would have to be looked for.
    Ok(answer_text(StatusCode::OK, [r#"{"access_token":""#, &issued.text, r#""}"#].concat()))
}
