//! ID tokens: what an identity provider says of somebody who has just signed in there (OpenID Connect Core 1.0, 3.1.3.7). The
//! signature was right when these rules are asked.

use crate::foreign_token::{Mismatch, SUBJECT_MAX};
use crate::time::Timestamp;
use crate::token::LEEWAY;
use crate::user::{Email, parse_person_name};
use serde_json::{Map, Value};

/// How old an ID token may be, in seconds: it is made for a sign-in that began no longer ago.
pub const AGE_MAX: i64 = crate::sso::PENDING_SECONDS;

/// Why an ID token proves nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What any token of others must keep to.
    Token(Mismatch),
    /// It was made for another sign-in.
    Nonce,
    /// It names no address.
    EmailMissing,
    /// Nobody at the provider has made sure of the address.
    EmailUnverified,
}

impl Flaw {
    /// The stable code, as audit entries have it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Token(mismatch) => mismatch.code(),
            Self::Nonce => "sso_nonce",
            Self::EmailMissing => "sso_email_missing",
            Self::EmailUnverified => "sso_email_unverified",
        }
    }
}

impl From<Mismatch> for Flaw {
    fn from(mismatch: Mismatch) -> Self {
        Self::Token(mismatch)
    }
}

/// Somebody, as a provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the provider calls them, which never changes.
    pub subject: String,
    /// Their address, which the provider has made sure of.
    pub email: Email,
    /// First name; empty where none is told that could be stored.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
}

/// Checks the claims of an ID token that was made for this client and this sign-in.
pub fn check(claims: &Map<String, Value>, client_id: &str, nonce: &str, now: Timestamp) -> Result<(), Flaw> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    text("sub").filter(|sub| (1..=SUBJECT_MAX).contains(&sub.chars().count())).ok_or(Mismatch::Claims)?;
    check_audience(claims, client_id)?;
    check_times(claims, now)?;
    if text("nonce") == Some(nonce) { Ok(()) } else { Err(Flaw::Nonce) }
}

/// Who somebody is, by claims that were checked.
pub fn identify(claims: &Map<String, Value>) -> Result<Identity, Flaw> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let subject = text("sub").ok_or(Mismatch::Claims)?.to_owned();
    let email = text("email").and_then(|email| Email::parse("/email", email).ok()).ok_or(Flaw::EmailMissing)?;
    let verified = |name: &str| claims.get(name) == Some(&Value::Bool(true));
    if claims.get("email_verified").is_some_and(|value| *value != Value::Bool(true)) || !SURE.into_iter().any(verified)
    {
        return Err(Flaw::EmailUnverified);
    }
    let name = |name: &str| text(name).and_then(|text| parse_person_name("", text).ok()).unwrap_or_default();
    Ok(Identity { subject, email, first_name: name("given_name"), last_name: name("family_name") })
}

/// What says that an address was made sure of: the claim of OpenID Connect, and that of Microsoft Entra ID.
const SURE: [&str; 2] = ["email_verified", "xms_edov"];
/// What makes claims an ID token.
const OWN: [&str; 8] = ["iss", "aud", "azp", "nonce", "exp", "iat", "nbf", "auth_time"];

/// Adds what the provider tells besides about the same person (OpenID Connect Core 1.0, 5.3.2). What the ID token says stays, and
/// what makes it one cannot come from elsewhere. Whether it was about the same person.
pub fn complete(claims: &mut Map<String, Value>, told: Map<String, Value>) -> bool {
    let subject = told.get("sub").and_then(Value::as_str);
    if subject.is_none() || subject != claims.get("sub").and_then(Value::as_str) {
        return false;
    }
    // That one address was made sure of says nothing of another.
    if !claims.contains_key("email") {
        claims.retain(|name, _| !SURE.contains(&name.as_str()));
    }
    let other = claims.get("email").is_some_and(|email| told.get("email") != Some(email));
    let stays = |name: &str| OWN.contains(&name) || (other && SURE.contains(&name));
    for (name, value) in told.into_iter().filter(|(name, _)| !stays(name)) {
        claims.entry(name).or_insert(value);
    }
    true
}

/// Whether somebody has proved to the provider who it is, since a sign-in began, instead of being known there already.
pub fn is_fresh(claims: &Map<String, Value>, begun_at: Timestamp, now: Timestamp) -> bool {
    let proved = claims.get("auth_time").and_then(Value::as_i64);
    proved.is_some_and(|at| (begun_at.seconds() - LEEWAY..=now.seconds() + LEEWAY).contains(&at))
}

