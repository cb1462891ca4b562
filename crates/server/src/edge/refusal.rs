//! The answers that the edge gives itself, as problem documents of the native API.

use axum::body::Body;
use axum::response::Response;
use claviger_api::kit::RequestId;
use http::{HeaderValue, Request, StatusCode, Version, header};

use super::limits::Limits;

/// Why the edge answers in a handler's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The handler panicked.
    Internal,
    /// Too many headers, one too large, or too much in all.
    HeadersTooLarge,
    /// The request target is too long.
    UrlTooLong,
    /// The body announces more than the limit.
    BodyTooLarge,
    /// It names a host that is none of ours.
    Misdirected,
}

impl Refusal {
    /// What is wrong with a request's head, if anything.
    pub(crate) fn of<B: http_body::Body>(request: &Request<B>, limits: &Limits) -> Option<Self> {
        let url = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        let headers = request.headers();
        let is_large = |(name, value): (&http::HeaderName, &HeaderValue)| {
            name.as_str().len().saturating_add(value.len()) > limits.header_bytes
        };
        if url > limits.url_bytes {
            Some(Self::UrlTooLong)
        } else if headers.len() > limits.header_count || headers.iter().any(is_large) {
            Some(Self::HeadersTooLarge)
        } else if request.body().size_hint().lower() > limits.body_bytes as u64 {
            Some(Self::BodyTooLarge)
        } else if limits.hosts.as_ref().is_some_and(|hosts| !hosts.admit(request.uri(), headers)) {
            Some(Self::Misdirected)
        } else {
            None
        }
    }

    /// The answer. What follows an over-long body, or comes to a host of somebody else, is not read, so the connection ends with it.
    pub(crate) fn answer(self, id: RequestId, version: Version) -> Response {
        let (status, code, title) = match self {
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "Headers too large")
            }
            Self::UrlTooLong => (StatusCode::URI_TOO_LONG, "url_too_long", "URL too long"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "misdirected", "Misdirected request"),
        };
        let number = status.as_u16();
        let text = format!(
            r#"{{"type":"/v1/problems/{code}","title":"{title}","status":{number},"code":"{code}","request_id":"{id}"}}"#
        );
        let mut answer = Response::new(Body::from(text));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self, Self::BodyTooLarge | Self::Misdirected) && version <= Version::HTTP_11 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
