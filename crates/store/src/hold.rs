//! The hold of one server on a store that several could reach.
//!
//! A server that reads its credentials from memory must know that nobody else changes them. On SQLite the data directory's
//! lock says so; on PostgreSQL a session holds an advisory lock for as long as the server lives. A session can end without
//! its server knowing, so whoever takes the hold also counts it: a unit that began under an older count cannot bump a
//! revision any more, and a server that has lost the hold for a moment finds out whether anything was changed meanwhile.

use crate::engine::{Pools, Store};
use crate::sql::Failure;
use claviger_domain::{Error, Result};
use sqlx::{Connection as _, PgConnection};
use std::sync::atomic::Ordering;

/// The advisory lock: "claviger" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"claviger");

/// How the hold was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whether it was taken just now: another server may have had it before.
    pub taken: bool,
    /// The sum of all revisions, read while nobody else could change one.
    pub revision: i64,
}

impl Store {
    /// Takes the hold, or makes sure of it. Refused with a conflict while another server has it.
    pub async fn hold_alone(&self) -> Result<Hold> {
        let Pools::Postgres(pool) = &self.0.pools else { return Ok(Hold { taken: false, revision: 0 }) };
        let mut hold = self.0.hold.lock().await;
        if let Some(connection) = hold.as_mut()
            && let Ok(revision) = sum(connection).await
        {
            return Ok(Hold { taken: false, revision });
        }
        *hold = None;
        let mut connection = pool.acquire().await.map_err(Failure::from)?.detach();
        let Some((epoch, revision)) = take(&mut connection).await? else {
            let detail = "another claviger serves this database; stop it first: one server at a time";
            return Err(Error::conflict("store_in_use", detail));
        };
        self.0.epoch.store(epoch, Ordering::Release);
        *hold = Some(connection);
        Ok(Hold { taken: true, revision })
    }

    /// Gives the hold up.
    pub(crate) async fn let_go(&self) {
        if let Some(connection) = self.0.hold.lock().await.take() {
            // The session ends either way, and the lock with it.
            let _ended = connection.close().await;
        }
    }
}

async fn sum(connection: &mut PgConnection) -> Result<i64, Failure> {
    let (sum,): (i64,) =
        sqlx::query_as("select cast(sum(revision) as bigint) from revisions").fetch_one(connection).await?;
    Ok(sum)
}

/// Takes the lock, ends what units of earlier holders may still do, and reads where they left the revisions.
async fn take(connection: &mut PgConnection) -> Result<Option<(i64, i64)>, Failure> {
    // A server that died without a word must not keep the hold for as long as the system's own timers run.
    for sql in ["set tcp_keepalives_idle = 5", "set tcp_keepalives_interval = 2", "set tcp_keepalives_count = 3"] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    let (taken,): (bool,) =
        sqlx::query_as("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?;
    if !taken {
        return Ok(None);
    }
    let mut tx = connection.begin().await?;
    let (epoch,): (i64,) = sqlx::query_as(
        "insert into counters (name, next) values ('hold', 1) \
         on conflict (name) do update set next = counters.next + 1 returning next",
    )
    .fetch_one(&mut *tx)
    .await?;
    // Waits for units that have bumped a revision and not ended yet; those that come later see the new count.
    sqlx::query("lock table revisions in share mode").execute(&mut *tx).await?;
    let revision = sum(&mut tx).await?;
    tx.commit().await?;
    Ok(Some((epoch, revision)))
}
