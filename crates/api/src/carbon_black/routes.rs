//! The paths of this face. Unknown ones beneath its prefixes are answered in its words too.

use super::csp::{self, Csp};
use super::error::{Family, FamilyV3};
use super::{audit_log, auditlogs_v3, grants, jobs, users};
use crate::kit::{Api, Face, fallback, framed, method_fallback};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, delete, get, post, put};
use http::HeaderValue;
use http::header::ALLOW;

/// All routes of the face.
pub fn router(api: Api) -> Router {
    let v1 = Router::new()
        .route("/audit_log/v1/orgs/{org}/logs/_search", post(audit_log::search))
        .route("/audit_log/v1/orgs/{org}/logs/_export", post(audit_log::export))
        .route(
            "/audit_log/v1/orgs/{org}/logs/_queue",
            get(audit_log::take_queue).head(only_get::<Family>).fallback(only_get::<Family>),
        )
        .route("/audit_log/{*rest}", any(fallback::<Family>))
        .route("/jobs/v1/orgs/{org}/jobs", get(jobs::list))
        .route("/jobs/v1/orgs/{org}/jobs/{id}", get(jobs::find))
        .route("/jobs/v1/orgs/{org}/jobs/{id}/progress", get(jobs::find_progress))
        .route("/jobs/v1/orgs/{org}/jobs/{id}/download", get(jobs::download))
        .route("/jobs/{*rest}", any(fallback::<Family>))
        .route("/appservices/v6/orgs/{org}/users", get(users::list).post(users::create))
        .route("/appservices/v6/orgs/{org}/users/{login_id}", put(users::update).delete(users::delete))
        .route("/appservices/v6/orgs/{org}/users/{login_id}/google-auth", delete(users::reset_factor))
        .route("/appservices/{*rest}", any(fallback::<Family>))
        .route("/access/v2/grants/_fetch", post(grants::fetch))
        .route("/access/v2/orgs/{org}/grants", post(grants::create))
        .route("/access/v2/orgs/{org}/grants/{principal}", get(grants::read).put(grants::update).delete(grants::delete))
        .route("/access/v2/orgs/{org}/grants/{principal}/profiles", post(grants::create_profile))
        .route(
            "/access/v2/orgs/{org}/grants/{principal}/profiles/{uuid}",
            put(grants::update_profile).delete(grants::delete_profile),
        )
        .route("/access/v3/orgs/{org}/principals/{api_id}/roles/permitted", get(grants::permitted))
        .route("/access/{*rest}", any(fallback::<Family>))
        .method_not_allowed_fallback(method_fallback::<Family>)
        .with_state(api.clone());
    let v3 = Router::new()
        .route(
            "/integrationServices/v3/auditlogs",
            get(auditlogs_v3::take_queue).head(only_get::<FamilyV3>).fallback(only_get::<FamilyV3>),
        )
        .route("/integrationServices/{*rest}", any(fallback::<FamilyV3>))
        .method_not_allowed_fallback(method_fallback::<FamilyV3>)
        .with_state(api.clone());
    let csp = Router::new()
        .route("/csp/gateway/am/api/auth/token", post(csp::by_app))
        .route("/csp/gateway/am/api/auth/api-tokens/authorize", post(csp::by_api_token))
        .route("/csp/{*rest}", any(fallback::<Csp>))
        .method_not_allowed_fallback(method_fallback::<Csp>)
        .with_state(api);
    framed::<Family>(v1).merge(framed::<FamilyV3>(v3)).merge(framed::<Csp>(csp))
}

/// Refuses HEAD, which GET answers too by itself: whoever asks for the headers of a queue must not empty it.
async fn only_get<F: Face>(request: Request) -> Response {
    let mut response = method_fallback::<F>(request).await;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}
