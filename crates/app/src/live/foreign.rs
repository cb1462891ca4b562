//! Signatures of trusted issuers. The key decides by which algorithms it may be used; the token only says which of those.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use claviger_domain::foreign_key::{Algorithm, ForeignKey, Material};
use claviger_domain::jws::{self, Compact};

/// Whether what a key is made of is a key: a point of its curve.
pub fn is_key(key: &ForeignKey) -> bool {
    match &key.material {
        Material::Rsa { .. } => true,
        Material::P256(point) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok(),
        Material::Ed25519(point) => ParsedPublicKey::new(&ED25519, point).is_ok(),
    }
}

/// Whether the key has signed a token by that algorithm.
pub fn has_signed(key: &ForeignKey, algorithm: Algorithm, parts: Compact<'_>) -> bool {
    let Some(signature) = jws::decode(parts.signature).filter(|_| key.serves(algorithm)) else { return false };
    let signed = parts.signed.as_bytes();
    let verified = match (&key.material, algorithm) {
        (Material::Rsa { n, e }, Algorithm::Rs256) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, &signature).ok()
        }
        (Material::Rsa { n, e }, Algorithm::Ps256) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, signed, &signature).ok()
        }
        (Material::P256(point), Algorithm::Es256) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .ok()
            .and_then(|key| key.verify_sig(signed, &signature).ok()),
        (Material::Ed25519(point), Algorithm::EdDsa) => {
            ParsedPublicKey::new(&ED25519, point).ok().and_then(|key| key.verify_sig(signed, &signature).ok())
        }
        _ => None,
    };
    verified.is_some()
}

/// Takes about as long as a signature that is looked at, where there is no key to look at it with.
pub fn pretend(parts: Compact<'_>) {
    // The public key of RFC 8032's first test.
    let point = jws::decode_exactly::<32>("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap_or_default();
    let key = ForeignKey { kid: None, only: None, material: Material::Ed25519(point) };
    std::hint::black_box(has_signed(&key, Algorithm::EdDsa, parts));
}
