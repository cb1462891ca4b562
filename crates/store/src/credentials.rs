//! What the keyring loads: an application with the grants of its level and what recognises its secrets.

use crate::applications::ApplicationRow;
use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of};
use claviger_domain::Result;
use claviger_domain::application::Application;
use claviger_domain::grants::{Grants, grants_from_json};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::jwk::Algorithm;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use sqlx::Row;

/// One application as it is verified against.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The application.
    pub application: Application,
    /// What its access level grants, if that is one of its tenant; none for inline grants and built-in levels.
    pub level_grants: Option<Grants>,
    /// Its secrets.
    pub secrets: Vec<CredentialSecret>,
    /// Its public keys.
    pub keys: Vec<CredentialKey>,
}

/// What recognises one secret.
#[derive(Clone, Debug)]
pub struct CredentialSecret {
    /// Its id.
    pub id: SecretId,
    /// SHA-256 of its text.
    pub hash: SecretHash,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
    /// Whether it can only be changed.
    pub temporary: bool,
}

/// What recognises texts that are signed with one key.
#[derive(Clone, Debug)]
pub struct CredentialKey {
    /// Its id.
    pub id: SecretId,
    /// What assertions call it.
    pub kid: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The key itself.
    pub public: Vec<u8>,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
}

/// An application's row joined with the grants of its level, one of its secrets and one of its keys. Whoever has several has
/// a row for each pair: one statement reads them, so that they fit each other.
pub(crate) struct CredentialRow {
    application: ApplicationRow,
    level_grants: Option<String>,
    secret_id: Option<String>,
    secret_hash: Option<Vec<u8>>,
    secret_expires_at: Option<i64>,
    key_id: Option<String>,
    kid: Option<String>,
    algorithm: Option<String>,
    public: Option<Vec<u8>>,
    key_expires_at: Option<i64>,
    secret_temporary: Option<bool>,
}

macro_rules! credential_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for CredentialRow {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                Ok(Self {
                    application: sqlx::FromRow::from_row(row)?,
                    level_grants: row.try_get("level_grants")?,
                    secret_id: row.try_get("secret_id")?,
                    secret_hash: row.try_get("secret_hash")?,
                    secret_expires_at: row.try_get("secret_expires_at")?,
                    key_id: row.try_get("key_id")?,
                    kid: row.try_get("kid")?,
                    algorithm: row.try_get("algorithm")?,
                    public: row.try_get("public")?,
                    key_expires_at: row.try_get("key_expires_at")?,
                    secret_temporary: row.try_get("secret_temporary")?,
                })
            }
        }
    };
}
credential_row!(sqlx::sqlite::SqliteRow);
credential_row!(sqlx::postgres::PgRow);

impl CredentialRow {
    fn secret(&self) -> Result<Option<CredentialSecret>> {
        let (Some(id), Some(hash)) = (&self.secret_id, &self.secret_hash) else { return Ok(None) };
        Ok(Some(CredentialSecret {
            id: id_of!(SecretId, id)?,
            hash: SecretHash::stored(hash).ok_or_else(|| corrupt("hash of the secret", id))?,
            expires_at: self.secret_expires_at.map(Timestamp::from_micros),
            temporary: self.secret_temporary.unwrap_or(false),
        }))
    }

    fn key(&mut self) -> Result<Option<CredentialKey>> {
        let (Some(id), Some(kid)) = (self.key_id.take(), self.kid.take()) else { return Ok(None) };
        let (algorithm, public) = (self.algorithm.take().unwrap_or_default(), self.public.take().unwrap_or_default());
        Ok(Some(CredentialKey {
            id: id_of!(SecretId, &id)?,
            kid,
            algorithm: Algorithm::parse(&algorithm).ok_or_else(|| corrupt("algorithm of the key", &id))?,
            public,
            expires_at: self.key_expires_at.map(Timestamp::from_micros),
        }))
    }
}

/// Puts rows together, by id of the application; secrets and keys are oldest first.
pub(crate) fn assemble(mut rows: Vec<CredentialRow>) -> Result<Vec<Credential>> {
    fn place(row: &CredentialRow) -> (&str, &str, Option<&str>, Option<&str>) {
        (&row.application.id, &row.application.tenant_id, row.secret_id.as_deref(), row.key_id.as_deref())
    }
    rows.sort_by(|one, other| place(one).cmp(&place(other)));
    let mut credentials: Vec<Credential> = Vec::with_capacity(rows.len());
    for mut row in rows {
        let (secret, key) = (row.secret()?, row.key()?);
        let application = row.application.read()?;
        match credentials.last_mut() {
            Some(last)
                if last.application.id == application.id && last.application.tenant_id == application.tenant_id =>
            {
                // Of each pair the one was there before, or the other.
                last.secrets.extend(secret.filter(|one| last.secrets.iter().all(|known| known.id != one.id)));
                last.keys.extend(key.filter(|one| last.keys.iter().all(|known| known.id != one.id)));
            }
            _ => credentials.push(Credential {
                application,
                level_grants: row.level_grants.as_deref().map(grants_from_json),
                secrets: secret.into_iter().collect(),
                keys: key.into_iter().collect(),
            }),
        }
    }
    Ok(credentials)
}

const FIND: &str = "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, a.key_type, a.dpop_bound, l.grants as level_grants, s.id as secret_id, s.hash as secret_hash, \
                 s.expires_at as secret_expires_at, s.temporary as secret_temporary, \
                 k.id as key_id, k.kid, k.algorithm, k.public, k.expires_at as key_expires_at \
                 from applications a \
                 left join access_levels l on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 left join secrets s on s.tenant_id = a.tenant_id and s.application_id = a.id \
                 left join public_keys k on k.tenant_id = a.tenant_id and k.application_id = a.id \
                 where a.tenant_id = $1 and a.id = $2";

impl Tx {
    /// One application as it is verified against, as this unit sees it.
    pub async fn find_credential(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Option<Credential>> {
        let rows: Vec<CredentialRow> = self.all(FIND, args![tenant, application]).await?;
        Ok(assemble(rows)?.pop())
    }
}

impl Store {
    /// One application as it is verified against.
    pub async fn find_credential(&self, tenant: TenantId, application: ApplicationId) -> Result<Option<Credential>> {
        let rows: Vec<CredentialRow> = self.all(FIND, args![tenant, application]).await?;
        Ok(assemble(rows)?.pop())
    }
}
