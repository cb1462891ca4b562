//! One's own second factors: renamed, removed; and new recovery codes.

use super::enrol::codes_page;
use super::{SECURITY, security};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::factor::{Factor, parse_name};
use claviger_domain::id::FactorId;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "account/name.html")]
struct NamePage<'a> {
    factor: &'a Factor,
    form: &'a Form,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "account/remove.html")]
struct Removal<'a> {
    factor: &'a Factor,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "account/new_codes.html")]
struct NewCodes<'a> {
    left: i64,
    errors: &'a Errors,
}

/// One's own factor of that id.
async fn own(api: &Api, person: &Person, id: FactorId) -> Result<Factor> {
    let found = api.app.list_factors(person.user()).await?;
    found.factors.into_iter().find(|factor| factor.id == id).ok_or(Error::NotFound("factor"))
}

/// Asks for a name.
pub(crate) async fn ask_name(State(api): State<Api>, person: Person, Path(id): Path<FactorId>) -> Answer {
    let factor = own(&api, &person, id).await?;
    let form = Form::of([("name", factor.name.clone())]);
    name_page(&api, &person, &factor, &form, &Errors::default(), StatusCode::OK).await
}

async fn name_page(
    api: &Api,
    person: &Person,
    factor: &Factor,
    form: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, person.user().tenant.id).await?;
    let (path, body) = (format!("/v1/me/factors/{}", factor.id), json!({ "name": form.get("name") }));
    Page::new("Rename a factor", Section::Account)
        .at(&place)
        .status(status)
        .call(ApiCall::as_person_with_body("Rename it", "PATCH", &path, &body))
        .render(person, &NamePage { factor, form, errors })
}

/// Renames it.
pub(crate) async fn rename(State(api): State<Api>, person: Person, Path(id): Path<FactorId>, form: Form) -> Answer {
    match try_rename(&api, &person, id, &form).await {
        Ok(_) => Ok(see_other(&security::told("renamed"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            let factor = own(&api, &person, id).await?;
            name_page(&api, &person, &factor, &form, &errors, status).await
        }
    }
}

async fn try_rename(api: &Api, person: &Person, id: FactorId, form: &Form) -> Result<Factor> {
    let name = parse_name("/name", form.get("name"))?;
    api.app.rename_factor(&person.caller, id, name, &person.visit).await
}

/// Asks whether it is to be removed.
pub(crate) async fn ask_removal(State(api): State<Api>, person: Person, Path(id): Path<FactorId>) -> Answer {
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    let factor = own(&api, &person, id).await?;
    removal_page(&api, &person, &factor, &Errors::default(), StatusCode::OK).await
}

async fn removal_page(api: &Api, person: &Person, factor: &Factor, errors: &Errors, status: StatusCode) -> Answer {
    let place = person.at(api, person.user().tenant.id).await?;
    Page::new("Remove a factor", Section::Account)
        .at(&place)
        .status(status)
        .call(ApiCall::as_person("Remove it", "DELETE", &format!("/v1/me/factors/{}", factor.id)))
        .render(person, &Removal { factor, errors })
}

/// Removes it.
pub(crate) async fn remove(State(api): State<Api>, person: Person, Path(id): Path<FactorId>, _: Form) -> Answer {
    match api.app.delete_factor(&person.caller, id, &person.visit).await {
        Ok(()) => Ok(see_other(&security::told("removed"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            let factor = own(&api, &person, id).await?;
            removal_page(&api, &person, &factor, &errors, status).await
        }
    }
}

/// Asks whether new recovery codes are to take the place of those before.
pub(crate) async fn ask_codes(State(api): State<Api>, person: Person) -> Answer {
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    new_codes_page(&api, &person, &Errors::default(), StatusCode::OK).await
}

async fn new_codes_page(api: &Api, person: &Person, errors: &Errors, status: StatusCode) -> Answer {
    let place = person.at(api, person.user().tenant.id).await?;
    let left = api.app.list_factors(person.user()).await?.recovery_codes_left;
    Page::new("New recovery codes", Section::Account)
        .at(&place)
        .status(status)
        .call(ApiCall::as_person_with_body("Make new ones", "POST", "/v1/me/recovery-codes", &json!({})))
        .render(person, &NewCodes { left, errors })
}

/// Makes them, and shows them once.
pub(crate) async fn make_codes(State(api): State<Api>, person: Person, _: Form) -> Answer {
    match api.app.create_recovery_codes(&person.caller, &person.visit).await {
        Ok(codes) => Ok(codes_page(&codes, SECURITY)),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            new_codes_page(&api, &person, &errors, status).await
        }
    }
}
