//! The pages that links in mails open: static, without a session, and without anything of the request in them. What they do they do by
//! the native API.

use crate::kit::Api;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Nothing but files of this server, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; \
                      frame-ancestors 'none'; base-uri 'none'";

fn file(media_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("../pages/link.html"))
}

async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../pages/link.js"))
}

async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../pages/link.css"))
}

/// All of them.
pub fn router(api: Api) -> Router {
    let router: Router<Api> = Router::new()
        .route("/people/invitation", get(page))
        .route("/people/password-reset", get(page))
        .route("/people/email-change", get(page))
        .route("/people/link.js", get(script))
        .route("/people/link.css", get(style));
    router.with_state(api)
}
