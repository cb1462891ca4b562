//! An issuer of tokens on loopback, as a test wants it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::net::TcpListener;

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs tokens.
pub(crate) enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// The public key as others see it.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(pair.public_key())}),
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Self::Rsa(pair) => {
                // SEQUENCE of two INTEGERs: 256 bytes after a zero, and the usual exponent.
                let der = pair.public_key().as_ref();
                json!({"kty": "RSA", "kid": kid, "n": encode(&der[9..265]), "e": encode(&der[267..])})
            }
        }
    }

    fn sign(&self, alg: &str, text: &str) -> Vec<u8> {
        let (random, text) = (SystemRandom::new(), text.as_bytes());
        match self {
            Self::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
            Self::P256(pair) => pair.sign(&random, text).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = if alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, text, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token with this header and these claims.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.sign(header["alg"].as_str().unwrap_or_default(), &text);
        format!("{text}.{}", encode(signature))
    }
}

/// What the issuer publishes, and how it behaves.
pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) keys: Mutex<Vec<Value>>,
    /// What its discovery document says of itself, where that is not the truth.
    pub(super) claims_to_be: Mutex<Option<String>>,
    /// Where it says its keys lie, where they do not.
    pub(super) keys_at: Mutex<Option<String>>,
    pub(super) cache_control: Mutex<Option<String>>,
    pub(super) down: AtomicBool,
    /// How often its keys were fetched.
    pub(super) fetched: AtomicUsize,
}

impl Issuer {
    pub(super) async fn start(keys: Vec<Value>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Mutex::new(keys),
            claims_to_be: Mutex::default(),
            keys_at: Mutex::default(),
            cache_control: Mutex::default(),
            down: AtomicBool::new(false),
            fetched: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/keys", get(publish))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        issuer
    }

    pub(super) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

async fn discover(State(issuer): State<Arc<Issuer>>) -> Response {
    let name = issuer.claims_to_be.lock().clone().unwrap_or_else(|| issuer.url.clone());
    let keys = issuer.keys_at.lock().clone().unwrap_or_else(|| format!("{}/keys", issuer.url));
    json!({"issuer": name, "jwks_uri": keys}).to_string().into_response()
}

async fn publish(State(issuer): State<Arc<Issuer>>) -> Response {
    issuer.fetched.fetch_add(1, Ordering::SeqCst);
    if issuer.down.load(Ordering::SeqCst) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let body = json!({"keys": *issuer.keys.lock()}).to_string();
    match issuer.cache_control.lock().clone() {
        Some(value) => ([("cache-control", value)], body).into_response(),
        None => body.into_response(),
    }
}
