//! The hold of one server on a store that several could reach.
//!
//! A server that reads its credentials from memory must know that nobody else changes them. On SQLite the data directory's
//! lock says so; on PostgreSQL a session holds an advisory lock for as long as the server lives.

use crate::engine::{Pools, Store};
use crate::sql::Failure;
use claviger_domain::{Error, Result};
use sqlx::{Connection as _, PgConnection};

/// The advisory lock: "claviger" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"claviger");

impl Store {
    /// Takes the hold, or makes sure of it. Refused with a conflict while another server has it.
    pub async fn hold_alone(&self) -> Result<()> {
        let Pools::Postgres(pool) = &self.0.pools else { return Ok(()) };
        let mut hold = self.0.hold.lock().await;
        if let Some(connection) = hold.as_mut()
            && connection.ping().await.is_ok()
        {
            return Ok(());
        }
        *hold = None;
        let mut connection = pool.acquire().await.map_err(Failure::from)?.detach();
        if !take(&mut connection).await? {
            let detail = "another claviger serves this database; stop it first: one server at a time";
            return Err(Error::conflict("store_in_use", detail));
        }
        *hold = Some(connection);
        Ok(())
    }

    /// Gives the hold up.
    pub(crate) async fn let_go(&self) {
        if let Some(connection) = self.0.hold.lock().await.take() {
            // The session ends either way, and the lock with it.
            let _ended = connection.close().await;
        }
    }
}

async fn take(connection: &mut PgConnection) -> Result<bool, Failure> {
    let (taken,): (bool,) = sqlx::query_as("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(connection).await?;
    Ok(taken)
}
