//! How many applications a tenant may have.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::{TenantPatch, parse_application_limit};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "security/limits.html")]
struct Limits<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    may_update: bool,
}

/// Shows the form.
pub(crate) async fn show(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    let form = Form::of([("application_limit", place.tenant.application_limit.to_string())]);
    page(&person, &place, &form, &Errors::default(), StatusCode::OK)
}

fn page(person: &Person, place: &Place, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let body = json!({ "application_limit": place.tenant.application_limit });
    let path = format!("/v1/tenants/{}", place.tenant.id);
    let may_update = person.may("tenants", Verb::Update);
    Page::new("Limits", Section::Security)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Set the limit of applications", "PATCH", &path, &body))
        .render(person, &Limits { place, form, errors, may_update })
}

/// Sets it.
pub(crate) async fn update(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_update(&api, &person, tenant, &form).await {
        Ok(()) => Ok(see_other(&place.path("/security?told=saved"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&person, &place, &form, &errors, status)
        }
    }
}

async fn try_update(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<()> {
    let limit = form.get("application_limit").parse();
    let limit = limit.map_err(|_| Error::invalid("/application_limit", "not a whole number", "give one such as 10"))?;
    let application_limit = Some(parse_application_limit("/application_limit", limit)?);
    let patch = TenantPatch { application_limit, ..TenantPatch::default() };
    api.app.update_tenant(&person.caller, tenant, patch, form.version()?).await.map(|_| ())
}
