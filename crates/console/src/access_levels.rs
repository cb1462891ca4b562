//! Settings › API access › Access levels.

mod compare;
mod create;
mod delete;
mod import;
mod list;
mod one;

use crate::show;
use axum::Router;
use axum::routing::{get, post};
use claviger_domain::access_level::LevelUses;
use claviger_domain::error::Referrer;
use claviger_kit::Api;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/access-levels", get(list::list).post(create::create))
        .route("/console/tenants/{tenant_id}/access-levels/new", get(create::new))
        .route("/console/tenants/{tenant_id}/access-levels/import", get(import::show).post(import::import))
        .route("/console/tenants/{tenant_id}/access-levels/compare", get(compare::compare))
        .route("/console/tenants/{tenant_id}/access-levels/{id}", get(one::show).post(one::update))
        .route("/console/tenants/{tenant_id}/access-levels/{id}/duplicate", post(one::duplicate))
        .route("/console/tenants/{tenant_id}/access-levels/{id}/export", get(import::export))
        .route("/console/tenants/{tenant_id}/access-levels/{id}/delete", get(delete::show).post(delete::delete))
}

/// How many have a level beyond those who are named, in words; empty for none.
fn more(uses: &LevelUses, named: &[Referrer]) -> String {
    let named = i64::try_from(named.len()).unwrap_or(i64::MAX);
    let more = uses.applications + uses.users - named;
    if more > 0 { format!("and {} more", show::number(&more)) } else { String::new() }
}
