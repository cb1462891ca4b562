//! Second factors of people, their recovery codes, and what is counted against guessing.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::factor::{Factor, FactorKind};
use claviger_domain::id::{FactorId, TenantId, UserId};
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;

/// A factor with what proves it.
#[derive(Clone, Debug)]
pub struct StoredFactor {
    /// The factor.
    pub factor: Factor,
    /// Seed or credential, sealed.
    pub sealed: Vec<u8>,
    /// What recognises a passkey's credential, which is one person's.
    pub credential: Option<SecretHash>,
    /// The newest step whose code was accepted.
    pub last_step: i64,
}

row! {
    struct FactorRow {
        id: String,
        kind: String,
        name: String,
        sealed: Vec<u8>,
        credential_hash: Option<Vec<u8>>,
        confirmed_at: Option<i64>,
        last_step: i64,
        created_at: i64,
        last_used_at: Option<i64>,
    }
}

impl FactorRow {
    fn read(self) -> Result<StoredFactor> {
        let factor = Factor {
            id: id_of!(FactorId, &self.id)?,
            kind: FactorKind::parse(&self.kind).ok_or_else(|| corrupt("kind of a factor", &self.kind))?,
            name: self.name,
            confirmed_at: self.confirmed_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(self.created_at),
            last_used_at: self.last_used_at.map(Timestamp::from_micros),
        };
        let credential = self.credential_hash.as_deref().and_then(SecretHash::stored);
        Ok(StoredFactor { factor, sealed: self.sealed, credential, last_step: self.last_step })
    }
}

const LIST: &str = "select id, kind, name, sealed, credential_hash, confirmed_at, last_step, created_at, last_used_at from user_factors \
                    where tenant_id = $1 and user_id = $2 order by id";

impl Store {
    /// The factors of a user, oldest first, those among them that were never confirmed.
    pub async fn list_factors(&self, tenant: TenantId, user: UserId) -> Result<Vec<StoredFactor>> {
        let found: Vec<FactorRow> = self.all(LIST, args![tenant, user]).await?;
        found.into_iter().map(FactorRow::read).collect()
    }

    /// How many recovery codes a user has left.
    pub async fn count_recovery_codes(&self, tenant: TenantId, user: UserId) -> Result<i64> {
        let found: Option<(i64,)> = self
            .optional("select count(*) from recovery_codes where tenant_id = $1 and user_id = $2", args![tenant, user])
            .await?;
        Ok(found.map_or(0, |(count,)| count))
    }
}

impl Tx {
    /// As [`Store::list_factors`], as this unit sees it.
    pub async fn list_factors(&mut self, tenant: TenantId, user: UserId) -> Result<Vec<StoredFactor>> {
        let found: Vec<FactorRow> = self.all(LIST, args![tenant, user]).await?;
        found.into_iter().map(FactorRow::read).collect()
    }

    /// Adds a factor. Conflict: `passkey_taken`.
    pub async fn insert_factor(&mut self, tenant: TenantId, user: UserId, new: &StoredFactor) -> Result<()> {
        let Factor { id, kind, name, confirmed_at, created_at, last_used_at } = &new.factor;
        self.execute(
            "insert into user_factors (tenant_id, user_id, id, kind, name, sealed, credential_hash, confirmed_at, last_step, \
             created_at, last_used_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            args![
                tenant,
                user,
                *id,
                kind.as_str(),
                name,
                new.sealed.as_slice(),
                new.credential.as_ref().map(|hash| hash.as_bytes().to_vec()),
                *confirmed_at,
                new.last_step,
                *created_at,
                *last_used_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("user").conflict("passkey_taken", "the passkey is registered already"))?;
        Ok(())
    }

    /// Lets a factor count from now on; whether it was there and did not yet.
    pub async fn confirm_factor(
        &mut self,
        tenant: TenantId,
        user: UserId,
        id: FactorId,
        now: Timestamp,
    ) -> Result<bool> {
        let confirmed = self
            .execute(
                "update user_factors set confirmed_at = $4 \
                 where tenant_id = $1 and user_id = $2 and id = $3 and confirmed_at is null",
                args![tenant, user, id, now],
            )
            .await?;
        Ok(confirmed == 1)
    }

