//! Links that people get by mail: one of each kind at a time, each used once.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_domain::user_link::LinkKind;

/// A link as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLink {
    /// The user's tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub kind: LinkKind,
    /// The address it was sent to.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

row! {
    struct LinkRow {
        tenant_id: String,
        user_id: String,
        kind: String,
        email: String,
        created_at: i64,
        expires_at: i64,
    }
}

impl LinkRow {
    pub(crate) fn read(self) -> Result<UserLink> {
        Ok(UserLink {
            tenant: id_of!(TenantId, &self.tenant_id)?,
            user: id_of!(UserId, &self.user_id)?,
            kind: LinkKind::parse(&self.kind).ok_or_else(|| corrupt("kind of a link", &self.kind))?,
            email: self.email,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }
}

impl Tx {
    /// Adds a link in place of the user's link of that kind, which can be used no more.
    pub async fn put_user_link(&mut self, tenant: TenantId, link: &UserLink, token: &SecretHash) -> Result<()> {
        self.execute(
            "insert into user_links (tenant_id, user_id, kind, token_hash, email, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7) \
             on conflict (tenant_id, user_id, kind) do update set token_hash = excluded.token_hash, \
             email = excluded.email, created_at = excluded.created_at, expires_at = excluded.expires_at",
            args![
                tenant,
                link.user,
                link.kind.as_str(),
                token.as_bytes(),
                &link.email,
                link.created_at,
                link.expires_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("user"))?;
        Ok(())
    }

    /// Uses a link up; whether it was there and not over.
    pub async fn use_user_link(
        &mut self,
        tenant: TenantId,
        user: UserId,
        token: &SecretHash,
        now: Timestamp,
    ) -> Result<bool> {
        let used = self
            .execute(
                "delete from user_links where tenant_id = $1 and user_id = $2 and token_hash = $3 and expires_at > $4",
                args![tenant, user, token.as_bytes(), now],
            )
            .await?;
        Ok(used == 1)
    }

    /// Removes a user's link of a kind; whether there was one that is not over.
    pub async fn delete_user_link(
        &mut self,
        tenant: TenantId,
        user: UserId,
        kind: LinkKind,
        now: Timestamp,
    ) -> Result<bool> {
        let deleted = self
            .execute(
                "delete from user_links where tenant_id = $1 and user_id = $2 and kind = $3 and expires_at > $4",
                args![tenant, user, kind.as_str(), now],
            )
            .await?;
        Ok(deleted == 1)
    }

    /// Removes all links of a user.
    pub async fn delete_user_links(&mut self, tenant: TenantId, user: UserId) -> Result<()> {
        self.execute("delete from user_links where tenant_id = $1 and user_id = $2", args![tenant, user]).await?;
        Ok(())
    }
}

impl Store {
    /// A user's link of a kind, be it over or not.
    pub async fn find_user_link(&self, tenant: TenantId, user: UserId, kind: LinkKind) -> Result<Option<UserLink>> {
        let found: Option<LinkRow> = self
            .optional(
                "select tenant_id, user_id, kind, email, created_at, expires_at from user_links \
                 where tenant_id = $1 and user_id = $2 and kind = $3",
                args![tenant, user, kind.as_str()],
            )
            .await?;
        found.map(LinkRow::read).transpose()
    }
}
