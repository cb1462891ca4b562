//! Which path leads to which handler.

use super::error::OAuth;
use super::{introspection, metadata, revocation, token};
use crate::kit::{Api, fallback, framed, method_fallback};
use axum::Router;
use axum::routing::{any, get, post};

/// All routes of this face.
pub fn router(api: Api) -> Router {
    let routes = Router::new()
        .route(metadata::TOKEN, post(token::issue))
        .route(metadata::INTROSPECTION, post(introspection::introspect))
        .route(metadata::REVOCATION, post(revocation::revoke))
        .route("/oauth2/{*rest}", any(fallback::<OAuth>))
        .route(metadata::KEYS, get(metadata::read_keys))
        .route("/.well-known/oauth-authorization-server", get(metadata::read_metadata))
        .method_not_allowed_fallback(method_fallback::<OAuth>)
        .with_state(api);
    framed::<OAuth>(routes)
}
