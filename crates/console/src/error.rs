//! How a refusal looks: a page of its own, with the status that the native API has for it; within the frame for whoever has signed in.

use crate::nav::Section;
use crate::page::{Answer, Page, bare};
use crate::session::{Person, STEP_UP, with_next};
use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use claviger_domain::error::{FieldError, Referrer};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Refusal};
use claviger_kit::{Api, Asked, Face, cookies, status};
use http::StatusCode;
use http::request::Parts;

/// The console's words for refusals.
#[derive(Debug)]
pub(crate) struct Console;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    title: &'a str,
    text: String,
    fields: &'a [FieldError],
    referrers: &'a [Referrer],
    request: String,
    step_up: Option<String>,
}

impl Face for Console {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        let (title, text) = words(error);
        let fields = if let Error::Invalid(fields) = error { fields.as_slice() } else { &[] };
        let referrers = if let Error::Conflict { referrers, .. } = error { referrers.as_slice() } else { &[] };
        let step_up = matches!(error, Error::Unauthenticated(Refusal::StepUpNeeded));
        let step_up = step_up.then(|| with_next(STEP_UP, Some(asked.path)));
        let page = ErrorPage { title, text, fields, referrers, request: asked.id.to_string(), step_up };
        let mut response = bare(title, status(error), &page);
        if let Ok(content) = page.render() {
            response.extensions_mut().insert(Refused { title, content });
        }
        response
    }
}

/// What a refusal says, for the frame to be put around it.
#[derive(Clone)]
struct Refused {
    title: &'static str,
    content: String,
}

#[derive(Template)]
#[template(source = "{{ content|safe }}", ext = "html")]
struct Content {
    content: String,
}

/// Puts the frame around refusals of people who have signed in, so that they need not go back to find their way.
pub(crate) async fn in_frame(State(api): State<Api>, request: Request, next: Next) -> Response {
    let signed_in = matches!(cookies::session(request.headers()), Ok(Some(_)));
    let (parts, body) = request.into_parts();
    let asked = signed_in.then(|| parts.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(refused) = response.extensions_mut().remove::<Refused>() else { return response };
    let Some(mut asked) = asked else { return response };
    let Ok(person) = Person::from_request_parts(&mut asked, &api).await else { return response };
    match framed(&api, &person, &asked, refused, response.status()).await {
        Ok(page) => {
            // Headers that a refusal has stay.
            *response.body_mut() = page.into_body();
            response
        }
        Err(_) => response,
    }
}

async fn framed(api: &Api, person: &Person, asked: &Parts, refused: Refused, status: StatusCode) -> Answer {
    let named = asked.uri.path().strip_prefix("/console/tenants/").and_then(|rest| rest.split('/').next());
    let place = match named.and_then(TenantId::parse) {
        Some(tenant) => person.at(api, tenant).await.ok(),
        None => None,
    };
    let place = match place {
        Some(place) => place,
        None => person.at(api, person.user().tenant.id).await?,
    };
    let Refused { title, content } = refused;
    Page::new(title, Section::Account).at(&place).status(status).render(person, &Content { content })
}

/// A heading and a sentence for a refusal.
pub(crate) fn words(error: &Error) -> (&'static str, String) {
    let owned = |text: &str| text.to_owned();
    match error {
        Error::NotFound(_) => {
            ("Not found", owned("There is nothing here, or nothing that you may see. It may have been deleted."))
        }
        Error::Conflict { detail, .. } => ("This cannot be done now", sentence(detail)),
        Error::Invalid(_) => ("Something is not right yet", owned("Look at what was sent:")),
        Error::Malformed { code: "method_not_allowed", .. } => {
            ("Not found", owned("There is no page here. It may be the target of a form: go back and send it again."))
        }
        Error::Malformed { detail, .. } => ("This could not be read", sentence(detail)),
        Error::Unauthenticated(refusal) => match refusal {
            Refusal::StepUpNeeded => ("Confirm that it is you", owned("This asks for a fresh confirmation.")),
            Refusal::SecondFactorWrong => ("That code is not right", owned("Look at the newest code and try again.")),
            Refusal::SecondFactorSuspended => (
                "Too many wrong codes",
                owned(
                    "No code is looked at any more. Set a new password by “Forgot password”, or ask an administrator.",
                ),
            ),
            Refusal::SignInFailed => ("Sign-in failed", owned("The e-mail address or the password is not right.")),
            _ => ("You are signed out", owned("Sign in and try again.")),
        },
        Error::Forbidden { missing: Some(right), .. } => {
            ("You may not do this", format!("It needs the right {right}. Ask an administrator to grant it to you."))
        }
        Error::Forbidden { detail, .. } => ("You may not do this", sentence(detail)),
        Error::Limited { retry_after_seconds, .. } => {
            ("Too many tries", format!("Wait {retry_after_seconds} seconds and try again."))
        }
        Error::PreconditionFailed { .. } => (
            "Somebody changed this meanwhile",
            owned("What you sent was based on an older version. Look at the new one and make your change again."),
        ),
        Error::Unavailable(_) => ("Not available right now", owned("Try again in a moment.")),
        Error::Internal(_) => {
            ("Something went wrong", owned("It was noted in the server's log. Try again in a moment."))
        }
    }
}

/// A detail as a sentence of its own, with times as pages have them.
pub(crate) fn sentence(detail: &str) -> String {
    let detail = crate::show::with_times(detail);
    let mut chars = detail.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
