//! Who users are at identity providers: the subject that each was pinned to when it came from there first.

use crate::engine::Store;
use crate::sql::{Tx, args, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ProviderId, TenantId, UserId};
use claviger_domain::identity_provider::UserIdentity;
use claviger_domain::time::Timestamp;

row! {
    struct IdentityRow {
        provider_id: String,
        subject: String,
        linked_at: i64,
        last_used_at: i64,
    }
}

impl Tx {
    /// The user whom a provider calls that.
    pub async fn find_user_by_subject(
        &mut self,
        tenant: TenantId,
        provider: ProviderId,
        subject: &str,
    ) -> Result<Option<UserId>> {
        let found: Option<(String,)> = self
            .optional(
                "select user_id from user_identities where tenant_id = $1 and provider_id = $2 and subject = $3",
                args![tenant, provider, subject],
            )
            .await?;
        found.map(|(id,)| id_of!(UserId, &id)).transpose()
    }

    /// Notes that a provider calls a user that. Conflict: `identity_taken`, where it calls the user something else, or somebody
    /// else that.
    pub async fn insert_user_identity(
        &mut self,
        tenant: TenantId,
        (user, provider): (UserId, ProviderId),
        subject: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "insert into user_identities (tenant_id, user_id, provider_id, subject, linked_at, last_used_at) \
             values ($1, $2, $3, $4, $5, $5)",
            args![tenant, user, provider, subject, now],
        )
        .await
        .map_err(|failure| failure.refers_to("user").conflict("identity_taken", "somebody else is that already"))?;
        Ok(())
    }

    /// Notes that a user has signed in at a provider.
    pub async fn touch_user_identity(
        &mut self,
        tenant: TenantId,
        (user, provider): (UserId, ProviderId),
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "update user_identities set last_used_at = $4 where tenant_id = $1 and user_id = $2 and provider_id = $3",
            args![tenant, user, provider, now],
        )
        .await?;
        Ok(())
    }

    /// Whether a provider calls a user something already.
    pub async fn has_user_identity(&mut self, tenant: TenantId, user: UserId, provider: ProviderId) -> Result<bool> {
        let (count,): (i64,) = self
            .one(
                "select count(*) from user_identities where tenant_id = $1 and user_id = $2 and provider_id = $3",
                args![tenant, user, provider],
            )
            .await?;
        Ok(count > 0)
    }

    /// Forgets what a provider calls people; how many they were.
    pub async fn delete_provider_identities(&mut self, tenant: TenantId, provider: ProviderId) -> Result<u64> {
        let deleted = self
            .execute("delete from user_identities where tenant_id = $1 and provider_id = $2", args![tenant, provider])
            .await?;
        Ok(deleted)
    }

    /// Forgets what providers call a user; how many did.
    pub async fn delete_user_identities(&mut self, tenant: TenantId, user: UserId) -> Result<u64> {
        let deleted = self
            .execute("delete from user_identities where tenant_id = $1 and user_id = $2", args![tenant, user])
            .await?;
        Ok(deleted)
    }
}

impl Store {
    /// What providers call a user, by provider.
    pub async fn list_user_identities(&self, tenant: TenantId, user: UserId) -> Result<Vec<UserIdentity>> {
        let found: Vec<IdentityRow> = self
            .all(
                "select provider_id, subject, linked_at, last_used_at from user_identities \
                 where tenant_id = $1 and user_id = $2 order by provider_id",
                args![tenant, user],
            )
            .await?;
        let read = |row: IdentityRow| {
            Ok(UserIdentity {
                provider_id: id_of!(ProviderId, &row.provider_id)?,
                subject: row.subject,
                linked_at: Timestamp::from_micros(row.linked_at),
                last_used_at: Timestamp::from_micros(row.last_used_at),
            })
        };
        found.into_iter().map(read).collect()
    }
}
