//! Idempotency keys: which were used, and what was answered.

use crate::sql::{Tx, args, row};
use claviger_domain::id::{PrincipalId, TenantId};
use claviger_domain::idempotency::{LIFETIME_SECONDS, Once};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new: do the work and call [`Tx::store_answer`] in this unit.
    Fresh,
    /// The work was done. The unit is to be committed before this is answered: on SQLite the first answer may still be
    /// on its way to the disk.
    Replay(StoredAnswer),
    /// The key was used for another request.
    Mismatch,
}

/// The answer that is replayed. Whoever stores it leaves out what is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: i64,
    /// Body.
    pub body: String,
}

row! {
    struct OnceRow {
        fingerprint: Vec<u8>,
        status: Option<i64>,
        body: Option<String>,
    }
}

impl Tx {
    /// Claims a key for a request, before anything else in the unit. A twin that comes at the same time waits here for
    /// the end of this unit. A key older than its lifetime counts as new.
    pub async fn claim_once(
        &mut self,
        tenant: TenantId,
        caller: impl Into<PrincipalId>,
        once: &Once,
        now: Timestamp,
    ) -> Result<Claim> {
        let caller = caller.into();
        let claimed = self
            .execute(
                "insert into idempotency (tenant_id, application_id, once_key, fingerprint, created_at) \
                 values ($1, $2, $3, $4, $5) \
                 on conflict (tenant_id, application_id, once_key) do update \
                 set fingerprint = excluded.fingerprint, created_at = excluded.created_at, status = null, body = null \
                 where idempotency.created_at <= $6",
                args![tenant, caller, &once.key, &once.fingerprint, now, now.plus_seconds(-LIFETIME_SECONDS)],
            )
            .await?;
        if claimed == 1 {
            return Ok(Claim::Fresh);
        }
        let row: OnceRow = self
            .one(
                "select fingerprint, status, body from idempotency \
                 where tenant_id = $1 and application_id = $2 and once_key = $3",
                args![tenant, caller, &once.key],
            )
            .await?;
        if row.fingerprint != once.fingerprint {
            return Ok(Claim::Mismatch);
        }
        match (row.status, row.body) {
            (Some(status), Some(body)) => Ok(Claim::Replay(StoredAnswer { status, body })),
            _ => Err(Error::Internal("an idempotency key was claimed and no answer stored".into())),
        }
    }

    /// Stores the answer of the request that claimed the key in this unit.
    pub async fn store_answer(
        &mut self,
        tenant: TenantId,
        caller: impl Into<PrincipalId>,
        once: &Once,
        answer: &StoredAnswer,
    ) -> Result<()> {
        self.execute(
            "update idempotency set status = $4, body = $5 \
             where tenant_id = $1 and application_id = $2 and once_key = $3",
            args![tenant, caller.into(), &once.key, answer.status, &answer.body],
        )
        .await?;
        Ok(())
    }
}
