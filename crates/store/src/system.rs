//! What crosses tenants: loading at start, finding a tenant from what a client presents, signing heads, sweeping. All of
//! it stands in this file, so that a reviewer sees it; no verb called for a request lists across tenants.

mod issuers;
mod mails;
mod operator;
mod settings;
mod sign_ins;
mod sso;
mod tenants;
mod tokens;
mod user_links;
mod users;

pub use self::sso::PendingSignIn;
pub use self::users::{ProfileRole, SessionHolder, SigningIn};
use crate::credential_policies::PolicyRow;
use crate::credentials::{Credential, CredentialRow, assemble};
use crate::engine::Store;
use crate::leaks::Place;
use crate::sql::{Tx, args, corrupt, hash_of, id_of, row};
use crate::tenants::{TenantRow, tenant_columns};
use claviger_domain::Result;
use claviger_domain::credential_policy::StoredPolicy;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::idempotency::LIFETIME_SECONDS;
use claviger_domain::lifetime::DAY;
use claviger_domain::notice::KEPT_DAYS;
use claviger_domain::secret::SecretHash;
use claviger_domain::tenant::Tenant;
use claviger_domain::time::Timestamp;
use claviger_domain::visibility::{Stage, Visibility};

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
    /// What it states of the tenant's secrets; none where they have only ever been shown once.
    pub visibility: Option<Visibility>,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// With which key.
    pub key_id: String,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The head of an audit chain as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub tenant: TenantId,
    /// Number of the last entry.
    pub number: i64,
    /// Hash of the chain.
    pub hash: [u8; 32],
    /// Whether the tenant retains its secrets; none where they have only ever been shown once.
    pub visibility: Option<Visibility>,
}

fn read_visibility(word: &str) -> Result<Visibility> {
    Visibility::parse(word).ok_or_else(|| corrupt("visibility of a signed head", word))
}

row! {
    struct SignedHeadRow {
        tenant_id: String,
        number: i64,
        hash: Vec<u8>,
        visibility: Option<String>,
        signed_at: i64,
        key_id: String,
        signature: Vec<u8>,
    }
}

impl SignedHeadRow {
    pub(crate) fn read(self) -> Result<SignedHead> {
        Ok(SignedHead {
            tenant: id_of!(TenantId, &self.tenant_id)?,
            number: self.number,
            hash: hash_of(&self.hash)?,
            visibility: self.visibility.as_deref().map(read_visibility).transpose()?,
            signed_at: Timestamp::from_micros(self.signed_at),
            key_id: self.key_id,
            signature: self.signature,
        })
    }
}

row! {
    struct PlaceRow {
        tenant_id: String,
        application_id: String,
        secret_id: String,
    }
}

impl PlaceRow {
    fn read(self) -> Result<Place> {
        Ok(Place {
            tenant: id_of!(TenantId, &self.tenant_id)?,
            application: id_of!(ApplicationId, &self.application_id)?,
            secret: id_of!(SecretId, &self.secret_id)?,
        })
    }
}

impl Store {
    /// The operator: the root of the tree, once the store is set up.
    pub async fn find_operator(&self) -> Result<Option<Tenant>> {
        let found: Option<TenantRow> = self
            .optional(concat!("select ", tenant_columns!(), " from tenants t where t.kind = 'operator'"), args![])
            .await?;
        found.map(TenantRow::read).transpose()
    }

