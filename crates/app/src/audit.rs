//! The audit record: read it, and read it as a queue that each application empties for itself.

use crate::App;
use crate::caller::Caller;
use crate::jobs::{Job, JobResult};
use claviger_domain::Result;
use claviger_domain::audit::{Entry, Filter};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::time::Timestamp;
pub use claviger_store::audit::StoredEntry;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Semaphore;

const PERMISSION: &str = "audit";
/// The right under which clients of other products read the audit record of their own tenant.
const RECORD_PERMISSION: &str = "org.audits";
/// How far back a queue starts for an application that has not read from it yet, in seconds.
const QUEUE_START: i64 = 3 * 86_400;
/// Most entries that one call takes from a queue.
pub const QUEUE_TAKE: i64 = 2_500;
/// Entries that are read at a time when the record is searched.
const SEARCH_PAGE: i64 = 2_000;
/// Exports at work at once; the others wait their turn, so that their number does not become a size.
static EXPORTING: Semaphore = Semaphore::const_new(2);
/// Searches at work at once, for the same reason.
static SEARCHING: Semaphore = Semaphore::const_new(4);
/// Seconds by which the times of entries may contradict their order: writers wait for each other, and clocks are set.
const DISORDER: i64 = 60;
/// Entries that are looked at before other work gets its turn: what is looked for may be long.
const LOOKS_AT_ONCE: usize = 16;

/// A file made of the entries that it is shown.
pub trait AuditExport: Send + 'static {
    /// Looks at an entry, the oldest first. An error ends the export.
    fn look(&mut self, entry: &StoredEntry) -> Result<()>;

    /// The file, and how many entries it holds.
    fn finish(self) -> Result<(JobResult, i64)>;
}

impl App {
    /// Entries of a tenant's record, newest first. Needs `audit:READ`.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<Page<Entry>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let items = self.state.store.list_audit(tenant, filter, page).await?;
        Ok(Page::cut(items, page, |entry| entry.number.to_string()))
    }

    /// Takes what has been added to the record of the caller's tenant since this application took from this queue last;
    /// the first time, since three days ago. The record stays as it is. Needs `org.audits:READ`.
    pub async fn take_audit_queue(self: &Arc<Self>, caller: &Caller, queue: &'static str) -> Result<Vec<StoredEntry>> {
        caller.allow(RECORD_PERMISSION, Verb::Read)?;
        let (app, tenant, application) = (Arc::clone(self), caller.tenant().id, caller.record()?.id);
        // Detached, so that a client that goes away halfway leaves the position either moved or not.
        let running = tokio::spawn(async move {
            let mut tx = app.state.store.begin().await?;
            let position = tx.find_cursor(tenant, application, queue).await?;
            let since = app.state.clock.now().plus_seconds(-QUEUE_START);
            let entries = tx.list_audit_queue(tenant, position, since, QUEUE_TAKE).await?;
            if let Some(last) = entries.last() {
                tx.update_cursor(tenant, application, queue, last.number).await?;
            }
            tx.commit().await?;
            Ok(entries)
        });
        running.await.map_err(|_| claviger_domain::Error::Internal("taking from a queue ended early".into()))?
    }

    /// Shows `look` every entry of the caller's own tenant within `times`, oldest first. Needs `org.audits:READ`.
    pub async fn search_audit(
        &self,
        caller: &Caller,
        times: Range<Option<Timestamp>>,
        mut look: impl FnMut(&StoredEntry) + Send,
    ) -> Result<()> {
        caller.allow(RECORD_PERMISSION, Verb::Read)?;
        let _turn = SEARCHING.acquire().await;
        self.read_audit(caller.tenant().id, times, |entry| {
            look(entry);
            Ok(())
        })
        .await
    }

    /// Starts a job that makes a file of the entries of the caller's own tenant within `times`. Needs `org.audits:READ`.
    pub async fn export_audit(
        self: &Arc<Self>,
        caller: &Caller,
        times: Range<Option<Timestamp>>,
        parameters: Value,
        mut export: impl AuditExport,
    ) -> Result<Job> {
        caller.allow(RECORD_PERMISSION, Verb::Read)?;
        let (app, tenant) = (Arc::clone(self), caller.tenant().id);
        let work = async move {
            let _turn = EXPORTING.acquire().await;
            app.read_audit(tenant, times, |entry| export.look(entry)).await?;
            export.finish()
        };
        self.start_job(caller, "audit_export", parameters, work).await
    }

    async fn read_audit(
        &self,
        tenant: TenantId,
        times: Range<Option<Timestamp>>,
        mut look: impl FnMut(&StoredEntry) -> Result<()> + Send,
    ) -> Result<()> {
        let mut after = match times.start {
            Some(since) => self.state.store.audit_number_at(tenant, since.plus_seconds(-DISORDER)).await?,
            None => 0,
        };
        loop {
            let page = self.state.store.list_audit_after(tenant, after, times.end, SEARCH_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            for some in page.chunks(LOOKS_AT_ONCE) {
                let mut within = some.iter().filter(|entry| times.start.is_none_or(|since| since <= entry.at));
                within.try_for_each(&mut look)?;
                tokio::task::yield_now().await;
            }
        }
    }
}
