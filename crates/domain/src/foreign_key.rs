//! Public keys with which others sign their tokens, as JSON Web Keys (RFC 7517, RFC 7518, RFC 8037), and the algorithms that
//! are accepted from them. A key decides which algorithms it may be used with, never a token.

use crate::jws;
use crate::{Error, Result};
use serde_json::{Map, Value};

/// Most keys of a set that are looked at.
pub const KEYS_MAX: usize = 64;
/// Most characters of a key's id.
pub const KID_MAX: usize = 256;

/// An algorithm by which others sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSA with PKCS #1 1.5 and SHA-256.
    Rs256,
    /// RSA with PSS and SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// What a word names; upper and lower case differ, as everywhere in tokens.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// What a key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// RSA: modulus and exponent, without zeros before them.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point on P-256, uncompressed.
    P256([u8; 65]),
    /// An Ed25519 key.
    Ed25519([u8; 32]),
}

/// A key that verifies tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// What tokens call it.
    pub kid: Option<String>,
    /// The only algorithm it may be used with, if it names one.
    pub only: Option<Algorithm>,
    /// What it is made of.
    pub material: Material,
}

impl ForeignKey {
    /// Reads one key, or says what is wrong with it.
    pub fn read(key: &Map<String, Value>) -> std::result::Result<Self, &'static str> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(jws::decode);
        if ["d", "p", "q", "dp", "dq", "qi", "k", "oth"].iter().any(|name| key.contains_key(*name)) {
            return Err(
                "it holds a private or a shared key; give the public one alone, and take this one as known to others",
            );
        }
        let kid = match key.get("kid") {
            None => None,
            Some(Value::String(kid)) if (1..=KID_MAX).contains(&kid.len()) => Some(kid.clone()),
            Some(_) => return Err("its kid is no text of 1 to 256 bytes"),
        };
        if key.get("use").is_some_and(|used| used != "sig") {
            return Err("its use is not sig");
        }
        let verifies = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(|one| one == "verify"));
        if key.get("key_ops").is_some_and(|list| !verifies(list)) {
            return Err("its key_ops do not hold verify");
        }
        let only = match key.get("alg") {
            None => None,
            Some(Value::String(alg)) => {
                Some(Algorithm::parse(alg).ok_or("its alg is none of RS256, PS256, ES256 and EdDSA")?)
            }
            Some(_) => return Err("its alg is no text"),
        };
        let material = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let (n, e) = (bytes("n").ok_or("its n cannot be read")?, bytes("e").ok_or("its e cannot be read")?);
                check_rsa(&n, &e)?;
                Material::Rsa { n, e }
            }
            (Some("EC"), Some("P-256")) => {
                let coordinate = |name| text(name).and_then(jws::decode_exactly::<32>);
                let (x, y) = coordinate("x").zip(coordinate("y")).ok_or("its x and y are not 32 bytes each")?;
                let mut point = [4; 65];
                point.iter_mut().skip(1).zip(x.iter().chain(&y)).for_each(|(to, from)| *to = *from);
                Material::P256(point)
            }
            (Some("OKP"), Some("Ed25519")) => {
                Material::Ed25519(text("x").and_then(jws::decode_exactly::<32>).ok_or("its x is not 32 bytes")?)
            }
            _ => return Err("it is neither RSA, nor EC with P-256, nor OKP with Ed25519"),
        };
        let key = Self { kid, only, material };
        if only.is_some_and(|only| !key.is_made_for(only)) {
            return Err("its alg does not fit its kty");
        }
        Ok(key)
    }

    /// Whether it may be used with an algorithm.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.is_made_for(algorithm)
    }

    fn is_made_for(&self, algorithm: Algorithm) -> bool {
        match &self.material {
            Material::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        }
    }
}

fn check_rsa(n: &[u8], e: &[u8]) -> std::result::Result<(), &'static str> {
    if !(256..=1_024).contains(&n.len()) || n.first().is_none_or(|first| *first < 0x80 && n.len() == 256) {
        return Err("its modulus has not 2,048 to 8,192 bits");
    }
    let canonical = |bytes: &[u8]| bytes.first().is_some_and(|first| *first != 0);
    let odd = e.last().is_some_and(|last| last & 1 == 1);
    if !canonical(n) || !canonical(e) || !odd || e.len() > 4 || e == [1] {
        return Err("its modulus or exponent is not one of RSA");
    }
    Ok(())
}

/// The keys of a set that are of use here. Of what others publish, what cannot be used is left out.
pub fn read_set(text: &[u8]) -> Option<Vec<ForeignKey>> {
    let set: Value = serde_json::from_slice(text).ok()?;
    let keys = set.get("keys")?.as_array()?;
    Some(keys.iter().take(KEYS_MAX).filter_map(|key| ForeignKey::read(key.as_object()?).ok()).collect())
}

