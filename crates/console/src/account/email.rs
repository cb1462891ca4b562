//! Another address to sign in with.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::time::Timestamp;
use claviger_domain::user::Email;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "account/email.html")]
struct EmailPage<'a> {
    current: &'a str,
    form: &'a Form,
    errors: &'a Errors,
}

/// Shows the form.
pub(crate) async fn show(State(api): State<Api>, person: Person) -> Answer {
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    page(&api, &person, &Form::default(), &Errors::default(), StatusCode::OK).await
}

async fn page(api: &Api, person: &Person, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let place = person.at(api, person.user().tenant.id).await?;
    let body = json!({ "email": form.given("email").unwrap_or("ada@example.com") });
    Page::new("Change your address", Section::Account)
        .at(&place)
        .status(status)
        .call(ApiCall::as_person_with_body("Ask for another address", "POST", "/v1/me/email", &body))
        .render(person, &EmailPage { current: &person.user().email, form, errors })
}

/// Sends a link to the new address.
pub(crate) async fn ask(State(api): State<Api>, person: Person, form: Form) -> Answer {
    match try_ask(&api, &person, &form).await {
        Ok(_) => Ok(see_other("/console/account?told=email")),
        Err(error) => {
            let status = status(&error);
            let errors = match &error {
                Error::Limited { .. } => Errors::alert(crate::error::words(&error).1),
                _ => Errors::of(error).map_err(Failure)?,
            };
            page(&api, &person, &form, &errors, status).await
        }
    }
}

async fn try_ask(api: &Api, person: &Person, form: &Form) -> Result<Timestamp> {
    let email = Email::parse("/email", form.get("email"))?;
    api.app.request_email_change(&person.caller, email, &person.visit).await
}
