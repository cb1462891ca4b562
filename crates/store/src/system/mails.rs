//! What crosses tenants about mails: which are due, and forgetting those that were given up.

use crate::engine::Store;
use crate::mails::WaitingMail;
use crate::sql::{Tx, args, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{MailId, TenantId};
use claviger_domain::time::Timestamp;

row! {
    struct MailRow {
        tenant_id: String,
        id: String,
        content: Option<Vec<u8>>,
        created_at: i64,
        until: i64,
        attempts: i64,
    }
}

impl Store {
    /// Mails of whichever tenant that are to be sent now, those that wait longest first.
    pub async fn list_due_mails(&self, now: Timestamp, limit: i64) -> Result<Vec<WaitingMail>> {
        let found: Vec<MailRow> = self
            .all(
                "select tenant_id, id, content, created_at, until, attempts from mails \
                 where dead_at is null and due_at <= $1 order by due_at limit $2",
                args![now, limit],
            )
            .await?;
        let read = |row: MailRow| {
            Ok(WaitingMail {
                tenant: id_of!(TenantId, &row.tenant_id)?,
                id: id_of!(MailId, &row.id)?,
                content: row.content.unwrap_or_default(),
                created_at: Timestamp::from_micros(row.created_at),
                until: Timestamp::from_micros(row.until),
                attempts: row.attempts,
            })
        };
        found.into_iter().map(read).collect()
    }

    /// How many mails wait, and how many were given up.
    pub async fn count_mails(&self) -> Result<(i64, i64)> {
        let found: Option<(i64, i64)> = self
            .optional(
                "select cast(coalesce(sum(case when dead_at is null then 1 else 0 end), 0) as bigint), \
                 cast(coalesce(sum(case when dead_at is null then 0 else 1 end), 0) as bigint) from mails",
                args![],
            )
            .await?;
        Ok(found.unwrap_or_default())
    }
}

impl Tx {
    /// Forgets mails that were given up before then.
    pub async fn sweep_mails(&mut self, before: Timestamp) -> Result<()> {
        self.execute("delete from mails where dead_at < $1", args![before]).await?;
        Ok(())
    }
}
