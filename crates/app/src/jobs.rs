//! Jobs: work whose result is fetched later.

use crate::App;
use crate::caller::Caller;
use crate::state::State;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, JobId, TenantId};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::{Error, Result};
pub use claviger_store::jobs::Job;
use claviger_store::jobs::{JobEnd, NewJob};
use serde_json::Value;
use std::sync::Arc;

const PERMISSION: &str = "jobs.status";
/// Status of a job that has not ended.
pub const CREATED: &str = "CREATED";
/// Status of a job whose result can be fetched.
pub const COMPLETED: &str = "COMPLETED";
/// Status of a job that came to nothing.
pub const FAILED: &str = "FAILED";

/// Jobs of one tenant that may be under way at once.
pub const OPEN_MAX: i64 = 20;

/// The result of a job.
#[derive(Debug)]
pub struct JobResult {
    /// Media type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Ends the jobs that were under way when the server before this one ended: nobody runs them any more.
pub(crate) async fn end_abandoned(state: &State) -> Result<()> {
    let mut tx = state.store.begin().await?;
    let error = "the server was stopped before the job was done; start it again";
    let ended = tx.end_open_jobs(FAILED, error, state.clock.now()).await?;
    tx.commit().await?;
    if ended > 0 {
        tracing::warn!(jobs = ended, "jobs were under way when the server ended; they have failed");
    }
    Ok(())
}

impl App {
    /// Starts a job of the caller's tenant; what it does has been allowed already. It exists when this returns.
    pub async fn start_job<W>(self: &Arc<Self>, caller: &Caller, kind: &str, parameters: Value, work: W) -> Result<Job>
    where
        W: Future<Output = Result<(JobResult, i64)>> + Send + 'static,
    {
        let now = self.state.clock.now();
        let tenant = caller.tenant().id;
        let new = NewJob {
            id: JobId::new(now, self.state.random.bytes()?),
            application_id: ApplicationId::from_u128(caller.id().as_u128()),
            kind: kind.to_owned(),
            status: CREATED.to_owned(),
            parameters,
            created_at: now,
            total: 0,
        };
        let mut tx = self.state.store.begin().await?;
        tx.lock_tenant(tenant).await?;
        let open = tx.count_open_jobs(tenant).await?;
        if open >= OPEN_MAX {
            let detail = format!("{open} jobs of the tenant are under way; wait for one of them to end");
            return Err(Error::conflict("jobs_under_way", detail));
        }
        let number = tx.insert_job(tenant, &new).await?;
        tx.commit().await?;
        let (app, id) = (Arc::clone(self), new.id);
        tokio::spawn(async move {
            let result = work.await;
            let at = app.state.clock.now();
            let (end, bytes) = match result {
                Ok((result, count)) => {
                    let content_type = Some(result.content_type);
                    let status = COMPLETED.to_owned();
                    (JobEnd { status, at, content_type, error: None, total: count, completed: count }, result.bytes)
                }
                Err(error) => {
                    tracing::error!(job = %id, %error, "a job failed");
                    let error = Some(match error {
                        Error::Conflict { detail, .. } => detail,
                        _ => "the job failed; start it again".to_owned(),
                    });
                    let status = FAILED.to_owned();
                    (JobEnd { status, at, content_type: None, error, total: 0, completed: 0 }, Vec::new())
                }
            };
            if let Err(error) = app.finish_job(tenant, id, &end, &bytes).await {
                tracing::error!(job = %id, %error, "a job's result could not be stored");
            }
        });
        self.state.store.find_job(tenant, number).await?.ok_or(Error::NotFound("job"))
    }

    async fn finish_job(&self, tenant: TenantId, id: JobId, end: &JobEnd, result: &[u8]) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        tx.finish_job(tenant, id, end, result).await?;
        tx.commit().await
    }

    /// A job of the caller's tenant. Needs `jobs.status:READ`.
    pub async fn find_job(&self, caller: &Caller, number: i64) -> Result<Job> {
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.find_job(caller.tenant().id, number).await?.ok_or(Error::NotFound("job"))
    }

    /// The jobs of the caller's tenant, newest first. Needs `jobs.status:READ`.
    pub async fn list_jobs(&self, caller: &Caller, page: &PageRequest) -> Result<Page<Job>> {
        caller.allow(PERMISSION, Verb::Read)?;
        let jobs = self.state.store.list_jobs(caller.tenant().id, page).await?;
        Ok(Page::cut(jobs, page, |job| job.number.to_string()))
    }

    /// The result of a completed job of the caller's tenant. Needs `jobs.status:READ`.
    pub async fn job_result(&self, caller: &Caller, number: i64) -> Result<JobResult> {
        let job = self.find_job(caller, number).await?;
        let bytes = self.state.store.job_result(caller.tenant().id, number).await?;
        match (job.content_type, bytes) {
            (Some(content_type), Some(bytes)) => Ok(JobResult { content_type, bytes }),
            _ => Err(Error::NotFound("result of the job")),
        }
    }
}