/// Accepts the set of keys at `pointer`, all of which must be of use.
pub fn parse_set(pointer: &str, set: &Value, most: usize) -> Result<Vec<ForeignKey>> {
    let fix = format!("give {{\"keys\": […]}} with 1 to {most} public keys");
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Err(Error::invalid(pointer, "not a set of keys (RFC 7517)", fix));
    };
    if !(1..=most).contains(&keys.len()) {
        return Err(Error::invalid(&format!("{pointer}/keys"), format!("{} keys", keys.len()), fix));
    }
    let mut read: Vec<ForeignKey> = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let at = format!("{pointer}/keys/{index}");
        let refuse = |why: &str| {
            Error::invalid(&at, format!("this key cannot be used: {why}"), "give a public key for signatures")
        };
        let key = key.as_object().ok_or_else(|| refuse("it is no object"))?;
        let key = ForeignKey::read(key).map_err(refuse)?;
        if keys.len() > 1 && (key.kid.is_none() || read.iter().any(|other| other.kid == key.kid)) {
            return Err(refuse("of several keys each needs a kid of its own"));
        }
        read.push(key);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rsa(bits: usize) -> Value {
        let mut n = vec![0xff; bits / 8];
        n[0] = 0x80;
        json!({"kty": "RSA", "kid": "r", "n": jws::encode(&n), "e": "AQAB"})
    }

    fn ed25519(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": jws::encode(&[7; 32])})
    }

    fn p256() -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": jws::encode(&[7; 32]), "y": jws::encode(&[8; 32])})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    fn read(key: &Value) -> std::result::Result<ForeignKey, &'static str> {
        ForeignKey::read(key.as_object().unwrap())
    }

    #[test]
    fn a_key_serves_its_own_algorithms() {
        let serves = |key: &Value| -> Vec<_> {
            let key = read(key).unwrap();
            Algorithm::ALL.into_iter().filter(|one| key.serves(*one)).map(Algorithm::as_str).collect()
        };
        assert_eq!(serves(&rsa(2_048)), ["RS256", "PS256"]);
        assert_eq!(serves(&with(rsa(4_096), "alg", json!("PS256"))), ["PS256"]);
        assert_eq!(serves(&p256()), ["ES256"]);
        assert_eq!(serves(&ed25519("k")), ["EdDSA"]);
        for word in ["none", "None", "HS256", "rs256", "RS512", ""] {
            assert_eq!(Algorithm::parse(word), None, "{word}");
        }
    }

    #[test]
    fn keys_that_are_of_no_use_are_told_so() {
        for bad in [
            rsa(1_024),
            rsa(16_384),
            with(rsa(2_048), "e", json!("AQ")),
            with(rsa(2_048), "e", json!("Ag")),
            with(rsa(2_048), "n", json!(1)),
            with(rsa(2_048), "n", json!(jws::encode(&[&[0][..], &[0xff; 256]].concat()))),
            with(rsa(2_048), "d", json!("AQAB")),
            with(rsa(2_048), "use", json!("enc")),
            with(rsa(2_048), "key_ops", json!(["sign"])),
            with(rsa(2_048), "alg", json!("RS1")),
            with(rsa(2_048), "alg", json!("HS256")),
            with(rsa(2_048), "alg", json!("EdDSA")),
            with(rsa(2_048), "kid", json!("")),
            with(rsa(2_048), "kid", json!("x".repeat(257))),
            with(p256(), "crv", json!("P-384")),
            with(p256(), "y", json!("AQ")),
            with(ed25519("k"), "crv", json!("X25519")),
            json!({"kty": "oct", "k": "AQAB"}),
            json!({}),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fetched_sets_leave_out_what_given_ones_must_not_hold() {
        let set = json!({"keys": [ed25519("a"), {"kty": "oct", "k": "AQ"}, 7, p256()], "x": 1});
        assert_eq!(read_set(set.to_string().as_bytes()).unwrap().len(), 2);
        assert!(parse_set("/jwks", &set, 9).is_err());
        assert_eq!(parse_set("/jwks", &json!({"keys": [ed25519("a"), p256()]}), 2).unwrap().len(), 2);
        for bad in [
            json!({}),
            json!({"keys": []}),
            json!({"keys": [ed25519("a"), ed25519("a")]}),
            json!({"keys": [ed25519("a"), with(p256(), "kid", Value::Null)]}),
            json!({"keys": [ed25519("a"), ed25519("b"), ed25519("c")]}),
        ] {
            assert!(parse_set("/jwks", &bad, 2).is_err(), "{bad}");
        }
        for bad in ["", "[]", "{}", "{\"keys\":{}}"] {
            assert_eq!(read_set(bad.as_bytes()), None);
        }
    }
}
