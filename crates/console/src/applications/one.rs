//! One application: what it is, its secrets and findings, its part of the audit record, and what would stand in its way.

use super::create::question;
use super::{Head, Ids, found, path_of};
use crate::api_call::ApiCall;
use crate::audit::Told;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_app::findings::FindingsQuery;
use claviger_domain::application::{Application, ApplicationPatch, Reach, Rights, Secret};
use claviger_domain::audit::Filter;
use claviger_domain::findings::Finding;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::notice::{Notice, NoticeFilter};
use claviger_domain::page::PageRequest;
use claviger_domain::simulation::Obstacle;
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "applications/one.html")]
struct One<'a> {
    head: Head,
    application: Application,
    level: Option<String>,
    secrets: Vec<Secret>,
    findings: Vec<Finding>,
    notices: Vec<Notice>,
    errors: &'a Errors,
    now: Timestamp,
    may_update: bool,
}

impl One<'_> {
    fn own_rights(&self) -> Vec<String> {
        match &self.application.rights {
            Rights::Inline(grants) => super::fields::rights_in(grants).collect(),
            _ => Vec::new(),
        }
    }

    fn legacy(&self) -> Option<&'static str> {
        self.application.rights.legacy().map(|kind| kind.as_str())
    }

    fn reaches_beneath(&self) -> bool {
        self.application.reach == Reach::Beneath
    }

    fn networks(&self) -> Option<Vec<String>> {
        self.application.allowed_networks.as_ref().map(|list| list.iter().map(ToString::to_string).collect())
    }
}

/// Shows it.
pub(super) async fn show(State(api): State<Api>, person: Person, Path((tenant, id)): Ids) -> Answer {
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
    let caller = &person.caller;
    let (application, secrets) = api.app.find_application_and_secrets(caller, tenant, id).await?;
    let level = match &application.rights {
        Rights::Level(level) if person.may("access-levels", Verb::Read) => {
            if_allowed(api.app.find_access_level(caller, tenant, *level).await)?.map(|level| level.name)
        }
        _ => None,
    };
    let findings =
        if person.may("findings", Verb::Read) { findings(api, person, (tenant, id)).await? } else { Vec::new() };
    let notices = if person.may("notices", Verb::Read) {
        let filter = NoticeFilter { kind: None, application_id: Some(id), dismissed: false };
        let request = PageRequest::parse(Some(20), None)?;
        if_allowed(api.app.list_notices(caller, tenant, &filter, &request).await)?.map(|page| page.items)
    } else {
        None
    };
    let (name, path) = (application.name.clone(), format!("/v1/tenants/{tenant}/applications/{id}"));
    let change = json!({ "enabled": !application.enabled });
    let content = One {
        head: Head::of(person, &place, &application, ""),
        application,
        level,
        secrets,
        findings,
        notices: notices.unwrap_or_default(),
        errors,
        now: api.app.clock().now(),
        may_update: person.may("applications", Verb::Update),
    };
    Page::new(&name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read the application", "GET", &path))
        .call(ApiCall::with_body("Enable or disable it", "PATCH", &path, &change))
        .render(person, &content)
}

/// What is found about one application.
async fn findings(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ApplicationId),
) -> Result<Vec<Finding>, Failure> {
    let query = FindingsQuery { application: Some(id), ..FindingsQuery::default() };
    let page = api.app.list_findings(&person.caller, tenant, query, &PageRequest::parse(Some(20), None)?).await;
    Ok(if_allowed(page)?.map(|page| page.items).unwrap_or_default())
}

/// Enables or disables it.
pub(super) async fn enable(State(api): State<Api>, person: Person, Path((tenant, id)): Ids, form: Form) -> Answer {
    let patch = ApplicationPatch { enabled: Some(form.is("enabled", "true")), ..ApplicationPatch::default() };
    match api.app.update_application(&person.caller, tenant, id, patch, form.version()?).await {
        Ok(_) => Ok(see_other(&path_of(tenant, id))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, (tenant, id), &errors, status).await
        }
    }
}

#[derive(Template)]
#[template(path = "applications/audit.html")]
struct Audit {
    head: Head,
    path: String,
    by: bool,
    items: Vec<Told>,
    /// Names of actors, by id.
    names: BTreeMap<String, String>,
    /// Where entries are shown.
    entries: String,
    first: bool,
    next: Option<String>,
}

/// Which entries are shown.
#[derive(Deserialize)]
pub(super) struct AuditQuery {
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
}

/// Shows what was done to it, or by it.
pub(super) async fn audit(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Ids,
    Query(query): Query<AuditQuery>,
) -> Answer {
    let (place, application) = found(&api, &person, tenant, id).await?;
    let by = query.by.as_deref() == Some("it");
    let (name, subject) = if by { ("actor", application.client_id.to_string()) } else { ("target", id.to_string()) };
    let filter = if by {
        Filter { actor: Some(subject.clone()), ..Filter::default() }
    } else {
        Filter { target: Some(subject.clone()), ..Filter::default() }
    };
    let request = PageRequest::parse(None, query.cursor.as_deref())?;
    let page = api.app.list_audit(&person.caller, tenant, &filter, &request).await?;
    let items: Vec<_> = page.items.iter().map(Told::of).collect();
    let head = Head::of(&person, &place, &application, "/audit");
    let path = format!("{}/audit{}", head.path, if by { "?by=it" } else { "" });
    let content = Audit {
        head,
        path,
        by,
        first: query.cursor.is_none(),
        next: page.next,
        names: crate::audit::names(&api, &person, items.iter().map(Told::actor)).await?,
        items,
        entries: place.path("/audit"),
    };
    let call = format!("/v1/tenants/{tenant}/audit?{name}={}", show::encoded(&subject));
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .call(ApiCall::new("Read the audit record", "GET", &call))
        .render(&person, &content)
}

/// The call that is imagined.
#[derive(Deserialize)]
pub(super) struct SimulateQuery {
    #[serde(default)]
    right: Option<String>,
    #[serde(default)]
    address: Option<String>,
}

#[derive(Template)]
#[template(path = "applications/simulate.html")]
struct Simulate<'a> {
    head: Head,
    right: &'a str,
    address: &'a str,
    own_address: String,
    errors: Errors,
    obstacles: Option<Vec<Obstacle>>,
}

/// Says what would stand in the way of a call.
pub(super) async fn simulate(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Ids,
    Query(query): Query<SimulateQuery>,
) -> Answer {
    let (place, application) = found(&api, &person, tenant, id).await?;
    let right = query.right.as_deref().unwrap_or_default().trim();
    let address = query.address.as_deref().unwrap_or_default().trim();
    let (obstacles, errors, status) = if right.is_empty() {
        (None, Errors::default(), StatusCode::OK)
    } else {
        match question(&api, right, address) {
            Ok(question) => {
                let found = api.app.simulate(&person.caller, tenant, id, &question).await?;
                (Some(found), Errors::default(), StatusCode::OK)
            }
            Err(error) => {
                let status = status(&error);
                (None, Errors::of(error).map_err(Failure)?, status)
            }
        }
    };
    let own_address = person.caller.origin().address().map(|address| address.to_string()).unwrap_or_default();
    let head = Head::of(&person, &place, &application, "/simulate");
    let body = json!({ "application_id": id, "permission": right, "address": address });
    let path = format!("/v1/tenants/{tenant}/simulate");
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Simulate a call", "POST", &path, &body))
        .render(&person, &Simulate { head, right, address, own_address, errors, obstacles })
}
