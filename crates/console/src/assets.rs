//! Files that pages use: one stylesheet and two scripts, all in the binary. Their path holds a checksum of them all, so that a browser
//! may keep them for ever and never has those of another version.

use crate::headers::{gzipped, takes_gzip};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use flate2::Compression;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
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

/// The files, compressed once.
static SHORT: LazyLock<Vec<(&'static str, Vec<u8>)>> = LazyLock::new(|| {
    let short = |(name, _, text): (&'static str, _, &str)| Some((name, gzipped(text.as_bytes(), Compression::best())?));
    ASSETS.into_iter().filter_map(short).collect()
});

fn short(name: &str) -> Option<&'static [u8]> {
    SHORT.iter().find(|(known, _)| *known == name).map(|(_, bytes)| bytes.as_slice())
}

/// The folder that pages name their files in.
pub(crate) fn folder() -> &'static str {
    &FOLDER
}

fn file(media_type: &'static str, text: &'static str, short: Option<&'static [u8]>) -> Response {
    let mut response = Response::new(short.map_or_else(|| Body::from(text), Body::from));
    let headers = response.headers_mut();
    if short.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (VARY, "Accept-Encoding"),
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
            router.route(
                &format!("{}/{name}", folder()),
                get(move |headers: HeaderMap| async move {
                    file(media_type, text, short(name).filter(|_| takes_gzip(&headers)))
                }),
            )
        },
    )
}
