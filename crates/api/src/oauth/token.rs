//! `/oauth2/token`: a credential for a session token.

use super::error::{Answer, answer_text};
use super::workload;
use crate::kit::{Api, Client, Form, authenticate_client, exchanged, presented_proof};
use axum::extract::{Request, State};
use axum::response::Response;
use claviger_app::caller::Caller;
use claviger_app::dpop::Thumbprint;
use claviger_app::sessions::{Issued, Wish};
use claviger_domain::token::{LIFETIME_DEFAULT, LIFETIME_MAX};
use claviger_domain::{Error, Result};
use http::StatusCode;
use http::request::Parts;
use std::fmt::Write as _;

/// A token as it is answered.
pub(super) struct TokenBody<'a> {
    pub(super) access_token: &'a str,
    /// What came of a token exchange (RFC 8693, 2.2.1).
    pub(super) issued_token_type: Option<&'static str>,
    pub(super) token_type: &'static str,
    pub(super) expires_in: i64,
    pub(super) scope: &'a str,
}

impl TokenBody<'_> {
    /// As JSON. Neither a token (RFC 7515) nor a scope (RFC 6749, 3.3) can have anything in it that JSON wants escaped, and to look
    /// for that in a thousand characters costs as much as to verify a secret.
    fn json(&self) -> String {
        let Self { access_token, issued_token_type, token_type, expires_in, scope } = self;
        let issued = issued_token_type.map_or_else(String::new, |kind| format!(r#""issued_token_type":"{kind}","#));
        let mut json = String::with_capacity(access_token.len() + issued.len() + scope.len() + 96);
        json.push_str(r#"{"access_token":""#);
        json.push_str(access_token);
        json.push_str("\",");
        json.push_str(&issued);
        // Writing to a text cannot fail.
        let _ = write!(json, r#""token_type":"{token_type}","expires_in":{expires_in},"scope":""#);
        json.push_str(scope);
        json.push_str("\"}");
        json
    }

    /// The answer that brings it.
    pub(super) fn answer(&self) -> Response {
        answer_text(StatusCode::OK, self.json())
    }
}

/// Answers `POST /oauth2/token`.
pub(super) async fn issue(State(api): State<Api>, request: Request) -> Answer {
    exchanged(&api, "oauth", exchange(&api, request).await)
}

async fn exchange(api: &Api, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = Form::read(&parts.headers, body).await?;
    if let Some(grant) = form.get("grant_type").and_then(workload::Grant::parse) {
        return Box::pin(workload::exchange(api, &parts, &form, grant)).await;
    }
    let client = authenticate_client(api, &parts, &form).await?;
    let binding = binding(api, &parts, &client.caller).await?;
    let issued = match form.require("grant_type")? {
        "client_credentials" => client_credentials(api, &client, &form, binding.as_ref())?,
        _ => {
            let detail = format!(
                "grant_type can be client_credentials, {} or {}",
                workload::JWT_BEARER,
                workload::TOKEN_EXCHANGE
            );
            return Err(Error::Malformed { code: "unsupported_grant_type", detail }.into());
        }
    };
    let body = TokenBody {
        access_token: &issued.text,
        issued_token_type: None,
        token_type: if binding.is_some() { "DPoP" } else { "Bearer" },
        expires_in: issued.expires_in,
        scope: &issued.scope,
    };
    Ok(body.answer())
}

/// The key that a proof of possession shows the client to have, if there is a proof (RFC 9449, 5).
pub(super) async fn binding(api: &Api, parts: &Parts, caller: &Caller) -> Result<Option<Thumbprint>> {
    let refused = || {
        let detail = "the proof in the DPoP header is not acceptable for this request, or not a new one".into();
        Error::Malformed { code: "invalid_dpop_proof", detail }
    };
    let Some(proof) = presented_proof(parts.into()).map_err(|_| refused())? else { return Ok(None) };
    let proved = Box::pin(api.app.verify_proof(proof, caller.tenant().id, api.app.clock().now())).await?;
    proved.map(Some).ok_or_else(refused)
}

fn client_credentials(
    api: &Api,
    Client { caller, user_agent }: &Client,
    form: &Form,
    binding: Option<&Thumbprint>,
) -> Result<Issued> {
    check_target(api, form)?;
    let wish = Wish {
        door: "client_credentials",
        scope: form.get("scope"),
        lifetime: lifetime(form)?,
        usual: LIFETIME_DEFAULT,
        user_agent,
        source: "",
    };
    api.app.issue_bound_token(caller, &wish, binding)
}

/// How long the token is to live at most, as the client says. More than any token lives is not granted and not refused.
pub(super) fn lifetime(form: &Form) -> Result<Option<i64>> {
    let Some(text) = form.get("expires_in") else { return Ok(None) };
    let seconds = text.parse().ok().filter(|seconds| *seconds >= 1);
    seconds.map(|seconds: i64| Some(seconds.min(LIFETIME_MAX))).ok_or_else(|| {
        let detail = "expires_in is not a number of seconds, 1 or more".into();
        Error::Malformed { code: "invalid_request", detail }
    })
}

/// Tokens are for this server alone (RFC 8707).
pub(super) fn check_target(api: &Api, form: &Form) -> Result<()> {
    let issuer = api.app.token_settings()?.issuer.as_str();
    let other = ["resource", "audience"].into_iter().filter_map(|name| form.get(name)).any(|target| target != issuer);
    if other {
        return Err(Error::Malformed { code: "invalid_target", detail: "tokens are for this server alone".into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_is_json() {
        let read = |issued_token_type| {
            let body = TokenBody {
                access_token: "a-b_c.d.e",
                issued_token_type,
                token_type: "Bearer",
                expires_in: 900,
                scope: "org.audits:READ device:list",
            };
            serde_json::from_str::<Value>(&body.json()).unwrap()
        };
        let plain = json!({
            "access_token": "a-b_c.d.e", "token_type": "Bearer", "expires_in": 900, "scope": "org.audits:READ device:list",
        });
        assert_eq!(read(None), plain);
        let mut exchanged = plain;
        exchanged["issued_token_type"] = json!("urn:x");
        assert_eq!(read(Some("urn:x")), exchanged);
    }
}
