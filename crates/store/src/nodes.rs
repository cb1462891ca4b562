//! The servers of a store: who runs, how far each has followed the revisions, and who does the work that one does for all.
//!
//! Nothing here knows a clock: a row counts its own renewals (`beat`), and whoever sees it stand still long enough by its
//! own clock knows that it has ended. Removing a row shuts its node out: a renewal that comes late finds nothing to renew.

use crate::engine::{Inner, PATIENCE, Pools, Store};
use crate::sql::{Engine, Failure, Tx, args, row};
use claviger_domain::Result;
use claviger_domain::time::Timestamp;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Connections of a handle beside the first.
const CONNECTIONS_BESIDE: u32 = 3;
/// The channel on which nodes tell each other that there is something to look at.
const CHANNEL: &str = "claviger";
/// How long nothing may be heard before it is asked whether the connection still lives.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// A server of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Id.
    pub id: String,
    /// Counts processes: another one for each start.
    pub run: i64,
    /// What people call it.
    pub name: String,
    /// Where clients reach it.
    pub address: String,
    /// Version of the program.
    pub version: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it last renewed its lease.
    pub renewed_at: Timestamp,
    /// Microseconds by which its clock is ahead of the database's.
    pub clock_offset: i64,
    /// The sum of all revisions that it has applied.
    pub applied: i64,
    /// Counts renewals; 0 for one that has not served yet.
    pub beat: i64,
}

row! {
    struct NodeRow {
        id: String,
        run: i64,
        name: String,
        address: String,
        version: String,
        started_at: i64,
        renewed_at: i64,
        clock_offset: i64,
        applied: i64,
        beat: i64,
    }
}

impl From<NodeRow> for Node {
    fn from(row: NodeRow) -> Self {
        let NodeRow { id, run, name, address, version, started_at, renewed_at, clock_offset, applied, beat } = row;
        let (started_at, renewed_at) = (Timestamp::from_micros(started_at), Timestamp::from_micros(renewed_at));
        Self { id, run, name, address, version, started_at, renewed_at, clock_offset, applied, beat }
    }
}

/// A hint of another node. Hints are lost whenever a connection is: they save time and are never relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something has changed.
    Changed,
    /// A node has followed a change.
    Confirmed,
}

impl Hint {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Confirmed => "confirmed",
        }
    }
}

impl Inner {
    /// Learns the number of this process.
    pub(crate) fn set_run(&self, run: i64) {
        self.run.store(run, Ordering::Release);
    }

    /// The number of this process; 0 before it has one.
    pub(crate) fn run(&self) -> i64 {
        self.run.load(Ordering::Acquire)
    }

    /// A number for a row of a log that several processes write to: the process's own number stands in front.
    pub(crate) fn log_number(&self) -> i64 {
        (self.run() << 32) | (self.logged.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff)
    }
}