    /// Tenants after an id, by id.
    pub async fn load_tenants(&self, after: Option<TenantId>, limit: i64) -> Result<Vec<Tenant>> {
        let found: Vec<TenantRow> = self
            .all(
                concat!("select ", tenant_columns!(), " from tenants t where t.id > $1 order by t.id limit $2"),
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
                "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, a.key_type, a.dpop_bound, l.grants as level_grants, s.id as secret_id, s.hash as secret_hash, \
                 s.expires_at as secret_expires_at, s.temporary as secret_temporary, \
                 k.id as key_id, k.kid, k.algorithm, k.public, k.expires_at as key_expires_at \
                 from ( \
                     select * from applications where (id, tenant_id) > ($1, $2) order by id, tenant_id limit $3 \
                 ) a \
                 left join access_levels l on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 left join secrets s on s.tenant_id = a.tenant_id and s.application_id = a.id \
                 left join public_keys k on k.tenant_id = a.tenant_id and k.application_id = a.id",
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

    /// The secrets that have this hash, whosever they are. More than one where the same secret was brought along twice.
    pub async fn find_secrets_by_hash(&self, hash: &SecretHash) -> Result<Vec<Place>> {
        let found: Vec<PlaceRow> = self
            .all(
                "select tenant_id, application_id, id as secret_id from secrets where hash = $1 \
                 order by tenant_id, application_id, id",
                args![hash.as_bytes()],
            )
            .await?;
        found.into_iter().map(PlaceRow::read).collect()
    }

    /// Where secrets of this hash stood that were reported as leaked.
    pub async fn find_leaks_by_hash(&self, hash: &SecretHash) -> Result<Vec<Place>> {
        let found: Vec<PlaceRow> = self
            .all(
                "select tenant_id, application_id, secret_id from leaks where hash = $1 order by tenant_id",
                args![hash.as_bytes()],
            )
            .await?;
        found.into_iter().map(PlaceRow::read).collect()
    }

    /// The tenant that has this org key.
    pub async fn find_tenant_by_org_key(&self, org_key: &str) -> Result<Option<TenantId>> {
        let found: Option<(String,)> =
            self.optional("select id from tenants where org_key = $1", args![org_key]).await?;
        found.map(|(id,)| id_of!(TenantId, &id)).transpose()
    }

    /// The credential policies of tenants after an id, by id.
    pub async fn load_credential_policies(
        &self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<(TenantId, StoredPolicy)>> {
        let found: Vec<PolicyRow> = self
            .all(
                "select tenant_id, max_application_lifetime_seconds, max_secret_lifetime_seconds, rotate_every_days, \
                 rotation_overlap_seconds, rotation_since, unused_after_days, on_leak, static_secrets, version, updated_at \
                 from credential_policies where tenant_id > $1 order by tenant_id limit $2",
                args![after.map_or_else(String::new, |id| id.to_string()), limit],
            )
            .await?;
        found.into_iter().map(PolicyRow::read).collect()
    }

    /// The tenants that have an application or a secret whose own end lies within these times, by id.
    pub async fn list_tenants_with_ends(&self, after: Timestamp, until: Timestamp) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select tenant_id from secrets where expires_at > $1 and expires_at <= $2 \
                 union \
                 select tenant_id from applications where expires_at > $1 and expires_at <= $2 \
                 order by 1",
                args![after, until],
            )
            .await?;
        found.iter().map(|(id,)| id_of!(TenantId, id)).collect()
    }

    /// The heads of all audit chains, each with what is to be stated of the tenant's secrets.
    pub async fn list_heads(&self) -> Result<Vec<Head>> {
        let found: Vec<(String, i64, Vec<u8>, Option<String>)> = self
            .all(
                "select h.tenant_id, h.number, h.hash, v.stage from audit_heads h \
                 left join secret_visibility v on v.tenant_id = h.tenant_id order by h.tenant_id",
                args![],
            )
            .await?;
        let read = |(tenant, number, hash, stage): (String, i64, Vec<u8>, Option<String>)| {
            let stage = stage.map(|stage| Stage::parse(&stage).ok_or_else(|| corrupt("secret visibility", &stage)));
            Ok(Head {
                tenant: id_of!(TenantId, &tenant)?,
                number,
                hash: hash_of(&hash)?,
                visibility: stage.transpose()?.map(Stage::visibility),
            })
        };
        found.into_iter().map(read).collect()
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
                "select tenant_id, number, hash, visibility, signed_at, key_id, signature from audit_signatures \
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
                "select tenant_id, number, hash, visibility, signed_at, key_id, signature from audit_signatures \
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
            let visibility = head.visibility.map(Visibility::as_str);
            args![
                head.tenant,
                head.number,
                &head.hash,
                visibility,
                head.signed_at,
                &head.key_id,
                head.signature.as_slice()
            ]
        });
        self.execute_many(
            "insert into audit_signatures (tenant_id, number, hash, visibility, signed_at, key_id, signature) values {rows} \
             on conflict (tenant_id, number) do nothing",
            rows.collect(),
        )
        .await?;
        Ok(())
    }

    /// Whether an application of any tenant has this client id.
    pub async fn is_client_id_taken(&mut self, client_id: &str) -> Result<bool> {
        let found: Option<(String,)> =
            self.optional("select client_id from client_ids where client_id = $1", args![client_id]).await?;
        Ok(found.is_some())
    }

    /// Ends all jobs that have not ended and whose process is gone; how many there were.
    pub async fn end_open_jobs(&mut self, status: &str, error: &str, now: Timestamp) -> Result<u64> {
        let ended = self
            .execute(
                "update jobs set status = $1, error = $2, updated_at = $3, finished_at = $3 where finished_at is null \
                 and not exists (select 1 from nodes n where n.run = jobs.run)",
                args![status, error, now],
            )
            .await?;
        Ok(ended)
    }

    /// Removes what nobody can ask for any more: idempotency keys past their lifetime, changes that every node has
    /// long followed, jobs that ended a week ago, notices older than a year, networks that no call came from in as long.
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
        self.execute(
            "update provisionings set sealed = null where sealed is not null and sealed_until <= $1",
            args![now],
        )
        .await?;
        self.execute("delete from network_uses where at < $1", args![now.plus_seconds(-KEPT_DAYS * DAY)]).await?;
        self.execute("delete from notices where created_at < $1", args![now.plus_seconds(-KEPT_DAYS * DAY)]).await?;
        Ok(())
    }
}
