//! `/app/partner/login/regen-pass`: the secret in place of the one that was used so far, a temporary one or any other.

use super::auth::{place, refuse};
use super::error::{Answer, answer};
use crate::kit::{Api, LooseForm, with_request};
use axum::extract::{Request, State};
use claviger_app::verify::Presented;
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
#[expect(non_snake_case, reason = "the wire's name")]
struct ChangedBody {
    success: &'static str,
    message: &'static str,
    newPass: String,
}

/// Answers `POST /app/partner/login/regen-pass`. The new secret stands in this one answer.
pub(super) async fn change_secret(State(api): State<Api>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read(&parts.headers, body).await?;
    let (username, secret) = (form.require("username")?, form.require("password")?);
    let (origin, user_agent) = place(&api, &parts);
    let refused = |error| refuse(&api, error, Some(username), origin);
    let presented = Presented { client_id: username, secret };
    let caller = api.app.authenticate_to_change(presented, origin, user_agent).await.map_err(refused)?;
    let minted = api.app.change_own_secret(&with_request(caller, &parts)).await.map_err(refused)?;
    Ok(answer(StatusCode::OK, &ChangedBody { success: "1", message: "", newPass: minted.text.reveal() }))
}
