//! Secrets of applications: what recognises them, and when they were used last.

use crate::engine::Store;
use crate::sql::{Tx, args, id_of, row};
use crate::visibility::Texts;
use claviger_domain::Result;
use claviger_domain::application::{LastUse, Secret};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_domain::usage::SecretUse;
use std::collections::BTreeMap;

/// A secret with what is stored to recognise it.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// What may be shown of it. Its last use is not written.
    pub secret: Secret,
    /// SHA-256 of its text.
    pub hash: SecretHash,
    /// The HMAC mid-states, sealed; empty for an imported secret, whose text was never here.
    pub sealed_mac: Vec<u8>,
}

row! {
    struct SecretRow {
        id: String,
        application_id: String,
        hint: String,
        created_at: i64,
        expires_at: Option<i64>,
        used_at: Option<i64>,
        address: Option<String>,
        user_agent: Option<String>,
        temporary: bool,
    }
}

impl SecretRow {
    fn read(self) -> Result<Secret> {
        let last_use = self.used_at.map(|at| LastUse {
            at: Timestamp::from_micros(at),
            address: self.address.and_then(|address| address.parse().ok()),
            user_agent: self.user_agent.unwrap_or_default(),
        });
        Ok(Secret {
            id: id_of!(SecretId, &self.id)?,
            application_id: id_of!(ApplicationId, &self.application_id)?,
            hint: self.hint,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_micros),
            ends_at: self.expires_at.map(Timestamp::from_micros),
            last_use,
            temporary: self.temporary,
        })
    }
}

impl Tx {
    /// Adds a secret to its application.
    pub async fn insert_secret(&mut self, tenant: TenantId, stored: &StoredSecret) -> Result<()> {
        let StoredSecret { secret, hash, sealed_mac } = stored;
        self.execute(
            "insert into secrets (tenant_id, application_id, id, hint, hash, sealed_mac, created_at, expires_at, \
             temporary) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args![
                tenant,
                secret.application_id,
                secret.id,
                &secret.hint,
                hash.as_bytes(),
                sealed_mac.as_slice(),
                secret.created_at,
                secret.expires_at,
                secret.temporary
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("application"))?;
        Ok(())
    }

    /// Lets a secret stop because another takes its place; whatever comes after it does not inherit that end.
    pub async fn end_secret(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
        end: Timestamp,
    ) -> Result<()> {
        self.execute(
            "update secrets set expires_at = $4, replaced = true where tenant_id = $1 and application_id = $2 and id = $3",
            args![tenant, application, secret, end],
        )
        .await?;
        Ok(())
    }

    /// Sets or clears the end that a secret has by itself; whether there is one.
    pub async fn update_secret_end(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
        end: Option<Timestamp>,
    ) -> Result<bool> {
        let updated = self
            .execute(
                "update secrets set expires_at = $4, replaced = false \
                 where tenant_id = $1 and application_id = $2 and id = $3",
                args![tenant, application, secret, end],
            )
            .await?;
        Ok(updated == 1)
    }

    /// The end that was given to the newest secret of an application, if that is one still ahead, and neither an overlap's
    /// nor a temporary secret's.
    pub async fn find_inherited_end(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let found: Option<(Option<i64>, bool)> = self
            .optional(
                "select expires_at, (replaced or temporary) as own from secrets where tenant_id = $1 and application_id = $2 \
                 order by id desc limit 1",
                args![tenant, application],
            )
            .await?;
        let end = found.filter(|(_, own)| !own).and_then(|(end, _)| end).map(Timestamp::from_micros);
        Ok(end.filter(|end| *end > now))
    }

    /// Removes one secret and its kept text; whether there was one.
    pub async fn delete_secret(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
    ) -> Result<bool> {
        let deleted = self
            .execute(
                "delete from secrets where tenant_id = $1 and application_id = $2 and id = $3",
                args![tenant, application, secret],
            )
            .await?;
        self.execute(
            "delete from secret_uses where tenant_id = $1 and application_id = $2 and secret_id = $3",
            args![tenant, application, secret],
        )
        .await?;
        self.delete_secret_texts(tenant, Texts::Secret(application, secret)).await?;
        Ok(deleted == 1)
    }

