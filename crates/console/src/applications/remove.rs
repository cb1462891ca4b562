//! Deleting an application: with what it did in the last day, and its name typed.

use super::{Head, Ids, found};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_app::usage::UsageQuery;
use claviger_domain::application::{Application, Secret};
use claviger_domain::error::Referrer;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::usage::{Grain, Outcome};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;

#[derive(Template)]
#[template(path = "applications/delete.html")]
struct Delete<'a> {
    head: Head,
    application: Application,
    secrets: Vec<Secret>,
    referrers: Vec<Referrer>,
    /// Where trusted issuers are shown.
    issuers: String,
    traffic: Option<Traffic>,
    form: &'a Form,
    errors: &'a Errors,
}

/// Calls of the last day.
struct Traffic {
    allowed: i64,
    refused: i64,
}

/// Asks whether it is meant.
pub(super) async fn ask(State(api): State<Api>, person: Person, Path(ids): Ids) -> Answer {
    page(&api, &person, ids, (&Form::default(), &Errors::default()), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
    (form, errors): (&Form, &Errors),
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let (application, secrets) = api.app.find_application_and_secrets(&person.caller, tenant, id).await?;
    let traffic = if person.may("usage", Verb::Read) {
        let now = api.app.clock().now();
        let (since, until) = (now.plus_seconds(-86_400).hour(), now.plus_seconds(3_600));
        let query = UsageQuery { application: Some(id), since, until, grain: Grain::Hour };
        let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
        let page = if_allowed(api.app.list_usage(&person.caller, tenant, &query, &all).await)?;
        page.map(|page| {
            let count = |wanted: bool| {
                let rows = page.items.iter().filter(|row| (row.outcome == Outcome::Allowed) == wanted);
                rows.map(|row| row.count).sum()
            };
            Traffic { allowed: count(true), refused: count(false) }
        })
    } else {
        None
    };
    let referrers = api.app.list_application_referrers(&person.caller, tenant, id).await?;
    let name = application.name.clone();
    let head = Head::of(person, &place, &application, "/delete");
    let path = format!("/v1/tenants/{tenant}/applications/{id}");
    let issuers = place.path("/security/issuers");
    let content = Delete { head, application, secrets, referrers, issuers, traffic, form, errors };
    Page::new(&name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Delete it", "DELETE", &path))
        .render(person, &content)
}

/// Deletes it.
pub(super) async fn delete(State(api): State<Api>, person: Person, Path((tenant, id)): Ids, form: Form) -> Answer {
    let (_, application) = found(&api, &person, tenant, id).await?;
    let typed = if form.get("confirm") == application.name.trim() {
        api.app.delete_application(&person.caller, tenant, id, form.version()?).await
    } else {
        Err(claviger_domain::Error::invalid("/confirm", "that is not its name", "type it as it stands above"))
    };
    match typed {
        Ok(()) => Ok(see_other(&format!("/console/tenants/{tenant}/applications"))),
        Err(error) => {
            let status = status(&error);
            let mut errors = Errors::of(error).map_err(Failure)?;
            // The page names them itself.
            errors.referrers.clear();
            page(&api, &person, (tenant, id), (&form, &errors), status).await
        }
    }
}
