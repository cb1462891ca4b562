//! Signatures by keys of others. The key says how it signs; a statement of whoever presents a signature decides nothing.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use claviger_domain::jwk::Algorithm;
use claviger_domain::jws;
use std::sync::OnceLock;

fn parse(algorithm: Algorithm, public: &[u8]) -> Option<ParsedPublicKey> {
    match algorithm {
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, public).ok(),
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).ok(),
    }
}

/// Whether bytes are a key: a point of its curve.
pub fn is_key(algorithm: Algorithm, public: &[u8]) -> bool {
    parse(algorithm, public).is_some()
}

/// Whether the key has signed that. A signature has 64 bytes for each algorithm, and one spelling.
pub fn has_signed(algorithm: Algorithm, public: &[u8], signed: &str, signature: &str) -> bool {
    let signature = jws::decode_exactly::<64>(signature);
    let verify = |bytes: [u8; 64]| parse(algorithm, public)?.verify_sig(signed.as_bytes(), &bytes).ok();
    signature.and_then(verify).is_some()
}

/// Takes as long as [`has_signed`] for a key that is there.
pub fn pretend(algorithm: Algorithm, signed: &str, signature: &str) {
    // The base point of P-256, and the public key of RFC 8032's first test.
    static BYTES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let [edwards, p256] = BYTES.get_or_init(|| {
        let edwards = jws::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap_or_default();
        let x = jws::decode("axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY").unwrap_or_default();
        let y = jws::decode("T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU").unwrap_or_default();
        [edwards, [&[4][..], &x, &y].concat()]
    });
    let public = match algorithm {
        Algorithm::EdDsa => edwards,
        Algorithm::Es256 => p256,
    };
    std::hint::black_box(has_signed(algorithm, public, signed, signature));
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

    #[test]
    fn signatures_hold_for_their_key_and_text_alone() {
        let random = SystemRandom::new();
        let edwards = Ed25519KeyPair::generate().unwrap();
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let signed = [
            (Algorithm::EdDsa, edwards.public_key().as_ref().to_vec(), edwards.sign(b"a.b").as_ref().to_vec()),
            (
                Algorithm::Es256,
                p256.public_key().as_ref().to_vec(),
                p256.sign(&random, b"a.b").unwrap().as_ref().to_vec(),
            ),
        ];
        for (algorithm, public, signature) in &signed {
            let text = jws::encode(signature);
            assert!(is_key(*algorithm, public) && has_signed(*algorithm, public, "a.b", &text));
            assert!(!has_signed(*algorithm, public, "a.c", &text));
            assert!(!has_signed(*algorithm, public, "a.b", &jws::encode(&signature[..63])));
            assert!(!has_signed(*algorithm, public, "a.b", &format!("{text}=")));
            let mut swapped = signature.clone();
            swapped.rotate_left(32);
            assert!(!has_signed(*algorithm, public, "a.b", &jws::encode(&swapped)));
            let other = Algorithm::ALL.into_iter().find(|other| other != algorithm).unwrap();
            assert!(!has_signed(other, public, "a.b", &text));
            pretend(*algorithm, "a.b", &text);
        }
    }

    #[test]
    fn points_beside_the_curve_are_no_keys() {
        let mut beside = vec![4];
        beside.extend([7; 64]);
        assert!(!is_key(Algorithm::Es256, &beside) && !is_key(Algorithm::Es256, &[4; 3]));
        assert!(!is_key(Algorithm::EdDsa, &[1; 31]));
    }

    #[test]
    fn the_key_of_nobody_is_one() {
        pretend(Algorithm::EdDsa, "", "");
        let x = jws::decode("axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY").unwrap();
        let y = jws::decode("T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU").unwrap();
        assert!(is_key(Algorithm::Es256, &[&[4][..], &x, &y].concat()));
    }
}
