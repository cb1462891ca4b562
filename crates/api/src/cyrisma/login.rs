//! `/app/partner/login`: name and password for a session token and a refresh token, and that for the next two.

use super::auth::{place, refuse};
use super::error::{Answer, answer};
use crate::kit::{Api, LooseForm, exchanged, with_request};
use axum::extract::{Request, State};
use claviger_app::sessions::Wish;
use claviger_app::sign_ins::SignedIn;
use claviger_app::verify::Presented;
use claviger_domain::{Error, Result};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;

/// How long this family's tokens live, in seconds.
const LIFETIME: i64 = 600;
/// Most characters of a client id that is echoed.
const CLIENT_ID_MAX: usize = 256;

#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    client_id: &'a str,
}

/// Answers `POST /app/partner/login`.
pub(super) async fn login(State(api): State<Api>, request: Request) -> Answer {
    exchanged(&api, "cyrisma", exchange(&api, request).await)
}

async fn exchange(api: &Api, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read(&parts.headers, body).await?;
    let client_id = form.get("client_id").unwrap_or_default();
    if client_id.chars().count() > CLIENT_ID_MAX {
        return Err(malformed(format!("client_id has more than {CLIENT_ID_MAX} characters")).into());
    }
    let SignedIn { issued, refresh } = match form.require("grant_type")? {
        "password" => by_password(api, &parts, &form).await?,
        "refresh_token" => by_refresh(api, &parts, &form).await?,
        _ => {
            let detail = "grant_type can be password or refresh_token".into();
            return Err(Error::Malformed { code: "unsupported_grant_type", detail }.into());
        }
    };
    let body = TokenBody {
        access_token: &issued.text,
        token_type: "access",
        expires_in: issued.expires_in,
        refresh_token: refresh.reveal(),
        client_id,
    };
    Ok(answer(StatusCode::OK, &body))
}

async fn by_password(api: &Api, parts: &Parts, form: &LooseForm) -> Result<SignedIn> {
    let (username, secret) = (form.require("username")?, form.require("password")?);
    let wish = wish("cyrisma_login", form.get("scope"), form)?;
    let (origin, user_agent) = place(api, parts);
    let presented = Presented { client_id: username, secret };
    let caller = api.app.authenticate(presented, origin, user_agent).await;
    let caller = caller.map_err(|error| refuse(api, error, Some(username), origin))?;
    let caller = with_request(caller, parts);
    api.app.sign_in(&caller, &Wish { user_agent, ..wish }).await
}

async fn by_refresh(api: &Api, parts: &Parts, form: &LooseForm) -> Result<SignedIn> {
    let token = form.require("refresh_token")?;
    if form.get("scope").is_some() {
        return Err(malformed("a refresh has the scope of its login; leave scope out".into()));
    }
    let wish = wish("cyrisma_refresh", None, form)?;
    let (origin, user_agent) = place(api, parts);
    let refused = |error| refuse(api, error, None, origin);
    let (caller, refreshing) = api.app.authenticate_refresh(token, origin, user_agent).await.map_err(refused)?;
    let caller = with_request(caller, parts);
    let scope = refreshing.scope().map(str::to_owned);
    let wish = Wish { user_agent, scope: scope.as_deref(), ..wish };
    api.app.continue_sign_in(&caller, refreshing, &wish).await.map_err(refused)
}

fn wish<'a>(door: &'static str, scope: Option<&'a str>, form: &LooseForm) -> Result<Wish<'a>> {
    Ok(Wish { door, scope, lifetime: Some(lifetime(form)?), usual: LIFETIME, user_agent: "", source: "" })
}

/// What is asked for is honoured downwards only.
fn lifetime(form: &LooseForm) -> Result<i64> {
    let Some(text) = form.get("seconds_until_expire") else { return Ok(LIFETIME) };
    let seconds = text.trim().parse::<i64>().ok().filter(|seconds| *seconds >= 1);
    let seconds = seconds.ok_or_else(|| malformed(format!("SecondsUntilExpire is no number from 1 to {LIFETIME}")))?;
    Ok(seconds.min(LIFETIME))
}

fn malformed(detail: String) -> Error {
    Error::Malformed { code: "invalid_request", detail }
}
