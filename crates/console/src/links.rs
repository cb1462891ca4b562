//! The pages that links in mails open: an invitation, a new password, another address. The token stands behind `#`, where no log has it;
//! the script takes it from there, and whoever has none pastes it. Opening a page uses nothing up: a form does.

use crate::form::{Errors, Form};
use crate::page::{Answer, bare, see_other};
use crate::sign_in::{Head, refuse};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use claviger_app::user_links::Names;
use claviger_domain::password::Password;
use claviger_domain::user::parse_person_name;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Fields, visit};
use http::StatusCode;
use http::request::Parts;

#[derive(Template)]
#[template(path = "links/invitation.html")]
struct Invitation<'a> {
    form: &'a Form,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "links/reset.html")]
struct Reset<'a> {
    form: &'a Form,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "links/address.html")]
struct Address<'a> {
    form: &'a Form,
    errors: &'a Errors,
    done: bool,
}

/// Its routes: mails name them.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/people/invitation", get(show_invitation).post(accept))
        .route("/people/password-reset", get(show_reset).post(reset))
        .route("/people/email-change", get(show_address).post(confirm))
}

fn invitation_page(form: &Form, errors: &Errors, status: StatusCode) -> Response {
    bare("Welcome to Claviger", status, &Invitation { form, errors })
}

fn reset_page(form: &Form, errors: &Errors, status: StatusCode) -> Response {
    bare("Set a new password", status, &Reset { form, errors })
}

fn address_page(form: &Form, errors: &Errors, done: bool, status: StatusCode) -> Response {
    bare("Confirm your address", status, &Address { form, errors, done })
}

async fn show_invitation() -> Response {
    invitation_page(&Form::default(), &Errors::default(), StatusCode::OK)
}

async fn show_reset() -> Response {
    reset_page(&Form::default(), &Errors::default(), StatusCode::OK)
}

async fn show_address() -> Response {
    address_page(&Form::default(), &Errors::default(), false, StatusCode::OK)
}

async fn accept(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match try_accept(&api, &parts, &form).await {
        Ok(()) => Ok(see_other("/console/sign-in?told=password-set")),
        Err(error) => refuse(error, |errors, status| invitation_page(&form, &errors, status)),
    }
}

async fn try_accept(api: &Api, parts: &Parts, form: &Form) -> Result<(), Error> {
    let mut fields = Fields::new();
    let password = fields.take(Password::presented("/password", form.raw("password").to_owned()));
    let mut name =
        |field: &str| form.given(field).and_then(|name| fields.take(parse_person_name(&format!("/{field}"), name)));
    let names = Names { first: name("first_name"), last: name("last_name") };
    let password = fields.finish(password)?;
    api.app.accept_invitation(form.get("token"), password, names, &visit(api, parts)).await
}

async fn reset(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match try_reset(&api, &parts, &form).await {
        Ok(()) => Ok(see_other("/console/sign-in?told=password-set")),
        Err(error) => refuse(error, |errors, status| reset_page(&form, &errors, status)),
    }
}

async fn try_reset(api: &Api, parts: &Parts, form: &Form) -> Result<(), Error> {
    let password = Password::presented("/password", form.raw("password").to_owned())?;
    api.app.complete_password_reset(form.get("token"), password, &visit(api, parts)).await
}

async fn confirm(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match api.app.confirm_email_change(form.get("token"), &visit(&api, &parts)).await {
        Ok(()) => Ok(address_page(&form, &Errors::default(), true, StatusCode::OK)),
        Err(error) => refuse(error, |errors, status| address_page(&form, &errors, false, status)),
    }
}
