//! Jobs: work whose result is fetched later.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::id::{ApplicationId, JobId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use serde_json::Value;

/// A job as it is stored, without its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// Number, unique in the store.
    pub number: i64,
    /// The tenant whose data it is about.
    pub tenant_id: TenantId,
    /// Who asked for it.
    pub application_id: ApplicationId,
    /// What is done.
    pub kind: String,
    /// How far it is, in the words of whoever runs it.
    pub status: String,
    /// With what.
    pub parameters: Value,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Media type of the result.
    pub content_type: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Steps in all.
    pub total: i64,
    /// Steps done.
    pub completed: i64,
}

/// A job that is asked for: a [`Job`] before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Id.
    pub id: JobId,
    /// Who asks for it.
    pub application_id: ApplicationId,
    /// What is to be done.
    pub kind: String,
    /// How far it is.
    pub status: String,
    /// With what.
    pub parameters: Value,
    /// When it is asked for.
    pub created_at: Timestamp,
    /// Steps in all, as far as known.
    pub total: i64,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// How, in the words of whoever runs it.
    pub status: String,
    /// When.
    pub at: Timestamp,
    /// Media type of the result.
    pub content_type: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Steps in all.
    pub total: i64,
    /// Steps done.
    pub completed: i64,
}

row! {
    struct JobRow {
        tenant_id: String,
        id: String,
        number: i64,
        application_id: String,
        kind: String,
        status: String,
        parameters: String,
        created_at: i64,
        updated_at: i64,
        content_type: Option<String>,
        error: Option<String>,
        total: i64,
        completed: i64,
    }
}

impl JobRow {
    fn read(self) -> Result<Job> {
        Ok(Job {
            id: id_of!(JobId, &self.id)?,
            number: self.number,
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            application_id: id_of!(ApplicationId, &self.application_id)?,
            kind: self.kind,
            status: self.status,
            parameters: serde_json::from_str(&self.parameters)
                .map_err(|_| corrupt("parameters of a job", &self.parameters))?,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
            content_type: self.content_type,
            error: self.error,
            total: self.total,
            completed: self.completed,
        })
    }
}

/// Of an application.
const OPEN_JOBS: &str = "select tenant_id, id, number, application_id, kind, status, parameters, created_at, updated_at, \
     content_type, error, total, completed \
     from jobs where tenant_id = $1 and application_id = $2 and finished_at is null order by number";

impl Tx {
    /// Adds a job; its number.
    pub async fn insert_job(&mut self, tenant: TenantId, job: &NewJob) -> Result<i64> {
        let (number,): (i64,) =
            self.one("update counters set next = next + 1 where name = 'job' returning next - 1", args![]).await?;
        self.execute(
            "insert into jobs (tenant_id, id, number, application_id, kind, status, parameters, created_at, updated_at, \
             total, completed, run) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, 0, $10)",
            args![
                tenant,
                job.id,
                number,
                job.application_id,
                &job.kind,
                &job.status,
                job.parameters.to_string(),
                job.created_at,
                job.total,
                self.inner.run()
            ],
        )
        .await?;
        Ok(number)
    }

    /// The jobs of an application that have not ended.
    pub async fn list_open_jobs(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Job>> {
        let found: Vec<JobRow> = self.all(OPEN_JOBS, args![tenant, application]).await?;
        found.into_iter().map(JobRow::read).collect()
    }

    /// How many jobs of a tenant have not ended.
    pub async fn count_open_jobs(&mut self, tenant: TenantId) -> Result<i64> {
        let (count,): (i64,) = self
            .one("select count(*) from jobs where tenant_id = $1 and finished_at is null", args![tenant])
            .await
            .map_err(Error::from)?;
        Ok(count)
    }

    /// Records how a job ended, and its result.
    pub async fn finish_job(&mut self, tenant: TenantId, id: JobId, end: &JobEnd, result: &[u8]) -> Result<()> {
        let finished = self
            .execute(
                "update jobs set status = $3, updated_at = $4, finished_at = $4, content_type = $5, error = $6, \
                 total = $7, completed = $8, result = $9 \
                 where tenant_id = $1 and id = $2",
                args![
                    tenant,
                    id,
                    &end.status,
                    end.at,
                    end.content_type.clone(),
                    end.error.clone(),
                    end.total,
                    end.completed,
                    result
                ],
            )
            .await?;
        if finished == 1 { Ok(()) } else { Err(Error::NotFound("job")) }
    }
}

impl Store {
    /// The jobs of an application that have not ended.
    pub async fn list_open_jobs(&self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Job>> {
        let found: Vec<JobRow> = self.all(OPEN_JOBS, args![tenant, application]).await?;
        found.into_iter().map(JobRow::read).collect()
    }

    /// The job of that number.
    pub async fn find_job(&self, tenant: TenantId, number: i64) -> Result<Option<Job>> {
        let found: Option<JobRow> = self
            .optional(
                "select tenant_id, id, number, application_id, kind, status, parameters, created_at, updated_at, \
                 content_type, error, total, completed \
                 from jobs where tenant_id = $1 and number = $2",
                args![tenant, number],
            )
            .await?;
        found.map(JobRow::read).transpose()
    }

    /// The tenant's jobs, newest first; positions are numbers.
    pub async fn list_jobs(&self, tenant: TenantId, page: &PageRequest) -> Result<Vec<Job>> {
        let found: Vec<JobRow> = self
            .all(
                "select tenant_id, id, number, application_id, kind, status, parameters, created_at, updated_at, \
                 content_type, error, total, completed \
                 from jobs where tenant_id = $1 and number < $2 order by number desc limit $3",
                args![tenant, page.after_number()?.unwrap_or(i64::MAX), page.fetch()],
            )
            .await?;
        found.into_iter().map(JobRow::read).collect()
    }

    /// The result of a job that has ended.
    pub async fn job_result(&self, tenant: TenantId, number: i64) -> Result<Option<Vec<u8>>> {
        let found: Option<(Option<Vec<u8>>,)> = self
            .optional("select result from jobs where tenant_id = $1 and number = $2", args![tenant, number])
            .await?;
        Ok(found.and_then(|(result,)| result))
    }
}
