//! What was accepted once: assertions and proofs, until they end by themselves. On PostgreSQL all servers ask here whether one
//! was accepted before; on SQLite a clean stop saves what the one server remembers. It belongs to no tenant, so no function
//! here takes one.

use crate::engine::Store;
use crate::sql::{Tx, args, hash_of};
use claviger_domain::Result;
use claviger_domain::time::Timestamp;

/// Something that was accepted once, by its hash, and when it ends.
pub type Accepted = ([u8; 32], Timestamp);

impl Store {
    /// Accepts something once: whether this was the first time, and everything is known since `could_be`, the earliest time
    /// at which it could have been accepted before.
    pub async fn accept_once(&self, id: &[u8; 32], ends_at: Timestamp, could_be: Timestamp) -> Result<bool> {
        let mut tx = self.begin().await?;
        let inserted = tx
            .execute(
                "insert into accepted_once (id, ends_at) \
                 select $1, $2 from replay_births where name = 'birth' and born_at <= $3 \
                 on conflict (id) do nothing",
                args![id, ends_at, could_be],
            )
            .await?;
        tx.commit().await?;
        Ok(inserted == 1)
    }

    /// From when on everything is known that was accepted; none if something was forgotten.
    pub async fn find_replay_birth(&self) -> Result<Option<Timestamp>> {
        let found: Option<(i64,)> =
            self.optional("select born_at from replay_births where name = 'birth'", args![]).await?;
        Ok(found.map(|(at,)| Timestamp::from_micros(at)))
    }

    /// Everything that was accepted and has not ended yet.
    pub async fn list_accepted(&self, now: Timestamp) -> Result<Vec<Accepted>> {
        let found: Vec<(Vec<u8>, i64)> =
            self.all("select id, ends_at from accepted_once where ends_at >= $1", args![now]).await?;
        found.into_iter().map(|(id, ends_at)| Ok((hash_of(&id)?, Timestamp::from_micros(ends_at)))).collect()
    }
}

impl Tx {
    /// Begins to know what is accepted, unless that has begun; from when on.
    pub async fn begin_replay(&mut self, now: Timestamp) -> Result<Timestamp> {
        self.execute(
            "insert into replay_births (name, born_at) values ('birth', $1) on conflict (name) do nothing",
            args![now],
        )
        .await?;
        let (born_at,): (i64,) = self.one("select born_at from replay_births where name = 'birth'", args![]).await?;
        Ok(Timestamp::from_micros(born_at))
    }

    /// Forgets what was accepted, and says so: until it begins again nothing is accepted.
    pub async fn forget_replay(&mut self) -> Result<()> {
        self.execute("delete from replay_births", args![]).await?;
        self.execute("delete from accepted_once", args![]).await?;
        Ok(())
    }

    /// Saves what was accepted since `birth`, in place of what was saved before.
    pub async fn save_replay(&mut self, birth: Timestamp, accepted: &[Accepted]) -> Result<()> {
        self.forget_replay().await?;
        let rows = accepted.iter().map(|(id, ends_at)| args![id, *ends_at]);
        self.execute_many(
            "insert into accepted_once (id, ends_at) values {rows} on conflict (id) do nothing",
            rows.collect(),
        )
        .await?;
        self.begin_replay(birth).await?;
        Ok(())
    }

    /// Forgets what ended before `then`; how much that was.
    pub async fn sweep_replay(&mut self, then: Timestamp) -> Result<u64> {
        Ok(self.execute("delete from accepted_once where ends_at < $1", args![then]).await?)
    }
}
