//! `/integrationServices/v3/auditlogs`: the audit record as the older queue. The API key alone says whose.

use super::error::{Refused, answer};
use super::model::Record;
use crate::kit::{Api, Authenticated};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

/// The cursor of this queue, one for each application and not shared with the newer queue.
const QUEUE: &str = "audit_logs_v3";

/// `GET /integrationServices/v3/auditlogs`
pub(super) async fn take_queue(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
) -> Result<Response, Refused> {
    let tenant = api.app.own_tenant(&caller).await?;
    let entries = api.app.take_audit_queue(&caller, QUEUE).await?;
    let read = entries.iter().map(|entry| Record::read(entry.number, entry.at, &entry.canonical, &entry.hash));
    let records: Vec<Record> = read.collect();
    let notifications: Vec<_> = records.iter().map(|record| record.to_notification(&tenant.name)).collect();
    let body = json!({ "notifications": notifications, "success": true, "message": "Success" });
    Ok(answer(StatusCode::OK, &body))
}
