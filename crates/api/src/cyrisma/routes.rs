//! The paths of this face, each with and without a slash at its end: nobody is redirected, for clients drop bodies then.

use super::auth::refuse_unknown_report;
use super::error::{Partner, Reset};
use super::{instances, login, regen_pass};
use crate::kit::{Api, fallback, framed, method_fallback};
use axum::Router;
use axum::routing::{any, post};

/// All routes of the face.
pub fn router(api: Api) -> Router {
    let partner = Router::new()
        .route("/app/partner/login", post(login::login))
        .route("/app/partner/login/", post(login::login))
        .route("/app/partner/instances/login", post(instances::open_all))
        .route("/app/partner/instances/login/", post(instances::open_all))
        .route("/app/partner/instances/login/{instance_id}", post(instances::open_one))
        .route("/app/partner/instances/login/{instance_id}/", post(instances::open_one))
        .route("/app/partner/dashboards/{*report}", any(refuse_unknown_report))
        .route("/app/partner/scans/{*report}", any(refuse_unknown_report))
        .route("/app/partner/vulnerability/{*report}", any(refuse_unknown_report))
        .route("/app/partner/{*rest}", any(fallback::<Partner>))
        .method_not_allowed_fallback(method_fallback::<Partner>)
        .with_state(api.clone());
    let reset = Router::new()
        .route("/app/partner/login/regen-pass", post(regen_pass::change_secret))
        .route("/app/partner/login/regen-pass/", post(regen_pass::change_secret))
        .method_not_allowed_fallback(method_fallback::<Reset>)
        .with_state(api);
    framed::<Partner>(partner).merge(framed::<Reset>(reset))
}
