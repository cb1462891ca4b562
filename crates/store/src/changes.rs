//! The sharded revision and its feed: how nodes learn what to load anew.
//!
//! Each change has a revision of its own, counted per shard without gaps: a reader whose next row is not the next
//! revision has been away too long, because old rows are swept, and loads everything anew.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of};
use claviger_domain::Result;
use claviger_domain::id::TenantId;

/// Shards of the revision: tenants are spread over them, so that no single row is everybody's lock.
pub const SHARDS: i64 = 64;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The noun.
    pub kind: ChangeKind,
    /// Its id.
    pub subject: String,
}

/// The noun that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A tenant.
    Tenant,
    /// An application, or one of its secrets.
    Application,
    /// An access level.
    AccessLevel,
    /// What is said of the tokens of a tenant or its applications; the subject is the tenant.
    TokenRules,
    /// A session token was revoked; the subject is its id.
    RevokedToken,
    /// The signing keys; the subject is one of them.
    SigningKeys,
    /// A trusted issuer, or one of its bindings.
    TrustedIssuer,
    /// A sign-in was refreshed or ended.
    SignIn,
    /// Nothing; somebody is about to decide by usage, and every node is to write down what it has counted.
    Usage,
    /// A user was narrowed, or may sign in again; the subject says which of it.
    User,
    /// An identity provider was made, changed or deleted.
    IdentityProvider,
}

impl ChangeKind {
    const ALL: [Self; 11] = [
        Self::Tenant,
        Self::Application,
        Self::AccessLevel,
        Self::TokenRules,
        Self::RevokedToken,
        Self::SigningKeys,
        Self::TrustedIssuer,
        Self::SignIn,
        Self::Usage,
        Self::User,
        Self::IdentityProvider,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Application => "application",
            Self::AccessLevel => "access_level",
            Self::TokenRules => "token_rules",
            Self::RevokedToken => "revoked_token",
            Self::SigningKeys => "signing_keys",
            Self::TrustedIssuer => "trusted_issuer",
            Self::SignIn => "sign_in",
            Self::Usage => "usage",
            Self::User => "user",
            Self::IdentityProvider => "identity_provider",
        }
    }
}

/// The shard a tenant's changes are counted in: the last bits of its id, which are random.
pub fn shard_of(tenant: TenantId) -> i64 {
    i64::try_from(tenant.as_u128() & 63).unwrap_or(0)
}

impl Tx {
    /// Counts changes of a tenant and puts them into the feed; the revision after the last. Comes last in a unit.
    pub async fn bump_revision(&mut self, tenant: TenantId, changes: &[Change]) -> Result<i64> {
        let shard = shard_of(tenant);
        let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let (revision,): (i64,) = self
            .one(
                "update revisions set revision = revision + $2 where shard = $1 returning revision",
                args![shard, count],
            )
            .await?;
        let rows = changes
            .iter()
            .zip(revision - count + 1..)
            .map(|(change, revision)| args![shard, revision, tenant, change.kind.as_str(), &change.subject]);
        self.execute_many(
            "insert into changes (shard, revision, tenant_id, kind, subject) values {rows}",
            rows.collect(),
        )
        .await?;
        Ok(revision)
    }
}

impl Store {
    /// The changes of a shard after a revision, in order.
    pub async fn read_changes(&self, shard: i64, after: i64) -> Result<Vec<(i64, TenantId, Change)>> {
        let found: Vec<(i64, String, String, String)> = self
            .all(
                "select revision, tenant_id, kind, subject from changes \
                 where shard = $1 and revision > $2 order by revision",
                args![shard, after],
            )
            .await?;
        let read = |(revision, tenant, kind, subject): (i64, String, String, String)| {
            let known = ChangeKind::ALL.into_iter().find(|known| known.as_str() == kind);
            let kind = known.ok_or_else(|| corrupt("kind of a change", &kind))?;
            Ok((revision, id_of!(TenantId, &tenant)?, Change { kind, subject }))
        };
        found.into_iter().map(read).collect()
    }

    /// All shards with their revisions.
    pub async fn revisions(&self) -> Result<Vec<(i64, i64)>> {
        Ok(self.all("select shard, revision from revisions order by shard", args![]).await?)
    }
}
