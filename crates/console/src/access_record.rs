//! Who got session tokens: by which door, from where, until when.

use crate::api_call::ApiCall;
use crate::csv;
use crate::filters::{given, moment, with_query};
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use claviger_domain::access::{Access, Filter};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{self, LIMIT_MAX, PageRequest};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, Query, status};
use futures_util::stream;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const HEAD: [&str; 9] =
    ["at", "application_id", "application", "door", "address", "user_agent", "source", "token_id", "expires_at"];

/// What narrows the list.
#[derive(Debug, Deserialize)]
struct AccessQuery {
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    application: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "access_record.html")]
struct List<'a> {
    place: &'a Place,
    form: Form,
    errors: Errors,
    items: Vec<Access>,
    names: BTreeMap<ApplicationId, String>,
    path: String,
    all: String,
    csv: String,
    first: bool,
    next: Option<String>,
    filtered: bool,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/access-record", get(list))
        .route("/console/tenants/{tenant_id}/access-record/export", get(export))
}

impl AccessQuery {
    fn filter(&self) -> Result<Filter> {
        Ok(Filter {
            since: moment("since", self.since.as_deref())?,
            until: moment("until", self.until.as_deref())?,
            application: application("application", self.application.as_deref())?,
        })
    }

    fn values(&self) -> [(&'static str, Option<&str>); 3] {
        let Self { since, until, application, .. } = self;
        [("since", since.as_deref()), ("until", until.as_deref()), ("application", application.as_deref())]
    }
}

/// The application that a list is narrowed to.
pub(crate) fn application(name: &str, text: Option<&str>) -> Result<Option<ApplicationId>> {
    let wrong = || Error::invalid(name, "this is no id of an application", "copy it from the application's page");
    given(text).map(|text| ApplicationId::parse(text).ok_or_else(wrong)).transpose()
}

/// The names of applications, where the person may know them.
pub(crate) async fn names(
    api: &Api,
    person: &Person,
    tenant: TenantId,
    ids: impl Iterator<Item = ApplicationId>,
) -> Result<BTreeMap<ApplicationId, String>> {
    let ids: BTreeSet<_> = ids.collect();
    let found = if_allowed(api.app.application_names(&person.caller, tenant, &ids).await)?;
    Ok(found.unwrap_or_default())
}

async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<AccessQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let (found, errors, status) = match accesses(&api, &person, tenant, &query).await {
        Ok(found) => (found, Errors::default(), StatusCode::OK),
        Err(error @ Error::Invalid(_)) => {
            let status = status(&error);
            (page::Page { items: Vec::new(), next: None }, Errors::of(error).map_err(Failure)?, status)
        }
        Err(error) => return Err(Failure(error)),
    };
    let all = place.path("/access-record");
    let path = with_query(&all, &query.values());
    let content = List {
        place: &place,
        form: Form::of(query.values().map(|(name, value)| (name, value.unwrap_or_default().to_owned()))),
        names: names(&api, &person, tenant, found.items.iter().map(|one| one.application_id)).await?,
        csv: with_query(&place.path("/access-record/export"), &query.values()),
        first: given(query.cursor.as_deref()).is_none(),
        filtered: path != all,
        items: found.items,
        next: found.next,
        errors,
        path,
        all,
    };
    let call = with_query(&format!("/v1/tenants/{tenant}/access-record"), &query.values());
    Page::new("Session tokens", Section::AccessRecord)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read who got session tokens", "GET", &call))
        .render(&person, &content)
}

async fn accesses(api: &Api, person: &Person, tenant: TenantId, query: &AccessQuery) -> Result<page::Page<Access>> {
    let request = PageRequest::parse(None, given(query.cursor.as_deref()))?;
    api.app.list_accesses(&person.caller, tenant, &query.filter()?, &request).await
}

/// Where the file is.
enum At {
    Head,
    Page(Option<String>),
    End,
}

async fn export(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<AccessQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let filter = query.filter()?;
    // Asked before anything is written: what is refused is a page, not a file that breaks off.
    api.app.list_accesses(&person.caller, tenant, &filter, &PageRequest::parse(Some(1), None)?).await?;
    let state = (At::Head, api, person, filter);
    let pieces = stream::try_unfold(state, move |(at, api, person, filter)| async move {
        let failed = |error: Error| std::io::Error::other(error.to_string());
        let cursor = match at {
            At::Head => return Ok(Some((csv::line(HEAD), (At::Page(None), api, person, filter)))),
            At::Page(cursor) => cursor,
            At::End => return Ok::<_, std::io::Error>(None),
        };
        let request = PageRequest::parse(Some(LIMIT_MAX), cursor.as_deref()).map_err(failed)?;
        let page = api.app.list_accesses(&person.caller, tenant, &filter, &request).await.map_err(failed)?;
        let ids = page.items.iter().map(|one| one.application_id);
        let names = names(&api, &person, tenant, ids).await.map_err(failed)?;
        let text: String = page.items.iter().map(|one| line(one, &names)).collect();
        let next = page.next.map_or(At::End, |next| At::Page(Some(next)));
        Ok(Some((text, (next, api, person, filter))))
    });
    let mut response = csv::file(&format!("session-tokens-{}.csv", place.tenant.org_key), Body::from_stream(pieces))?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn line(one: &Access, names: &BTreeMap<ApplicationId, String>) -> String {
    let (at, id, token) = (one.at.to_string(), one.application_id.to_string(), one.token_id.to_string());
    let (address, end) =
        (one.address.map(|address| address.to_string()).unwrap_or_default(), one.expires_at.to_string());
    let name = names.get(&one.application_id).map(String::as_str).unwrap_or_default();
    csv::line([&*at, &*id, name, &*one.door, &*address, &*one.user_agent, &*one.source, &*token, &*end])
}
