//! Jobs: work whose result is fetched later.

use crate::App;
use crate::caller::Caller;
use claviger_domain::grants::Verb;
use claviger_domain::id::JobId;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::{Error, Result};
use claviger_store::jobs::Job;
use serde_json::Value;
use std::sync::Arc;

const PERMISSION: &str = "jobs.status";

/// The result of a job.
#[derive(Debug)]
pub struct JobResult {
    /// Media type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl App {
    /// Starts a job of the caller's tenant; what it does has been allowed already. It exists when this returns.
    pub async fn start_job<W>(self: &Arc<Self>, caller: &Caller, kind: &str, parameters: Value, work: W) -> Result<Job>
    where
        W: Future<Output = Result<(JobResult, i64)>> + Send + 'static,
    {
        let now = self.state.clock.now();
        let tenant = caller.tenant().id;
        let mut job = Job {
            id: JobId::new(now, self.state.random.bytes()?),
            number: 0,
            tenant_id: tenant,
            application_id: caller.record().id,
            kind: kind.to_owned(),
            status: "CREATED".to_owned(),
            parameters,
            created_at: now,
            updated_at: now,
            content_type: None,
            error: None,
            total: 0,
            completed: 0,
        };
        let mut tx = self.state.store.begin().await?;
        job.number = tx.insert_job(tenant, &job).await?;
        tx.commit().await?;
        let (app, mut finished) = (Arc::clone(self), job.clone());
        tokio::spawn(async move {
            let result = work.await;
            finished.updated_at = app.state.clock.now();
            let bytes = match result {
                Ok((result, count)) => {
                    finished.status = "COMPLETED".to_owned();
                    finished.content_type = Some(result.content_type);
                    (finished.total, finished.completed) = (count, count);
                    result.bytes
                }
                Err(error) => {
                    tracing::error!(job = %finished.id, %error, "a job failed");
                    finished.status = "FAILED".to_owned();
                    finished.error = Some("the job failed; start it again".to_owned());
                    Vec::new()
                }
            };
            if let Err(error) = app.finish_job(&finished, &bytes).await {
                tracing::error!(job = %finished.id, %error, "a job's result could not be stored");
            }
        });
        Ok(job)
    }

    async fn finish_job(&self, job: &Job, result: &[u8]) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        tx.finish_job(job.tenant_id, job, result).await?;
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
