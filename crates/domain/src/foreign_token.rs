//! Tokens that others have signed, read strictly: the header says which key and nothing else, and the claims must be there
//! once and of their types. What cannot be told a stranger is told the tenant, as a [`Mismatch`].

use crate::foreign_key::{Algorithm, KID_MAX};
use crate::jws::{self, Compact};
use crate::time::Timestamp;
use crate::token::LEEWAY;
use crate::trusted_issuer::AGE_MAX;
use serde_json::{Map, Value};

/// Most bytes of a token of somebody else.
pub const TEXT_MAX: usize = 8_192;
/// Most characters of a token's id.
pub const JTI_MAX: usize = 256;
/// Most characters of the subject.
pub const SUBJECT_MAX: usize = 1_024;

/// Why a token of a trusted issuer was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The header names an algorithm that is not allowed, or something that is not done here.
    Header,
    /// No key of the issuer has that id and algorithm.
    Key,
    /// The key has not signed this.
    Signature,
    /// A claim is missing or of another type.
    Claims,
    /// It is for somebody else.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    Early,
    /// It is older than the issuer's tokens may be.
    Old,
    /// It has been used before.
    Used,
    /// No binding fits it.
    Binding,
    /// Bindings to several applications fit it, and none was named.
    Ambiguous,
}

impl Mismatch {
    /// The stable code, as audit entries have it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Header => "issuer_token_header",
            Self::Key => "issuer_key_unknown",
            Self::Signature => "issuer_token_signature",
            Self::Claims => "issuer_token_claims",
            Self::Audience => "issuer_token_audience",
            Self::Expired => "issuer_token_expired",
            Self::Early => "issuer_token_early",
            Self::Old => "issuer_token_old",
            Self::Used => "issuer_token_used",
            Self::Binding => "issuer_token_unbound",
            Self::Ambiguous => "issuer_token_ambiguous",
        }
    }
}

/// Which key is to have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// The key, if it is named.
    pub kid: Option<String>,
}

/// What a token says, before anybody has verified it.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// Its segments.
    pub parts: Compact<'a>,
    /// All claims.
    pub claims: Map<String, Value>,
    /// Who claims to have signed it.
    pub issuer: String,
}

/// Takes a token apart as far as one must to know whose it claims to be.
pub fn read(text: &str) -> Option<Unverified<'_>> {
    let parts = jws::split_within(text, TEXT_MAX)?;
    let claims = jws::object(parts.payload)?;
    let issuer = claims.get("iss")?.as_str()?.to_owned();
    Some(Unverified { parts, claims, issuer })
}

/// Reads a header's segment. What would have the verifier fetch, believe or skip something is refused.
pub fn read_header(segment: &str) -> Result<Header, Mismatch> {
    let header = jws::object(segment).ok_or(Mismatch::Header)?;
    if ["jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"].iter().any(|name| header.contains_key(*name)) {
        return Err(Mismatch::Header);
    }
    let is_token = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
    if header.get("typ").is_some_and(|typ| !is_token(typ)) {
        return Err(Mismatch::Header);
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse).ok_or(Mismatch::Header)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if (1..=KID_MAX).contains(&kid.len()) => Some(kid.clone()),
        Some(_) => return Err(Mismatch::Header),
    };
    Ok(Header { algorithm, kid })
}

/// What is needed of the claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Who the token is about.
    pub subject: String,
    /// Its id, if it has one.
    pub jti: Option<String>,
    /// The earliest moment at which it could have been accepted.
    pub valid_from: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// From when on nobody accepts it, since it has ended or is older than any issuer is allowed to make it.
    pub useless_from: Timestamp,
}

