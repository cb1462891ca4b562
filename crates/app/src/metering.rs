//! What the meter counts on its way to the store: logged each second, folded into the tables when somebody asks for it,
//! when a good deal has gathered, and when the server stops.

use crate::App;
use crate::unit::{Effect, change, to_the_end};
use claviger_domain::Result;
use claviger_domain::id::TenantId;
use claviger_store::changes::{SHARDS, shard_of};
use claviger_store::usage_log::UsageBatch;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often everything is folded, whoever asks.
pub(crate) const FOLD_EACH: Duration = Duration::from_secs(300);
/// How much may gather in the log before it is folded, in bytes.
const LOG_MAX: u64 = 256 << 20;

/// What lies in the usage log.
#[derive(Debug)]
pub(crate) struct Logged {
    /// A bit for each shard that may have something there.
    shards: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Logged {
    /// What an earlier process has left there is not known.
    fn default() -> Self {
        Self { shards: AtomicU64::new(u64::MAX), bytes: AtomicU64::new(0) }
    }
}

const fn bit(shard: i64) -> u64 {
    1 << (shard & (SHARDS - 1))
}

/// Shards that something is left of when this is dropped: folding failed, or whoever asked for it went away.
struct Left<'a> {
    logged: &'a AtomicU64,
    bit: u64,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.logged.fetch_or(self.bit, Ordering::AcqRel);
    }
}

impl App {
    /// Writes what the meter has counted to the log. A batch that cannot be written is kept, and no other is taken before it
    /// is written: the meter goes on adding up meanwhile, in no more room than it has anyway.
    pub async fn flush_usage(&self) -> Result<()> {
        let _writing = self.writing.lock().await;
        let unwritten = self.state.unwritten.lock().take();
        if let Some(batch) = unwritten {
            self.log_or_keep(batch).await?;
        }
        let counted = self.state.meter.take(&self.state.catalogue);
        if counted.is_empty() { Ok(()) } else { self.log_or_keep(counted).await }
    }

    /// The same for whoever may be given up: what was taken from the meter must be logged or kept.
    pub(crate) async fn flush_usage_to_the_end(self: &Arc<Self>) -> Result<()> {
        let app = Arc::clone(self);
        to_the_end(async move { app.flush_usage().await }).await
    }

    /// Has every node write what it has counted so far, for whoever is about to decide by it. Each flushes as it follows the
    /// feed, so that whoever waits for all to have followed misses no call of one that still answers.
    pub(crate) async fn gather_usage(self: &Arc<Self>, tenant: TenantId) -> Result<()> {
        self.flush_usage_to_the_end().await?;
        if !self.state.nodes.shared {
            return Ok(());
        }
        let app = Arc::clone(self);
        to_the_end(async move {
            let effect = Effect::Usage(tenant);
            let mut tx = app.state.store.begin().await?;
            let revision = tx.bump_revision(tenant, &[change(&effect)]).await?;
            tx.commit().await?;
            app.settle(tenant, &[effect], revision).await;
            app.acknowledged().await.map(drop)
        })
        .await
    }

    async fn log_or_keep(&self, batch: UsageBatch) -> Result<()> {
        let written = self.log_usage(&batch).await;
        if written.is_err() {
            *self.state.unwritten.lock() = Some(batch);
        }
        written
    }

    async fn log_usage(&self, batch: &UsageBatch) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        tx.log_usage(batch).await?;
        tx.commit().await?;
        let shards = batch.shards().map(bit).fold(0, |all, one| all | one);
        self.state.logged.shards.fetch_or(shards, Ordering::AcqRel);
        let bytes = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.state.logged.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the log has grown so much that it should be folded.
    pub(crate) fn is_log_full(&self) -> bool {
        self.state.logged.bytes.load(Ordering::Relaxed) > LOG_MAX
    }

    /// Folds everything that was logged.
    pub async fn fold_usage(&self) -> Result<()> {
        self.state.logged.bytes.store(0, Ordering::Relaxed);
        for shard in 0..SHARDS {
            self.fold_shard(shard).await?;
        }
        Ok(())
    }

    /// Folds what was logged of a tenant, so that whoever reads what it did reads all of it. Where that cannot be done, what
    /// was folded before is still worth reading.
    pub(crate) async fn settle_usage(&self, tenant: TenantId) {
        if let Err(error) = self.fold_shard(shard_of(tenant)).await {
            tracing::warn!(%error, "the newest usage is not to be had yet");
        }
    }

    async fn fold_shard(&self, shard: i64) -> Result<()> {
        let logged = &self.state.logged.shards;
        // What other nodes have logged is not known here.
        let alone = !self.state.nodes.shared;
        if alone && logged.load(Ordering::Acquire) & bit(shard) == 0 {
            return Ok(());
        }
        let _folding = self.folding.lock().await;
        if logged.fetch_and(!bit(shard), Ordering::AcqRel) & bit(shard) == 0 && alone {
            return Ok(());
        }
        let mut left = Left { logged, bit: bit(shard) };
        self.fold_rows(shard).await?;
        left.bit = 0;
        Ok(())
    }

    async fn fold_rows(&self, shard: i64) -> Result<()> {
        loop {
            let mut tx = self.state.store.begin().await?;
            let more = tx.fold_usage(shard).await?;
            tx.commit().await?;
            if !more {
                return Ok(());
            }
        }
    }
}
