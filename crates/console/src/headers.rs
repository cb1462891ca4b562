//! Headers that every page has: what a browser may do with it, and who may see where one comes from.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

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

/// Adds them to every answer.
pub(crate) fn added(router: Router) -> Router {
    router.layer(from_fn(add))
}

async fn add(request: Request, next: Next) -> Response {
    let fragment = wants_fragment(request.headers());
    let mut response = next.run(request).await;
    let status = response.status();
    let headers = response.headers_mut();
    for (name, value) in [
        (&CONTENT_SECURITY_POLICY, POLICY),
        // With `no-referrer` browsers would send forms with the origin `null`.
        (&REFERRER_POLICY, "same-origin"),
        (&X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (&X_FRAME_OPTIONS, "DENY"),
        (&VARY, "HX-Request"),
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