    /// Accepts the code of a step; whether neither it nor that of a later one was accepted before. Of two who come at a time one
    /// is told so.
    pub async fn accept_step(
        &mut self,
        tenant: TenantId,
        user: UserId,
        id: FactorId,
        step: i64,
        now: Timestamp,
    ) -> Result<bool> {
        let accepted = self
            .execute(
                "update user_factors set last_step = $4, last_used_at = $5 \
                 where tenant_id = $1 and user_id = $2 and id = $3 and last_step < $4",
                args![tenant, user, id, step, now],
            )
            .await?;
        Ok(accepted == 1)
    }

    /// Writes what proves a factor after it was used, if nobody else has meanwhile; whether that is so.
    pub async fn update_factor(
        &mut self,
        tenant: TenantId,
        user: UserId,
        id: FactorId,
        (before, after): (&[u8], &[u8]),
        now: Timestamp,
    ) -> Result<bool> {
        let updated = self
            .execute(
                "update user_factors set sealed = $5, last_used_at = $6 \
                 where tenant_id = $1 and user_id = $2 and id = $3 and sealed = $4",
                args![tenant, user, id, before, after, now],
            )
            .await?;
        Ok(updated == 1)
    }

    /// Gives a factor another name; whether it was there.
    pub async fn rename_factor(&mut self, tenant: TenantId, user: UserId, id: FactorId, name: &str) -> Result<bool> {
        let renamed = self
            .execute(
                "update user_factors set name = $4 where tenant_id = $1 and user_id = $2 and id = $3",
                args![tenant, user, id, name],
            )
            .await?;
        Ok(renamed == 1)
    }

    /// Removes a factor; whether it was there.
    pub async fn delete_factor(&mut self, tenant: TenantId, user: UserId, id: FactorId) -> Result<bool> {
        let deleted = self
            .execute(
                "delete from user_factors where tenant_id = $1 and user_id = $2 and id = $3",
                args![tenant, user, id],
            )
            .await?;
        Ok(deleted == 1)
    }

    /// Removes the factors of a kind that were never confirmed.
    pub async fn delete_unconfirmed(&mut self, tenant: TenantId, user: UserId, kind: FactorKind) -> Result<()> {
        self.execute(
            "delete from user_factors where tenant_id = $1 and user_id = $2 and kind = $3 and confirmed_at is null",
            args![tenant, user, kind.as_str()],
        )
        .await?;
        Ok(())
    }

    /// Puts recovery codes in place of those there are.
    pub async fn put_recovery_codes(&mut self, tenant: TenantId, user: UserId, codes: &[SecretHash]) -> Result<()> {
        self.execute("delete from recovery_codes where tenant_id = $1 and user_id = $2", args![tenant, user]).await?;
        let rows = codes.iter().map(|code| args![tenant, user, code.as_bytes()]).collect();
        self.execute_many("insert into recovery_codes (tenant_id, user_id, code_hash) values {rows}", rows).await?;
        Ok(())
    }

    /// Uses a recovery code up; whether it was there.
    pub async fn use_recovery_code(&mut self, tenant: TenantId, user: UserId, code: &SecretHash) -> Result<bool> {
        let used = self
            .execute(
                "delete from recovery_codes where tenant_id = $1 and user_id = $2 and code_hash = $3",
                args![tenant, user, code.as_bytes()],
            )
            .await?;
        Ok(used == 1)
    }

    /// How many recovery codes a user has left, as this unit sees it.
    pub async fn count_recovery_codes(&mut self, tenant: TenantId, user: UserId) -> Result<i64> {
        let (count,): (i64,) = self
            .one("select count(*) from recovery_codes where tenant_id = $1 and user_id = $2", args![tenant, user])
            .await?;
        Ok(count)
    }

    /// Removes all factors of a user with its recovery codes, challenges and what was counted; how many factors that were.
    pub async fn delete_factors(&mut self, tenant: TenantId, user: UserId) -> Result<u64> {
        for statement in [
            "delete from recovery_codes where tenant_id = $1 and user_id = $2",
            "delete from user_challenges where tenant_id = $1 and user_id = $2",
            "delete from factor_guards where tenant_id = $1 and user_id = $2",
        ] {
            self.execute(statement, args![tenant, user]).await?;
        }
        Ok(self.execute("delete from user_factors where tenant_id = $1 and user_id = $2", args![tenant, user]).await?)
    }
}