    /// Removes all secrets of an application and their kept texts; their ids.
    pub async fn delete_secrets(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Vec<SecretId>> {
        let deleted: Vec<(String,)> = self
            .all(
                "delete from secrets where tenant_id = $1 and application_id = $2 returning id",
                args![tenant, application],
            )
            .await?;
        self.execute(
            "delete from secret_uses where tenant_id = $1 and application_id = $2 and not exists ( \
                 select 1 from issuer_bindings b \
                 where b.tenant_id = secret_uses.tenant_id and b.application_id = secret_uses.application_id \
                 and b.id = secret_uses.secret_id \
             )",
            args![tenant, application],
        )
        .await?;
        self.delete_secret_texts(tenant, Texts::Application(application)).await?;
        let mut ids = deleted.iter().map(|(id,)| id_of!(SecretId, id)).collect::<Result<Vec<_>>>()?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// The secrets of an application with their last use, oldest first.
    pub async fn list_secrets(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Secret>> {
        let found: Vec<SecretRow> = self
            .all(
                "select s.id, s.application_id, s.hint, s.created_at, s.expires_at, u.at as used_at, u.address, \
                 u.user_agent, s.temporary \
                 from secrets s left join secret_uses u \
                 on u.tenant_id = s.tenant_id and u.application_id = s.application_id and u.secret_id = s.id \
                 where s.tenant_id = $1 and s.application_id = $2 order by s.id",
                args![tenant, application],
            )
            .await?;
        found.into_iter().map(SecretRow::read).collect()
    }

    /// Records last uses of secrets and bindings: the later time wins, and what is gone stays gone.
    pub async fn touch_secrets(&mut self, uses: &[SecretUse]) -> Result<()> {
        // One row per secret, as an upsert may meet no row twice; sorted, so that two nodes cannot deadlock.
        let mut latest = BTreeMap::new();
        for one in uses {
            let kept = latest.entry((one.tenant_id, one.application_id, one.secret_id)).or_insert(&one.last_use);
            if one.last_use.at > kept.at {
                *kept = &one.last_use;
            }
        }
        let rows = latest.into_iter().map(|((tenant, application, secret), last)| {
            let address = last.address.map(|address| address.to_string());
            args![tenant, application, secret, last.at, address, &last.user_agent]
        });
        self.execute_many(
            "insert into secret_uses (tenant_id, application_id, secret_id, at, address, user_agent) \
             select v.column1, v.column2, v.column3, v.column4, v.column5, v.column6 from (values {rows}) as v \
             where exists ( \
                 select 1 from secrets s \
                 where s.tenant_id = v.column1 and s.application_id = v.column2 and s.id = v.column3 \
             ) or exists ( \
                 select 1 from issuer_bindings b \
                 where b.tenant_id = v.column1 and b.application_id = v.column2 and b.id = v.column3 \
             ) \
             order by v.column1, v.column2, v.column3 \
             on conflict (tenant_id, application_id, secret_id) do update \
             set at = excluded.at, address = excluded.address, user_agent = excluded.user_agent \
             where excluded.at > secret_uses.at",
            rows.collect(),
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// The secrets of applications from one to another with their last use, oldest first.
    pub async fn list_secrets_between(
        &self,
        tenant: TenantId,
        first: ApplicationId,
        last: ApplicationId,
    ) -> Result<Vec<Secret>> {
        let found: Vec<SecretRow> = self
            .all(
                "select s.id, s.application_id, s.hint, s.created_at, s.expires_at, u.at as used_at, u.address, \
                 u.user_agent, s.temporary \
                 from secrets s left join secret_uses u \
                 on u.tenant_id = s.tenant_id and u.application_id = s.application_id and u.secret_id = s.id \
                 where s.tenant_id = $1 and s.application_id >= $2 and s.application_id <= $3 order by s.id",
                args![tenant, first, last],
            )
            .await?;
        found.into_iter().map(SecretRow::read).collect()
    }

    /// The secrets of an application with their last use, oldest first.
    pub async fn list_secrets(&self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Secret>> {
        let found: Vec<SecretRow> = self
            .all(
                "select s.id, s.application_id, s.hint, s.created_at, s.expires_at, u.at as used_at, u.address, \
                 u.user_agent, s.temporary \
                 from secrets s left join secret_uses u \
                 on u.tenant_id = s.tenant_id and u.application_id = s.application_id and u.secret_id = s.id \
                 where s.tenant_id = $1 and s.application_id = $2 order by s.id",
                args![tenant, application],
            )
            .await?;
        found.into_iter().map(SecretRow::read).collect()
    }
}
