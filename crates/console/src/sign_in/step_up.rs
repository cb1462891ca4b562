//! Proving anew who one is, for what is dangerous: by what one has as second factor, or by the password where there is none.

use super::{NextQuery, next_of};
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::{Person, STEP_UP};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_app::second_factors::{Advanced, Asked, Shown};
use claviger_domain::password::Password;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Query, cookies, status};
use http::StatusCode;

#[derive(Template)]
#[template(path = "sign_in/step_up.html")]
struct StepUpPage<'a> {
    asked: Asked,
    next: &'a str,
    errors: &'a Errors,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new().route(STEP_UP, get(show).post(step_up))
}

async fn page(api: &Api, person: &Person, next: &str, errors: &Errors, status: StatusCode) -> Answer {
    let asked = api.app.asked(person.user()).await?;
    let content = StepUpPage { asked, next, errors };
    Page::new("Confirm that it is you", Section::Account).status(status).render(person, &content)
}

async fn show(State(api): State<Api>, person: Person, Query(query): Query<NextQuery>) -> Answer {
    page(&api, &person, next_of(query.next.as_deref()), &Errors::default(), StatusCode::OK).await
}

async fn step_up(State(api): State<Api>, person: Person, form: Form) -> Answer {
    let next = next_of(form.given("next"));
    match try_step_up(&api, &person, &form).await {
        Ok(advanced) => {
            let mut response = see_other(next);
            cookies::set_session(response.headers_mut(), advanced.token);
            Ok(response)
        }
        Err(error) => {
            let status = status(&error);
            let errors = match &error {
                Error::Unauthenticated(_) | Error::Limited { .. } => Errors::alert(crate::error::words(&error).1),
                _ => Errors::of(error).map_err(Failure)?,
            };
            page(&api, &person, next, &errors, status).await
        }
    }
}

async fn try_step_up(api: &Api, person: &Person, form: &Form) -> Result<Advanced> {
    let code = form.get("code").to_owned();
    let shown = match form.get("kind") {
        "password" => Shown::Password(Password::presented("/password", form.raw("password").to_owned())?),
        "recovery_code" => Shown::RecoveryCode(code),
        _ => Shown::Totp(code),
    };
    api.app.step_up(&person.caller, shown, &person.visit).await
}
