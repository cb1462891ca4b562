//! The access levels of a tenant, with how many use each.

use crate::api_call::ApiCall;
use crate::matrix::{count_rights, first_above};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::access_level::{AccessLevel, LevelUses};
use claviger_domain::grants::{Right, Verb};
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Which part of the list is shown.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    told: Option<String>,
}

#[derive(Template)]
#[template(path = "access_levels/list.html")]
struct List<'a> {
    place: &'a Place,
    items: Vec<Item>,
    next: Option<String>,
    first: bool,
    may_create: bool,
    deleted: bool,
}

/// A level in the list.
struct Item {
    level: AccessLevel,
    uses: LevelUses,
    rights: i64,
    permissions: i64,
    above: Option<Right>,
}

/// Lists them.
pub(crate) async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let cursor = query.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let page = api.app.list_access_levels(&person.caller, tenant, &PageRequest::parse(None, cursor)?).await?;
    let ids: Vec<_> = page.items.iter().map(|level| level.id).collect();
    let uses = api.app.count_level_uses(&person.caller, tenant, &ids).await?;
    let held = person.caller.grants();
    let item = |level: AccessLevel| Item {
        uses: uses.get(&level.id).copied().unwrap_or_default(),
        rights: count_rights(&level.grants),
        permissions: i64::try_from(level.grants.len()).unwrap_or(i64::MAX),
        above: first_above(&level.grants, &held, api.app.catalogue()),
        level,
    };
    let content = List {
        place: &place,
        items: page.items.into_iter().map(item).collect(),
        next: page.next,
        first: cursor.is_none(),
        may_create: person.may("access-levels", Verb::Create),
        deleted: query.told.as_deref() == Some("deleted"),
    };
    Page::new("Access levels", Section::AccessLevels)
        .at(&place)
        .call(ApiCall::new("List access levels", "GET", &format!("/v1/tenants/{tenant}/access-levels")))
        .render(&person, &content)
}
