//! `/oauth2/revoke` (RFC 7009): the end of a token.

use super::error::{Answer, answer};
use crate::kit::{Api, Form, authenticate_client};
use axum::extract::{Request, State};
use http::StatusCode;
use serde_json::json;

/// Answers `POST /oauth2/revoke`. What is no token of ours any more is revoked already.
pub(super) async fn revoke(State(api): State<Api>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = Form::read(&parts.headers, body).await?;
    let client = authenticate_client(&api, &parts, &form).await?;
    api.app.revoke_token(&client.caller, form.require("token")?).await?;
    Ok(answer(StatusCode::OK, &json!({})))
}
