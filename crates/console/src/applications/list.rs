//! The applications of a tenant.

use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::application::Application;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Which part of the list is shown.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "applications/list.html")]
struct List<'a> {
    place: &'a Place,
    items: Vec<Application>,
    next: Option<String>,
    first: bool,
    may_create: bool,
}

/// Lists them.
pub(crate) async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let request = PageRequest::parse(None, query.cursor.as_deref())?;
    let page = api.app.list_applications(&person.caller, tenant, &request).await?;
    let content = List {
        place: &place,
        items: page.items,
        next: page.next,
        first: query.cursor.is_none(),
        may_create: person.may("applications", Verb::Create),
    };
    Page::new("Applications", Section::Applications)
        .at(&place)
        .call(ApiCall::new("List applications", "GET", &format!("/v1/tenants/{tenant}/applications")))
        .render(&person, &content)
}
