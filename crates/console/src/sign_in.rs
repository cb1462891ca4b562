//! Sign-in and sign-out: the password, then what the person has as second factor. Strangers get one answer for everything.

mod first_person;
mod forgotten;
mod second_factor;
mod sso;
mod step_up;

use crate::error::words;
use crate::form::{Errors, Form};
use crate::page::{Answer, bare, see_other};
use crate::session::{Person, SECOND_FACTOR, is_safe_next, with_next};
use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use axum::routing::{get, post};
use claviger_app::second_factors::Asked;
use claviger_app::user_sign_in::{Attempt, Entered};
use claviger_domain::Error;
use claviger_domain::password::Password;
use claviger_domain::user_session::Stage;
use claviger_kit::{Api, Failure, Query, cookies, status, visit};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use std::convert::Infallible;

/// Where whoever signs in goes on.
#[derive(Deserialize)]
pub(crate) struct NextQuery {
    next: Option<String>,
    #[serde(default)]
    told: Option<String>,
}

/// The head of a request.
pub(crate) struct Head(pub(crate) Parts);

impl<S: Send + Sync> FromRequestParts<S> for Head {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.clone()))
    }
}

#[derive(Template)]
#[template(path = "sign_in/password.html")]
struct PasswordPage<'a> {
    form: &'a Form,
    errors: &'a Errors,
    told: &'static str,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/sign-in", get(show).post(sign_in))
        .route("/console/sign-out", post(sign_out))
        .merge(second_factor::routes())
        .merge(forgotten::routes())
        .merge(first_person::routes())
        .merge(sso::routes())
        .merge(step_up::routes())
}

/// Whether somebody has a kind of second factor.
pub(crate) fn has(asked: &Asked, kind: &str) -> bool {
    asked.kinds.iter().any(|known| known.as_str() == kind)
}

/// A page of the console to go on to.
pub(crate) fn next_of(text: Option<&str>) -> &str {
    text.filter(|next| is_safe_next(next)).unwrap_or("/console")
}

async fn show(signed_in: Result<Person, Response>, Query(query): Query<NextQuery>) -> Response {
    let next = next_of(query.next.as_deref());
    if signed_in.is_ok() {
        return see_other(next);
    }
    let told = match query.told.as_deref() {
        Some("signed-out") => "You are signed out.",
        Some("password-set") => "Your password is set. Sign in with it.",
        Some("welcome") => "You are in: sign in with the address and the password that you have just chosen.",
        _ => "",
    };
    let form = Form::of([("next", next.to_owned())]);
    bare("Sign in", StatusCode::OK, &PasswordPage { form: &form, errors: &Errors::default(), told })
}

async fn sign_in(State(api): State<Api>, Head(parts): Head, form: Form) -> Answer {
    match try_sign_in(&api, &parts, &form).await {
        Ok(entered) => Ok(enter(entered, next_of(form.given("next")))),
        Err(error) => refuse(error, |errors, status| {
            bare("Sign in", status, &PasswordPage { form: &form, errors: &errors, told: "" })
        }),
    }
}

async fn try_sign_in(api: &Api, parts: &Parts, form: &Form) -> Result<Entered, Error> {
    let visit = visit(api, parts);
    let attempt = Attempt {
        email: form.get("email").to_owned(),
        password: Password::presented("/password", form.raw("password").to_owned())?,
        device: cookies::device(&parts.headers).map(str::to_owned),
        session: cookies::session(&parts.headers).ok().flatten().map(str::to_owned),
        origin: visit.origin,
        user_agent: visit.user_agent,
        request: (visit.request.id.clone(), visit.request.line.clone()),
    };
    api.app.sign_in_user(attempt).await
}

/// Goes on with a new session.
fn enter(Entered { session, token, device }: Entered, next: &str) -> Response {
    let mut response = match session.stage {
        Stage::Complete => see_other(next),
        Stage::SecondFactor => see_other(&with_next(SECOND_FACTOR, Some(next))),
    };
    cookies::set_session(response.headers_mut(), token);
    if let Some(device) = device {
        cookies::set_device(response.headers_mut(), device);
    }
    response
}

/// Shows the page again with what was wrong, where that is for the page to say.
pub(crate) fn refuse(error: Error, again: impl FnOnce(Errors, StatusCode) -> Response) -> Answer {
    let status = status(&error);
    let errors = match error {
        Error::Unauthenticated(_) => Errors::alert(words(&error).1),
        Error::Limited { retry_after_seconds, .. } => {
            let mut response = again(Errors::alert(words(&error).1), status);
            response.headers_mut().insert("retry-after", HeaderValue::from(retry_after_seconds));
            return Ok(response);
        }
        other => Errors::of(other).map_err(Failure)?,
    };
    Ok(again(errors, status))
}

async fn sign_out(State(api): State<Api>, person: Person) -> Answer {
    api.app.sign_out(&person.caller).await?;
    let mut response = see_other("/console/sign-in?told=signed-out");
    cookies::clear_session(response.headers_mut());
    // What pages a browser keeps for going back shows nothing any more.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}
