//! Clients of OAuth: who calls by Basic, by `client_id` and `client_secret` in the form, by an assertion in it that a key of the
//! client has signed, or by a header that other faces take.

use crate::caller::{circumstances, with_request};
use crate::credential::{self, Unreadable};
use crate::query::decode;
use crate::{Api, Form};
use claviger_app::caller::Caller;
use claviger_app::verify::{Presented, Proof};
use claviger_domain::address::Origin;
use claviger_domain::assertion::Parts as Jws;
use claviger_domain::{Error, Refusal, Result};
use http::header::AUTHORIZATION;
use http::request::Parts;
use std::borrow::Cow;

/// What an assertion in a form is said to be.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who calls, and what the client calls itself.
#[derive(Debug)]
pub struct Client {
    /// The verified caller.
    pub caller: Caller,
    /// `User-Agent`.
    pub user_agent: String,
}

/// Verifies the one credential of a request and its form.
/// Bad ones are counted as guesses.
///
/// # Errors
/// `Unauthenticated`, `Limited`, `Unavailable`; `Malformed` where more than one is presented.
pub async fn authenticate_client(api: &Api, parts: &Parts, form: &Form) -> Result<Client> {
    let (origin, user_agent) = circumstances(api, parts.into());
    let mut buffer = Vec::new();
    let (client_id, secret) = (form.get("client_id"), form.get("client_secret"));
    if let Some(assertion) = form.get("client_assertion") {
        let others = secret.is_some() || parts.headers.contains_key(AUTHORIZATION);
        let none = credential::read(parts.into(), &mut buffer).err() == Some(Unreadable::Refused(Refusal::Absent));
        if others || !none {
            return Err(twice());
        }
        let caller = Box::pin(authenticate_by_key(api, form, assertion, origin, user_agent)).await?;
        return Ok(Client { caller: with_request(caller, parts), user_agent: user_agent.to_owned() });
    }
    let proof = match (credential::read(parts.into(), &mut buffer), secret) {
        (Err(Unreadable::Ambiguous), _) => return Err(twice()),
        (Err(Unreadable::Refused(Refusal::Absent)), Some(secret)) => {
            Proof::Secret(Presented { client_id: form.require("client_id")?, secret })
        }
        (_, Some(_)) => return Err(twice()),
        (Err(Unreadable::Refused(refusal)), None) => {
            return Err(api.app.refuse_guess(api.app.stranger(refusal, origin), client_id, origin));
        }
        (Ok(proof), None) => proof,
    };
    // RFC 6749, 2.3.1: what stands in Basic is encoded as in a form; most clients leave alone what needs no encoding.
    let encoded = parts.headers.contains_key(AUTHORIZATION);
    let (name, password);
    let proof = match proof {
        Proof::Secret(Presented { client_id, secret }) if encoded => {
            (name, password) = (plain(client_id), plain(secret));
            Proof::Secret(Presented { client_id: &name, secret: &password })
        }
        other => other,
    };
    if let (Proof::Secret(presented), Some(stated)) = (proof, client_id)
        && presented.client_id != stated
    {
        return Err(invalid("client_id is not the one of the credential"));
    }
    let name = match proof {
        Proof::Secret(presented) => Some(presented.client_id),
        _ => None,
    };
    let caller = api.app.authenticate(proof, origin, user_agent).await;
    let caller = caller.map_err(|error| api.app.refuse_guess(error, name, origin))?;
    Ok(Client { caller: with_request(caller, parts), user_agent: user_agent.to_owned() })
}

/// Where a request comes from and what the client calls itself, if it presents no credential of its own: what stands in the form
/// is to be proof enough.
///
/// # Errors
/// `Malformed` where it does.
pub fn without_credential<'a>(api: &Api, parts: &'a Parts, form: &Form) -> Result<(Origin, &'a str)> {
    let mut buffer = Vec::new();
    let read = credential::read(parts.into(), &mut buffer);
    let in_form = ["client_secret", "client_assertion"].iter().any(|name| form.get(name).is_some());
    if in_form || !matches!(read, Err(Unreadable::Refused(Refusal::Absent))) {
        return Err(invalid("the token is the credential; present no other one with it"));
    }
    Ok(circumstances(api, parts.into()))
}

/// Verifies who made the assertion that a request brings in a form of its own.
///
/// # Errors
/// `Unauthenticated`, `Limited`, `Unavailable`.
pub async fn authenticate_assertion(
    api: &Api,
    parts: &Parts,
    assertion: &claviger_domain::assertion::Assertion<'_>,
) -> Result<Client> {
    let (origin, user_agent) = circumstances(api, parts.into());
    let caller = api.app.authenticate_assertion(assertion, origin, user_agent).await;
    let caller = caller.map_err(|error| api.app.refuse_guess(error, Some(assertion.client_id), origin))?;
    Ok(Client { caller: with_request(caller, parts), user_agent: user_agent.to_owned() })
}

/// Refuses a request that brings nothing that proves anybody, and counts it as a guess.
pub fn stranger(api: &Api, parts: &Parts, refusal: Refusal) -> Error {
    let (origin, _) = circumstances(api, parts.into());
    api.app.refuse_guess(api.app.stranger(refusal, origin), None, origin)
}

/// What a door of that family answers, counted for the operator.
pub fn exchanged<T, E>(api: &Api, family: &'static str, answer: Result<T, E>) -> Result<T, E> {
    api.app.count_exchange(family, answer.is_ok());
    answer
}

/// Who has signed an assertion (RFC 7523, 2.2).
async fn authenticate_by_key(api: &Api, form: &Form, text: &str, origin: Origin, user_agent: &str) -> Result<Caller> {
    if form.require("client_assertion_type")? != ASSERTION_TYPE {
        return Err(invalid("client_assertion_type is not one that is known here"));
    }
    let issuer = api.app.token_settings()?.issuer.as_str();
    let endpoint = format!("{issuer}/oauth2/token");
    let parts = Jws::read(text);
    let now = api.app.clock().now();
    let assertion = parts.as_ref().and_then(|parts| parts.client_assertion(&[issuer, &endpoint], now));
    let Some(assertion) = assertion else {
        return Err(api.app.refuse_guess(api.app.stranger(Refusal::AssertionInvalid, origin), None, origin));
    };
    if form.get("client_id").is_some_and(|stated| stated != assertion.client_id) {
        return Err(invalid("client_id is not the one of the assertion"));
    }
    let caller = api.app.authenticate_assertion(&assertion, origin, user_agent).await;
    caller.map_err(|error| api.app.refuse_guess(error, Some(assertion.client_id), origin))
}

fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('%') { decode(text).unwrap_or(Cow::Borrowed(text)) } else { Cow::Borrowed(text) }
}

fn twice() -> Error {
    invalid("the client authenticates more than once; use one way to")
}

fn invalid(detail: &str) -> Error {
    Error::Malformed { code: "invalid_request", detail: detail.to_owned() }
}
