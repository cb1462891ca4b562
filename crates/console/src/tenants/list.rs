//! The tenants beneath one, as a list that is searched and as a tree that unfolds.

use super::{asked, if_allowed};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::{Place, kind_word};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_app::tenants::{TenantFilter, TenantOrder, TenantQuery};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::details::parse_external_id;
use claviger_domain::tenant::naming::parse_search;
use claviger_domain::tenant::{Kind, Stage, Status, Tenant};
use claviger_domain::{Result, page};
use claviger_kit::{Api, Failure, Fields, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;
use std::collections::HashMap;

/// Tenants on a page of the list.
const LISTED: i64 = 25;

/// Which tenants are wanted.
#[derive(Default, Deserialize)]
struct ListQuery {
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    within: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
}

/// A tenant as a list shows it.
pub(super) struct Row {
    pub(super) tenant: Tenant,
    /// The name of the one above, where that is not the tenant that is shown.
    above: Option<String>,
}

#[derive(Template)]
#[template(path = "tenants/list.html")]
struct List<'a> {
    tab: &'static str,
    place: &'a Place,
    form: Form,
    errors: Errors,
    rows: Vec<Row>,
    narrowed: bool,
    first: bool,
    next: Option<String>,
    more: String,
    may_create: bool,
}

#[derive(Template)]
#[template(path = "tenants/tree.html")]
struct Tree<'a> {
    tab: &'static str,
    place: &'a Place,
    rows: Vec<Row>,
    more: bool,
    may_create: bool,
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/tenants", get(list))
        .route("/console/tenants/{tenant_id}/tenants/tree", get(tree))
}

impl Row {
    pub(super) fn of(tenant: Tenant) -> Self {
        Self { tenant, above: None }
    }

    fn kind(&self) -> &'static str {
        kind_word(&self.tenant.kind)
    }

    /// How it stands: the colour of a badge and a word.
    pub(super) fn standing(&self) -> (&'static str, &'static str) {
        standing_of(&self.tenant)
    }

    /// Whether anything can stand beneath it.
    fn has_branches(&self) -> bool {
        self.tenant.kind != Kind::Instance
    }
}

/// How a tenant stands: the colour of a badge and a word.
pub(super) fn standing_of(tenant: &Tenant) -> (&'static str, &'static str) {
    match (tenant.status, tenant.provisioning) {
        (Status::Deleting, _) => ("bad", "being deleted"),
        (Status::Suspended, _) => ("warn", "suspended"),
        (Status::Active, Some(Stage::Failed)) => ("bad", "provisioning failed"),
        (Status::Active, Some(_)) => ("warn", "being provisioned"),
        (Status::Active, None) => ("good", "active"),
    }
}

impl ListQuery {
    fn form(&self) -> Form {
        let given = [
            ("q", &self.q),
            ("kind", &self.kind),
            ("status", &self.status),
            ("external_id", &self.external_id),
            ("within", &self.within),
        ];
        Form::of(given.map(|(name, value)| (name, asked(value).unwrap_or_default().to_owned())))
    }

    /// What the search wants, beneath that tenant.
    fn wanted(&self, beneath: TenantId) -> Result<TenantQuery> {
        let mut fields = Fields::new();
        let words = asked(&self.q).and_then(|text| fields.take(parse_search("/q", text)));
        let external_id = asked(&self.external_id).and_then(|id| fields.take(parse_external_id("/external_id", id)));
        let filter = TenantFilter {
            parent_id: (self.within.as_deref() == Some("here")).then_some(beneath),
            kind: asked(&self.kind).and_then(Kind::parse),
            status: asked(&self.status).and_then(Status::parse),
            external_id,
        };
        fields.finish(Some(TenantQuery { beneath: Some(beneath), filter, order: TenantOrder::Name, words }))
    }
}

/// The same question as a query, without what is empty.
fn query_of(form: &Form) -> String {
    let given = ["q", "kind", "status", "external_id", "within"].into_iter();
    let pairs = given.filter_map(|name| form.given(name).map(|value| format!("{name}={}", show::encoded(value))));
    pairs.collect::<Vec<_>>().join("&")
}

async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let form = query.form();
    let request = PageRequest::parse(Some(LISTED), asked(&query.cursor))?;
    let (found, errors, status) = match query.wanted(tenant) {
        Ok(wanted) => {
            (api.app.list_tenants(&person.caller, &wanted, &request).await?, Errors::default(), StatusCode::OK)
        }
        Err(error) => {
            let status = status(&error);
            let nothing = page::Page { items: Vec::new(), next: None };
            (nothing, Errors::of(error).map_err(Failure)?, status)
        }
    };
    let narrowed = query_of(&form);
    let path = place.path("/tenants");
    let content = List {
        tab: "list",
        place: &place,
        rows: rows(&api, &person, &place, found.items).await?,
        narrowed: !narrowed.is_empty(),
        first: asked(&query.cursor).is_none(),
        next: found.next,
        more: if narrowed.is_empty() { path } else { format!("{path}?{narrowed}") },
        may_create: may_create(&person, &place),
        form,
        errors,
    };
    let asked = narrowed.replace("within=here", &format!("parent_id={tenant}"));
    let asked = if asked.is_empty() { "sort=name".to_owned() } else { asked };
    Page::new("Tenants beneath", Section::Tenants)
        .at(&place)
        .status(status)
        .call(ApiCall::new("List them", "GET", &format!("/v1/tenants?beneath={tenant}&{asked}")))
        .render(&person, &content)
}

pub(super) fn may_create(person: &Person, place: &Place) -> bool {
    person.may("tenants", Verb::Create) && place.tenant.kind != Kind::Instance
}

/// The tenants that were found, but the one that is shown, each with the name of what stands above it.
async fn rows(api: &Api, person: &Person, place: &Place, found: Vec<Tenant>) -> Result<Vec<Row>> {
    let mut names: HashMap<TenantId, String> = found.iter().map(|tenant| (tenant.id, tenant.name.clone())).collect();
    let mut rows = Vec::with_capacity(found.len());
    for tenant in found.into_iter().filter(|tenant| tenant.id != place.tenant.id) {
        let parent = tenant.parent_id.filter(|parent| *parent != place.tenant.id);
        if let Some(parent) = parent
            && !names.contains_key(&parent)
            && let Some(above) = if_allowed(api.app.find_tenant(&person.caller, parent).await)?
        {
            names.insert(parent, above.name);
        }
        let above = parent.and_then(|parent| names.get(&parent).cloned());
        rows.push(Row { tenant, above });
    }
    Ok(rows)
}

async fn tree(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    let filter = TenantFilter { parent_id: Some(tenant), ..TenantFilter::default() };
    let wanted = TenantQuery { beneath: Some(tenant), filter, order: TenantOrder::Name, words: None };
    let request = PageRequest::parse(None, None)?;
    let found = api.app.list_tenants(&person.caller, &wanted, &request).await?;
    let content = Tree {
        tab: "tree",
        place: &place,
        more: found.next.is_some(),
        rows: found.items.into_iter().map(Row::of).collect(),
        may_create: may_create(&person, &place),
    };
    Page::new("Tenants beneath", Section::Tenants)
        .at(&place)
        .call(ApiCall::new("List those right beneath", "GET", &format!("/v1/tenants?parent_id={tenant}&sort=name")))
        .render(&person, &content)
}
