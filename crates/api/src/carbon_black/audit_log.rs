//! `/audit_log/v1`: the audit record searched, exported, and read as a queue.

use super::auth::OrgCaller;
use super::criteria::{Format, Search, WINDOW};
use super::error::{Refused, answer};
use super::model::Record;
use super::search::{EXPORT_MAX, Export, Found};
use crate::kit::{Api, Body};
use axum::extract::State;
use axum::response::Response;
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde_json::{Value, json};
use std::ops::Range;

/// The cursor of this queue, one for each application.
const QUEUE: &str = "audit_log_v1";

/// `POST …/logs/_search`
pub(super) async fn search(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let search = Search::read(&body, api.app.clock().now())?;
    let (times, wanted) = (times(&search), search.wanted());
    let mut found = Found::new(search, wanted);
    api.app.search_audit(&caller, times, |entry| found.look(entry)).await?;
    let count = found.count();
    Ok(list(&found.into_records(), caller.tenant().org_key.as_str(), count))
}

/// `POST …/logs/_export`
pub(super) async fn export(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Body(body): Body<Value>,
) -> Result<Response, Refused> {
    let (search, format) = Search::read_export(&body, api.app.clock().now())?;
    let times = times(&search);
    let parameters = json!({ "format": if format == Format::Csv { "csv" } else { "json" } });
    let export = Export::new(search, format, caller.tenant().org_key.to_string(), EXPORT_MAX);
    let job = api.app.export_audit(&caller, times, parameters, export).await?;
    Ok(answer(StatusCode::OK, &json!({ "job_id": job.number })))
}

/// `GET …/logs/_queue`
pub(super) async fn take_queue(State(api): State<Api>, OrgCaller(caller): OrgCaller) -> Result<Response, Refused> {
    let entries = api.app.take_audit_queue(&caller, QUEUE).await?;
    let read = entries.iter().map(|entry| Record::read(entry.number, entry.at, &entry.canonical, &entry.hash));
    let records: Vec<Record> = read.collect();
    Ok(list(&records, caller.tenant().org_key.as_str(), records.len()))
}

fn times(search: &Search) -> Range<Option<Timestamp>> {
    let span = search.filter.span();
    span.since()..span.until()
}

/// `num_found` counts what there is, `num_available` what paging can reach of it.
fn list(records: &[Record], org_key: &str, found: usize) -> Response {
    let results: Vec<_> = records.iter().map(|record| record.to_body(org_key)).collect();
    let body = json!({ "results": results, "num_found": found, "num_available": found.min(WINDOW) });
    answer(StatusCode::OK, &body)
}
