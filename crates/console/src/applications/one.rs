//! One application.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::application::{Application, ApplicationPatch, Secret};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "applications/one.html")]
struct One<'a> {
    place: &'a Place,
    application: Application,
    secrets: Vec<Secret>,
    errors: &'a Errors,
    may_update: bool,
}

/// Shows it.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
) -> Answer {
    page(&api, &person, (tenant, id), &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let (application, secrets) = api.app.find_application_and_secrets(&person.caller, tenant, id).await?;
    let (name, path) = (application.name.clone(), format!("/v1/tenants/{tenant}/applications/{id}"));
    let change = json!({ "enabled": !application.enabled });
    let may_update = person.may("applications", Verb::Update);
    let content = One { place: &place, application, secrets, errors, may_update };
    Page::new(&name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read the application", "GET", &path))
        .call(ApiCall::with_body("Enable or disable it", "PATCH", &path, &change))
        .render(person, &content)
}

/// Enables or disables it.
pub(crate) async fn enable(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
    form: Form,
) -> Answer {
    let patch = ApplicationPatch { enabled: Some(form.is("enabled", "true")), ..ApplicationPatch::default() };
    match api.app.update_application(&person.caller, tenant, id, patch, form.version()?).await {
        Ok(_) => Ok(see_other(&format!("/console/tenants/{tenant}/applications/{id}"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), &errors, status).await
        }
    }
}
