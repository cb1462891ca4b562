//! The signed heads of a tenant's audit chain, some at a time.

use crate::engine::Store;
use crate::sql::args;
use crate::system::{SignedHead, SignedHeadRow};
use claviger_domain::Result;
use claviger_domain::id::TenantId;

impl Store {
    /// The signed heads after an entry and up to another, oldest first, so many at most.
    pub async fn list_signed_heads_within(
        &self,
        tenant: TenantId,
        after: i64,
        until: i64,
        most: i64,
    ) -> Result<Vec<SignedHead>> {
        let found: Vec<SignedHeadRow> = self
            .all(
                "select tenant_id, number, hash, visibility, signed_at, key_id, signature from audit_signatures \
                 where tenant_id = $1 and number > $2 and number <= $3 order by number limit $4",
                args![tenant, after, until, most],
            )
            .await?;
        found.into_iter().map(SignedHeadRow::read).collect()
    }

    /// The last head that was signed at an entry or before it.
    pub async fn find_signed_head_until(&self, tenant: TenantId, number: i64) -> Result<Option<SignedHead>> {
        let found: Option<SignedHeadRow> = self
            .optional(
                "select tenant_id, number, hash, visibility, signed_at, key_id, signature from audit_signatures \
                 where tenant_id = $1 and number <= $2 order by number desc limit 1",
                args![tenant, number],
            )
            .await?;
        found.map(SignedHeadRow::read).transpose()
    }
}
