//! Assertions by which clients prove who they are: a signed text of the client's own, accepted once (RFC 7521, RFC 7523). Here
//! is what one must say; whose key has signed it is asked elsewhere.

use crate::jwk::Algorithm;
use crate::jws::{self, Compact};
use crate::time::Timestamp;
use crate::token::LEEWAY;
use serde_json::{Map, Value};

/// Most seconds that an assertion signed by a client's key may lie ahead of its end.
pub const LIFETIME_MAX: i64 = 600;
/// Most bytes of what makes an assertion different from all others.
pub const JTI_MAX: usize = 512;
/// The latest second that can be meant: the end of the year 9999.
const LATEST: i64 = 253_402_300_799;

/// What an assertion is signed with, as its header states. The key decides, and the statement must fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedBy<'a> {
    /// HMAC-SHA-256 by one of the application's secrets.
    Secret,
    /// One of the application's keys.
    Key {
        /// How.
        algorithm: Algorithm,
        /// Which, if it is said.
        kid: Option<&'a str>,
    },
}

/// An assertion whose claims fit; its signature has not been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assertion<'a> {
    /// For whom it stands: the client id.
    pub client_id: &'a str,
    /// The tenant it names; none where its form has no such claim.
    pub tenant: Option<&'a str>,
    /// What makes it different from all others of its client.
    pub jti: &'a str,
    /// When it was made at the earliest.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it is signed with.
    pub by: SignedBy<'a>,
    /// What is signed.
    pub signed: &'a str,
    /// The signature's segment.
    pub signature: &'a str,
}

/// A text taken apart: header and claims as objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts<'a> {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// Its segments.
    pub compact: Compact<'a>,
}

/// Members of a header that would change what is verified, or by which key.
const REFUSED: [&str; 8] = ["crit", "b64", "jku", "x5u", "x5c", "x5t", "zip", "enc"];

impl<'a> Parts<'a> {
    /// Takes a text apart, unless its header wants something that is not done here. A header brings a key (`jwk`) only where
    /// a form says so.
    pub fn read(text: &'a str) -> Option<Self> {
        let compact = jws::split(text)?;
        let header = jws::object(compact.header)?;
        if REFUSED.iter().any(|name| header.contains_key(*name)) {
            return None;
        }
        let claims = jws::object(compact.payload)?;
        Some(Self { header, claims, compact })
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// The claim that makes a text different from all others.
    pub fn jti(&self) -> Option<&str> {
        self.text("jti").filter(|jti| !jti.is_empty() && jti.len() <= JTI_MAX)
    }
}

/// A time in whole seconds since 1970, as a claim has it.
pub fn whole_seconds(value: &Value) -> Option<i64> {
    value.as_i64().filter(|seconds| (0..=LATEST).contains(seconds))
}

/// The same where fractions are allowed: they are cut off.
#[expect(clippy::cast_possible_truncation, reason = "looked at before")]
pub fn any_seconds(value: &Value) -> Option<i64> {
    let cut = || value.as_f64().filter(|seconds| (0.0..=253_402_300_799.0).contains(seconds)).map(|found| found as i64);
    if value.is_f64() { cut() } else { whole_seconds(value) }
}

/// A time of a claim.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(seconds)
}

/// Whether something that begins and ends then holds now, as far as two clocks agree.
pub fn holds(begins: Option<i64>, ends: i64, now: Timestamp) -> bool {
    begins.is_none_or(|begins| at(begins) <= now.plus_seconds(LEEWAY)) && at(ends) > now.plus_seconds(-LEEWAY)
}

