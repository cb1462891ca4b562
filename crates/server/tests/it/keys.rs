//! Keys of clients, and what they sign.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use claviger_domain::jws;
use claviger_domain::secret::MacStates;
use serde_json::{Value, json};

/// A key pair.
pub(crate) enum Key {
    Edwards(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Key {
    pub(crate) fn edwards() -> Self {
        Self::Edwards(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Edwards(_) => "EdDSA",
            Self::P256(_) => "ES256",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Edwards(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": jws::encode(pair.public_key().as_ref())})
            }
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": jws::encode(x), "y": jws::encode(y)})
            }
        }
    }

    /// A text signed with it.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        sign(header, claims, |signed| match self {
            Self::Edwards(pair) => pair.sign(signed).as_ref().to_vec(),
            Self::P256(pair) => pair.sign(&SystemRandom::new(), signed).unwrap().as_ref().to_vec(),
        })
    }
}

/// A text signed with a secret by HS256.
pub(crate) fn sign_with_secret(secret: &str, header: &Value, claims: &Value) -> String {
    sign(header, claims, |signed| MacStates::of(secret.as_bytes()).sign(signed).to_vec())
}

fn sign(header: &Value, claims: &Value, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| jws::encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = jws::encode(&signature(signed.as_bytes()));
    format!("{signed}.{signature}")
}
