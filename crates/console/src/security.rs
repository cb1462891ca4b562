//! Settings › API access › Security: what holds for the credentials of a tenant.

mod bindings;
mod issuer_form;
mod issuers;
mod key_types;
mod limits;
mod migrate;
mod overview;
mod policy;
mod tokens;
mod trial;
mod visibility;

use axum::Router;
use axum::routing::{get, post};
use claviger_kit::Api;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/security", get(overview::show))
        .route("/console/tenants/{tenant_id}/security/remove-secret", get(visibility::ask).post(visibility::remove))
        .route("/console/tenants/{tenant_id}/security/retain-secrets", post(visibility::retain))
        .route("/console/tenants/{tenant_id}/security/limits", get(limits::show).post(limits::update))
        .route("/console/tenants/{tenant_id}/security/policy", get(policy::show).post(policy::update))
        .route("/console/tenants/{tenant_id}/security/tokens", get(tokens::show).post(tokens::update))
        .route("/console/tenants/{tenant_id}/security/tokens/invalidate", post(tokens::invalidate))
        .route("/console/tenants/{tenant_id}/security/key-types", get(key_types::show).post(key_types::update))
        .route(
            "/console/tenants/{tenant_id}/security/key-types/{id}/migrate",
            get(migrate::plan).post(migrate::migrate),
        )
        .route("/console/tenants/{tenant_id}/security/issuers", get(issuers::list).post(issuers::create))
        .route("/console/tenants/{tenant_id}/security/issuers/new", get(issuers::new))
        .route("/console/tenants/{tenant_id}/security/issuers/{id}", get(issuers::show).post(issuers::update))
        .route("/console/tenants/{tenant_id}/security/issuers/{id}/delete", get(issuers::ask).post(issuers::delete))
        .route("/console/tenants/{tenant_id}/security/issuers/{id}/trial", get(trial::show).post(trial::run))
        .route("/console/tenants/{tenant_id}/security/issuers/{id}/bindings", post(bindings::add))
        .route("/console/tenants/{tenant_id}/security/issuers/{id}/bindings/new", get(bindings::new))
        .route(
            "/console/tenants/{tenant_id}/security/issuers/{id}/bindings/{binding_id}",
            get(bindings::show).post(bindings::update),
        )
        .route(
            "/console/tenants/{tenant_id}/security/issuers/{id}/bindings/{binding_id}/delete",
            post(bindings::delete),
        )
}
