//! The JSON faces of Claviger. No rule lives here.
//!
//! A face translates a request into one verb of `claviger_app` and its outcome into the words of one dialect. Faces share
//! `claviger_kit` and nothing else, and none knows that another exists.

pub mod carbon_black;
pub mod cylance;
pub mod cyrisma;
pub mod native;
pub mod oauth;

pub use claviger_kit as kit;
pub use native::openapi_json;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use kit::{Api, Head};
use std::ops::ControlFlow;
use std::pin::Pin;

/// All routes of all faces.
pub fn router(api: Api) -> Router {
    let faces = native::router(api.clone()).merge(oauth::routes::router(api.clone()));
    let faces = faces.merge(cylance::routes::router(api.clone()));
    let faces = faces.merge(cyrisma::routes::router(api.clone()));
    native::with_fallback(faces.merge(carbon_black::routes::router(api)))
}

/// The answer to what is asked all the time, if it can be given at once from the head of the request alone; whatever it
/// leaves, [`router`] answers.
pub fn answer_at_once(api: &Api, head: Head<'_>) -> Option<Response> {
    match head.uri.path() {
        native::VERIFY if matches!(*head.method, Method::GET | Method::POST) => native::verify_at_once(api, head),
        _ => None,
    }
}

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// The answer to whoever exchanges a credential for a token, without a way through a router: many clients do so before each
/// call. A request that asks for anything else goes on to [`router`].
pub fn answer_exchange(api: &Api, request: Request) -> ControlFlow<Answering, Request> {
    match request.uri().path() {
        _ if *request.method() != Method::POST => ControlFlow::Continue(request),
        oauth::TOKEN => ControlFlow::Break(Box::pin(oauth::answer_exchange(api.clone(), request))),
        cylance::TOKEN => ControlFlow::Break(Box::pin(cylance::answer_exchange(api.clone(), request))),
        _ => ControlFlow::Continue(request),
    }
}
