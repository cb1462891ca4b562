//! OAuth 2.0 for machines: `/oauth2/token` (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), and what
//! `/.well-known` says of them (RFC 8414, RFC 7517). It translates forms into verbs and holds no rule.

mod error;
mod introspection;
mod metadata;
mod revocation;
pub mod routes;
mod token;
mod workload;

pub(crate) use metadata::TOKEN;

use crate::kit::{Api, within};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};

/// Answers `POST /oauth2/token`, as the router would.
pub(crate) async fn answer_exchange(api: Api, request: Request) -> Response {
    within::<error::OAuth, _>(request, async |request| token::issue(State(api), request).await.into_response()).await
}
