//! Shrinking an application to the rights that it has used.

use super::fields::rights_in;
use super::{Head, Ids, found, path_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::shrink::{Shrinking, Shrunk};
use claviger_app::unit::Posted;
use claviger_domain::findings::DAYS_DEFAULT;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "applications/shrink.html")]
struct Shrink<'a> {
    head: Head,
    errors: &'a Errors,
    plan: Option<Shrunk>,
    days: i64,
}

impl Shrink<'_> {
    fn dropped(&self) -> Vec<String> {
        self.plan.iter().flat_map(|plan| rights_in(&plan.dropped)).collect()
    }

    fn kept(&self) -> Vec<String> {
        self.plan.iter().flat_map(|plan| rights_in(&plan.kept)).collect()
    }
}

/// Shows what would go.
pub(super) async fn ask(State(api): State<Api>, person: Person, Path(ids): Ids) -> Answer {
    page(&api, &person, ids, Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    errors: Errors,
    status: StatusCode,
) -> Answer {
    let (place, application) = found(api, person, tenant, id).await?;
    let shrinking = Shrinking { days: DAYS_DEFAULT, dry_run: true, if_match: None };
    let (plan, errors) = match shrunk(api, person, (tenant, id), shrinking).await {
        Ok(plan) => (Some(plan), errors),
        // Why nothing can go is what the page has to say.
        Err(error) => (None, if errors.any() { errors } else { Errors::of(error).map_err(Failure)? }),
    };
    let head = Head::of(person, &place, &application, "/shrink");
    let path = format!("/v1/tenants/{tenant}/applications/{id}/shrink");
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Shrink it", "POST", &path, &json!({ "days": DAYS_DEFAULT, "dry_run": true })))
        .render(person, &Shrink { head, errors: &errors, plan, days: DAYS_DEFAULT })
}

async fn shrunk(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    shrinking: Shrinking,
) -> Result<Shrunk> {
    match api.app.shrink_application(&person.caller, tenant, id, shrinking, None).await? {
        Posted::Done(shrunk) => Ok(shrunk),
        Posted::Replayed(_) => Err(Error::Internal("a call without an idempotency key was replayed".into())),
    }
}

/// Takes the rights away.
pub(super) async fn shrink(State(api): State<Api>, person: Person, Path((tenant, id)): Ids, form: Form) -> Answer {
    let shrinking = Shrinking { days: DAYS_DEFAULT, dry_run: false, if_match: form.version()? };
    match shrunk(&api, &person, (tenant, id), shrinking).await {
        Ok(_) => Ok(see_other(&path_of(tenant, id))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), errors, status).await
        }
    }
}
