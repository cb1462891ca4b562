//! Who looks at a page: a person who has signed in, or one whose sign-in waits for its second factor. Whoever is neither is sent to
//! the sign-in, and from there back to the page.

use crate::headers::wants_fragment;
use crate::page::{bare, see_other};
use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use claviger_app::caller::{Caller, UserCaller};
use claviger_app::deeds::Visit;
use claviger_domain::factor::is_stepped_up;
use claviger_domain::grants::Verb;
use claviger_domain::{Error, Refusal};
use claviger_kit::{Api, Failure, circumstances, cookies, visit, with_request};
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// Where one signs in.
pub(crate) const SIGN_IN: &str = "/console/sign-in";
/// Where one shows a second factor.
pub(crate) const SECOND_FACTOR: &str = "/console/sign-in/second-factor";

/// Where one proves anew who one is.
pub(crate) const STEP_UP: &str = "/console/step-up";

static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Extracts a person who has signed in. To be taken before anything else that a request says.
pub(crate) struct Person {
    /// The person, as verbs know it.
    pub(crate) caller: Caller,
    /// From where it comes, for the verbs that ask.
    pub(crate) visit: Visit,
    /// Whether htmx asks.
    pub(crate) fragment: bool,
    /// The page that it looks at, with its query.
    pub(crate) here: String,
    user: Arc<UserCaller>,
}

/// Extracts a person whose sign-in may wait for its second factor.
pub(crate) struct HalfWay {
    /// The person.
    pub(crate) user: UserCaller,
    /// From where.
    pub(crate) visit: Visit,
}

#[derive(Template)]
#[template(path = "sign_in/onward.html")]
struct Onward<'a> {
    path: &'a str,
}

impl Person {
    /// Who it is.
    pub(crate) fn user(&self) -> &UserCaller {
        &self.user
    }

    /// Whether it holds a right; a verb that is called asks again.
    pub(crate) fn may(&self, permission: &str, verb: Verb) -> bool {
        self.caller.would_be_allowed(permission, verb)
    }

    /// What a form carries that is to be done once: another one each time that it is shown.
    pub(crate) fn once(&self) -> &str {
        &self.visit.request.id
    }

    /// Where to confirm that it is still the same person, if that was too long ago for what is dangerous: a page with such a form leads
    /// there first, and from there back.
    pub(crate) fn to_step_up(&self, api: &Api) -> Option<Response> {
        let fresh = is_stepped_up(self.user.session.stepped_up_at, api.app.clock().now());
        (!fresh).then(|| see_other(&with_next(STEP_UP, Some(&self.here))))
    }
}

impl FromRequestParts<Api> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let session = session_of(parts)?;
        if parts.method != Method::GET && parts.method != Method::HEAD {
            cookies::check_own_form(api, (&*parts).into()).map_err(failed)?;
        }
        let (origin, _) = circumstances(api, (&*parts).into());
        let caller = api.app.authenticate_user(&session, origin).await.map_err(|error| refused(error, parts))?;
        let caller = with_request(caller, parts);
        let user = caller.user().cloned().ok_or_else(|| to_sign_in(parts))?;
        let visit = visit(api, parts);
        Ok(Self { caller, visit, fragment: wants_fragment(&parts.headers), here: here(parts), user })
    }
}

impl FromRequestParts<Api> for HalfWay {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let session = session_of(parts)?;
        if parts.method != Method::GET && parts.method != Method::HEAD {
            cookies::check_own_form(api, (&*parts).into()).map_err(failed)?;
        }
        let (origin, _) = circumstances(api, (&*parts).into());
        let found = api.app.authenticate_signing_in(&session, origin).await;
        let user = found.map_err(|error| refused(error, parts))?;
        Ok(Self { user, visit: visit(api, parts) })
    }
}

fn failed(error: Error) -> Response {
    Failure(error).into_response()
}

fn here(parts: &Parts) -> String {
    parts.uri.path_and_query().map(|found| found.as_str().to_owned()).unwrap_or_default()
}

#[expect(clippy::result_large_err, reason = "the answer that the extractor's rejection is")]
fn session_of(parts: &Parts) -> Result<String, Response> {
    match cookies::session(&parts.headers) {
        Ok(Some(session)) => Ok(session.to_owned()),
        Ok(None) if parts.method == Method::GET && from_elsewhere(parts) => {
            // A link on another site brings no cookie; a page of our own that leads on brings it.
            let path = here(parts);
            let mut response = bare("One moment", StatusCode::OK, &Onward { path: &path });
            if let Ok(onward) = HeaderValue::try_from(format!("0; url={path}")) {
                response.headers_mut().insert("refresh", onward);
            }
            Err(response)
        }
        Ok(None) => Err(to_sign_in(parts)),
        Err(error) => Err(failed(error)),
    }
}

fn from_elsewhere(parts: &Parts) -> bool {
    parts.headers.get(&FETCH_SITE).is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn refused(error: Error, parts: &Parts) -> Response {
    match error {
        Error::Unauthenticated(Refusal::SecondFactorNeeded) => lead_to(SECOND_FACTOR, parts),
        Error::Unauthenticated(_) => {
            let mut response = to_sign_in(parts);
            cookies::clear_session(response.headers_mut());
            response
        }
        other => failed(other),
    }
}

fn to_sign_in(parts: &Parts) -> Response {
    lead_to(SIGN_IN, parts)
}

/// Leads to a page that leads back here.
fn lead_to(path: &str, parts: &Parts) -> Response {
    let next = Some(here(parts)).filter(|_| parts.method == Method::GET);
    let path = with_next(path, next.as_deref());
    if !wants_fragment(&parts.headers) {
        return see_other(&path);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert("hx-redirect", path);
    }
    response
}

/// A path that says where to go on from there.
pub(crate) fn with_next(path: &str, next: Option<&str>) -> String {
    match next.filter(|next| is_safe_next(next) && *next != "/console") {
        Some(next) => format!("{path}?next={}", crate::show::encoded(next)),
        None => path.to_owned(),
    }
}

/// Whether somebody may be sent on to a path that the request has brought: a page of the console, and nothing that a browser could read
/// as anything else.
pub(crate) fn is_safe_next(next: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.?&=%+:,~".contains(&byte);
    let (path, _) = next.split_once('?').unwrap_or((next, ""));
    next.len() <= 1_000
        && next.bytes().all(plain)
        && (path == "/console" || path.starts_with("/console/"))
        && !path.contains("//")
        && !path.contains(['.', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k8_only_pages_of_the_console_follow_a_sign_in() {
        for good in ["/console", "/console/tenants/0190-a/applications?q=a%20b&sort=name", "/console?x=1"] {
            assert!(is_safe_next(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/console",
            "javascript:alert(1)",
            "/consoles",
            "/console/../v1/me",
            "/console//evil.example",
            "/console/%2e%2e/x",
            "/console\\evil",
            "/console\r\nx",
            "/console/\u{e9}",
            "%2f%2fevil.example",
        ] {
            assert!(!is_safe_next(bad), "{bad}");
        }
    }
}