/// Checks the claims of a token whose signature was right, for one of these audiences and not older than that.
pub fn check(
    claims: &Map<String, Value>,
    audiences: &[&str],
    max_age_seconds: i64,
    now: Timestamp,
) -> Result<Checked, Mismatch> {
    let text = |name: &str, most: usize| match claims.get(name) {
        Some(Value::String(text)) if (1..=most).contains(&text.chars().count()) => Ok(Some(text.clone())),
        None => Ok(None),
        Some(_) => Err(Mismatch::Claims),
    };
    let subject = text("sub", SUBJECT_MAX)?.ok_or(Mismatch::Claims)?;
    let jti = text("jti", JTI_MAX)?;
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => one,
        // Whoever else it is for could present it here.
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::String(one)] => one,
            [_, ..] => return Err(Mismatch::Audience),
            [] => return Err(Mismatch::Claims),
        },
        _ => return Err(Mismatch::Claims),
    };
    if !audiences.contains(&audience.as_str()) {
        return Err(Mismatch::Audience);
    }
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let seconds = value.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds));
            seconds.map(Some).ok_or(Mismatch::Claims)
        }
    };
    let (Some(exp), Some(iat), nbf) = (time("exp")?, time("iat")?, time("nbf")?) else { return Err(Mismatch::Claims) };
    let seconds = now.seconds();
    if exp <= seconds {
        return Err(Mismatch::Expired);
    }
    let begin = iat.max(nbf.unwrap_or(iat)) - LEEWAY;
    if begin > seconds || exp <= iat {
        return Err(Mismatch::Early);
    }
    if seconds - iat > max_age_seconds {
        return Err(Mismatch::Old);
    }
    let at = |seconds| Timestamp::from_micros(0).plus_seconds(seconds);
    let useless_from = at(exp.min(iat + AGE_MAX + 1));
    Ok(Checked { subject, jti, valid_from: at(begin), expires_at: at(exp), useless_from })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const HERE: &str = "https://claviger.example";

    fn claims() -> Value {
        json!({"iss": "i", "sub": "s", "aud": HERE, "iat": 1_799_999_990, "exp": 1_800_000_300, "jti": "j"})
    }

    fn checked(change: Value) -> Result<Checked, Mismatch> {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        check(claims.as_object().unwrap(), &[HERE], 600, NOW)
    }

    #[test]
    fn headers_name_a_key_and_nothing_else() {
        let read = |header: Value| read_header(&jws::encode(header.to_string().as_bytes()));
        let good = read(json!({"alg": "RS256", "typ": "JWT", "kid": "k", "x5t": "t"})).unwrap();
        assert_eq!(good, Header { algorithm: Algorithm::Rs256, kid: Some("k".into()) });
        assert_eq!(read(json!({"alg": "ES256"})).unwrap().kid, None);
        for bad in [
            json!({}),
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": ["RS256"]}),
            json!({"alg": "RS256", "typ": "at+jwt"}),
            json!({"alg": "RS256", "typ": 1}),
            json!({"alg": "RS256", "kid": 1}),
            json!({"alg": "RS256", "kid": ""}),
            json!({"alg": "RS256", "jku": "https://evil.example"}),
            json!({"alg": "RS256", "x5u": "https://evil.example"}),
            json!({"alg": "RS256", "jwk": {}}),
            json!({"alg": "RS256", "x5c": []}),
            json!({"alg": "RS256", "crit": ["exp"]}),
            json!({"alg": "RS256", "b64": false}),
        ] {
            assert_eq!(read(bad.clone()), Err(Mismatch::Header), "{bad}");
        }
        assert_eq!(read_header(&jws::encode(br#"{"alg":"none","alg":"RS256"}"#)), Err(Mismatch::Header));
    }

    #[test]
    fn claims_are_there_and_of_their_types() {
        assert_eq!(checked(json!({})).unwrap().jti.as_deref(), Some("j"));
        assert_eq!(checked(json!({"jti": null})).unwrap().jti, None);
        assert!(checked(json!({"aud": [HERE]})).is_ok(), "as Kubernetes writes it");
        for (change, expected) in [
            (json!({"sub": null}), Mismatch::Claims),
            (json!({"sub": ""}), Mismatch::Claims),
            (json!({"sub": ["s"]}), Mismatch::Claims),
            (json!({"jti": 1}), Mismatch::Claims),
            (json!({"jti": "x".repeat(257)}), Mismatch::Claims),
            (json!({"aud": null}), Mismatch::Claims),
            (json!({"aud": []}), Mismatch::Claims),
            (json!({"aud": "https://other.example"}), Mismatch::Audience),
            (json!({"aud": format!("{HERE}/")}), Mismatch::Audience),
            (json!({"aud": [HERE, "https://other.example"]}), Mismatch::Audience),
            (json!({"aud": [[HERE]]}), Mismatch::Audience),
            (json!({"exp": null}), Mismatch::Claims),
            (json!({"iat": null}), Mismatch::Claims),
        ] {
            assert_eq!(checked(change.clone()), Err(expected), "{change}");
        }
        for name in ["exp", "iat", "nbf"] {
            for bad in
                [json!("1800000300"), json!(1.8e9), json!(-1), json!(1e300), json!([]), json!(true), json!(u64::MAX)]
            {
                assert_eq!(checked(json!({ name: bad })), Err(Mismatch::Claims), "{name} {bad}");
            }
        }
    }

    #[test]
    fn times_are_kept_to_the_second() {
        for (change, expected) in [
            (json!({"exp": 1_800_000_000}), Some(Mismatch::Expired)),
            (json!({"exp": 1_800_000_001}), None),
            (json!({"iat": 1_800_000_030}), None),
            (json!({"iat": 1_800_000_031}), Some(Mismatch::Early)),
            (json!({"nbf": 1_800_000_030}), None),
            (json!({"nbf": 1_800_000_031}), Some(Mismatch::Early)),
            (json!({"iat": 1_799_999_400}), None),
            (json!({"iat": 1_799_999_399}), Some(Mismatch::Old)),
            (json!({"iat": 1_800_000_010, "exp": 1_800_000_010}), Some(Mismatch::Early)),
        ] {
            assert_eq!(checked(change.clone()).err(), expected, "{change}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,200}", claims in "\\PC{0,60}") {
            let _ = read(&text);
            let _ = read_header(&text);
            let _ = read(&format!("{}.{}.x", jws::encode(b"{}"), jws::encode(claims.as_bytes())));
        }
    }
}
