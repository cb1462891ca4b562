//! What a client signs with its application's secret, and what of it is asked for by this family alone: HS256, whole or
//! broken seconds, thirty minutes at most, scopes with commas between.

use claviger_domain::assertion::{Assertion, Parts, SignedBy, any_seconds, at, holds};
use claviger_domain::time::Timestamp;

/// Who issues the assertions: the clients, in the vendor's name.
const ISSUER: &str = "http://cylance.com";
/// Most seconds from its making to its end.
const LIFETIME_MAX: i64 = 1_800;
/// Characters of `src` besides letters and digits.
const SOURCE_MORE: [char; 4] = [' ', '-', '_', '.'];

/// An assertion as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// Who claims to be whom.
    pub(super) assertion: Assertion<'a>,
    /// Scopes with blanks between; none for all.
    pub(super) scope: Option<String>,
    /// What the client says of where it runs.
    pub(super) source: String,
}

/// Why an assertion is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unacceptable {
    /// Header or claims do not fit.
    Claims,
    /// It lives too long.
    TooLong,
}

/// Reads the claims of an assertion that must hold now.
pub(super) fn read<'a>(parts: &'a Parts<'_>, now: Timestamp) -> Result<Asked<'a>, Unacceptable> {
    claims(parts, now).ok_or(Unacceptable::Claims)?
}

fn claims<'a>(parts: &'a Parts<'_>, now: Timestamp) -> Option<Result<Asked<'a>, Unacceptable>> {
    let typed = match parts.header.get("typ") {
        None => true,
        Some(typ) => typ.as_str()?.eq_ignore_ascii_case("jwt"),
    };
    if !typed || parts.header.contains_key("jwk") || parts.header.get("alg")?.as_str()? != "HS256" {
        return None;
    }
    if parts.text("iss")? != ISSUER {
        return None;
    }
    let (iat, exp) = (any_seconds(parts.claims.get("iat")?)?, any_seconds(parts.claims.get("exp")?)?);
    let assertion = Assertion {
        client_id: parts.text("sub")?,
        tenant: Some(parts.text("tid")?),
        jti: parts.jti()?,
        issued_at: at(iat),
        expires_at: at(exp),
        by: SignedBy::Secret,
        signed: parts.compact.signed,
        signature: parts.compact.signature,
    };
    let optional = |name: &str| match parts.claims.get(name) {
        None => Some(None),
        Some(value) => value.as_str().map(Some),
    };
    // In lower case they are scopes of this family and no rights of the catalogue, some of which differ in nothing else.
    let scope = optional("scp")?.map(|scopes| {
        let words: Vec<_> = scopes.split(',').map(|word| word.trim().to_ascii_lowercase()).collect();
        words.join(" ")
    });
    let source = clean(optional("src")?.unwrap_or_default());
    let begins = match parts.claims.get("nbf") {
        None => iat,
        Some(nbf) => any_seconds(nbf)?.max(iat),
    };
    // Known before anything is looked up, so that it tells nothing of the application.
    if exp - iat > LIFETIME_MAX {
        return Some(Err(Unacceptable::TooLong));
    }
    (iat < exp && holds(Some(begins), exp, now)).then_some(Ok(Asked { assertion, scope, source }))
}

fn clean(source: &str) -> String {
    source.chars().filter(|c| c.is_alphanumeric() || SOURCE_MORE.contains(c)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::jws;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;

    fn claims() -> Value {
        json!({ "exp": NOW + 1_800, "iat": NOW, "iss": ISSUER, "sub": "app", "tid": "tenant", "jti": "1" })
    }

    fn outcome(header: &Value, claims: &Value) -> Result<(Option<String>, String), Unacceptable> {
        let part = |value: &Value| jws::encode(value.to_string().as_bytes());
        let text = format!("{}.{}.AA", part(header), part(claims));
        let parts = Parts::read(&text).ok_or(Unacceptable::Claims)?;
        read(&parts, at(NOW)).map(|asked| (asked.scope, asked.source))
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

    fn hs256() -> Value {
        json!({ "alg": "HS256", "typ": "JWT" })
    }

    #[test]
    fn claims_are_those_of_the_family() {
        assert_eq!(outcome(&hs256(), &claims()), Ok((None, String::new())));
        assert_eq!(outcome(&json!({ "typ": "JWT", "alg": "HS256" }), &claims()), Ok((None, String::new())));
        for (name, good) in [
            ("exp", json!(NOW + 60)),
            ("exp", json!(f64::from(1_800_000_060_u32) + 0.5)),
            ("iat", json!(NOW + 30)),
            ("iat", json!(NOW - 29)),
            ("jti", json!("app+5d4f5a5e-9f4e-4f2e-9df4-0c4a4ff0b1a6")),
            ("more", json!([1])),
        ] {
            let claims = if name == "iat" { with("exp", json!(NOW + 300)) } else { claims() };
            let mut claims = claims;
            claims[name] = good.clone();
            assert!(outcome(&hs256(), &claims).is_ok(), "{name} {good}");
        }
        for (name, bad) in [
            ("iss", json!("http://cylance.com/")),
            ("iss", json!("https://cylance.com")),
            ("iss", Value::Null),
            ("sub", Value::Null),
            ("tid", Value::Null),
            ("tid", json!(7)),
            ("jti", Value::Null),
            ("jti", json!("")),
            ("iat", Value::Null),
            ("exp", Value::Null),
            ("exp", json!(NOW)),
            ("exp", json!("1800001800")),
            ("exp", json!(1e300)),
            ("exp", json!(-1)),
            ("nbf", json!(NOW + 31)),
            ("scp", json!(["device:list"])),
            ("src", json!(7)),
        ] {
            assert_eq!(outcome(&hs256(), &with(name, bad.clone())), Err(Unacceptable::Claims), "{name} {bad}");
        }
        for alg in ["none", "HS512", "hs256", "EdDSA", "RS256"] {
            assert_eq!(outcome(&json!({ "alg": alg }), &claims()), Err(Unacceptable::Claims), "{alg}");
        }
    }

    #[test]
    fn thirty_minutes_are_the_most() {
        assert_eq!(outcome(&hs256(), &with("exp", json!(NOW + 1_801))), Err(Unacceptable::TooLong));
        assert_eq!(outcome(&hs256(), &with("exp", json!(NOW * 1_000))), Err(Unacceptable::Claims), "beyond all years");
        let mut ended = with("exp", json!(NOW - 31));
        ended["iat"] = json!(NOW - 100);
        assert_eq!(outcome(&hs256(), &ended), Err(Unacceptable::Claims));
        ended["exp"] = json!(NOW - 29);
        assert!(outcome(&hs256(), &ended).is_ok());
    }

    #[test]
    fn scopes_have_commas_and_blanks_between() {
        let scope = |text: &str| outcome(&hs256(), &with("scp", json!(text))).unwrap().0.unwrap();
        assert_eq!(scope("device:list, Device:READ ,user:list"), "device:list device:read user:list");
        assert_eq!(scope("device:list"), "device:list");
        assert_eq!(scope(" "), "");
    }

    #[test]
    fn sources_are_words() {
        let source = |text: &str| outcome(&hs256(), &with("src", json!(text))).unwrap().1;
        assert_eq!(source("  SOAR 12_é.日本 "), "SOAR 12_é.日本");
        assert_eq!(source("<script>alert('x')</script>"), "scriptalertxscript");
    }
}