impl Parts<'_> {
    /// The assertion of a client that signs with a key of its own (RFC 7523, 2.2 and 3), for one of these audiences, if it is
    /// one and holds now.
    pub fn client_assertion(&self, audiences: &[&str], now: Timestamp) -> Option<Assertion<'_>> {
        let word = |name: &str| match self.header.get(name) {
            None => Some(None),
            Some(value) => value.as_str().map(Some),
        };
        let typed = word("typ")?
            .is_none_or(|typ| ["jwt", "client-authentication+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)));
        if !typed || self.header.contains_key("jwk") {
            return None;
        }
        let algorithm = Algorithm::parse(word("alg")??)?;
        let client_id = self.text("sub").filter(|sub| self.text("iss") == Some(*sub))?;
        // One text only: what is meant for others, too, could be used here by them.
        self.text("aud").filter(|aud| audiences.contains(aud))?;
        let time = |name: &str| match self.claims.get(name) {
            None => Some(None),
            Some(value) => whole_seconds(value).map(Some),
        };
        let (exp, iat, nbf) = (time("exp")??, time("iat")?, time("nbf")?);
        let ahead = at(exp) > now.plus_seconds(LIFETIME_MAX + LEEWAY);
        if ahead || !holds(iat, exp, now) || !holds(nbf, exp, now) || iat.is_some_and(|iat| iat >= exp) {
            return None;
        }
        Some(Assertion {
            client_id,
            tenant: None,
            jti: self.jti()?,
            issued_at: at(iat.unwrap_or(exp - LIFETIME_MAX)),
            expires_at: at(exp),
            by: SignedBy::Key { algorithm, kid: word("kid")? },
            signed: self.compact.signed,
            signature: self.compact.signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;
    const AUDIENCES: [&str; 2] = ["https://claviger.example", "https://claviger.example/oauth2/token"];

    fn claims() -> Value {
        json!({ "iss": "client", "sub": "client", "aud": AUDIENCES[1], "jti": "1", "iat": NOW, "exp": NOW + 300 })
    }

    fn text(header: &Value, claims: &Value) -> String {
        format!("{}.{}.AA", jws::encode(header.to_string().as_bytes()), jws::encode(claims.to_string().as_bytes()))
    }

    fn accepts(header: &Value, claims: &Value) -> bool {
        let text = text(header, claims);
        Parts::read(&text).is_some_and(|parts| parts.client_assertion(&AUDIENCES, at(NOW)).is_some())
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        match value {
            Value::Null => {
                claims.as_object_mut().unwrap().remove(name);
            }
            value => claims[name] = value,
        }
        claims
    }

    #[test]
    fn claims_are_of_their_types_and_hold_now() {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": "k" });
        assert!(accepts(&header, &claims()));
        let good = [
            ("aud", json!(AUDIENCES[0])),
            ("iat", Value::Null),
            ("iat", json!(NOW + 30)),
            ("exp", json!(NOW + 630)),
            ("nbf", json!(NOW - 5)),
            ("more", json!({ "a": 1 })),
        ];
        for (name, value) in good {
            assert!(accepts(&header, &with(name, value.clone())), "{name} {value}");
        }
        let bad = [
            ("iss", json!("other")),
            ("iss", Value::Null),
            ("sub", Value::Null),
            ("aud", Value::Null),
            ("aud", json!(AUDIENCES)),
            ("aud", json!([AUDIENCES[0]])),
            ("aud", json!("https://claviger.example/")),
            ("aud", json!("https://other.example/oauth2/token")),
            ("jti", Value::Null),
            ("jti", json!("")),
            ("jti", json!(7)),
            ("jti", json!("j".repeat(JTI_MAX + 1))),
            ("exp", Value::Null),
            ("exp", json!(NOW - 31)),
            ("exp", json!(NOW + 631)),
            ("exp", json!(NOW * 1_000)),
            ("iat", json!(NOW + 31)),
            ("iat", json!(NOW + 300)),
            ("nbf", json!(NOW + 31)),
        ];
        for (name, value) in bad {
            assert!(!accepts(&header, &with(name, value.clone())), "{name} {value}");
        }
        for name in ["exp", "iat", "nbf"] {
            for value in [json!("1800000000"), json!(1_800_000_000.5), json!(-1), json!(1e300), json!([]), json!({})] {
                assert!(!accepts(&header, &with(name, value.clone())), "{name} {value}");
            }
        }
    }

    #[test]
    fn headers_choose_nothing() {
        for good in [json!({ "alg": "EdDSA" }), json!({ "alg": "ES256", "typ": "client-authentication+jwt" })] {
            assert!(accepts(&good, &claims()), "{good}");
        }
        for alg in ["none", "None", "NONE", "HS256", "RS256", "PS256", "ES384", "es256", ""] {
            assert!(!accepts(&json!({ "alg": alg }), &claims()), "{alg}");
        }
        for name in ["jwk", "jku", "x5u", "x5c", "crit", "b64"] {
            let mut header = json!({ "alg": "ES256" });
            header[name] = json!("https://attacker.example");
            assert!(!accepts(&header, &claims()), "{name}");
        }
        for typ in ["at+jwt", "dpop+jwt", "id_token"] {
            assert!(!accepts(&json!({ "alg": "ES256", "typ": typ }), &claims()), "{typ}");
        }
        assert!(!accepts(&json!({ "alg": "ES256", "kid": 7 }), &claims()) && !accepts(&json!({}), &claims()));
        let twice = format!("{}.{}.AA", jws::encode(br#"{"alg":"ES256"}"#), jws::encode(br#"{"sub":"a","sub":"b"}"#));
        assert_eq!(Parts::read(&twice), None);
    }

    #[test]
    fn without_a_time_of_making_the_earliest_is_taken() {
        let text = text(&json!({ "alg": "EdDSA" }), &with("iat", Value::Null));
        let parts = Parts::read(&text).unwrap();
        let assertion = parts.client_assertion(&AUDIENCES, at(NOW)).unwrap();
        assert_eq!(assertion.issued_at, at(NOW + 300 - LIFETIME_MAX));
    }

    #[test]
    fn fractions_are_cut_off_where_they_are_allowed() {
        assert_eq!(any_seconds(&json!(1_800_000_000.9)), Some(1_800_000_000));
        assert_eq!(any_seconds(&json!(5_000_000_000_i64)), Some(5_000_000_000));
        for bad in [json!(-1.0), json!(1e300), json!("1"), json!(null), json!(u64::MAX)] {
            assert_eq!(any_seconds(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[A-Za-z0-9_.-]{0,200}") {
            if let Some(parts) = Parts::read(&text) {
                let _ = parts.client_assertion(&AUDIENCES, at(NOW));
            }
        }
    }
}
