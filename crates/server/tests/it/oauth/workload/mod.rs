//! Tokens of trusted issuers in place of secrets.

mod fetching;
mod forged;
pub(crate) mod issuer;
mod nodes;
mod static_secrets;
mod trial;
mod trust;

use self::issuer::{Issuer, Key};
use super::encode;
use crate::fixture::{Answer, Client, Fixture, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// An organisation with an application that the tokens of an issuer stand for.
struct Scene {
    org: String,
    /// The application's id, which is its client id.
    application: String,
    client: Client,
    issuer: Arc<Issuer>,
    key: Key,
    /// The trusted issuer as it was made.
    trusted: Value,
}

impl Scene {
    async fn set(f: &Fixture) -> Self {
        Self::with(f, Key::ed25519(), "EdDSA").await
    }

    async fn with(f: &Fixture, key: Key, alg: &str) -> Self {
        let (org, _) = f.organization("Acme").await;
        let (application, client) = f.application(&org, "Build", json!({"org.audits": ["READ"]})).await;
        let issuer = Issuer::start(vec![key.jwk("k1")]).await;
        let body = json!({
            "name": "CI", "issuer": issuer.url, "algorithms": [alg],
            "bindings": [binding(&application, "repo:acme/app:*")],
        });
        let trusted = f.operator.post(&format!("/v1/tenants/{org}/trusted-issuers"), &body).await.expect(201);
        Self { org, application, client, issuer, key, trusted }
    }

    fn path(&self) -> String {
        format!("/v1/tenants/{}/trusted-issuers/{}", self.org, self.trusted["id"].as_str().unwrap())
    }

    fn claims(&self, f: &Fixture) -> Value {
        let now = f.app.clock().now().seconds();
        json!({
            "iss": self.issuer.url, "sub": "repo:acme/app:main", "aud": self.client.base,
            "iat": now, "exp": now + 300, "jti": format!("{:?}", std::time::Instant::now()),
        })
    }

    fn token(&self, f: &Fixture) -> String {
        self.signed(&self.claims(f))
    }

    fn signed(&self, claims: &Value) -> String {
        self.key.token(&json!({"alg": "EdDSA", "kid": "k1"}), claims)
    }

    /// Presents a token as an assertion for the application.
    async fn assert(&self, token: &str) -> Answer {
        self.present(token, &[("client_id", &self.application)]).await
    }

    async fn present(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        present(&self.client, token, more).await
    }

    /// A session token.
    async fn session(&self, f: &Fixture) -> String {
        let issued = self.assert(&self.token(f)).await.expect(200);
        issued["access_token"].as_str().unwrap().to_owned()
    }
}

fn binding(application: &str, sub: &str) -> Value {
    json!({"application_id": application, "conditions": [{"claim": "sub", "matches": sub}]})
}

/// Sends a form without a credential.
async fn bare(client: &Client, parameters: &[(&str, &str)]) -> Answer {
    let request = client.bare(Method::POST, "/oauth2/token");
    send(request.header("content-type", "application/x-www-form-urlencoded").body(encode(parameters))).await
}

async fn present(client: &Client, token: &str, more: &[(&str, &str)]) -> Answer {
    let parameters: Vec<_> =
        [("grant_type", JWT_BEARER), ("assertion", token)].into_iter().chain(more.iter().copied()).collect();
    bare(client, &parameters).await
}

/// The reasons of the denials in a tenant's record.
async fn reasons(f: &Fixture, tenant: &str) -> Vec<String> {
    let entries = f.audit(tenant).await;
    let reason = |entry: &Value| entry["details"]["reason"].as_str().map(str::to_owned);
    entries.iter().filter_map(reason).collect()
}
