//! Proofs of possession (DPoP, RFC 9449): a client shows with each request that it has the key that its token is bound to.
//! Here is what a proof must say; its signature is verified elsewhere, by the key that it brings.

use crate::assertion::{Parts, any_seconds, at};
use crate::jwk::{Algorithm, PublicJwk};
use crate::jws;
use crate::time::Timestamp;
use sha2::{Digest, Sha256};

/// By how many seconds the making of a proof may differ from now, before or after.
pub const WINDOW: i64 = 60;

/// A request that a proof is to be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested<'a> {
    /// Its method.
    pub method: &'a str,
    /// The server's public URL, without a slash at its end.
    pub origin: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// The token that it presents; none where it asks for one.
    pub token: Option<&'a str>,
}

/// A proof that fits its request; its signature has not been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The key that must have signed it.
    pub key: PublicJwk,
    /// What makes it different from all others of its key.
    pub jti: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// What is signed.
    pub signed: &'a str,
    /// The signature's segment.
    pub signature: &'a str,
}

impl Proof<'_> {
    /// From when on nobody would accept it anyway.
    pub fn ends_at(&self) -> Timestamp {
        self.issued_at.plus_seconds(WINDOW)
    }
}

/// Reads a proof, if it is one for this request and was made just now.
pub fn read<'a>(text: &'a str, requested: Requested<'_>, now: Timestamp) -> Option<Proof<'a>> {
    let parts = Parts::read(text)?;
    let word = |name: &str| parts.header.get(name)?.as_str();
    let algorithm = Algorithm::parse(word("alg")?)?;
    let key = PublicJwk::parse("", parts.header.get("jwk")?.as_object()?).ok()?;
    if word("typ")? != "dpop+jwt" || key.algorithm != algorithm {
        return None;
    }
    if parts.text("htm")? != requested.method || !is_same_target(parts.text("htu")?, requested) {
        return None;
    }
    let issued_at = at(any_seconds(parts.claims.get("iat")?)?);
    if issued_at < now.plus_seconds(-WINDOW) || issued_at > now.plus_seconds(WINDOW) {
        return None;
    }
    if let Some(token) = requested.token
        && parts.text("ath")? != token_hash(token)
    {
        return None;
    }
    let jti = parts.jti()?.to_owned();
    Some(Proof { key, jti, issued_at, signed: parts.compact.signed, signature: parts.compact.signature })
}

/// What a proof calls the token it goes with.
pub fn token_hash(token: &str) -> String {
    jws::encode(&Sha256::digest(token.as_bytes()))
}

/// Whether a stated URL is the request's: query and fragment count for nothing, upper and lower case of scheme and host
/// neither, nor a port that goes without saying (RFC 3986, 6.2.2 and 6.2.3).
fn is_same_target(stated: &str, Requested { origin, path, .. }: Requested<'_>) -> bool {
    let stated = stated.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = stated.split_once("://") else { return false };
    let (authority, stated_path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let Some((own_scheme, own_rest)) = origin.split_once("://") else { return false };
    let (own_authority, prefix) = match own_rest.find('/') {
        Some(at) => own_rest.split_at(at),
        None => (own_rest, ""),
    };
    let plain = |scheme: &str, authority: &str| {
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(usual).unwrap_or(&authority).to_owned();
        (scheme, authority)
    };
    plain(scheme, authority) == plain(own_scheme, own_authority) && stated_path.strip_prefix(prefix) == Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;
    const REQUEST: Requested<'static> =
        Requested { method: "GET", origin: "https://claviger.example", path: "/v1/whoami", token: Some("a.b.c") };

    fn header() -> Value {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk })
    }

    fn claims() -> Value {
        let ath = token_hash("a.b.c");
        json!({ "jti": "1", "htm": "GET", "htu": "https://claviger.example/v1/whoami", "iat": NOW, "ath": ath })
    }

    fn accepts(header: &Value, claims: &Value, request: Requested<'_>) -> bool {
        let part = |value: &Value| jws::encode(value.to_string().as_bytes());
        let text = format!("{}.{}.AA", part(header), part(claims));
        read(&text, request, at(NOW)).is_some()
    }

    fn with(mut value: Value, name: &str, member: Value) -> Value {
        match member {
            Value::Null => {
                value.as_object_mut().unwrap().remove(name);
            }
            member => value[name] = member,
        }
        value
    }

    #[test]
    fn a_proof_is_about_its_request_and_its_token() {
        assert!(accepts(&header(), &claims(), REQUEST));
        for (name, bad) in [
            ("jti", Value::Null),
            ("htm", json!("POST")),
            ("htm", json!("get")),
            ("htm", Value::Null),
            ("htu", json!("https://claviger.example/v1/other")),
            ("htu", json!("http://claviger.example/v1/whoami")),
            ("htu", json!("https://other.example/v1/whoami")),
            ("htu", json!("https://claviger.example:8443/v1/whoami")),
            ("htu", json!("https://claviger.example@other.example/v1/whoami")),
            ("htu", json!("/v1/whoami")),
            ("htu", Value::Null),
            ("iat", json!(NOW - 61)),
            ("iat", json!(NOW + 61)),
            ("iat", json!("1800000000")),
            ("iat", Value::Null),
            ("ath", json!(token_hash("a.b.d"))),
            ("ath", Value::Null),
        ] {
            assert!(!accepts(&header(), &with(claims(), name, bad.clone()), REQUEST), "{name} {bad}");
        }
        let asking = Requested { token: None, ..REQUEST };
        assert!(accepts(&header(), &with(claims(), "ath", Value::Null), asking));
        for iat in [NOW - 60, NOW + 60] {
            assert!(accepts(&header(), &with(claims(), "iat", json!(iat)), REQUEST));
        }
    }

    #[test]
    fn a_proof_brings_a_public_key_that_fits() {
        for (name, bad) in [
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES256")),
            ("jwk", Value::Null),
            ("crit", json!(["exp"])),
        ] {
            assert!(!accepts(&with(header(), name, bad.clone()), &claims(), REQUEST), "{name} {bad}");
        }
        let mut private = header();
        private["jwk"]["d"] = json!("x");
        assert!(!accepts(&private, &claims(), REQUEST));
    }

    #[test]
    fn urls_that_mean_the_same_are_the_same() {
        for good in [
            "HTTPS://Claviger.Example/v1/whoami",
            "https://claviger.example:443/v1/whoami",
            "https://claviger.example/v1/whoami?a=b",
            "https://claviger.example/v1/whoami#x",
        ] {
            assert!(is_same_target(good, REQUEST), "{good}");
        }
        for bad in
            ["https://claviger.example/V1/whoami", "https://claviger.example/v1/whoami/", "https://claviger.example"]
        {
            assert!(!is_same_target(bad, REQUEST), "{bad}");
        }
        let beneath = Requested { origin: "https://example.org/keys", ..REQUEST };
        assert!(is_same_target("https://example.org/keys/v1/whoami", beneath));
        assert!(!is_same_target("https://example.org/v1/whoami", beneath));
    }
}
