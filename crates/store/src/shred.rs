//! Leaves nothing of sealed texts that were deleted: not in the table's pages, and not in the engine's log, as far as the
//! server has the right to empty it.
//!
//! SQLite: pages keep stale bytes where rows have moved, so the table is emptied whole (`secure_delete` then zeroes every
//! page of it) and filled again with what is still kept; afterwards the log is emptied into the database and cut to
//! nothing. PostgreSQL: the table gets a new file in the same way (`vacuum full` alone would carry over what was deleted while
//! anybody who began before is still at work), and a checkpoint beyond a switched log lets the old segments go; that one
//! needs rights that a role may not have, and segments that are recycled keep what was in them.

use crate::engine::{Pools, Store};
use crate::group::Group;
use crate::sql::Failure;
use claviger_domain::{Error, Result};
use sqlx::postgres::PgPool;
use sqlx::{Executor as _, SqliteConnection};
use std::time::Duration;

const TRIES: usize = 40;
const PAUSE: Duration = Duration::from_millis(50);
/// PostgreSQL's word for a role that may not.
const NOT_ALLOWED: &str = "42501";

/// What became of the engine's log, in which the texts once stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFate {
    /// Its old part is gone.
    Gone,
    /// Its old segments are used again, and keep what was in them until they are written over.
    Recycled,
    /// The server's role may not have it cut off: that is left to the database's administrator.
    Left,
}

impl LogFate {
    /// The word in audit entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Recycled => "recycled",
            Self::Left => "left",
        }
    }
}

impl Store {
    /// Leaves nothing of the sealed texts that have been deleted. May be repeated. What is kept of other tenants stays.
    pub async fn shred_secret_texts(&self) -> Result<LogFate> {
        match &self.0.pools {
            Pools::Sqlite { group, .. } => shred_sqlite(group).await,
            Pools::Postgres(pool) => Ok(shred_postgres(pool).await?),
        }
    }
}

async fn shred_sqlite(group: &Group) -> Result<LogFate> {
    {
        let mut alone = group.alone().await?;
        let connection = alone.connection()?;
        let rewritten = rewrite(connection).await;
        if rewritten.is_err() {
            // Fails where SQLite has rolled back already.
            let _rolled_back = connection.execute("rollback").await;
        }
        connection.execute("pragma secure_delete = off").await.map_err(Failure::from)?;
        rewritten?;
    }
    for _ in 0..TRIES {
        let mut alone = group.alone().await?;
        let (busy,): (i64,) = {
            let row: (i64, i64, i64) = sqlx::query_as("pragma wal_checkpoint(truncate)")
                .fetch_one(alone.connection()?)
                .await
                .map_err(Failure::from)?;
            (row.0,)
        };
        if busy == 0 {
            return Ok(LogFate::Gone);
        }
        drop(alone);
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Unavailable("somebody reads the database without a pause, so that its log cannot be emptied".into()))
}

async fn rewrite(connection: &mut SqliteConnection) -> Result<(), Failure> {
    for sql in [
        "pragma secure_delete = on",
        "begin immediate",
        "create table secret_texts_kept as select * from secret_texts",
        "delete from secret_texts",
        "insert into secret_texts select * from secret_texts_kept",
        "drop table secret_texts_kept",
        "commit",
    ] {
        connection.execute(sql).await?;
    }
    Ok(())
}

async fn shred_postgres(pool: &PgPool) -> Result<LogFate, Failure> {
    let mut tx = pool.begin().await?;
    for sql in [
        "lock table secret_texts in access exclusive mode",
        "create table secret_texts_kept as select * from secret_texts",
        "truncate secret_texts",
        "insert into secret_texts select * from secret_texts_kept",
        "drop table secret_texts_kept",
    ] {
        tx.execute(sql).await?;
    }
    tx.commit().await?;
    let mut connection = pool.acquire().await?;
    connection.execute("vacuum full secret_texts").await?;
    let (recycle,): (String,) = sqlx::query_as("select coalesce(current_setting('wal_recycle', true), 'on')")
        .fetch_one(&mut *connection)
        .await?;
    // The second checkpoint begins in a segment that was begun after the texts were gone.
    for sql in ["checkpoint", "select pg_switch_wal()", "checkpoint"] {
        match connection.execute(sql).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(refused)) if refused.code().as_deref() == Some(NOT_ALLOWED) => {
                return Ok(LogFate::Left);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if recycle == "off" { LogFate::Gone } else { LogFate::Recycled })
}
