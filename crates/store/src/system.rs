//! What crosses tenants: loading at start, finding a tenant from what a client presents, signing heads, sweeping. All of
//! it stands in this file, so that a reviewer sees it; no verb called for a request lists across tenants.

mod sign_ins;
mod tokens;

use crate::credentials::{Credential, CredentialRow, assemble};
use crate::engine::Store;
use crate::sql::{Tx, args, hash_of, id_of, row};
use crate::tenants::TenantRow;
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::idempotency::LIFETIME_SECONDS;
use claviger_domain::tenant::Tenant;
use claviger_domain::time::Timestamp;

/// Newest changes of each shard that are kept in the feed.
const CHANGES_KEPT: i64 = 10_000;
/// How long the result of a job can be fetched.
const JOB_SECONDS: i64 = 7 * 86_400;

/// The head of an audit chain, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Whose chain.
    pub tenant: TenantId,
    /// Number of the last entry.
    pub number: i64,
    /// Hash of the chain.
    pub hash: [u8; 32],
    /// When it was signed.
    pub signed_at: Timestamp,
    /// With which key.
    pub key_id: String,
    /// The signature.
    pub signature: Vec<u8>,
}

row! {
    struct SignedHeadRow {
        tenant_id: String,
        number: i64,
        hash: Vec<u8>,
        signed_at: i64,
        key_id: String,
        signature: Vec<u8>,
    }
}

impl SignedHeadRow {
    fn read(self) -> Result<SignedHead> {
        Ok(SignedHead {
            tenant: id_of!(TenantId, &self.tenant_id)?,
            number: self.number,
            hash: hash_of(&self.hash)?,
            signed_at: Timestamp::from_micros(self.signed_at),
            key_id: self.key_id,
            signature: self.signature,
        })
    }
}

impl Store {
    /// A setting of the store, read outside any unit.
    pub async fn read_setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>,)> =
            self.optional("select value from settings where name = $1", args![name]).await?;
        Ok(found.map(|(value,)| value))
    }

    /// The operator: the root of the tree, once the store is set up.
    pub async fn find_operator(&self) -> Result<Option<Tenant>> {
        let found: Option<TenantRow> = self
            .optional(
                "select id, parent_id, org_key, name, kind, status, application_limit, version, created_at, updated_at \
                 from tenants where kind = 'operator'",
                args![],
            )
            .await?;
        found.map(TenantRow::read).transpose()
    }

    /// Tenants after an id, by id.
    pub async fn load_tenants(&self, after: Option<TenantId>, limit: i64) -> Result<Vec<Tenant>> {
        let found: Vec<TenantRow> = self
            .all(
                "select id, parent_id, org_key, name, kind, status, application_limit, version, created_at, updated_at \
                 from tenants where id > $1 order by id limit $2",
                args![after.map_or_else(String::new, |id| id.to_string()), limit],
            )
            .await?;
        found.into_iter().map(TenantRow::read).collect()
    }

    /// Applications as they are verified against, after one of them, by id: in the order in which they were made and their
    /// rows lie, so that a start from a cold disk reads it in one direction.
    pub async fn load_credentials(
        &self,
        after: Option<(TenantId, ApplicationId)>,
        limit: i64,
    ) -> Result<Vec<Credential>> {
        let (tenant, application) = after.map_or_else(Default::default, |(t, a)| (t.to_string(), a.to_string()));
        let rows: Vec<CredentialRow> = self
            .all(
                "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, l.grants as level_grants, s.id as secret_id, s.hash as secret_hash, \
                 s.expires_at as secret_expires_at \
                 from ( \
                     select * from applications where (id, tenant_id) > ($1, $2) order by id, tenant_id limit $3 \
                 ) a \
                 left join access_levels l on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 left join secrets s on s.tenant_id = a.tenant_id and s.application_id = a.id",
                args![application, tenant, limit],
            )
            .await?;
        assemble(rows)
    }

    /// The application that has this client id.
    pub async fn find_client(&self, client_id: &str) -> Result<Option<(TenantId, ApplicationId)>> {
        if client_id.contains('\0') {
            // PostgreSQL takes no such text, not even to find nothing.
            return Ok(None);
        }
        let found: Option<(String, String)> = self
            .optional("select tenant_id, application_id from client_ids where client_id = $1", args![client_id])
            .await?;
        found.map(|(tenant, id)| Ok((id_of!(TenantId, &tenant)?, id_of!(ApplicationId, &id)?))).transpose()
    }

    /// The tenant that has this org key.
    pub async fn find_tenant_by_org_key(&self, org_key: &str) -> Result<Option<TenantId>> {
        let found: Option<(String,)> =
            self.optional("select id from tenants where org_key = $1", args![org_key]).await?;
        found.map(|(id,)| id_of!(TenantId, &id)).transpose()
    }

    /// The heads of all audit chains, as (tenant, number, hash).
    pub async fn list_heads(&self) -> Result<Vec<(TenantId, i64, [u8; 32])>> {
        let found: Vec<(String, i64, Vec<u8>)> =
            self.all("select tenant_id, number, hash from audit_heads order by tenant_id", args![]).await?;
        found
            .into_iter()
            .map(|(tenant, number, hash)| Ok((id_of!(TenantId, &tenant)?, number, hash_of(&hash)?)))
            .collect()
    }

    /// All tenants that have an audit chain or must have one: each tenant, and whoever there are entries, heads or
    /// signatures of.
    pub async fn list_chains(&self) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select id from tenants union select tenant_id from audit_entries union select tenant_id from audit_heads \
                 union select tenant_id from audit_signatures order by 1",
                args![],
            )
            .await?;
        found.into_iter().map(|(tenant,)| id_of!(TenantId, &tenant)).collect()
    }

    /// The last signed head of a tenant's chain.
    pub async fn last_signed_head(&self, tenant: TenantId) -> Result<Option<SignedHead>> {
        let found: Option<SignedHeadRow> = self
            .optional(
                "select tenant_id, number, hash, signed_at, key_id, signature from audit_signatures \
                 where tenant_id = $1 order by number desc limit 1",
                args![tenant],
            )
            .await?;
        found.map(SignedHeadRow::read).transpose()
    }

    /// The signed heads of a tenant's chain, oldest first.
    pub async fn list_signed_heads(&self, tenant: TenantId) -> Result<Vec<SignedHead>> {
        let found: Vec<SignedHeadRow> = self
            .all(
                "select tenant_id, number, hash, signed_at, key_id, signature from audit_signatures \
                 where tenant_id = $1 order by number",
                args![tenant],
            )
            .await?;
        found.into_iter().map(SignedHeadRow::read).collect()
    }
}