fn check_audience(claims: &Map<String, Value>, client_id: &str) -> Result<(), Mismatch> {
    let (is_for_us, several) = match claims.get("aud") {
        Some(Value::String(one)) => (one == client_id, false),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            (list.iter().any(|one| one == client_id), list.len() > 1)
        }
        _ => return Err(Mismatch::Claims),
    };
    // Whoever it was made for must be us, also where others may read it.
    match claims.get("azp") {
        _ if !is_for_us => Err(Mismatch::Audience),
        None if several => Err(Mismatch::Audience),
        Some(party) if party != client_id => Err(Mismatch::Audience),
        _ => Ok(()),
    }
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Mismatch> {
    let time = |name: &str| {
        let seconds = claims.get(name)?.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds));
        Some(seconds.ok_or(Mismatch::Claims))
    };
    let exp = time("exp").ok_or(Mismatch::Claims)??;
    let iat = time("iat").ok_or(Mismatch::Claims)??;
    let nbf = time("nbf").transpose()?;
    let now = now.seconds();
    if exp + LEEWAY <= now {
        return Err(Mismatch::Expired);
    }
    if iat.max(nbf.unwrap_or(iat)) - LEEWAY > now || exp <= iat {
        return Err(Mismatch::Early);
    }
    if now - iat > AGE_MAX + LEEWAY {
        return Err(Mismatch::Old);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn checked(change: Value) -> Result<Identity, Flaw> {
        let mut claims = json!({
            "iss": "i", "sub": "s", "aud": "client", "nonce": "n", "iat": 1_799_999_990, "exp": 1_800_000_300,
            "email": "Ada@acme.example", "email_verified": true, "given_name": "Ada", "family_name": "Lovelace",
        });
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        check(claims.as_object().unwrap(), "client", "n", NOW)?;
        identify(claims.as_object().unwrap())
    }

    #[test]
    fn somebody_is_who_the_provider_says() {
        let found = checked(json!({})).unwrap();
        assert_eq!((found.subject.as_str(), found.email.key().as_str()), ("s", "ada@acme.example"));
        assert_eq!((found.first_name.as_str(), found.last_name.as_str()), ("Ada", "Lovelace"));
        let nameless = checked(json!({"given_name": "x".repeat(65), "family_name": 7})).unwrap();
        assert_eq!((nameless.first_name.as_str(), nameless.last_name.as_str()), ("", ""));
    }

    #[test]
    fn what_is_told_besides_adds_and_changes_nothing() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let mut claims = object(json!({"sub": "s", "aud": "client", "name": "Ada"}));
        assert!(!complete(&mut claims, object(json!({"sub": "t", "email": "eve@acme.example"}))));
        assert!(!complete(&mut claims, object(json!({"email": "eve@acme.example"}))));
        let told = json!({"sub": "s", "name": "Eve", "email": "ada@acme.example", "nonce": "n", "azp": "client"});
        assert!(complete(&mut claims, object(told)));
        assert_eq!(claims, object(json!({"sub": "s", "aud": "client", "name": "Ada", "email": "ada@acme.example"})));
    }

    #[test]
    fn what_is_sure_of_one_address_says_nothing_of_another() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let (ada, eve) = ("ada@acme.example", "eve@acme.example");
        for (claims, told, expected) in [
            (json!({"email": ada}), json!({"email": eve, "email_verified": true}), Err(Flaw::EmailUnverified)),
            (json!({"email": ada}), json!({"email_verified": true}), Err(Flaw::EmailUnverified)),
            (json!({"email": ada}), json!({"email": eve, "xms_edov": true}), Err(Flaw::EmailUnverified)),
            (json!({"email_verified": true}), json!({"email": eve}), Err(Flaw::EmailUnverified)),
            (json!({"xms_edov": true}), json!({"email": eve, "email_verified": false}), Err(Flaw::EmailUnverified)),
            (
                json!({"email": ada, "email_verified": false}),
                json!({"email": ada, "email_verified": true}),
                Err(Flaw::EmailUnverified),
            ),
            (json!({"email": ada}), json!({"email": ada, "email_verified": true}), Ok(ada)),
            (json!({}), json!({"email": eve, "email_verified": true}), Ok(eve)),
            (json!({"email": ada, "email_verified": true}), json!({"email": eve}), Ok(ada)),
        ] {
            let (mut all, mut more) = (object(claims), object(told));
            all.insert("sub".into(), json!("s"));
            more.insert("sub".into(), json!("s"));
            assert!(complete(&mut all, more.clone()));
            let found = identify(&all).map(|identity| identity.email.key());
            assert_eq!(found, expected.map(str::to_owned), "{more:?}");
        }
    }

    #[test]
    fn who_was_known_already_has_proved_nothing() {
        let fresh = |claims: Value| is_fresh(claims.as_object().unwrap(), NOW.plus_seconds(-60), NOW);
        for (at, expected) in [(-91, false), (-90, true), (0, true), (30, true), (31, false)] {
            assert_eq!(fresh(json!({"auth_time": 1_800_000_000 + at})), expected, "{at}");
        }
        assert!(!fresh(json!({})) && !fresh(json!({"auth_time": "1800000000"})));
    }

    #[test]
    fn an_address_must_be_made_sure_of() {
        for (change, expected) in [
            (json!({"email": null}), Some(Flaw::EmailMissing)),
            (json!({"email": "ada"}), Some(Flaw::EmailMissing)),
            (json!({"email": ["ada@acme.example"]}), Some(Flaw::EmailMissing)),
            (json!({"email_verified": null}), Some(Flaw::EmailUnverified)),
            (json!({"email_verified": false}), Some(Flaw::EmailUnverified)),
            (json!({"email_verified": "true"}), Some(Flaw::EmailUnverified)),
            (json!({"email_verified": false, "xms_edov": true}), Some(Flaw::EmailUnverified)),
            (json!({"email_verified": null, "xms_edov": 1}), Some(Flaw::EmailUnverified)),
            (json!({"email_verified": null, "xms_edov": true}), None),
        ] {
            assert_eq!(checked(change.clone()).err(), expected, "{change}");
        }
    }

    #[test]
    fn a_token_is_made_for_us_and_for_this_sign_in() {
        let audience = Some(Flaw::Token(Mismatch::Audience));
        let claims = Some(Flaw::Token(Mismatch::Claims));
        for (change, expected) in [
            (json!({"aud": "other"}), audience),
            (json!({"aud": ["client"]}), None),
            (json!({"aud": ["client", "other"]}), audience),
            (json!({"aud": ["client", "other"], "azp": "client"}), None),
            (json!({"aud": ["client", "other"], "azp": "other"}), audience),
            (json!({"azp": "other"}), audience),
            (json!({"azp": ["client"]}), audience),
            (json!({"aud": null}), claims),
            (json!({"aud": []}), audience),
            (json!({"aud": [["client"]]}), claims),
            (json!({"nonce": null}), Some(Flaw::Nonce)),
            (json!({"nonce": "m"}), Some(Flaw::Nonce)),
            (json!({"sub": null}), claims),
            (json!({"sub": ""}), claims),
            (json!({"sub": 7}), claims),
        ] {
            assert_eq!(checked(change.clone()).err(), expected, "{change}");
        }
    }

    #[test]
    fn times_are_kept_to_half_a_minute() {
        let flaw = |mismatch| Some(Flaw::Token(mismatch));
        for (change, expected) in [
            (json!({"exp": 1_799_999_971}), flaw(Mismatch::Early)),
            (json!({"iat": 1_799_999_900, "exp": 1_799_999_971}), None),
            (json!({"iat": 1_799_999_900, "exp": 1_799_999_970}), flaw(Mismatch::Expired)),
            (json!({"iat": 1_800_000_030}), None),
            (json!({"iat": 1_800_000_031}), flaw(Mismatch::Early)),
            (json!({"nbf": 1_800_000_031}), flaw(Mismatch::Early)),
            (json!({"iat": 1_799_999_370}), None),
            (json!({"iat": 1_799_999_369}), flaw(Mismatch::Old)),
            (json!({"exp": null}), flaw(Mismatch::Claims)),
            (json!({"iat": null}), flaw(Mismatch::Claims)),
            (json!({"exp": "1800000300"}), flaw(Mismatch::Claims)),
            (json!({"nbf": 1.5}), flaw(Mismatch::Claims)),
        ] {
            assert_eq!(checked(change.clone()).err(), expected, "{change}");
        }
    }

    proptest! {
        #[test]
        fn only_the_exact_client_and_nonce_will_do(client in "\\PC{0,12}", nonce in "\\PC{0,12}") {
            let found = checked(json!({"aud": client.clone(), "nonce": nonce.clone()}));
            prop_assert_eq!(found.is_ok(), client == "client" && nonce == "n");
        }
    }
}
