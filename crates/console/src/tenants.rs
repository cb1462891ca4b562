//! Tenants: the overview of one, the search that switches to another, and everything that becomes of them.

mod details;
mod edit;
mod jobs;
mod list;
mod members;
mod mfa;
mod provision;
mod receipts;
mod settings;
mod standing;
mod utilization;

use crate::api_call::ApiCall;
use crate::form::Form;
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::{Person, is_safe_next};
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use claviger_app::findings::FindingsQuery;
use claviger_app::tenants::{TenantOrder, TenantQuery};
use claviger_domain::findings::Finding;
use claviger_domain::grants::Verb;
use claviger_domain::id::{NoticeId, TenantId};
use claviger_domain::notice::{Notice, NoticeFilter};
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Tenant;
use claviger_domain::tenant::naming::parse_search;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Things of a kind that the overview shows; the rest is on a page of its own.
const SHOWN: i64 = 8;
/// Tenants that a search finds at once.
const FOUND: i64 = 20;

#[derive(Template)]
#[template(path = "tenants/overview.html")]
struct Overview<'a> {
    place: &'a Place,
    notices: Option<Vec<Notice>>,
    findings: Option<Vec<Finding>>,
    applications: Option<i64>,
    may_dismiss: bool,
}

#[derive(Template)]
#[template(path = "tenants/switch.html")]
struct Switch<'a> {
    words: &'a str,
    found: Vec<Tenant>,
    more: bool,
}

/// What is searched for.
#[derive(Deserialize)]
struct SwitchQuery {
    #[serde(default)]
    q: Option<String>,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}", get(overview))
        .route("/console/switch", get(switch))
        .route("/console/tenants/{tenant_id}/notices/{id}/dismiss", post(dismiss))
        .merge(list::routes())
        .merge(provision::routes())
        .merge(jobs::routes())
        .merge(receipts::routes())
        .merge(details::routes())
        .merge(edit::routes())
        .merge(standing::routes())
        .merge(mfa::routes())
        .merge(utilization::routes())
}

/// A value of a query; an empty one, as forms send it, is none.
pub(crate) fn asked(value: &Option<String>) -> Option<&str> {
    value.as_deref().map(str::trim).filter(|value| !value.is_empty())
}

/// What a verb gives, where the person may have it.
pub(crate) fn if_allowed<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn overview(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    let request = PageRequest::parse(Some(SHOWN), None)?;
    let notices = if person.may("notices", Verb::Read) {
        let filter = NoticeFilter { kind: None, application_id: None, dismissed: false };
        if_allowed(api.app.list_notices(&person.caller, tenant, &filter, &request).await)?
    } else {
        None
    };
    let findings = if person.may("findings", Verb::Read) {
        if_allowed(api.app.list_findings(&person.caller, tenant, FindingsQuery::default(), &request).await)?
    } else {
        None
    };
    let applications = if person.may("applications", Verb::Read) {
        if_allowed(api.app.count_applications(&person.caller, tenant).await)?
    } else {
        None
    };
    let content = Overview {
        place: &place,
        notices: notices.map(|page| page.items),
        findings: findings.map(|page| page.items),
        applications,
        may_dismiss: person.may("notices", Verb::Update),
    };
    Page::new(&place.tenant.name, Section::Overview)
        .at(&place)
        .call(ApiCall::new("Read the tenant", "GET", &format!("/v1/tenants/{tenant}")))
        .call(ApiCall::new("Its notices", "GET", &format!("/v1/tenants/{tenant}/notices")))
        .call(ApiCall::new("Its findings", "GET", &format!("/v1/tenants/{tenant}/findings")))
        .render(&person, &content)
}

/// Puts a notice away.
async fn dismiss(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, NoticeId)>,
    form: Form,
) -> Answer {
    api.app.dismiss_notice(&person.caller, tenant, id).await?;
    let overview = format!("/console/tenants/{tenant}");
    Ok(see_other(form.given("next").filter(|next| is_safe_next(next)).unwrap_or(&overview)))
}

async fn switch(State(api): State<Api>, person: Person, Query(query): Query<SwitchQuery>) -> Answer {
    let words = query.q.as_deref().unwrap_or_default().trim();
    let wanted = TenantQuery {
        order: TenantOrder::Name,
        words: if words.is_empty() { None } else { Some(parse_search("q", words)?) },
        ..TenantQuery::default()
    };
    let request = PageRequest::parse(Some(FOUND), None)?;
    let page = api.app.list_tenants(&person.caller, &wanted, &request).await?;
    let content = Switch { words, more: page.next.is_some(), found: page.items };
    Page::new("Switch tenant", Section::Account)
        .call(ApiCall::new("Search tenants", "GET", &format!("/v1/tenants?q={}", show::encoded(words))))
        .render(&person, &content)
}
