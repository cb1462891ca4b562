//! An identity provider on loopback, as a test wants it: it gives the tokens that it was told to give.

use crate::oauth::workload::issuer::{Key, encode};
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Who asked for tokens: the `Authorization`, and the form.
type Asked = (Option<String>, HashMap<String, String>);

pub(super) struct Idp {
    pub(super) url: String,
    pub(super) key: Key,
    /// What it says of itself besides, or otherwise.
    pub(super) says: Mutex<Map<String, Value>>,
    /// What it gives for a code, and the challenge that the code belongs to.
    pub(super) codes: Mutex<HashMap<String, (String, Value)>>,
    /// What it tells besides of whoever holds an access token.
    pub(super) told: Mutex<HashMap<String, Value>>,
    /// Everybody who asked for tokens, oldest first.
    pub(super) asked: Mutex<Vec<Asked>>,
}

impl Idp {
    pub(super) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let idp = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            key: Key::ed25519(),
            says: Mutex::default(),
            codes: Mutex::default(),
            told: Mutex::default(),
            asked: Mutex::default(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/keys", get(publish))
            .route("/token", post(exchange))
            .route("/me", get(tell))
            .with_state(Arc::clone(&idp));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        idp
    }

    /// An ID token of these claims, signed as it should be.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.key.token(&json!({"alg": "EdDSA", "kid": "k1"}), claims)
    }
}

async fn discover(State(idp): State<Arc<Idp>>) -> Response {
    let url = &idp.url;
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "userinfo_endpoint": format!("{url}/me"),
    });
    for (name, value) in idp.says.lock().iter() {
        document[name] = value.clone();
    }
    document.to_string().into_response()
}

async fn publish(State(idp): State<Arc<Idp>>) -> Response {
    json!({"keys": [idp.key.jwk("k1")]}).to_string().into_response()
}

async fn tell(State(idp): State<Arc<Idp>>, headers: HeaderMap) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match authorization.strip_prefix("Bearer ").and_then(|token| idp.told.lock().get(token).cloned()) {
        Some(told) => told.to_string().into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn exchange(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: String) -> Response {
    let form = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
    let form: HashMap<String, String> = form.query_pairs().into_owned().collect();
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    idp.asked.lock().push((authorization, form.clone()));
    let given = form.get("code").and_then(|code| idp.codes.lock().remove(code));
    let verifier = form.get("code_verifier").cloned().unwrap_or_default();
    match given {
        Some((challenge, answer)) if encode(digest(&SHA256, verifier.as_bytes())) == challenge => {
            answer.to_string().into_response()
        }
        _ => (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"}).to_string()).into_response(),
    }
}
