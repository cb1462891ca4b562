//! Tenants that wait for something to be done beside the requests.

use crate::engine::Store;
use crate::sql::{args, id_of};
use claviger_domain::Result;
use claviger_domain::id::{ProvisioningId, TenantId};
use claviger_domain::time::Timestamp;

impl Store {
    /// Provisionings that are not over, oldest first, by parent and id.
    pub async fn list_open_provisionings(&self, most: i64) -> Result<Vec<(TenantId, ProvisioningId)>> {
        let found: Vec<(String, String)> = self
            .all(
                "select tenant_id, id from provisionings where finished_at is null order by created_at limit $1",
                args![most],
            )
            .await?;
        let read = |(parent, id): (String, String)| Ok((id_of!(TenantId, &parent)?, id_of!(ProvisioningId, &id)?));
        found.into_iter().map(read).collect()
    }

    /// Tenants whose grace was over by then, the first first.
    pub async fn list_due_purges(&self, until: Timestamp, most: i64) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select id from tenants where purge_at is not null and purge_at <= $1 and status = 'deleting' \
                 order by purge_at limit $2",
                args![until, most],
            )
            .await?;
        found.into_iter().map(|(id,)| id_of!(TenantId, &id)).collect()
    }

    /// A tenant and everything beneath it, what stands deepest first; so many at most.
    pub async fn list_from_below(&self, root: TenantId, most: i64) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select p.beneath_id from tenant_paths p join tenant_paths u on u.beneath_id = p.beneath_id \
                 where p.tenant_id = $1 group by p.beneath_id order by count(*) desc, p.beneath_id limit $2",
                args![root, most],
            )
            .await?;
        found.into_iter().map(|(id,)| id_of!(TenantId, &id)).collect()
    }

    /// Tenants that were gone at some time after that one: what was written of them late may be there still.
    pub async fn list_purged_since(&self, since: Timestamp, most: i64) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select purged_id from purge_receipts where purged_at > $1 order by purged_at limit $2",
                args![since, most],
            )
            .await?;
        found.into_iter().map(|(id,)| id_of!(TenantId, &id)).collect()
    }
}
