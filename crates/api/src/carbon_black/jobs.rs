//! `/jobs/v1`: the jobs of an organisation, how far they are, and their results.

use super::auth::OrgCaller;
use super::error::{Refused, answer};
use crate::kit::{Api, Path};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use claviger_app::jobs::{COMPLETED, FAILED, Job};
use claviger_domain::Error;
use claviger_domain::id::ClientId;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::{Value, json};

/// Pages of the list that are put together: this family's list has none.
const PAGES_MAX: usize = 10;

/// `GET …/jobs`
pub(super) async fn list(State(api): State<Api>, OrgCaller(caller): OrgCaller) -> Result<Response, Refused> {
    let (mut jobs, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let request = PageRequest::parse(Some(LIMIT_MAX), cursor.as_deref())?;
        let page = api.app.list_jobs(&caller, &request).await?;
        jobs.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let results: Vec<_> = jobs.iter().map(|job| body(job, caller.tenant().org_key.as_str())).collect();
    Ok(answer(StatusCode::OK, &json!({ "num_found": results.len(), "results": results })))
}

/// `GET …/jobs/{id}`
pub(super) async fn find(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let job = api.app.find_job(&caller, number(&id)?).await?;
    Ok(answer(StatusCode::OK, &body(&job, caller.tenant().org_key.as_str())))
}

/// `GET …/jobs/{id}/progress`
pub(super) async fn find_progress(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let job = api.app.find_job(&caller, number(&id)?).await?;
    Ok(answer(StatusCode::OK, &progress(&job)))
}

/// `GET …/jobs/{id}/download`
pub(super) async fn download(
    State(api): State<Api>,
    OrgCaller(caller): OrgCaller,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let number = number(&id)?;
    let result = api.app.job_result(&caller, number).await?;
    let extension = if result.content_type.starts_with("text/csv") { "csv" } else { "json" };
    let disposition = format!("attachment; filename=\"job-{number}.{extension}\"");
    let headers = [(CONTENT_TYPE, result.content_type), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, result.bytes).into_response())
}

/// Ids of jobs are numbers; nothing else names one.
fn number(id: &str) -> Result<i64, Error> {
    id.parse().map_err(|_| Error::NotFound("job"))
}

fn body(job: &Job, org_key: &str) -> Value {
    json!({
        "id": job.number,
        "type": if job.kind == "audit_export" { "EXTERNAL" } else { job.kind.as_str() },
        "job_parameters": { "job_parameters": job.parameters },
        "connector_id": ClientId::of(job.application_id),
        // Clients want an integer here, which applications do not have: the random end of their id stays the same.
        "owner_id": job.application_id.as_u128() & 0x7fff_ffff,
        "org_key": org_key,
        "status": job.status,
        "progress": progress(job),
        "create_time": job.created_at.to_millis_text(),
        "last_update_time": job.updated_at.to_millis_text(),
        "errors": job.error,
    })
}

fn progress(job: &Job) -> Value {
    let message = match job.status.as_str() {
        COMPLETED | FAILED => "FINISHED",
        _ => "IN_PROGRESS",
    };
    json!({ "num_total": job.total, "num_completed": job.completed, "message": message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_app::jobs::CREATED;
    use claviger_domain::id::{ApplicationId, JobId, TenantId};
    use claviger_domain::time::Timestamp;

    #[test]
    fn a_job_is_shown_as_the_vendors() {
        let mut job = Job {
            id: JobId::from_u128(1),
            number: 77,
            tenant_id: TenantId::from_u128(2),
            application_id: ApplicationId::from_u128(0xffff_ffff),
            kind: "audit_export".into(),
            status: CREATED.into(),
            parameters: json!({ "format": "csv" }),
            created_at: Timestamp::from_millis(1_767_225_600_123),
            updated_at: Timestamp::from_millis(1_767_225_601_123),
            content_type: None,
            error: None,
            total: 0,
            completed: 0,
        };
        assert_eq!(
            body(&job, "ABCD1234"),
            json!({
                "id": 77, "type": "EXTERNAL", "job_parameters": { "job_parameters": { "format": "csv" } },
                "connector_id": "00000000-0000-0000-0000-0000ffffffff", "owner_id": 0x7fff_ffff, "org_key": "ABCD1234",
                "status": "CREATED", "progress": { "num_total": 0, "num_completed": 0, "message": "IN_PROGRESS" },
                "create_time": "2026-01-01T00:00:00.123Z", "last_update_time": "2026-01-01T00:00:01.123Z", "errors": null,
            })
        );
        (job.status, job.total, job.completed) = (COMPLETED.into(), 9, 9);
        assert_eq!(progress(&job), json!({ "num_total": 9, "num_completed": 9, "message": "FINISHED" }));
    }

    #[test]
    fn what_is_no_number_is_no_job() {
        assert_eq!(number("77").unwrap(), 77);
        for bad in ["", "x", "7.5", "99999999999999999999", "_search"] {
            assert!(matches!(number(bad), Err(Error::NotFound("job"))), "{bad}");
        }
    }
}