impl Tx {
    /// Stores signatures over heads. A head that is signed already keeps its signature.
    pub async fn insert_signed_heads(&mut self, heads: &[SignedHead]) -> Result<()> {
        let rows = heads.iter().map(|head| {
            args![head.tenant, head.number, &head.hash, head.signed_at, &head.key_id, head.signature.as_slice()]
        });
        self.execute_many(
            "insert into audit_signatures (tenant_id, number, hash, signed_at, key_id, signature) values {rows} \
             on conflict (tenant_id, number) do nothing",
            rows.collect(),
        )
        .await?;
        Ok(())
    }

    /// A setting of the store.
    pub async fn find_setting(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>,)> =
            self.optional("select value from settings where name = $1", args![name]).await?;
        Ok(found.map(|(value,)| value))
    }

    /// Stores a setting that is not there yet; whether it was stored.
    pub async fn insert_setting(&mut self, name: &str, value: &[u8]) -> Result<bool> {
        let inserted = self
            .execute(
                "insert into settings (name, value) values ($1, $2) on conflict (name) do nothing",
                args![name, value],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Ends all jobs that have not ended, for want of whoever ran them; how many there were.
    pub async fn end_open_jobs(&mut self, status: &str, error: &str, now: Timestamp) -> Result<u64> {
        let ended = self
            .execute(
                "update jobs set status = $1, error = $2, updated_at = $3, finished_at = $3 where finished_at is null",
                args![status, error, now],
            )
            .await?;
        Ok(ended)
    }

    /// Removes what nobody can ask for any more: idempotency keys past their lifetime, changes that every node has
    /// long followed, jobs that ended a week ago.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<()> {
        self.execute("delete from idempotency where created_at <= $1", args![now.plus_seconds(-LIFETIME_SECONDS)])
            .await?;
        self.execute(
            "delete from changes where revision <= ( \
                 select r.revision - $1 from revisions r where r.shard = changes.shard \
             )",
            args![CHANGES_KEPT],
        )
        .await?;
        self.execute("delete from jobs where finished_at < $1", args![now.plus_seconds(-JOB_SECONDS)]).await?;
        Ok(())
    }
}
