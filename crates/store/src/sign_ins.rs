//! Sign-ins: the chain of refresh tokens that a login began, which session tokens of it are accepted, and what it may report
//! on. A session token that no login began has a row here, too, once it has such a list.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, ClientId, SecretId, SignInId, TenantId};
use claviger_domain::secret::SecretHash;
use claviger_domain::sign_in::{RefreshHashes, Standing};
use claviger_domain::time::Timestamp;

/// A sign-in as it is stored.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The tenant.
    pub tenant: TenantId,
    /// Its own id.
    pub id: SignInId,
    /// The application.
    pub application: ApplicationId,
    /// The application's client id.
    pub client_id: ClientId,
    /// The secret that began it.
    pub secret: SecretId,
    /// What its session tokens are narrowed to; none for everything that the application may do.
    pub scope: Option<String>,
    /// SHA-256 of the refresh token that is to be used next; none for one without.
    pub refresh: Option<SecretHash>,
    /// When that was made.
    pub refreshed_at: Timestamp,
    /// When it ends, or where there is none the session token does.
    pub expires_at: Timestamp,
    /// Which session tokens are accepted.
    pub standing: Standing,
}

row! {
    struct SignInRow {
        tenant_id: String,
        id: String,
        application_id: String,
        client_id: String,
        secret_id: String,
        scope: Option<String>,
        refresh: Option<Vec<u8>>,
        refreshed_at: i64,
        expires_at: i64,
        generation: i64,
        dead_below: i64,
        ending_at: i64,
        ended_at: Option<i64>,
    }
}

impl SignInRow {
    pub(crate) fn read(self) -> Result<SignIn> {
        let hash = |bytes: Vec<u8>| SecretHash::stored(&bytes).ok_or_else(|| corrupt("hash of the sign-in", &self.id));
        Ok(SignIn {
            tenant: id_of!(TenantId, &self.tenant_id)?,
            id: id_of!(SignInId, &self.id)?,
            application: id_of!(ApplicationId, &self.application_id)?,
            client_id: ClientId::stored(self.client_id),
            secret: id_of!(SecretId, &self.secret_id)?,
            scope: self.scope,
            refresh: self.refresh.map(hash).transpose()?,
            refreshed_at: Timestamp::from_micros(self.refreshed_at),
            expires_at: Timestamp::from_micros(self.expires_at),
            standing: standing((self.generation, self.dead_below, self.ending_at, self.ended_at)),
        })
    }
}

pub(crate) type StandingRow = (i64, i64, i64, Option<i64>);

pub(crate) fn standing((generation, dead_below, ending_at, ended_at): StandingRow) -> Standing {
    let (ending_at, ended_at) = (Timestamp::from_micros(ending_at), ended_at.map(Timestamp::from_micros));
    Standing { generation, dead_below, ending_at, ended_at }
}

const FIND_STANDING: &str =
    "select generation, dead_below, ending_at, ended_at from sign_ins where tenant_id = $1 and id = $2";

impl Store {
    /// Which session tokens of a sign-in are accepted; none if there is no such sign-in.
    pub async fn find_sign_in_standing(&self, tenant: TenantId, id: SignInId) -> Result<Option<Standing>> {
        let found: Option<StandingRow> = self.optional(FIND_STANDING, args![tenant, id.to_string()]).await?;
        Ok(found.map(standing))
    }

    /// What a sign-in may report on.
    pub async fn list_sign_in_instances(&self, tenant: TenantId, id: SignInId) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> = self
            .all(
                "select instance_id from sign_in_instances where tenant_id = $1 and sign_in_id = $2 order by instance_id",
                args![tenant, id.to_string()],
            )
            .await?;
        found.iter().map(|(id,)| id_of!(TenantId, id)).collect()
    }
}

impl Tx {
    /// Which session tokens of a sign-in are accepted, as this unit sees it.
    pub async fn find_sign_in_standing(&mut self, tenant: TenantId, id: SignInId) -> Result<Option<Standing>> {
        let found: Option<StandingRow> = self.optional(FIND_STANDING, args![tenant, id.to_string()]).await?;
        Ok(found.map(standing))
    }

    /// Adds a sign-in, with what names it in its refresh tokens; one that is there already stays as it is.
    pub async fn insert_sign_in(&mut self, tenant: TenantId, new: &SignIn, handle: Option<&SecretHash>) -> Result<()> {
        let blob = |hash: Option<&SecretHash>| hash.map(|hash| hash.as_bytes().to_vec());
        let Standing { generation, dead_below, ending_at, ended_at } = new.standing;
        self.execute(
            "insert into sign_ins (tenant_id, id, application_id, client_id, secret_id, scope, handle, refresh, \
             refreshed_at, expires_at, generation, dead_below, ending_at, ended_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             on conflict (tenant_id, id) do nothing",
            args![
                tenant,
                new.id.to_string(),
                new.application,
                new.client_id.as_str(),
                new.secret,
                new.scope.clone(),
                blob(handle),
                blob(new.refresh.as_ref()),
                new.refreshed_at,
                new.expires_at,
                generation,
                dead_below,
                ending_at,
                ended_at
            ],
        )
        .await?;
        Ok(())
    }

    /// Puts another refresh token in the place of `used`, and the standing with it; whether `used` was still the one to be
    /// used next.
    pub async fn refresh_sign_in(
        &mut self,
        tenant: TenantId,
        id: SignInId,
        used: &RefreshHashes,
        after: &SignIn,
    ) -> Result<bool> {
        let next = after.refresh.as_ref().map(|hash| hash.as_bytes().to_vec());
        let Standing { generation, dead_below, ending_at, .. } = after.standing;
        let updated = self
            .execute(
                "update sign_ins set refresh = $4, refreshed_at = $5, expires_at = $6, generation = $7, dead_below = $8, \
                 ending_at = $9 \
                 where tenant_id = $1 and id = $2 and refresh = $3 and ended_at is null",
                args![
                    tenant,
                    id.to_string(),
                    used.whole.as_bytes(),
                    next,
                    after.refreshed_at,
                    after.expires_at,
                    generation,
                    dead_below,
                    ending_at
                ],
            )
            .await?;
        Ok(updated == 1)
    }

    /// Ends a sign-in with its refresh token; whether it had not been ended.
    pub async fn end_sign_in(&mut self, tenant: TenantId, id: SignInId, now: Timestamp) -> Result<bool> {
        let ended = self
            .execute(
                "update sign_ins set ended_at = $3, refresh = null where tenant_id = $1 and id = $2 and ended_at is null",
                args![tenant, id.to_string(), now],
            )
            .await?;
        Ok(ended == 1)
    }

    /// Lets a sign-in report on tenants, besides those that it may report on already.
    pub async fn insert_sign_in_instances(
        &mut self,
        tenant: TenantId,
        id: SignInId,
        instances: &[TenantId],
    ) -> Result<()> {
        let rows = instances.iter().map(|instance| args![tenant, id.to_string(), *instance]);
        self.execute_many(
            "insert into sign_in_instances (tenant_id, sign_in_id, instance_id) values {rows} \
             on conflict (tenant_id, sign_in_id, instance_id) do nothing",
            rows.collect(),
        )
        .await?;
        Ok(())
    }
}
