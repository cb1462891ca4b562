//! Who calls: the credential of a request's headers, verified.

use crate::advice::AdviceSlot;
use crate::cookies::{self, PeopleToo};
use crate::credential::{self, Unreadable};
use crate::face::{AcknowledgedSlot, QuotaSlot};
use crate::{Api, Failure, Head, RequestId, origin};
use axum::extract::FromRequestParts;
use claviger_app::caller::{Caller, RequestLine, UserCaller};
use claviger_app::deeds::Visit;
use claviger_app::verify::Proof;
use claviger_domain::address::Origin;
use claviger_domain::{Error, Refusal, Result};
use http::header::USER_AGENT;
use http::request::Parts;
use std::sync::Arc;

/// Extracts the verified caller of a request, whose audit entries will name the request. To be taken before anything else
/// that a request says, so that a stranger learns nothing.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

/// A credential as a request presents it, and what the meter notes of the request.
pub struct Presentation<'a> {
    /// The credential.
    pub presented: Proof<'a>,
    /// Where the request comes from.
    pub origin: Origin,
    /// What the client calls itself.
    pub user_agent: &'a str,
}

impl<'a> Presentation<'a> {
    /// Reads it; `buffer` holds what has to be decoded.
    ///
    /// # Errors
    /// `Unauthenticated`; `Malformed` for more than one credential.
    pub fn read(api: &Api, head: Head<'a>, buffer: &'a mut Vec<u8>) -> Result<Self> {
        let (origin, user_agent) = circumstances(api, head);
        match credential::read(head, buffer) {
            Ok(presented) => Ok(Self { presented, origin, user_agent }),
            Err(Unreadable::Refused(refusal)) => Err(api.app.stranger(refusal, origin)),
            Err(Unreadable::Ambiguous) => Err(Error::Malformed {
                code: "credential_ambiguous",
                detail: "the request presents more than one credential; send X-Auth-Token or Authorization, once"
                    .into(),
            }),
        }
    }
}

/// From where a request comes, and what the client calls itself.
pub fn circumstances<'a>(api: &Api, head: Head<'a>) -> (Origin, &'a str) {
    let Head { headers, peer, .. } = head;
    let origin = origin::find(headers, peer.as_ref(), &api.trusted_proxies);
    let user_agent = headers.get(USER_AGENT).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    (origin, user_agent.unwrap_or_default())
}

/// From where somebody comes who is no caller, or not yet.
pub fn visit(api: &Api, parts: &Parts) -> Visit {
    let (origin, user_agent) = circumstances(api, parts.into());
    let id = parts.extensions.get::<RequestId>().copied().unwrap_or_default().to_string();
    let line = format!("{} {}", parts.method, parts.uri.path());
    let request = Arc::new(RequestLine { id, line, ..RequestLine::default() });
    Visit { origin, user_agent: user_agent.to_owned(), request }
}

/// Names the request for the caller's audit entries, and leaves its quota for the answer's headers.
pub fn with_request(caller: Caller, parts: &Parts) -> Caller {
    if let (Some(quota), Some(slot)) = (caller.quota(), parts.extensions.get::<QuotaSlot>()) {
        slot.put(quota);
    }
    if let (Some(advice), Some(slot)) = (caller.advice(), parts.extensions.get::<AdviceSlot>()) {
        slot.put(advice);
    }
    let id = parts.extensions.get::<RequestId>().copied().unwrap_or_default().to_string();
    let line = format!("{} {}", parts.method, parts.uri.path());
    let acknowledged = parts.extensions.get::<AcknowledgedSlot>().cloned().unwrap_or_default().0;
    caller.with_request(RequestLine { id, line, acknowledged, stand_ins: &[] })
}

/// Verifies the credential of a request. Memory only, unless the application was never seen by this process.
///
/// # Errors
/// `Unauthenticated`, `Limited`, `Unavailable`; `Malformed` for more than one credential.
pub async fn authenticate(api: &Api, parts: &Parts) -> Result<Caller> {
    let mut buffer = Vec::new();
    let Presentation { presented, origin, user_agent } = Presentation::read(api, parts.into(), &mut buffer)?;
    api.app.authenticate(presented, origin, user_agent).await
}

/// Extracts a person whose sign-in may wait for its second factor, from the session's cookie.
#[derive(Debug)]
pub struct SigningIn(pub UserCaller);

impl FromRequestParts<Api> for SigningIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let (origin, _) = circumstances(api, (&*parts).into());
        let session = cookies::session(&parts.headers)?;
        let Some(session) = session else { return Err(api.app.stranger(Refusal::Absent, origin).into()) };
        cookies::check_own_page(api, (&*parts).into())?;
        Ok(Self(api.app.authenticate_signing_in(session, origin).await?))
    }
}

/// Verifies the session of a person, where people may call and nothing else is presented.
async fn authenticate_person(api: &Api, parts: &Parts) -> Result<Option<Caller>> {
    if parts.extensions.get::<PeopleToo>().is_none() {
        return Ok(None);
    }
    let Some(session) = cookies::session(&parts.headers)? else { return Ok(None) };
    if credential::is_presented(&parts.headers) {
        return Err(Error::Malformed {
            code: "credential_ambiguous",
            detail: "the request presents a credential and brings a session's cookie; send one of them".into(),
        });
    }
    cookies::check_own_page(api, parts.into())?;
    let (origin, _) = circumstances(api, parts.into());
    Box::pin(api.app.authenticate_user(session, origin)).await.map(Some)
}

impl FromRequestParts<Api> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let caller = match authenticate_person(api, parts).await? {
            Some(person) => person,
            None => authenticate(api, parts).await?,
        };
        Ok(Self(with_request(caller, parts)))
    }
}
