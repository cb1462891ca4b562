//! Files that pages use: one stylesheet and two scripts, all in the binary. Their path holds a checksum of them all, so that a browser
//! may keep them for ever and never has those of another version.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::LazyLock;

static CONSOLE_CSS: &str = include_str!("../assets/console.css");
static CONSOLE_JS: &str = include_str!("../assets/console.js");
/// htmx, as npm has it; its licence is Zero-Clause BSD.
static HTMX_JS: &str = include_str!("../assets/htmx.min.js");
static ICON_SVG: &str = include_str!("../assets/icon.svg");

const ASSETS: [(&str, &str, &str); 4] = [
    ("console.css", "text/css; charset=utf-8", CONSOLE_CSS),
    ("console.js", "text/javascript; charset=utf-8", CONSOLE_JS),
    ("htmx.min.js", "text/javascript; charset=utf-8", HTMX_JS),
    ("icon.svg", "image/svg+xml", ICON_SVG),
];

static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = crc32fast::Hasher::new();
    ASSETS.iter().for_each(|(_, _, text)| hasher.update(text.as_bytes()));
    format!("/console/assets/{:08x}", hasher.finalize())
});

/// The folder that pages name their files in.
pub(crate) fn folder() -> &'static str {
    &FOLDER
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// All files.
pub(crate) fn router() -> Router {
    let missing = get(|| async { (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]) });
    ASSETS.into_iter().fold(
        Router::new().route("/console/assets/{*rest}", missing),
        |router, (name, media_type, text)| {
            router.route(&format!("{}/{name}", folder()), get(move || async move { file(media_type, text) }))
        },
    )
}
