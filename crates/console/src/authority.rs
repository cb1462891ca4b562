//! The authority that has signed the server's certificate, where clients do not know it by themselves.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use claviger_kit::Api;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};

/// Where its certificate is to be had.
pub(crate) const PATH: &str = "/console/ca.pem";
/// The name that it is saved by, which calls to paste refer to.
pub(crate) const FILE: &str = "ca.pem";

/// Its certificate, which is for everybody.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route(PATH, get(certificate))
}

async fn certificate(State(api): State<Api>) -> Response {
    let Some(text) = &api.authority else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, "application/x-pem-file".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{FILE}\"")),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, text.to_string()).into_response()
}
