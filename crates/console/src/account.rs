//! My account: who one is, how one gets in, and where one is signed in.

mod email;
mod enrol;
mod factors;
mod password;
mod profile;
mod security;
mod sessions;

use axum::Router;
use axum::routing::{get, post};
use claviger_kit::Api;
use serde::Deserialize;

/// Where one's second factors are.
const SECURITY: &str = "/console/account/security";
/// Where one sets up another.
const ENROL: &str = "/console/account/enrol";

/// What has just been done.
#[derive(Deserialize)]
pub(crate) struct ToldQuery {
    #[serde(default)]
    told: String,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/account", get(profile::show).post(profile::save))
        .route("/console/account/email", get(email::show).post(email::ask))
        .route("/console/account/password", get(password::show).post(password::change))
        .route(SECURITY, get(security::show))
        .route(ENROL, get(enrol::show))
        .route("/console/account/authenticator", post(enrol::authenticator))
        .route("/console/account/passkeys", post(enrol::passkey))
        .route("/console/account/factors/{id}/confirm", get(enrol::ask_code).post(enrol::confirm))
        .route("/console/account/factors/{id}/name", get(factors::ask_name).post(factors::rename))
        .route("/console/account/factors/{id}/remove", get(factors::ask_removal).post(factors::remove))
        .route("/console/account/recovery-codes", get(factors::ask_codes).post(factors::make_codes))
        .route("/console/account/sessions", get(sessions::list))
        .route("/console/account/sessions/end", post(sessions::end_others))
        .route("/console/account/sessions/{session_id}/end", post(sessions::end))
}
