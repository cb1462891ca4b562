//! The HTML face of Claviger: pages for people. No rule lives here.
//!
//! A page is extract, convert, call a verb, render. Each is a fragment that [`page`] puts into the frame; forms are plain HTML forms
//! that answer 303 to where the result is seen, so that everything works without script, and htmx makes it smoother.

mod access_levels;
mod account;
mod api_call;
mod applications;
mod assets;
#[allow(dead_code, reason = "pages with charts call it")]
mod chart;
mod csv;
mod error;
mod form;
mod headers;
mod home;
mod links;
mod matrix;
mod nav;
mod page;
mod people;
mod place;
mod rights_matrix;
mod security;
mod session;
mod show;
mod sign_in;
mod tenants;

use axum::Router;
use claviger_kit::{Api, fallback, framed, method_fallback};
use error::Console;

/// All pages.
pub fn router(api: Api) -> Router {
    let pages: Router<Api> = Router::new()
        .merge(home::routes())
        .merge(sign_in::routes())
        .merge(tenants::routes())
        .merge(applications::routes())
        .merge(access_levels::routes())
        .merge(security::routes())
        .merge(people::routes())
        .merge(account::routes())
        .merge(links::routes());
    let pages = pages.route("/console/{*rest}", axum::routing::any(fallback::<Console>));
    let pages = pages.method_not_allowed_fallback(method_fallback::<Console>);
    headers::added(framed::<Console>(pages.with_state(api))).merge(assets::router())
}
