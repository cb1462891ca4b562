//! The HTML face of Claviger: pages for people. No rule lives here.
//!
//! A page is extract, convert, call a verb, render. Each is a fragment that [`page`] puts into the frame; forms are plain HTML forms
//! that answer 303 to where the result is seen, so that everything works without script, and htmx makes it smoother.

mod access_levels;
mod access_record;
mod account;
mod api_call;
mod applications;
mod assets;
mod audit;
mod authority;
mod chart;
mod csv;
mod error;
mod filters;
mod form;
mod headers;
mod home;
mod links;
mod matrix;
mod nav;
mod operator;
mod page;
mod people;
mod place;
mod security;
mod session;
mod show;
mod sign_in;
mod sso;
mod tenants;
mod usage;

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use claviger_kit::{Api, fallback, framed, method_fallback};
use error::Console;
use std::sync::Arc;

pub use operator::Configuration;

/// All pages. The configuration is what the server runs on, for the operator to see.
pub fn router(api: Api, configuration: Configuration) -> Router {
    let pages: Router<Api> = Router::new()
        .merge(home::routes())
        .merge(authority::routes())
        .merge(sign_in::routes())
        .merge(tenants::routes())
        .merge(applications::routes())
        .merge(access_levels::routes())
        .merge(security::routes())
        .merge(people::routes())
        .merge(account::routes())
        .merge(links::routes())
        .merge(sso::routes())
        .merge(usage::routes())
        .merge(audit::routes())
        .merge(access_record::routes())
        .merge(operator::routes());
    let pages = pages.route("/console/{*rest}", axum::routing::any(fallback::<Console>));
    let pages = pages.method_not_allowed_fallback(method_fallback::<Console>);
    let pages = pages.layer(Extension(Arc::new(configuration)));
    let pages = framed::<Console>(pages.with_state(api.clone()));
    headers::added(pages.layer(from_fn_with_state(api, error::in_frame))).merge(assets::router())
}
