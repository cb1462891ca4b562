//! What every page has: headers that say what a browser may do with it and who may see where one comes from; and compression, since a
//! matrix of permissions is long and repeats itself.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use std::io::Write as _;

/// Nothing but files of this server, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

static HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Whether htmx asks, which wants a fragment.
pub(crate) fn wants_fragment(headers: &HeaderMap) -> bool {
    headers.contains_key(&HX_REQUEST)
}

/// The content type of pages.
pub(crate) const HTML: &str = "text/html; charset=utf-8";
/// Pages that are shorter are sent as they are.
const SHORT: usize = 1_024;

/// Whether a browser takes what is compressed.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.split(';').next().is_some_and(|name| name.trim() == "gzip"))
}

/// A text, compressed.
pub(crate) fn gzipped(text: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), level);
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

async fn compressed(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // What a page is made of is in memory already.
    let Ok(collected) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
    let text = collected.to_bytes();
    match Some(&text).filter(|text| text.len() > SHORT).and_then(|text| gzipped(text, Compression::fast())) {
        Some(gzipped) => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(gzipped))
        }
        None => Response::from_parts(parts, Body::from(text)),
    }
}

/// Adds them to every answer.
pub(crate) fn added(router: Router) -> Router {
    router.layer(from_fn(add))
}

async fn add(request: Request, next: Next) -> Response {
    let fragment = wants_fragment(request.headers());
    let gzip = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    if gzip && response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == HTML) {
        response = compressed(response).await;
    }
    let status = response.status();
    let headers = response.headers_mut();
    for (name, value) in [
        (&CONTENT_SECURITY_POLICY, POLICY),
        // With `no-referrer` browsers would send forms with the origin `null`.
        (&REFERRER_POLICY, "same-origin"),
        (&X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (&X_FRAME_OPTIONS, "DENY"),
        (&VARY, "HX-Request, Accept-Encoding"),
        (&OPENER_POLICY, "same-origin"),
        (&PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
    if fragment && (status.is_client_error() || status.is_server_error()) && !headers.contains_key("hx-retarget") {
        // A refusal takes the place of the page, whatever part of it was asked for.
        for (name, value) in [("hx-retarget", "#main"), ("hx-reselect", "#main"), ("hx-reswap", "outerHTML")] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    response
}
