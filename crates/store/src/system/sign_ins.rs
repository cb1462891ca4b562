//! What crosses tenants about sign-ins: finding one by its refresh token, loading at start, ending all, sweeping.

use crate::engine::Store;
use crate::sign_ins::{SignIn, SignInRow, StandingRow, standing};
use crate::sql::{Tx, args, id_of};
use claviger_domain::Result;
use claviger_domain::id::SignInId;
use claviger_domain::secret::SecretHash;
use claviger_domain::sign_in::{FIRST, Standing};
use claviger_domain::time::Timestamp;
use claviger_domain::token::{LEEWAY, LIFETIME_MAX};

/// Sign-ins of an application that nobody has refreshed: beyond so many the oldest lose their refresh tokens.
const UNUSED_MAX: i64 = 1_000;

impl Store {
    /// The sign-in that this names in its refresh tokens.
    pub async fn find_sign_in(&self, handle: &SecretHash) -> Result<Option<SignIn>> {
        let found: Option<SignInRow> = self
            .optional(
                "select tenant_id, id, application_id, client_id, secret_id, scope, refresh, refreshed_at, expires_at, \
                 generation, dead_below, ending_at, ended_at from sign_ins where handle = $1",
                args![handle.as_bytes()],
            )
            .await?;
        found.map(SignInRow::read).transpose()
    }

    /// The sign-ins some of whose session tokens are dead and have not ended by themselves yet.
    pub async fn load_sign_in_standings(&self, now: Timestamp) -> Result<Vec<(SignInId, Standing)>> {
        let since = now.plus_seconds(-LIFETIME_MAX - LEEWAY);
        let found: Vec<(String, i64, i64, i64, Option<i64>)> = self
            .all(
                "select id, generation, dead_below, ending_at, ended_at from sign_ins \
                 where (generation > $1 and ending_at > $2) or ended_at > $2",
                args![FIRST, since],
            )
            .await?;
        let read = |(id, generation, dead_below, ending_at, ended_at): (String, i64, i64, i64, Option<i64>)| {
            let row: StandingRow = (generation, dead_below, ending_at, ended_at);
            Ok((id_of!(SignInId, &id)?, standing(row)))
        };
        found.into_iter().map(read).collect()
    }
}

impl Tx {
    /// Ends every sign-in there is; how many that were.
    pub async fn end_all_sign_ins(&mut self, now: Timestamp) -> Result<u64> {
        Ok(self.execute("update sign_ins set ended_at = $1, refresh = null where ended_at is null", args![now]).await?)
    }

    /// Removes what can be used no more, and the oldest of very many that nobody refreshes.
    pub async fn sweep_sign_ins(&mut self, now: Timestamp) -> Result<()> {
        let dead = now.plus_seconds(-LIFETIME_MAX - LEEWAY);
        self.execute("delete from sign_ins where expires_at < $1 or ended_at < $1", args![dead]).await?;
        // None of these says that a session token is dead.
        self.execute(
            "delete from sign_ins where (tenant_id, id) in ( \
                 select tenant_id, id from ( \
                     select tenant_id, id, row_number() over (partition by tenant_id, application_id order by id desc) as place \
                     from sign_ins where generation = $1 and ended_at is null and handle is not null \
                 ) as ranked where place > $2 \
             ) and generation = $1 and ended_at is null",
            args![FIRST, UNUSED_MAX],
        )
        .await?;
        self.execute(
            "delete from sign_in_instances where not exists ( \
                 select 1 from sign_ins s \
                 where s.tenant_id = sign_in_instances.tenant_id and s.id = sign_in_instances.sign_in_id \
             )",
            args![],
        )
        .await?;
        Ok(())
    }
}
