//! What `/.well-known` says: where the doors are (RFC 8414), and the keys that verify tokens (RFC 7517, RFC 8037).

use super::error::{Answer, answer};
use super::workload::{JWT_BEARER, TOKEN_EXCHANGE};
use crate::kit::Api;
use axum::extract::State;
use axum::response::Response;
use claviger_domain::jwk::Algorithm;
use claviger_domain::jws;
use claviger_domain::signing::COPY_SECONDS;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "/oauth2/token";
pub(super) const INTROSPECTION: &str = "/oauth2/introspect";
pub(super) const REVOCATION: &str = "/oauth2/revoke";
pub(super) const KEYS: &str = "/.well-known/jwks.json";

/// Answers `GET /.well-known/jwks.json`.
pub(super) async fn read_keys(State(api): State<Api>) -> Answer {
    let keys: Vec<Value> = api
        .app
        .published_keys()
        .iter()
        .map(|key| {
            let x = jws::encode(&key.public);
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.kid, "x": x })
        })
        .collect();
    Ok(kept(&json!({ "keys": keys })))
}

/// Answers `GET /.well-known/oauth-authorization-server`.
pub(super) async fn read_metadata(State(api): State<Api>) -> Answer {
    let issuer = &api.app.token_settings()?.issuer;
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let algorithms = Algorithm::ALL.map(Algorithm::as_str);
    Ok(kept(&json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN}"),
        "introspection_endpoint": format!("{issuer}{INTROSPECTION}"),
        "revocation_endpoint": format!("{issuer}{REVOCATION}"),
        "jwks_uri": format!("{issuer}{KEYS}"),
        "grant_types_supported": ["client_credentials", JWT_BEARER, TOKEN_EXCHANGE],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
    })))
}

/// An answer that others may keep for a while: for less time than a new key waits.
fn kept(body: &Value) -> Response {
    let mut response = answer(StatusCode::OK, body);
    response.headers_mut().remove("pragma");
    if let Ok(value) = HeaderValue::try_from(format!("public, max-age={COPY_SECONDS}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}
