//! The record as a file, newest first: for spreadsheets, or an entry a line as the API has it, with its hash.

use super::AuditQuery;
use super::list::read;
use super::told::Told;
use crate::csv;
use crate::page::Answer;
use crate::session::Person;
use crate::show;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use claviger_domain::audit::Entry;
use claviger_domain::id::TenantId;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_kit::{Api, Path, Query};
use futures_util::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::Value;

const HEAD: [&str; 14] = [
    "number",
    "at",
    "action",
    "actor_kind",
    "actor_id",
    "actor_tenant_id",
    "target_kind",
    "target_id",
    "target_name",
    "address",
    "request",
    "request_id",
    "details",
    "hash",
];

/// Where the file is.
enum At {
    Head,
    Page(Option<String>),
    End,
}

/// Sends it, page by page.
pub(super) async fn export(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<AuditQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    // Asked before anything is written: what is refused is a page, not a file that breaks off.
    read(&api, &person, tenant, &query, &PageRequest::parse(Some(1), None)?).await?;
    let lines = query.format.as_deref() == Some("jsonl");
    let name = format!("audit-{}.{}", place.tenant.org_key, if lines { "jsonl" } else { "csv" });
    let state = (At::Head, api, person, query);
    let pieces = stream::try_unfold(state, move |(at, api, person, query)| async move {
        let failed = |error: claviger_domain::Error| std::io::Error::other(error.to_string());
        let cursor = match at {
            At::Head => {
                let head = if lines { String::new() } else { csv::line(HEAD) };
                return Ok(Some((head, (At::Page(None), api, person, query))));
            }
            At::Page(cursor) => cursor,
            At::End => return Ok::<_, std::io::Error>(None),
        };
        let request = PageRequest::parse(Some(LIMIT_MAX), cursor.as_deref()).map_err(failed)?;
        let page = read(&api, &person, tenant, &query, &request).await.map_err(failed)?;
        let text: String = page.items.iter().map(if lines { as_line } else { as_cells }).collect();
        let next = page.next.map_or(At::End, |next| At::Page(Some(next)));
        Ok(Some((text, (next, api, person, query))))
    });
    let body = Body::from_stream(pieces);
    let mut response = if lines { file("application/x-ndjson", &name, body) } else { csv::file(&name, body)? };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn file(media_type: &'static str, name: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

fn as_cells(entry: &Entry) -> String {
    let told = Told::of(entry);
    let (number, at) = (told.number.to_string(), told.at.to_string());
    let (details, hash) = (told.details.to_string(), show::hex(&told.hash));
    csv::line([
        number.as_str(),
        &at,
        &told.action,
        &told.actor_kind,
        &told.actor,
        &told.actor_tenant,
        &told.target_kind,
        &told.target,
        &told.target_name,
        &told.address,
        &told.request,
        &told.request_id,
        &details,
        &hash,
    ])
}

fn as_line(entry: &Entry) -> String {
    let mut body = entry.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.insert("hash".to_owned(), Value::String(show::hex(&entry.hash)));
    }
    format!("{body}\n")
}
