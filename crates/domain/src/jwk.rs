//! Public keys of others as JSON Web Keys (RFC 7517): Ed25519 (RFC 8037) and P-256 (RFC 7518). Whatever holds a private or a
//! shared key, and whatever is weak, is refused by its name.

use crate::jws;
use crate::{Error, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// How a key signs. The key says it, never what it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::EdDsa, Self::Es256];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The algorithm that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicJwk {
    /// How it signs.
    pub algorithm: Algorithm,
    /// The key: 32 bytes for Ed25519, an uncompressed point of 65 bytes for P-256.
    pub public: Vec<u8>,
    /// What it calls itself, if it does.
    pub kid: Option<String>,
}

/// Members that hold what nobody but the key's owner may know.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Encodings of points of small order, without the sign: signatures by these say nothing.
const SMALL: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];
const FIX: &str = "give the public half of an Ed25519 key (kty OKP) or of a P-256 key (kty EC)";

impl PublicJwk {
    /// Accepts a key that stands at `pointer`. Members that say nothing about it are left alone.
    pub fn parse(pointer: &str, members: &Map<String, Value>) -> Result<Self> {
        let at = |name: &str| format!("{pointer}/{name}");
        if let Some(name) = PRIVATE.into_iter().find(|name| members.contains_key(*name)) {
            let message = "a private or shared key: it is known to others now";
            let fix = "make a new key, and give its public half only";
            return Err(Error::invalid(&at(name), message, fix));
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Error::invalid(&at(name), "not a text", FIX)),
        };
        let (algorithm, curve) = match text("kty")? {
            Some("OKP") => (Algorithm::EdDsa, "Ed25519"),
            Some("EC") => (Algorithm::Es256, "P-256"),
            Some("RSA") => return Err(Error::invalid(&at("kty"), "RSA keys are not taken", FIX)),
            Some("oct") => return Err(Error::invalid(&at("kty"), "a shared key is no public key", FIX)),
            _ => return Err(Error::invalid(&at("kty"), "the type of the key is missing or not known", FIX)),
        };
        if text("crv")? != Some(curve) {
            return Err(Error::invalid(&at("crv"), format!("not {curve}"), FIX));
        }
        if text("alg")?.is_some_and(|stated| stated != algorithm.as_str()) {
            let message = format!("such a key signs {} and nothing else", algorithm.as_str());
            return Err(Error::invalid(&at("alg"), message, "leave alg out, or say so"));
        }
        if text("use")?.is_some_and(|stated| stated != "sig") {
            return Err(Error::invalid(&at("use"), "the key is not for signatures", "give a key for signatures"));
        }
        if let Some(operations) = members.get("key_ops")
            && !operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
        {
            return Err(Error::invalid(&at("key_ops"), "the key is not for verifying", "give a key for signatures"));
        }
        let coordinate = |name: &str| {
            let bytes = text(name)?.and_then(jws::decode_exactly::<32>);
            bytes.ok_or_else(|| Error::invalid(&at(name), "not 32 bytes in base64url without padding", FIX))
        };
        let x = coordinate("x")?;
        let public = match algorithm {
            Algorithm::EdDsa if is_small(&x) => {
                let fix = "make a new key: signatures by this one can be forged by anybody";
                return Err(Error::invalid(&at("x"), "a weak key, of small order", fix));
            }
            Algorithm::EdDsa => x.to_vec(),
            Algorithm::Es256 => [&[4][..], &x, &coordinate("y")?].concat(),
        };
        Ok(Self { algorithm, public, kid: text("kid")?.map(str::to_owned) })
    }

    /// The members of the key, and nothing else.
    pub fn members(&self) -> Value {
        members(self.algorithm, &self.public)
    }

    /// Its thumbprint (RFC 7638) by SHA-256.
    pub fn thumbprint(&self) -> String {
        jws::encode(&Sha256::digest(self.members().to_string().as_bytes()))
    }
}

