//! Making an access level.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::matrix::{Matrix, ticked, written};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::unit::Posted;
use claviger_domain::access_level::{AccessLevel, NewAccessLevel};
use claviger_domain::grants::{Right, grants_to_json};
use claviger_domain::id::TenantId;
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_text};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Fields, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "access_levels/new.html")]
struct New<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    matrix: Matrix,
}

/// What was wrong with a form that gives rights.
#[derive(Default)]
pub(super) struct Wrong {
    /// What is told.
    pub(super) errors: Errors,
    /// The right that lies above those of whoever would give it.
    pub(super) above: Option<Right>,
}

impl Wrong {
    /// What a form is told about a refusal, if that is for a form to tell.
    pub(super) fn of(error: Error) -> Result<Self, Failure> {
        if let Error::Forbidden { missing: Some(right), .. } = &error
            && !right.permission.starts_with("access-levels")
        {
            let text = format!("{right} lies above your own rights: nobody can give or change what they do not hold.");
            return Ok(Self { errors: Errors::alert(text), above: Some(right.clone()) });
        }
        Ok(Self { errors: Errors::of(error).map_err(Failure)?, above: None })
    }
}

/// The level that a verb has made.
pub(super) fn made(posted: Posted<AccessLevel>) -> Result<AccessLevel> {
    match posted {
        Posted::Done(level) => Ok(level),
        Posted::Replayed(_) => Err(Error::Internal("a call without an idempotency key was replayed".into())),
    }
}

/// Shows the form.
pub(crate) async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    page(&api, &person, &place, &Form::default(), &Wrong::default(), StatusCode::OK)
}

fn page(api: &Api, person: &Person, place: &Place, form: &Form, wrong: &Wrong, status: StatusCode) -> Answer {
    let grants = ticked(form);
    let mut matrix = Matrix::to_tick(api.app.catalogue(), &person.caller.grants(), &grants);
    if let Some(right) = &wrong.above {
        matrix.mark(right);
    }
    let body = json!({ "name": form.get("name"), "grants": grants_to_json(&grants) });
    let path = format!("/v1/tenants/{}/access-levels", place.tenant.id);
    Page::new("Add an access level", Section::AccessLevels)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Make an access level", "POST", &path, &body))
        .call(ApiCall::new("Read the catalogue of permissions", "GET", "/v1/catalogue"))
        .render(person, &New { place, form, errors: &wrong.errors, matrix })
}

/// Makes one.
pub(crate) async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_create(&api, &person, tenant, &form).await {
        Ok(level) => Ok(see_other(&place.path(&format!("/access-levels/{}?told=made", level.id)))),
        Err(error) => {
            let status = status(&error);
            page(&api, &person, &place, &form, &Wrong::of(error)?, status)
        }
    }
}

async fn try_create(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<AccessLevel> {
    let mut fields = Fields::new();
    let name = fields.take(Name::parse("/name", form.get("name")));
    let description = fields.take(parse_text("/description", form.get("description"), DESCRIPTION_MAX));
    let grants = fields.take(written(form, api.app.catalogue()));
    let new = name.zip(description).zip(grants);
    let new = new.map(|((name, description), grants)| NewAccessLevel { name, description, grants });
    made(api.app.create_access_level(&person.caller, tenant, fields.finish(new)?, None).await?)
}
