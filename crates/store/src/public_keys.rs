//! Public keys of applications.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::jwk::Algorithm;
use claviger_domain::public_key::PublicKey;
use claviger_domain::time::Timestamp;

row! {
    struct PublicKeyRow {
        id: String,
        application_id: String,
        name: String,
        kid: String,
        algorithm: String,
        public: Vec<u8>,
        created_at: i64,
        expires_at: Option<i64>,
    }
}

impl PublicKeyRow {
    fn read(self) -> Result<PublicKey> {
        Ok(PublicKey {
            id: id_of!(SecretId, &self.id)?,
            application_id: id_of!(ApplicationId, &self.application_id)?,
            name: self.name,
            kid: self.kid,
            algorithm: Algorithm::parse(&self.algorithm).ok_or_else(|| corrupt("algorithm", &self.algorithm))?,
            public: self.public,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_micros),
        })
    }
}

const LIST: &str = "select id, application_id, name, kid, algorithm, public, created_at, expires_at from public_keys \
                    where tenant_id = $1 and application_id = $2 order by id";

impl Tx {
    /// Adds a key to its application. Conflict: `key_exists`.
    pub async fn insert_public_key(&mut self, tenant: TenantId, key: &PublicKey) -> Result<()> {
        self.execute(
            "insert into public_keys \
             (tenant_id, application_id, id, name, kid, algorithm, public, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args![
                tenant,
                key.application_id,
                key.id,
                &key.name,
                &key.kid,
                key.algorithm.as_str(),
                key.public.as_slice(),
                key.created_at,
                key.expires_at
            ],
        )
        .await
        .map_err(|failure| {
            failure.refers_to("application").conflict("key_exists", "the application has a key of this kid")
        })?;
        Ok(())
    }

    /// The keys of an application, oldest first.
    pub async fn list_public_keys(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Vec<PublicKey>> {
        let found: Vec<PublicKeyRow> = self.all(LIST, args![tenant, application]).await?;
        found.into_iter().map(PublicKeyRow::read).collect()
    }

    /// Removes one key; whether there was one.
    pub async fn delete_public_key(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        key: SecretId,
    ) -> Result<bool> {
        let deleted = self
            .execute(
                "delete from public_keys where tenant_id = $1 and application_id = $2 and id = $3",
                args![tenant, application, key],
            )
            .await?;
        Ok(deleted == 1)
    }
}

impl Store {
    /// The keys of an application, oldest first.
    pub async fn list_public_keys(&self, tenant: TenantId, application: ApplicationId) -> Result<Vec<PublicKey>> {
        let found: Vec<PublicKeyRow> = self.all(LIST, args![tenant, application]).await?;
        found.into_iter().map(PublicKeyRow::read).collect()
    }

    /// What verifies texts signed with the secrets of an application: the sealed HMAC mid-states by secret, empty for a
    /// secret that came without.
    pub async fn list_sealed_macs(
        &self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Vec<(SecretId, Vec<u8>)>> {
        let found: Vec<(String, Vec<u8>)> = self
            .all(
                "select id, sealed_mac from secrets where tenant_id = $1 and application_id = $2 order by id",
                args![tenant, application],
            )
            .await?;
        found.into_iter().map(|(id, sealed)| Ok((id_of!(SecretId, &id)?, sealed))).collect()
    }
}
