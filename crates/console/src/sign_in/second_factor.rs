//! The second step of a sign-in: an authenticator's code, a passkey, a code by mail or a recovery code, whatever the person has.

use super::{NextQuery, next_of, refuse};
use crate::form::{Errors, Form};
use crate::page::{Answer, bare, see_other};
use crate::session::{HalfWay, SECOND_FACTOR, with_next};
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use claviger_app::second_factors::{Asked, Shown};
use claviger_domain::Error;
use claviger_domain::factor::Wanted;
use claviger_kit::{Api, Query, cookies};
use http::StatusCode;

#[derive(Template)]
#[template(path = "sign_in/second_factor.html")]
struct SecondFactorPage<'a> {
    asked: &'a Asked,
    email: &'a str,
    next: &'a str,
    sent: bool,
    errors: &'a Errors,
}

impl SecondFactorPage<'_> {
    fn by_mail(&self) -> bool {
        self.asked.wanted == Wanted::MailCode
    }

    fn must_enrol(&self) -> bool {
        self.asked.wanted == Wanted::Enrolment
    }
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route(SECOND_FACTOR, get(show).post(complete))
        .route("/console/sign-in/second-factor/mail", post(send))
}

fn page(person: &HalfWay, asked: &Asked, next: &str, sent: bool, errors: &Errors, status: StatusCode) -> Response {
    bare("Second factor", status, &SecondFactorPage { asked, email: &person.user.email, next, sent, errors })
}

async fn show(State(api): State<Api>, person: HalfWay, Query(query): Query<NextQuery>) -> Answer {
    let asked = api.app.asked(&person.user).await?;
    let next = next_of(query.next.as_deref());
    if asked.wanted == Wanted::Nothing {
        return Ok(see_other(next));
    }
    let sent = query.told.as_deref() == Some("sent");
    Ok(page(&person, &asked, next, sent, &Errors::default(), StatusCode::OK))
}

async fn send(State(api): State<Api>, person: HalfWay, form: Form) -> Answer {
    let next = next_of(form.given("next"));
    match api.app.send_mail_code(&person.user, &person.visit).await {
        Ok(()) => Ok(see_other(&format!("{SECOND_FACTOR}?told=sent&next={}", show::encoded(next)))),
        Err(error) => again(&api, &person, next, error).await,
    }
}

async fn complete(State(api): State<Api>, person: HalfWay, form: Form) -> Answer {
    let next = next_of(form.given("next"));
    let code = form.get("code").to_owned();
    let shown = match form.get("kind") {
        "mail_code" => Shown::MailCode(code),
        "recovery_code" => Shown::RecoveryCode(code),
        _ => Shown::Totp(code),
    };
    match api.app.complete_sign_in(&person.user, shown, &person.visit).await {
        Ok(advanced) => {
            let mut response = see_other(next);
            cookies::set_session(response.headers_mut(), advanced.token);
            Ok(response)
        }
        Err(error) => again(&api, &person, next, error).await,
    }
}

async fn again(api: &Api, person: &HalfWay, next: &str, error: Error) -> Answer {
    let asked = api.app.asked(&person.user).await;
    match asked {
        Ok(asked) => refuse(error, |errors, status| {
            page(person, &asked, next, asked.wanted == Wanted::MailCode, &errors, status)
        }),
        // The session has ended meanwhile.
        Err(Error::Unauthenticated(_)) => Ok(see_other(&with_next(crate::session::SIGN_IN, Some(next)))),
        Err(other) => Err(other.into()),
    }
}
