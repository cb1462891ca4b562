//! Session tokens: how long they live, and the end of all of them at once.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::security::overview::ToldQuery;
use crate::security::policy::{amount, read_amount};
use crate::security::visibility::check_typed;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::tokens::TokenLifetime;
use claviger_domain::Result;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::token::parse_lifetime;
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "security/tokens.html")]
struct Tokens<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    found: TokenLifetime,
    invalidated: bool,
    may_update: bool,
    may_delete: bool,
}

/// Shows it.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ToldQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let invalidated = query.told.as_deref() == Some("invalidated");
    page(&api, &person, &place, (None, &Errors::default(), StatusCode::OK), invalidated).await
}

async fn page(
    api: &Api,
    person: &Person,
    place: &Place,
    (sent, errors, status): (Option<&Form>, &Errors, StatusCode),
    invalidated: bool,
) -> Answer {
    let tenant = place.tenant.id;
    let found = api.app.token_lifetime(&person.caller, tenant).await?;
    let stored = Form::of(amount("lifetime_seconds", "lifetime_unit", found.own));
    let content = Tokens {
        place,
        form: sent.unwrap_or(&stored),
        errors,
        found,
        invalidated,
        may_update: person.may("sessions", Verb::Update),
        may_delete: person.may("sessions", Verb::Delete),
    };
    let path = format!("/v1/tenants/{tenant}");
    let body = json!({ "lifetime_seconds": found.own });
    Page::new("Session tokens", Section::Security)
        .at(place)
        .status(status)
        .call(ApiCall::new("Read the settings", "GET", &format!("{path}/token-settings")))
        .call(ApiCall::with_body("Set the lifetime", "PUT", &format!("{path}/token-settings"), &body))
        .call(ApiCall::with_body("Invalidate all", "POST", &format!("{path}/invalidate-tokens"), &json!({})))
        .render(person, &content)
}

async fn refused(api: &Api, person: &Person, place: &Place, form: &Form, error: claviger_domain::Error) -> Answer {
    let status = status(&error);
    let errors = Errors::of(error).map_err(Failure)?;
    page(api, person, place, (Some(form), &errors, status), false).await
}

/// Sets how long they live.
pub(crate) async fn update(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    let outcome = match lifetime(&form) {
        Ok(seconds) => api.app.set_token_lifetime(&person.caller, tenant, seconds).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(_) => Ok(see_other(&place.path("/security?told=saved"))),
        Err(error) => refused(&api, &person, &place, &form, error).await,
    }
}

fn lifetime(form: &Form) -> Result<Option<i64>> {
    let seconds = read_amount(form, "lifetime_seconds", "lifetime_unit")?;
    seconds.map(|seconds| parse_lifetime("/lifetime_seconds", seconds)).transpose()
}

/// Invalidates all that there are.
pub(crate) async fn invalidate(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    form: Form,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let outcome = match check_typed(&form, &place) {
        Ok(()) => api.app.invalidate_tokens(&person.caller, tenant, None, None, None).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(see_other(&place.path("/security/tokens?told=invalidated"))),
        Err(error) => refused(&api, &person, &place, &form, error).await,
    }
}
