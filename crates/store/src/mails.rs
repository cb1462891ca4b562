//! Mails that wait to be sent.

use crate::sql::{Tx, args};
use claviger_domain::Result;
use claviger_domain::id::{MailId, TenantId};
use claviger_domain::time::Timestamp;

/// A mail that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMail {
    /// The tenant whose doing it was.
    pub tenant: TenantId,
    /// Id.
    pub id: MailId,
    /// What it says, sealed.
    pub content: Vec<u8>,
    /// When it was written.
    pub created_at: Timestamp,
    /// Until when it is of use.
    pub until: Timestamp,
    /// How often sending was tried.
    pub attempts: i64,
}

impl Tx {
    /// Adds a mail, due at once.
    pub async fn insert_mail(&mut self, tenant: TenantId, mail: &WaitingMail) -> Result<()> {
        self.execute(
            "insert into mails (tenant_id, id, content, created_at, until, due_at, attempts) values ($1, $2, $3, $4, $5, $4, 0)",
            args![tenant, mail.id, mail.content.as_slice(), mail.created_at, mail.until],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant"))?;
        Ok(())
    }

    /// Takes a mail that was tried so often, until `next`; whether nobody else has.
    pub async fn claim_mail(&mut self, tenant: TenantId, id: MailId, attempts: i64, next: Timestamp) -> Result<bool> {
        let claimed = self
            .execute(
                "update mails set attempts = $3 + 1, due_at = $4 \
                 where tenant_id = $1 and id = $2 and attempts = $3 and dead_at is null",
                args![tenant, id, attempts, next],
            )
            .await?;
        Ok(claimed == 1)
    }

    /// Notes why a mail could not be sent; it stays due as it was.
    pub async fn note_mail_error(&mut self, tenant: TenantId, id: MailId, error: &str) -> Result<()> {
        self.execute("update mails set error = $3 where tenant_id = $1 and id = $2", args![tenant, id, error]).await?;
        Ok(())
    }

    /// Gives a mail up: what it says goes. Whether it was there.
    pub async fn bury_mail(&mut self, tenant: TenantId, id: MailId, error: &str, now: Timestamp) -> Result<bool> {
        let buried = self
            .execute(
                "update mails set content = null, error = $3, dead_at = $4 \
                 where tenant_id = $1 and id = $2 and dead_at is null",
                args![tenant, id, error, now],
            )
            .await?;
        Ok(buried == 1)
    }

    /// Removes a mail that was sent.
    pub async fn delete_mail(&mut self, tenant: TenantId, id: MailId) -> Result<()> {
        self.execute("delete from mails where tenant_id = $1 and id = $2", args![tenant, id]).await?;
        Ok(())
    }
}
