//! The paths of this face. Unknown ones beneath its prefixes are answered in its words too.

use super::error::UserApi;
use super::gate::{FAMILIES, OPTICS_POLICIES, ask};
use super::token;
use crate::kit::{Api, fallback, framed, method_fallback};
use axum::Router;
use axum::routing::{any, post};

/// All routes of the face.
pub fn router(api: Api) -> Router {
    let mut routes =
        Router::new().route(token::PATH, post(token::issue)).route("/auth/{*rest}", any(fallback::<UserApi>));
    for family in FAMILIES.iter().map(|(family, _)| *family).chain(OPTICS_POLICIES) {
        let path = format!("/{family}/v2");
        routes = routes.route(&path, any(ask)).route(&format!("{path}/"), any(ask));
        routes = routes.route(&format!("{path}/{{*rest}}"), any(ask));
    }
    framed::<UserApi>(routes.method_not_allowed_fallback(method_fallback::<UserApi>).with_state(api))
}
