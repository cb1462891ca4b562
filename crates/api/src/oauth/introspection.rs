//! `/oauth2/introspect` (RFC 7662): whether a token of the caller's tenant holds, and what it allows.

use super::error::{Answer, answer};
use crate::kit::{Api, Form, authenticate_client};
use axum::extract::{Request, State};
use claviger_app::dpop::Thumbprint;
use claviger_app::sessions::Inspected;
use http::StatusCode;
use serde_json::{Value, json};

/// Answers `POST /oauth2/introspect`.
pub(super) async fn introspect(State(api): State<Api>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = Form::read(&parts.headers, body).await?;
    let client = authenticate_client(&api, &parts, &form).await?;
    let found = api.app.inspect_token(&client.caller, form.require("token")?).await?;
    Ok(answer(StatusCode::OK, &found.map_or_else(|| json!({ "active": false }), |found| describe(&found))))
}

fn describe(Inspected { session, scope, issuer }: &Inspected) -> Value {
    let mut body = json!({
        "active": true,
        "scope": scope,
        "client_id": session.client_id,
        "token_type": if session.binding.is_some() { "DPoP" } else { "Bearer" },
        "exp": session.expires_at.seconds(),
        "iat": session.issued_at.seconds(),
        "sub": session.client_id,
        "aud": issuer,
        "iss": issuer,
        "jti": session.token,
        "tid": session.tenant,
        "app": session.application,
    });
    if let (Some(Thumbprint(jkt)), Value::Object(members)) = (&session.binding, &mut body) {
        members.insert("cnf".into(), json!({ "jkt": jkt }));
    }
    body
}
