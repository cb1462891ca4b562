//! Credential policies: what a tenant says about the lives of its credentials.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::credential_policy::{CredentialPolicy, OnLeak, StoredPolicy};
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;

row! {
    struct PolicyRow {
        tenant_id: String,
        max_application_lifetime_seconds: Option<i64>,
        max_secret_lifetime_seconds: Option<i64>,
        rotate_every_days: Option<i64>,
        rotation_overlap_seconds: Option<i64>,
        rotation_since: Option<i64>,
        unused_after_days: Option<i64>,
        on_leak: Option<String>,
        version: i64,
        updated_at: i64,
    }
}

impl PolicyRow {
    pub(crate) fn read(self) -> Result<(TenantId, StoredPolicy)> {
        let on_leak = self.on_leak.as_deref().map(|word| OnLeak::parse(word).ok_or_else(|| corrupt("on_leak", word)));
        let own = CredentialPolicy {
            max_application_lifetime_seconds: self.max_application_lifetime_seconds,
            max_secret_lifetime_seconds: self.max_secret_lifetime_seconds,
            rotate_every_days: self.rotate_every_days,
            rotation_overlap_seconds: self.rotation_overlap_seconds,
            unused_after_days: self.unused_after_days,
            on_leak: on_leak.transpose()?,
        };
        let policy = StoredPolicy {
            own,
            rotation_since: self.rotation_since.map(Timestamp::from_micros),
            version: self.version,
            updated_at: Some(Timestamp::from_micros(self.updated_at)),
        };
        Ok((id_of!(TenantId, &self.tenant_id)?, policy))
    }
}

const FIND: &str = "select tenant_id, max_application_lifetime_seconds, max_secret_lifetime_seconds, rotate_every_days, \
                    rotation_overlap_seconds, rotation_since, unused_after_days, on_leak, version, updated_at \
                    from credential_policies where tenant_id = $1";

impl Tx {
    /// The tenant's policy; none if it never set one.
    pub async fn find_credential_policy(&mut self, tenant: TenantId) -> Result<Option<StoredPolicy>> {
        let found: Option<PolicyRow> = self.optional(FIND, args![tenant]).await?;
        Ok(found.map(PolicyRow::read).transpose()?.map(|(_, policy)| policy))
    }

    /// Writes the tenant's policy in place of the one before. Whoever compares versions calls [`Tx::lock_tenant`] first.
    pub async fn put_credential_policy(
        &mut self,
        tenant: TenantId,
        policy: &StoredPolicy,
        now: Timestamp,
    ) -> Result<()> {
        let StoredPolicy { own, rotation_since, version, .. } = policy;
        self.execute(
            "insert into credential_policies (tenant_id, max_application_lifetime_seconds, max_secret_lifetime_seconds, \
             rotate_every_days, rotation_overlap_seconds, rotation_since, unused_after_days, on_leak, version, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             on conflict (tenant_id) do update set \
             max_application_lifetime_seconds = excluded.max_application_lifetime_seconds, \
             max_secret_lifetime_seconds = excluded.max_secret_lifetime_seconds, \
             rotate_every_days = excluded.rotate_every_days, \
             rotation_overlap_seconds = excluded.rotation_overlap_seconds, rotation_since = excluded.rotation_since, \
             unused_after_days = excluded.unused_after_days, on_leak = excluded.on_leak, version = excluded.version, \
             updated_at = excluded.updated_at",
            args![
                tenant,
                own.max_application_lifetime_seconds,
                own.max_secret_lifetime_seconds,
                own.rotate_every_days,
                own.rotation_overlap_seconds,
                *rotation_since,
                own.unused_after_days,
                own.on_leak.map(OnLeak::as_str),
                *version,
                now
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant"))?;
        Ok(())
    }
}

impl Store {
    /// The tenant's policy; none if it never set one.
    pub async fn find_credential_policy(&self, tenant: TenantId) -> Result<Option<StoredPolicy>> {
        let found: Option<PolicyRow> = self.optional(FIND, args![tenant]).await?;
        Ok(found.map(PolicyRow::read).transpose()?.map(|(_, policy)| policy))
    }
}
