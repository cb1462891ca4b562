//! The record, newest first.

use super::AuditQuery;
use super::told::Told;
use crate::api_call::ApiCall;
use crate::filters::with_query;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::audit::Entry;
use claviger_domain::id::TenantId;
use claviger_domain::page::{self, PageRequest};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use std::collections::BTreeMap;

/// How often a page that follows the record asks: for a quarter of an hour, every five seconds. A page that is left open does not keep
/// its session alive for longer.
const FOLLOWS: u32 = 180;

#[derive(Template)]
#[template(path = "audit/list.html")]
struct List<'a> {
    place: &'a Place,
    form: Form,
    errors: Errors,
    items: Vec<Told>,
    /// Names of actors, by id.
    names: BTreeMap<String, String>,
    path: String,
    all: String,
    csv: String,
    lines: String,
    first: bool,
    next: Option<String>,
    filtered: bool,
    searched: bool,
    /// Where newer entries are to be had by and by; none where they are not asked for.
    newer: Option<String>,
    follow: String,
    /// Entries on this page so that they can be linked to.
    base: String,
}

/// Shows it.
pub(super) async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<AuditQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let (found, errors, status) = match entries(&api, &person, tenant, &query).await {
        Ok(found) => (found, Errors::default(), StatusCode::OK),
        Err(error @ Error::Invalid(_)) => {
            let status = status(&error);
            (page::Page { items: Vec::new(), next: None }, Errors::of(error).map_err(Failure)?, status)
        }
        Err(error) => return Err(Failure(error)),
    };
    let items: Vec<_> = found.items.iter().map(Told::of).collect();
    let names = super::names(&api, &person, items.iter().map(Told::actor)).await?;
    let base = place.path("/audit");
    let first = query.cursor.as_deref().is_none_or(str::is_empty);
    let left = query.follow.as_deref().and_then(|left| left.parse::<u32>().ok()).map(|left| left.min(FOLLOWS));
    let left = left.filter(|left| *left > 0 && first && !errors.any());
    let newer = left.map(|left| query.path(&base, &[("follow", Some(&(left - 1).to_string()))]));
    let path = query.path(&base, &[]);
    let export = place.path("/audit/export");
    let call = {
        let [_, since, until, actor, action, target] = query.values();
        with_query(&format!("/v1/tenants/{tenant}/audit"), &[since, until, actor, action, target])
    };
    let content = List {
        place: &place,
        form: Form::of(query.values().map(|(name, value)| (name, value.unwrap_or_default().to_owned()))),
        filtered: path != base,
        searched: query.words().is_some(),
        csv: query.path(&export, &[("format", Some("csv"))]),
        lines: query.path(&export, &[("format", Some("jsonl"))]),
        follow: query.path(&base, &[("follow", Some(&FOLLOWS.to_string()))]),
        next: found.next,
        items,
        names,
        all: base.clone(),
        errors,
        path,
        first,
        newer,
        base,
    };
    Page::new("Audit record", Section::Audit)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read the audit record", "GET", &call))
        .render(&person, &content)
}

async fn entries(api: &Api, person: &Person, tenant: TenantId, query: &AuditQuery) -> Result<page::Page<Entry>> {
    let request = PageRequest::parse(None, query.cursor.as_deref().filter(|cursor| !cursor.is_empty()))?;
    read(api, person, tenant, query, &request).await
}

/// A page of what the query lets through.
pub(super) async fn read(
    api: &Api,
    person: &Person,
    tenant: TenantId,
    query: &AuditQuery,
    request: &PageRequest,
) -> Result<page::Page<Entry>> {
    let filter = query.filter()?;
    match query.words() {
        Some(words) => api.app.search_audit_words(&person.caller, tenant, &filter, words, request).await,
        None => api.app.list_audit(&person.caller, tenant, &filter, request).await,
    }
}

impl List<'_> {
    /// The record narrowed by one thing.
    fn only(&self, name: &str, value: &str) -> String {
        with_query(&self.base, &[(name, Some(value))])
    }
}
