//! The Cylance User API: `/auth/v2/token`, and the families of resources under `/{family}/v2`. It translates and holds no
//! rule. Of the families it knows so far which scope each call takes; their data are not kept here yet, and whoever holds
//! the scope is told so.

mod assertion;
mod error;
mod gate;
pub mod routes;
mod token;

pub(crate) use token::PATH as TOKEN;

use crate::kit::{Api, within};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};

/// Answers `POST /auth/v2/token`, as the router would.
pub(crate) async fn answer_exchange(api: Api, request: Request) -> Response {
    within::<error::UserApi, _>(request, async |request| token::issue(State(api), request).await.into_response()).await
}
