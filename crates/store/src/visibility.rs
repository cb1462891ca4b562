//! Secret visibility: which tenants retain the texts of their secrets, and the sealed texts.

use crate::engine::Store;
use crate::sql::{Engine, Tx, args, corrupt, id_of};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::time::Timestamp;
use claviger_domain::visibility::{Stage, VisibilityState};

/// The texts of which secrets are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// Of all secrets of the tenant.
    All,
    /// Of the secrets of one application.
    Application(ApplicationId),
    /// Of one secret.
    Secret(ApplicationId, SecretId),
}

fn read_state(stage: &str, since: i64) -> Result<VisibilityState> {
    let stage = Stage::parse(stage).ok_or_else(|| corrupt("stage of a secret visibility", stage))?;
    Ok(VisibilityState { stage, since: Timestamp::from_micros(since) })
}

impl Tx {
    /// The tenant's visibility; none where it has only ever shown secrets once.
    pub async fn find_visibility(&mut self, tenant: TenantId) -> Result<Option<VisibilityState>> {
        let found: Option<(String, i64)> =
            self.optional("select stage, since from secret_visibility where tenant_id = $1", args![tenant]).await?;
        found.map(|(stage, since)| read_state(&stage, since)).transpose()
    }

    /// Writes the tenant's visibility.
    pub async fn put_visibility(&mut self, tenant: TenantId, state: VisibilityState) -> Result<()> {
        self.execute(
            "insert into secret_visibility (tenant_id, stage, since) values ($1, $2, $3) \
             on conflict (tenant_id) do update set stage = excluded.stage, since = excluded.since",
            args![tenant, state.stage.as_str(), state.since],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant"))?;
        Ok(())
    }

    /// Keeps the sealed text of a secret.
    pub async fn insert_secret_text(
        &mut self,
        tenant: TenantId,
        (application, secret): (ApplicationId, SecretId),
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "insert into secret_texts (tenant_id, application_id, secret_id, sealed, created_at) \
             values ($1, $2, $3, $4, $5)",
            args![tenant, application, secret, sealed, now],
        )
        .await?;
        Ok(())
    }

    /// The sealed text of a secret, if it is kept.
    pub async fn find_secret_text(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
    ) -> Result<Option<Vec<u8>>> {
        let found: Option<(Vec<u8>,)> = self
            .optional(
                "select sealed from secret_texts where tenant_id = $1 and application_id = $2 and secret_id = $3",
                args![tenant, application, secret],
            )
            .await?;
        Ok(found.map(|(sealed,)| sealed))
    }

    /// Removes sealed texts, overwriting them where the engine can; how many there were.
    pub async fn delete_secret_texts(&mut self, tenant: TenantId, texts: Texts) -> Result<u64> {
        let any: Option<(String,)> =
            self.optional("select secret_id from secret_texts where tenant_id = $1 limit 1", args![tenant]).await?;
        if any.is_none() {
            return Ok(0);
        }
        let (application, secret) = match texts {
            Texts::All => (None, None),
            Texts::Application(application) => (Some(application), None),
            Texts::Secret(application, secret) => (Some(application), Some(secret.to_string())),
        };
        self.overwrite("pragma secure_delete = on").await?;
        let deleted = self
            .execute(
                "delete from secret_texts where tenant_id = $1 and application_id = coalesce($2, application_id) \
                 and secret_id = coalesce($3, secret_id)",
                args![tenant, application, secret],
            )
            .await?;
        self.overwrite("pragma secure_delete = off").await?;
        Ok(deleted)
    }

    /// For this one table only: everywhere else the zeros would be written for nothing.
    async fn overwrite(&mut self, pragma: &'static str) -> Result<()> {
        if self.engine() == Engine::Sqlite {
            let _now: Option<(i64,)> = self.optional(pragma, args![]).await?;
        }
        Ok(())
    }
}

impl Store {
    /// The tenant's visibility; none where it has only ever shown secrets once.
    pub async fn find_visibility(&self, tenant: TenantId) -> Result<Option<VisibilityState>> {
        let found: Option<(String, i64)> =
            self.optional("select stage, since from secret_visibility where tenant_id = $1", args![tenant]).await?;
        found.map(|(stage, since)| read_state(&stage, since)).transpose()
    }

    /// How many sealed texts the tenant keeps.
    pub async fn count_secret_texts(&self, tenant: TenantId) -> Result<i64> {
        let found: Option<(i64,)> =
            self.optional("select count(*) from secret_texts where tenant_id = $1", args![tenant]).await?;
        Ok(found.map_or(0, |(count,)| count))
    }

    /// Whether any tenant retains the texts of its secrets. It crosses tenants: asked at start.
    pub async fn is_any_retaining(&self) -> Result<bool> {
        let found: Option<(String,)> =
            self.optional("select tenant_id from secret_visibility where stage = 'retaining' limit 1", args![]).await?;
        Ok(found.is_some())
    }

    /// Every tenant whose texts are being destroyed. It crosses tenants: asked at start, and by the work beside requests.
    pub async fn list_removing(&self) -> Result<Vec<TenantId>> {
        let found: Vec<(String,)> =
            self.all("select tenant_id from secret_visibility where stage = 'removing' order by 1", args![]).await?;
        found.into_iter().map(|(tenant,)| id_of!(TenantId, &tenant)).collect()
    }
}
