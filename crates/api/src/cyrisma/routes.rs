//! The paths of this face, each with and without a slash at its end: nobody is redirected, for clients drop bodies then.

use super::auth::refuse_unknown_report;
use super::error::{Partner, Reset};
use super::{instances, lifecycle, login, provisioning, regen_pass, usage, users};
use crate::kit::{Api, fallback, framed, method_fallback};
use axum::Router;
use axum::routing::{any, delete, get, patch, post};

/// All routes of the face.
pub fn router(api: Api) -> Router {
    let partner = [
        ("login", post(login::login)),
        ("instances/login", post(instances::open_all)),
        ("instances/login/{instance_id}", post(instances::open_one)),
        ("instances/info", get(provisioning::list).patch(lifecycle::reactivate)),
        ("instances/info/{instance_id}", get(provisioning::find)),
        ("instances/create", post(provisioning::create)),
        ("instances/provision-status/{instance_id}", get(provisioning::find_status)),
        ("instances/suspend", patch(lifecycle::suspend)),
        ("instances/reactivate", patch(lifecycle::reactivate)),
        ("instances/convert", patch(lifecycle::convert)),
        ("instances/mfa", patch(lifecycle::set_mfa)),
        ("instances/{instance_id}", delete(lifecycle::delete)),
        ("instances/users/create", post(users::create)),
        ("users/info", get(users::list)),
        ("users/info/{user_ref}", get(users::find)),
        ("users/disable", patch(users::disable)),
        ("usage", get(usage::list)),
    ];
    let partner = partner
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            let path = format!("/app/partner/{path}");
            router.route(&path, methods.clone()).route(&format!("{path}/"), methods)
        })
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
