//! Session tokens over OAuth 2.0, and what they are accepted for.

mod assertion;
mod clients;
mod dpop;
mod forged;
mod issue;
mod keys;
mod revocation;
mod scope;
pub(crate) mod workload;

use crate::fixture::{Answer, Client, send};
use reqwest::Method;
use serde_json::Value;

/// Presents a form at a path.
pub(super) async fn form(client: &Client, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let request = client.bare(Method::POST, path).basic_auth(&client.client_id, Some(&client.secret));
    send(request.header("content-type", "application/x-www-form-urlencoded").body(encode(parameters))).await
}

/// Parameters as a form.
pub(super) fn encode(parameters: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect()
    };
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    pairs.join("&")
}

/// Exchanges a credential for a token; further parameters come with it.
pub(super) async fn exchange(client: &Client, more: &[(&str, &str)]) -> Answer {
    let parameters: Vec<_> = [("grant_type", "client_credentials")].into_iter().chain(more.iter().copied()).collect();
    form(client, "/oauth2/token", &parameters).await
}

/// The token that a credential is exchanged for.
pub(super) async fn token(client: &Client, more: &[(&str, &str)]) -> String {
    exchange(client, more).await.expect(200)["access_token"].as_str().unwrap().to_owned()
}

/// Calls with a token.
pub(super) async fn with_token(
    client: &Client,
    method: Method,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> Answer {
    let request = client.bare(method, path).bearer_auth(token);
    match body {
        Some(body) => send(request.json(body)).await,
        None => send(request).await,
    }
}

/// Who a token belongs to.
pub(super) async fn whoami(client: &Client, token: &str) -> Answer {
    with_token(client, Method::GET, "/v1/whoami", token, None).await
}

/// The status that a protecting proxy gets for a token.
pub(super) async fn verify(client: &Client, right: &str, token: &str) -> u16 {
    let path = format!("/v1/verify?permission={right}&tenant=any");
    with_token(client, Method::GET, &path, token, None).await.status.as_u16()
}
