//! Migrating an application of a legacy key type: what it would come to, and then doing it.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::matrix::Matrix;
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::migration::Migration;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "security/migrate.html")]
struct Plan<'a> {
    place: &'a Place,
    errors: &'a Errors,
    plan: &'a Migration,
    matrix: Option<Matrix>,
}

/// Says what it would come to.
pub(crate) async fn plan(
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
    let plan = api.app.plan_migration(&person.caller, tenant, id).await?;
    let held = person.caller.grants();
    let matrix = plan.level.as_ref().map(|level| Matrix::to_see(api.app.catalogue(), &held, &level.grants));
    let path = format!("/v1/tenants/{tenant}/applications/{id}/migrate");
    let title = format!("Migrate {}", plan.application.name);
    Page::new(&title, Section::Security)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("What it would come to", "POST", &path, &json!({ "dry_run": true })))
        .call(ApiCall::with_body("Migrate it", "POST", &path, &json!({ "dry_run": false })))
        .render(person, &Plan { place: &place, errors, plan: &plan, matrix })
}

/// Does it.
pub(crate) async fn migrate(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
    form: Form,
) -> Answer {
    match api.app.migrate_application(&person.caller, tenant, id, form.version()?, None).await {
        Ok(_) => Ok(see_other(&format!("/console/tenants/{tenant}/applications/{id}"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), &errors, status).await
        }
    }
}
