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
use claviger_domain::findings::{DAYS_DEFAULT, parse_days};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

#[derive(Template)]
#[template(path = "applications/shrink.html")]
struct Shrink<'a> {
    head: Head,
    errors: &'a Errors,
    form: &'a Form,
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

/// Without how many days of use a right goes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DaysQuery {
    days: Option<String>,
}

/// Shows what would go.
pub(super) async fn ask(
    State(api): State<Api>,
    person: Person,
    Path(ids): Ids,
    Query(DaysQuery { days }): Query<DaysQuery>,
) -> Answer {
    let form = Form::of([("days", days.unwrap_or_else(|| DAYS_DEFAULT.to_string()))]);
    page(&api, &person, ids, &form, None).await
}

/// What would go, and why nothing was taken away, if that was tried.
async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    form: &Form,
    refused: Option<Error>,
) -> Answer {
    let (place, application) = found(api, person, tenant, id).await?;
    let refused = refused.map(|error| (status(&error), error));
    let (days, plan, wrong) = match days(form) {
        Err(error) => (DAYS_DEFAULT, None, Some((status(&error), error))),
        Ok(days) => match shrunk(api, person, (tenant, id), Shrinking { days, dry_run: true, if_match: None }).await {
            Ok(plan) => (days, Some(plan), refused),
            // Why nothing can go is what the page has to say.
            Err(error) => (days, None, Some(refused.unwrap_or((StatusCode::OK, error)))),
        },
    };
    let (status, errors) = match wrong {
        None => (StatusCode::OK, Errors::default()),
        Some((status, error)) => (status, Errors::of(error).map_err(Failure)?),
    };
    let head = Head::of(person, &place, &application, "/shrink");
    let path = format!("/v1/tenants/{tenant}/applications/{id}/shrink");
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Shrink it", "POST", &path, &json!({ "days": days, "dry_run": true })))
        .render(person, &Shrink { head, errors: &errors, form, plan, days })
}

fn days(form: &Form) -> Result<i64> {
    let text = form.get("days");
    let number =
        text.parse().map_err(|_| Error::invalid("/days", format!("“{text}” is no number of days"), "give a whole one"));
    parse_days("/days", number?)
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
    let if_match = form.version()?;
    let outcome = match days(&form) {
        Ok(days) => shrunk(&api, &person, (tenant, id), Shrinking { days, dry_run: false, if_match }).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(_) => Ok(see_other(&path_of(tenant, id))),
        Err(error) => page(&api, &person, (tenant, id), &form, Some(error)).await,
    }
}
