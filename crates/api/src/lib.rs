//! The JSON faces of Claviger. No rule lives here.
//!
//! A face translates a request into one verb of `claviger_app` and its outcome into the words of one dialect. Faces share
//! the kit and nothing else, and none knows that another exists.

pub mod carbon_black;
pub mod kit;
pub mod native;

pub use native::openapi_json;

use axum::Router;
use kit::Api;

/// All routes of all faces.
pub fn router(api: Api) -> Router {
    native::with_fallback(native::router(api.clone()).merge(carbon_black::routes::router(api)))
}