/// The members of a key, sorted by name as its thumbprint wants them.
pub fn members(algorithm: Algorithm, public: &[u8]) -> Value {
    match algorithm {
        Algorithm::EdDsa => json!({ "crv": "Ed25519", "kty": "OKP", "x": jws::encode(public) }),
        Algorithm::Es256 => {
            let (x, y) = public.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
            json!({ "crv": "P-256", "kty": "EC", "x": jws::encode(x), "y": jws::encode(y) })
        }
    }
}

fn is_small(x: &[u8; 32]) -> bool {
    let mut hex = String::with_capacity(64);
    for (index, byte) in x.iter().enumerate() {
        let byte = if index == 31 { byte & 0x7f } else { *byte };
        hex.push_str(&format!("{byte:02x}"));
    }
    SMALL.contains(&hex.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of RFC 8037, appendix A.
    const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ed25519() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519 })
    }

    fn p256() -> Value {
        // Of RFC 7517, appendix A.1.
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        })
    }

    fn parse(value: &Value) -> Result<PublicJwk> {
        PublicJwk::parse("/jwk", value.as_object().unwrap())
    }

    fn pointer(value: &Value) -> String {
        match parse(value) {
            Err(Error::Invalid(fields)) => fields[0].pointer.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let key = parse(&ed25519()).unwrap();
        assert_eq!((key.algorithm, key.public.len()), (Algorithm::EdDsa, 32));
        // RFC 8037, A.3.
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let key = parse(&p256()).unwrap();
        assert_eq!((key.algorithm, key.public.len()), (Algorithm::Es256, 65));
        assert_eq!(key.members()["y"], p256()["y"]);
    }

    #[test]
    fn private_shared_and_weak_keys_are_refused_by_name() {
        let with = |name: &str, value: Value| {
            let mut key = ed25519();
            key[name] = value;
            key
        };
        assert_eq!(pointer(&with("d", json!("x"))), "/jwk/d");
        assert_eq!(pointer(&json!({ "kty": "oct", "k": "x" })), "/jwk/k");
        assert_eq!(pointer(&json!({ "kty": "oct" })), "/jwk/kty");
        assert_eq!(pointer(&json!({ "kty": "RSA", "n": "x", "e": "AQAB" })), "/jwk/kty");
        assert_eq!(pointer(&with("crv", json!("X25519"))), "/jwk/crv");
        assert_eq!(pointer(&with("crv", json!("Ed448"))), "/jwk/crv");
        assert_eq!(pointer(&with("alg", json!("HS256"))), "/jwk/alg");
        assert_eq!(pointer(&with("use", json!("enc"))), "/jwk/use");
        assert_eq!(pointer(&with("key_ops", json!(["encrypt"]))), "/jwk/key_ops");
        assert_eq!(pointer(&with("kid", json!(7))), "/jwk/kid");
        for x in
            ["", "AA", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"]
        {
            assert_eq!(pointer(&with("x", json!(x))), "/jwk/x", "{x}");
        }
        for small in SMALL {
            let mut bytes: Vec<u8> =
                (0..32).map(|at| u8::from_str_radix(&small[2 * at..2 * at + 2], 16).unwrap()).collect();
            for sign in [0, 0x80] {
                bytes[31] |= sign;
                assert_eq!(pointer(&with("x", json!(jws::encode(&bytes)))), "/jwk/x");
            }
        }
        let mut half = p256();
        half.as_object_mut().unwrap().remove("y");
        assert_eq!(pointer(&half), "/jwk/y");
        let more = [("alg", json!("EdDSA")), ("use", json!("sig")), ("kid", json!("k")), ("x5t", json!("left alone"))];
        for (name, value) in more {
            assert!(parse(&with(name, value)).is_ok(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn keys_round_trip(bytes in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
            prop_assume!(!is_small(&bytes));
            for (algorithm, public) in [
                (Algorithm::EdDsa, bytes.to_vec()),
                (Algorithm::Es256, [&[4][..], &bytes, &other].concat()),
            ] {
                let key = parse(&members(algorithm, &public)).unwrap();
                prop_assert_eq!((key.algorithm, key.public), (algorithm, public));
            }
        }
    }
}
