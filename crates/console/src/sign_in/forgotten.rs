//! Somebody who has forgotten the password asks for a link. The answer is the same whoever the address belongs to.

use super::{Head, refuse};
use crate::form::{Errors, Form};
use crate::page::{Answer, bare};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use claviger_domain::user::Email;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, visit};
use http::StatusCode;
use http::request::Parts;

#[derive(Template)]
#[template(path = "sign_in/forgotten.html")]
struct ForgottenPage<'a> {
    form: &'a Form,
    errors: &'a Errors,
    sent: bool,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/console/sign-in/forgotten", get(show).post(send))
}

fn page(form: &Form, errors: &Errors, sent: bool, status: StatusCode) -> Response {
    bare("Forgot password", status, &ForgottenPage { form, errors, sent })
}

async fn show() -> Response {
    page(&Form::default(), &Errors::default(), false, StatusCode::OK)
}

async fn send(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match try_send(&api, &parts, &form).await {
        Ok(()) => Ok(page(&form, &Errors::default(), true, StatusCode::ACCEPTED)),
        Err(error) => refuse(error, |errors, status| page(&form, &errors, false, status)),
    }
}

async fn try_send(api: &Api, parts: &Parts, form: &Form) -> Result<(), Error> {
    let email = Email::parse("/email", form.get("email"))?;
    api.app.request_password_reset(&email, &visit(api, parts)).await
}