impl Store {
    /// A second handle on the same store with a few connections of its own, for work that must not wait behind requests.
    /// On SQLite there is nothing to wait for: the same handle.
    pub fn beside(&self) -> Self {
        let Some(options) = &self.0.url else { return self.clone() };
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_BESIDE)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        let beside = Self::of(Pools::Postgres(pool), None);
        beside.0.set_run(self.0.run());
        beside
    }

    /// The number of a new process, which no other ever had or gets.
    pub async fn next_run(&self) -> Result<i64> {
        let mut tx = self.begin().await?;
        let (run,): (i64,) =
            tx.one("update counters set next = next + 1 where name = 'run' returning next", args![]).await?;
        tx.commit().await?;
        self.0.set_run(run);
        Ok(run)
    }

    /// Enters a node, in place of an earlier process of the same node. Whoever commits a change after this sees it.
    pub async fn register_node(&self, node: &Node) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute(
            "insert into nodes \
             (id, run, name, address, version, started_at, renewed_at, clock_offset, applied, beat) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             on conflict (id) do update set run = excluded.run, name = excluded.name, address = excluded.address, \
             version = excluded.version, started_at = excluded.started_at, renewed_at = excluded.renewed_at, \
             clock_offset = excluded.clock_offset, applied = excluded.applied, beat = excluded.beat",
            args![
                &node.id,
                node.run,
                &node.name,
                &node.address,
                &node.version,
                node.started_at,
                node.renewed_at,
                node.clock_offset,
                node.applied,
                node.beat
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Renews the lease of a node, which has applied what the sum says; `false` if it was shut out.
    pub async fn renew_node(
        &self,
        id: &str,
        run: i64,
        applied: i64,
        renewed_at: Timestamp,
        clock_offset: i64,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let renewed = tx
            .execute(
                "update nodes set beat = beat + 1, renewed_at = $4, clock_offset = $5, \
                 applied = case when $3 > applied then $3 else applied end \
                 where id = $1 and run = $2",
                args![id, run, applied, renewed_at, clock_offset],
            )
            .await?;
        tx.commit().await?;
        Ok(renewed == 1)
    }

    /// Takes a node's row away when it ends.
    pub async fn remove_node(&self, id: &str, run: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute("delete from nodes where id = $1 and run = $2", args![id, run]).await?;
        tx.execute("delete from node_rates where run = $1", args![run]).await?;
        tx.commit().await
    }

    /// Shuts a node out that has not renewed its lease since it was at `beat`; whether it had not.
    pub async fn shut_out_node(&self, id: &str, run: i64, beat: i64) -> Result<bool> {
        let mut tx = self.begin().await?;
        let removed =
            tx.execute("delete from nodes where id = $1 and run = $2 and beat = $3", args![id, run, beat]).await?;
        if removed == 1 {
            tx.execute("delete from node_rates where run = $1", args![run]).await?;
        }
        tx.commit().await?;
        Ok(removed == 1)
    }

    /// All nodes, by name.
    pub async fn list_nodes(&self) -> Result<Vec<Node>> {
        let found: Vec<NodeRow> = self
            .all(
                "select id, run, name, address, version, started_at, renewed_at, clock_offset, applied, beat \
                 from nodes order by name, id",
                args![],
            )
            .await?;
        Ok(found.into_iter().map(Node::from).collect())
    }

    /// The time by the database's clock.
    pub async fn database_time(&self) -> Result<Timestamp> {
        let sql = match self.engine() {
            Engine::Sqlite => "select cast((julianday('now') - 2440587.5) * 86400000000.0 as bigint)",
            Engine::Postgres => "select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)",
        };
        let found: Option<(i64,)> = self.optional(sql, args![]).await?;
        Ok(Timestamp::from_micros(found.map_or(0, |(micros,)| micros)))
    }

    /// Which history of the store this is.
    pub async fn read_history(&self) -> Result<i64> {
        let found: Option<(i64,)> = self.optional("select next from counters where name = 'history'", args![]).await?;
        Ok(found.map_or(0, |(history,)| history))
    }

    /// The history and the revisions of all shards, as they were at one moment.
    pub async fn look(&self) -> Result<(i64, Vec<(i64, i64)>)> {
        let mut found: Vec<(i64, i64)> = self
            .all(
                "select shard, revision from revisions \
                 union all select cast(-1 as bigint), next from counters where name = 'history' order by 1",
                args![],
            )
            .await?;
        let history = found.first().filter(|(shard, _)| *shard == -1).map_or(0, |(_, history)| *history);
        found.retain(|(shard, _)| *shard >= 0);
        Ok((history, found))
    }

    /// The sum of all revisions.
    pub async fn head(&self) -> Result<i64> {
        let found: Option<(i64,)> =
            self.optional("select cast(sum(revision) as bigint) from revisions", args![]).await?;
        Ok(found.map_or(0, |(sum,)| sum))
    }

    /// Says what one node tells the others about rates.
    pub async fn tell_rates(&self, run: i64, body: &[u8]) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.execute(
            "insert into node_rates (run, body) values ($1, $2) on conflict (run) do update set body = excluded.body",
            args![run, body],
        )
        .await?;
        tx.commit().await
    }

    /// What the other nodes tell about rates, by run.
    pub async fn hear_rates(&self, run: i64) -> Result<Vec<(i64, Vec<u8>)>> {
        Ok(self
            .all(
                // A process that was started again at once has left what it said behind.
                "select r.run, r.body from node_rates r join nodes n on n.run = r.run where r.run <> $1 order by r.run",
                args![run],
            )
            .await?)
    }

    /// Takes a lease, or keeps it: its epoch. None while another holds it. `now` is the time by the database's clock.
    pub async fn take_lease(&self, name: &str, run: i64, now: Timestamp, until: Timestamp) -> Result<Option<i64>> {
        let mut tx = self.begin().await?;
        let taken: Option<(i64,)> = tx
            .optional(
                "insert into leases (name, holder, epoch, until) values ($1, $2, 1, $4) \
                 on conflict (name) do update set \
                 epoch = case when leases.holder = $2 then leases.epoch else leases.epoch + 1 end, \
                 holder = $2, until = $4 \
                 where leases.holder = $2 or leases.until <= $3 \
                 or not exists (select 1 from nodes n where n.run = leases.holder) \
                 returning epoch",
                args![name, run, now, until],
            )
            .await?;
        tx.commit().await?;
        Ok(taken.map(|(epoch,)| epoch))
    }

    /// The run that holds a lease, if any does. `now` is the time by the database's clock.
    pub async fn find_lease_holder(&self, name: &str, now: Timestamp) -> Result<Option<i64>> {
        let found: Option<(i64,)> =
            self.optional("select holder from leases where name = $1 and until > $2", args![name, now]).await?;
        Ok(found.map(|(holder,)| holder))
    }

    /// Tells the other nodes something, on PostgreSQL.
    pub async fn hint(&self, hint: Hint) -> Result<()> {
        if let Pools::Postgres(pool) = &self.0.pools {
            // Never inside a unit: commits of units that notify stand in one queue.
            sqlx::query("select pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(hint.as_str())
                .execute(pool)
                .await
                .map_err(Failure::from)?;
        }
        Ok(())
    }

    /// Hears what other nodes tell, until the connection breaks or is found to be dead. On SQLite there is nobody to hear.
    pub async fn listen(&self, mut heard: impl FnMut(Hint) + Send) -> Result<()> {
        let Pools::Postgres(pool) = &self.0.pools else { return std::future::pending().await };
        let mut listener = PgListener::connect_with(pool).await.map_err(Failure::from)?;
        listener.listen(CHANNEL).await.map_err(Failure::from)?;
        // What was told before this is lost.
        heard(Hint::Changed);
        heard(Hint::Confirmed);
        loop {
            match tokio::time::timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(told))) if told.payload() == Hint::Confirmed.as_str() => heard(Hint::Confirmed),
                Ok(Ok(Some(_))) => heard(Hint::Changed),
                Ok(Ok(None)) => return Err(Failure::closed().into()),
                Ok(Err(error)) => return Err(Failure::from(error).into()),
                Err(_silent) => {
                    let asked = tokio::time::timeout(ANSWER, sqlx::query("select 1").execute(&mut listener)).await;
                    asked.map_err(|_| Failure::closed())?.map_err(Failure::from)?;
                }
            }
        }
    }
}

impl Tx {
    /// Whether a lease is still in the epoch in which it was taken. It stays so until this unit ends.
    pub async fn holds_lease(&mut self, name: &str, epoch: i64) -> Result<bool> {
        let held =
            self.execute("update leases set epoch = epoch where name = $1 and epoch = $2", args![name, epoch]).await?;
        Ok(held == 1)
    }

    /// Begins another history of the store, with all revisions beyond those given: after a restored backup.
    pub async fn begin_history(&mut self, history: i64, revisions: &[(i64, i64)]) -> Result<()> {
        self.execute("update counters set next = $1 where name = 'history'", args![history]).await?;
        for (shard, revision) in revisions {
            self.execute(
                "update revisions set revision = $2 where shard = $1 and revision < $2",
                args![*shard, *revision],
            )
            .await?;
        }
        Ok(())
    }
}
