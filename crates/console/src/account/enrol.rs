//! Setting up an authenticator or a passkey, also for somebody whose sign-in waits for that. What the first one brings along, recovery
//! codes, is shown once.

use super::{ENROL, SECURITY, security};
use crate::form::{Errors, Form};
use crate::page::{Answer, bare, see_other};
use crate::session::{HalfWay, SECOND_FACTOR, STEP_UP, is_safe_next, with_next};
use crate::show;
use crate::sign_in::refuse;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use claviger_app::factors::{Confirmed, NewTotp};
use claviger_domain::factor::{Wanted, is_stepped_up, parse_name};
use claviger_domain::id::FactorId;
use claviger_domain::user_session::Stage;
use claviger_domain::{Error, Refusal, Result};
use claviger_kit::{Api, Path, Query, cookies};
use http::StatusCode;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;

/// Where whoever enrols goes on.
#[derive(Deserialize)]
pub(crate) struct EnrolQuery {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "account/enrol.html")]
struct Enrol<'a> {
    next: &'a str,
    required: bool,
    form: &'a Form,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "account/authenticator.html")]
struct Authenticator<'a> {
    qr: String,
    key: String,
    factor: FactorId,
    next: &'a str,
}

#[derive(Template)]
#[template(path = "account/code.html")]
struct Code<'a> {
    factor: FactorId,
    next: &'a str,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "account/codes.html")]
struct Codes<'a> {
    codes: &'a [String],
    file: String,
    next: &'a str,
}

/// Where somebody goes on to: where it came from, or where its factors are listed.
fn onward<'a>(person: &HalfWay, text: &'a str) -> &'a str {
    match (is_safe_next(text), person.user.session.stage) {
        (true, _) => text,
        (false, Stage::Complete) => SECURITY,
        (false, Stage::SecondFactor) => "/console",
    }
}

/// Where somebody has to go first who may not enrol yet.
async fn first(api: &Api, person: &HalfWay, next: &str) -> Result<Option<Response>> {
    let here = with_next(ENROL, Some(next));
    if person.user.session.stage == Stage::Complete {
        let fresh = is_stepped_up(person.user.session.stepped_up_at, api.app.clock().now());
        return Ok((!fresh).then(|| see_other(&with_next(STEP_UP, Some(&here)))));
    }
    let asked = api.app.asked(&person.user).await?;
    Ok((asked.wanted != Wanted::Enrolment).then(|| see_other(&with_next(SECOND_FACTOR, Some(next)))))
}

fn page(person: &HalfWay, form: &Form, next: &str, errors: &Errors, status: StatusCode) -> Response {
    let required = person.user.session.stage == Stage::SecondFactor;
    bare("Set up a second factor", status, &Enrol { next, required, form, errors })
}

/// Shows what there is to choose from.
pub(crate) async fn show(State(api): State<Api>, person: HalfWay, Query(query): Query<EnrolQuery>) -> Answer {
    let next = onward(&person, &query.next);
    if let Some(to) = first(&api, &person, next).await? {
        return Ok(to);
    }
    Ok(page(&person, &Form::default(), next, &Errors::default(), StatusCode::OK))
}

/// Begins to set up an authenticator: its seed is shown in this answer and never again.
pub(crate) async fn authenticator(State(api): State<Api>, person: HalfWay, form: Form) -> Answer {
    let next = onward(&person, form.get("next"));
    match try_authenticator(&api, &person, &form).await {
        Ok((factor, key, qr)) => {
            let content = Authenticator { qr, key, factor, next };
            Ok(bare("Set up an authenticator", StatusCode::CREATED, &content))
        }
        Err(error) => again(&person, &form, next, error),
    }
}

async fn try_authenticator(api: &Api, person: &HalfWay, form: &Form) -> Result<(FactorId, String, String)> {
    let name = parse_name("/name", form.get("name"))?;
    let NewTotp { factor, secret, otpauth_url } = api.app.create_totp(&person.user, name, &person.visit).await?;
    let groups: Vec<_> = secret.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    Ok((factor.id, groups.join(" "), picture(&otpauth_url)?))
}

/// A text as a picture that phones read.
fn picture(text: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|error| Error::Internal(format!("a QR code: {error}")))?;
    let document = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    // A page has no place for the declaration of a document.
    let picture = document.find("<svg").and_then(|start| document.get(start..)).unwrap_or_default();
    Ok(picture.replacen("<svg", "<svg aria-hidden=\"true\" focusable=\"false\"", 1))
}

