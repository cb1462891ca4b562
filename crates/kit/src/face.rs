//! How a refusal reaches the wire: a handler fails with a domain error, and the frame around a face's routes lets the face
//! say it in its own words, with the headers that all faces share.

use crate::advice::{AdviceSlot, advise};
use crate::rate_headers::RateHeaders;
use crate::{RequestId, path};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use claviger_app::nodes::{self, Acknowledged};
use claviger_domain::rate::{Quota, RateLimit};
use claviger_domain::{Error, Refusal};
use http::header::{CACHE_CONTROL, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::{Arc, OnceLock};

/// Seconds after which a caller may try again when the server is not ready.
const UNAVAILABLE_SECONDS: u64 = 1;
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="claviger", charset="UTF-8""#);
/// What a client is told whose token is bound to a key (RFC 9449, 7.1).
const PROOF_MISSING: HeaderValue = HeaderValue::from_static(
    r#"DPoP algs="EdDSA ES256", error="invalid_token", error_description="the token is bound""#,
);
/// A scheme that no browser knows, lest it asks for a password of its own accord.
const SIGN_IN: HeaderValue = HeaderValue::from_static(r#"Session realm="claviger""#);
const PROOF_INVALID: HeaderValue = HeaderValue::from_static(r#"DPoP algs="EdDSA ES256", error="invalid_dpop_proof""#);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// One dialect's words.
pub trait Face: Send + Sync + 'static {
    /// Renders a refusal: status, body and content type. The headers that all faces share are added to it.
    fn render(error: &Error, asked: &Asked<'_>) -> Response;
}

/// What a rendered refusal may say about the request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its id.
    pub id: RequestId,
    /// Its path, without the query.
    pub path: &'a str,
}

/// A refusal on its way from a handler or an extractor to the frame.
#[derive(Debug)]
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

#[derive(Clone)]
struct Failed(Arc<Error>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Failed(Arc::new(self.0)));
        response
    }
}

/// Where the extractor of the caller leaves the caller's quota for the answer's headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct QuotaSlot(Arc<OnceLock<(RateLimit, Quota)>>);

impl QuotaSlot {
    pub(crate) fn put(&self, quota: (RateLimit, Quota)) {
        let _ = self.0.set(quota);
    }
}

/// Where the extractor of the caller leaves the place in which the verb says which nodes have followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct AcknowledgedSlot(pub(crate) Arc<nodes::AcknowledgedSlot>);

/// Nodes that have followed a change, and nodes that have not and whose lease has run out.
static CONFIRMED_BY: HeaderName = HeaderName::from_static("claviger-confirmed-by");
static LAPSED: HeaderName = HeaderName::from_static("claviger-lapsed");

fn name_nodes(acknowledged: &Acknowledged, headers: &mut HeaderMap) {
    for (name, nodes) in [(&CONFIRMED_BY, &acknowledged.confirmed), (&LAPSED, &acknowledged.lapsed)] {
        if let Ok(value) = HeaderValue::from_str(&nodes.join(", "))
            && !nodes.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

/// Puts the frame around a face's routes. What must not pay for it is merged afterwards.
pub fn framed<F: Face>(router: Router) -> Router {
    router.layer(from_fn(frame::<F>))
}

async fn frame<F: Face>(request: Request, next: Next) -> Response {
    within::<F, _>(request, |request| next.run(request)).await
}

/// Has a request answered within the frame that [`framed`] puts around routes.
pub async fn within<F: Face, A: Future<Output = Response>>(
    mut request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let id = request.extensions().get::<RequestId>().copied().unwrap_or_default();
    let uri = request.uri().clone();
    let slot = QuotaSlot::default();
    request.extensions_mut().insert(slot.clone());
    let acknowledged = AcknowledgedSlot::default();
    request.extensions_mut().insert(acknowledged.clone());
    let advice = AdviceSlot::default();
    request.extensions_mut().insert(advice.clone());
    let mut response = answer(request).await;
    if let Some(Failed(error)) = response.extensions_mut().remove::<Failed>() {
        response = answer_failure::<F>(&error, &Asked { id, path: uri.path() });
    }
    if let Some((limit, quota)) = slot.0.get() {
        RateHeaders::of(*limit, quota.remaining, quota.reset_seconds).add_to(response.headers_mut());
    }
    if let Some(acknowledged) = &*acknowledged.0.lock() {
        name_nodes(acknowledged, response.headers_mut());
    }
    if let Some(advice) = advice.get() {
        advise(response.headers_mut(), &advice);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(NO_STORE);
    response
}

/// Renders a refusal with the headers that all faces share, and logs it if it is the server's fault.
pub fn answer_failure<F: Face>(error: &Error, asked: &Asked<'_>) -> Response {
    match error {
        Error::Internal(text) => tracing::error!(request_id = %asked.id, path = asked.path, text, "a request failed"),
        Error::Unavailable(text) => tracing::warn!(request_id = %asked.id, path = asked.path, text, "not available"),
        _ => {}
    }
    let mut response = F::render(error, asked);
    let headers = response.headers_mut();
    match error {
        Error::Unauthenticated(refusal) => {
            let challenge = match refusal {
                Refusal::ProofMissing => PROOF_MISSING,
                Refusal::ProofInvalid => PROOF_INVALID,
                person if person.is_persons() => SIGN_IN,
                _ => CHALLENGE,
            };
            headers.entry(WWW_AUTHENTICATE).or_insert(challenge);
        }
        Error::Limited { limit, retry_after_seconds } => {
            RateHeaders::of(*limit, 0, *retry_after_seconds).add_to(headers);
            retry_after(headers, *retry_after_seconds);
        }
        Error::Unavailable(_) => retry_after(headers, UNAVAILABLE_SECONDS),
        _ => {}
    }
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    response
}

fn retry_after(headers: &mut HeaderMap, seconds: u64) {
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
}

/// The status of a refusal in the native API, and wherever a dialect has no other.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        // What was there once and never will be again.
        Error::Conflict { code: "secret_claimed" | "secret_lapsed", .. } => StatusCode::GONE,
        Error::Conflict { .. } => StatusCode::CONFLICT,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Malformed { code, .. } => match *code {
            "body_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "media_type_unsupported" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        },
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden { .. } => StatusCode::FORBIDDEN,
        Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Answers a path that no route has, with or without a frame.
pub async fn fallback<F: Face>(request: Request) -> Response {
    refuse::<F>(&request, &path::no_route())
}

/// Answers a method that a path does not take, with or without a frame; the router adds `Allow`.
pub async fn method_fallback<F: Face>(request: Request) -> Response {
    let detail = "this path does not take that method; Allow lists those that it takes".into();
    refuse::<F>(&request, &Error::Malformed { code: "method_not_allowed", detail })
}

fn refuse<F: Face>(request: &Request, error: &Error) -> Response {
    let id = request.extensions().get::<RequestId>().copied().unwrap_or_default();
    answer_failure::<F>(error, &Asked { id, path: request.uri().path() })
}
