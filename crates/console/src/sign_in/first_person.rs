//! The first person of the operator comes in by the link that the server has printed. Its token stands behind `#`, where no log has it;
//! the script takes it from there, and whoever has none pastes it.

use super::{Head, enter, refuse, try_sign_in};
use crate::form::{Errors, Form};
use crate::page::{Answer, bare, see_other};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use claviger_app::first_person::FirstPerson;
use claviger_domain::password::Password;
use claviger_domain::user::{Email, parse_person_name};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Fields, visit};
use http::StatusCode;
use http::request::Parts;

#[derive(Template)]
#[template(path = "sign_in/first_person.html")]
struct FirstPersonPage<'a> {
    form: &'a Form,
    errors: &'a Errors,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/console/first-person", get(show).post(accept))
}

fn page(form: &Form, errors: &Errors, status: StatusCode) -> Response {
    bare("Welcome to Claviger", status, &FirstPersonPage { form, errors })
}

async fn show() -> Response {
    page(&Form::default(), &Errors::default(), StatusCode::OK)
}

async fn accept(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match try_accept(&api, &parts, &form).await {
        // Whoever has just chosen a password need not type it again.
        Ok(()) => Ok(match try_sign_in(&api, &parts, &form).await {
            Ok(entered) => enter(entered, "/console"),
            Err(_) => see_other("/console/sign-in?told=welcome"),
        }),
        Err(error) => refuse(error, |errors, status| page(&form, &errors, status)),
    }
}

async fn try_accept(api: &Api, parts: &Parts, form: &Form) -> Result<(), Error> {
    let mut fields = Fields::new();
    let email = fields.take(Email::parse("/email", form.get("email")));
    let first_name = fields.take(parse_person_name("/first_name", form.get("first_name")));
    let last_name = fields.take(parse_person_name("/last_name", form.get("last_name")));
    let password = fields.take(Password::presented("/password", form.raw("password").to_owned()));
    let visit = visit(api, parts);
    let request = (visit.request.id.clone(), visit.request.line.clone());
    let first =
        email.zip(password).zip(first_name.zip(last_name)).map(|((email, password), (first_name, last_name))| {
            FirstPerson { email, first_name, last_name, password, origin: visit.origin, request }
        });
    api.app.accept_first_person(form.get("token"), fields.finish(first)?).await
}
