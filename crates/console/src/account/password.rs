//! Another password in place of the current one.

use super::SECURITY;
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::password::Password;
use claviger_kit::{Api, Failure, Fields, status};
use http::StatusCode;

#[derive(Template)]
#[template(path = "account/password.html")]
struct PasswordPage<'a> {
    email: &'a str,
    errors: &'a Errors,
}

/// Shows the form.
pub(crate) async fn show(State(api): State<Api>, person: Person) -> Answer {
    page(&api, &person, &Errors::default(), StatusCode::OK).await
}

async fn page(api: &Api, person: &Person, errors: &Errors, status: StatusCode) -> Answer {
    let place = person.at(api, person.user().tenant.id).await?;
    Page::new("Change your password", Section::Account)
        .at(&place)
        .status(status)
        .call(ApiCall::as_person("Change the password", "PUT", "/v1/me/password").reading_body())
        .render(person, &PasswordPage { email: &person.user().email, errors })
}

/// Changes it.
pub(crate) async fn change(State(api): State<Api>, person: Person, form: Form) -> Answer {
    match try_change(&api, &person, &form).await {
        Ok(()) => Ok(see_other(&format!("{SECURITY}?told=password"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, &errors, status).await
        }
    }
}

async fn try_change(api: &Api, person: &Person, form: &Form) -> Result<()> {
    let mut fields = Fields::new();
    let mut take = |name: &str| {
        let text = form.raw(name).to_owned();
        fields.take(Password::presented(&format!("/{name}"), text))
    };
    let both = take("current_password").zip(take("new_password"));
    let (current, new) = fields.finish(both)?;
    api.app.change_own_password(&person.caller, current, new).await
}
