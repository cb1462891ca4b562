//! `/console`: leads to one's own tenant, or to the sign-in; and `/`, which leads there.

use crate::page::see_other;
use crate::session::Person;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use claviger_kit::Api;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/console", get(home)).route("/console/", get(home))
}

async fn home(person: Person) -> Response {
    see_other(&format!("/console/tenants/{}", person.user().tenant.id))
}
