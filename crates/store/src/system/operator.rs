//! What the operator sees of the work that goes on beside the requests, whichever tenant it is for.

use crate::engine::Store;
use crate::sql::{args, id_of};
use claviger_domain::Result;
use claviger_domain::id::{ProvisioningId, TenantId};

impl Store {
    /// Provisionings that failed, the newest first, by parent and id.
    pub async fn list_failed_provisionings(&self, most: i64) -> Result<Vec<(TenantId, ProvisioningId)>> {
        let found: Vec<(String, String)> = self
            .all(
                "select tenant_id, id from provisionings where status = 'failed' order by id desc limit $1",
                args![most],
            )
            .await?;
        let read = |(parent, id): (String, String)| Ok((id_of!(TenantId, &parent)?, id_of!(ProvisioningId, &id)?));
        found.into_iter().map(read).collect()
    }

    /// Jobs that have not ended, the oldest first, by tenant and number.
    pub async fn list_running_jobs(&self, most: i64) -> Result<Vec<(TenantId, i64)>> {
        let found: Vec<(String, i64)> = self
            .all("select tenant_id, number from jobs where finished_at is null order by number limit $1", args![most])
            .await?;
        found.into_iter().map(|(tenant, number)| Ok((id_of!(TenantId, &tenant)?, number))).collect()
    }

    /// Tenants that are being deleted, those that are gone first first.
    pub async fn list_tenants_to_go(&self, most: i64) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select id from tenants where status = 'deleting' and purge_at is not null order by purge_at, id limit $1",
                args![most],
            )
            .await?;
        found.into_iter().map(|(id,)| id_of!(TenantId, &id)).collect()
    }
}