/// Shows the page again, unless somebody has to be somewhere else first.
fn again(person: &HalfWay, form: &Form, next: &str, error: Error) -> Answer {
    match error {
        Error::Unauthenticated(Refusal::StepUpNeeded) => {
            Ok(see_other(&with_next(STEP_UP, Some(&with_next(ENROL, Some(next))))))
        }
        Error::Unauthenticated(Refusal::SecondFactorNeeded) => Ok(see_other(&with_next(SECOND_FACTOR, Some(next)))),
        error => refuse(error, |errors, status| page(person, form, next, &errors, status)),
    }
}

/// Asks for a code of an authenticator that was begun.
pub(crate) async fn ask_code(
    State(api): State<Api>,
    person: HalfWay,
    Path(factor): Path<FactorId>,
    Query(query): Query<EnrolQuery>,
) -> Answer {
    let next = onward(&person, &query.next);
    if let Some(to) = first(&api, &person, next).await? {
        return Ok(to);
    }
    Ok(bare("Confirm the authenticator", StatusCode::OK, &Code { factor, next, errors: &Errors::default() }))
}

/// Lets an authenticator count, by a code of it.
pub(crate) async fn confirm(
    State(api): State<Api>,
    person: HalfWay,
    Path(factor): Path<FactorId>,
    form: Form,
) -> Answer {
    let next = onward(&person, form.get("next"));
    match api.app.confirm_totp(&person.user, factor, form.get("code").to_owned(), &person.visit).await {
        Ok(confirmed) => Ok(confirmed_page(confirmed, next)),
        Err(error @ (Error::Unauthenticated(Refusal::SecondFactorWrong) | Error::Limited { .. })) => {
            refuse(error, |errors, status| {
                bare("Confirm the authenticator", status, &Code { factor, next, errors: &errors })
            })
        }
        Err(error) => again(&person, &form, next, error),
    }
}

/// Stores a passkey that has answered.
pub(crate) async fn passkey(State(api): State<Api>, person: HalfWay, form: Form) -> Answer {
    let next = onward(&person, form.get("next"));
    match try_passkey(&api, &person, &form).await {
        Ok(confirmed) => Ok(confirmed_page(confirmed, next)),
        // What the browser has answered is no field that somebody could look at.
        Err(Error::Invalid(fields)) if fields.iter().any(|field| field.pointer == "/credential") => {
            let errors = Errors::alert("The passkey’s answer was not accepted. Try again.".to_owned());
            Ok(page(&person, &form, next, &errors, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(error) => again(&person, &form, next, error),
    }
}

async fn try_passkey(api: &Api, person: &HalfWay, form: &Form) -> Result<Confirmed> {
    let name = parse_name("/name", form.get("name"))?;
    let unreadable = |_| Error::invalid("/credential", "the browser's answer could not be read", "try again");
    let answer = serde_json::from_str(form.raw("credential")).map_err(unreadable)?;
    api.app.create_passkey(&person.user, name, answer, &person.visit).await
}

/// Goes on under another session, by way of the recovery codes where there are new ones.
fn confirmed_page(confirmed: Confirmed, next: &str) -> Response {
    let Confirmed { recovery_codes, advanced, .. } = confirmed;
    let next = if next == SECURITY { security::told("added") } else { next.to_owned() };
    let mut response = match recovery_codes {
        Some(codes) => codes_page(&codes, &next),
        None => see_other(&next),
    };
    cookies::set_session(response.headers_mut(), advanced.token);
    response
}

/// Shows recovery codes, once.
pub(super) fn codes_page(codes: &[String], next: &str) -> Response {
    let text = format!("Recovery codes for Claviger. Each works once.\r\n\r\n{}\r\n", codes.join("\r\n"));
    let file = format!("data:text/plain;charset=utf-8,{}", show::encoded(&text));
    bare("Recovery codes", StatusCode::OK, &Codes { codes, file, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_picture_without_styles() {
        let picture =
            picture("otpauth://totp/Claviger:ada@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert!(picture.starts_with("<svg aria-hidden=\"true\"") && picture.ends_with("</svg>"), "{picture}");
        assert!(!picture.contains("style") && !picture.contains("<?xml"));
    }
}
