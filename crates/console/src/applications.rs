//! Settings › API access › Applications.

mod create;
mod list;
mod one;

use axum::Router;
use axum::routing::{get, post};
use claviger_kit::Api;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/applications", get(list::list).post(create::create))
        .route("/console/tenants/{tenant_id}/applications/new", get(create::new))
        .route("/console/tenants/{tenant_id}/applications/{id}", get(one::show))
        .route("/console/tenants/{tenant_id}/applications/{id}/enabled", post(one::enable))
}
