//! What the keyring loads: an application with the grants of its level and what recognises its secrets.

use crate::applications::ApplicationRow;
use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of};
use claviger_domain::Result;
use claviger_domain::application::Application;
use claviger_domain::grants::{Grants, grants_from_json};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
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

/// An application's row joined with the grants of its level and one of its secrets. Whoever has two has two rows: one
/// statement reads them, so that they fit each other.
pub(crate) struct CredentialRow {
    application: ApplicationRow,
    level_grants: Option<String>,
    secret_id: Option<String>,
    secret_hash: Option<Vec<u8>>,
    secret_expires_at: Option<i64>,
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
}

/// Puts rows together, by id of the application; secrets are oldest first.
pub(crate) fn assemble(mut rows: Vec<CredentialRow>) -> Result<Vec<Credential>> {
    fn place(row: &CredentialRow) -> (&str, &str, Option<&str>) {
        (&row.application.id, &row.application.tenant_id, row.secret_id.as_deref())
    }
    rows.sort_by(|one, other| place(one).cmp(&place(other)));
    let mut credentials: Vec<Credential> = Vec::with_capacity(rows.len());
    for row in rows {
        let secret = row.secret()?;
        let application = row.application.read()?;
        match credentials.last_mut() {
            Some(last)
                if last.application.id == application.id && last.application.tenant_id == application.tenant_id =>
            {
                last.secrets.extend(secret);
            }
            _ => credentials.push(Credential {
                application,
                level_grants: row.level_grants.as_deref().map(grants_from_json),
                secrets: secret.into_iter().collect(),
            }),
        }
    }
    Ok(credentials)
}

const FIND: &str = "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, a.key_type, l.grants as level_grants, s.id as secret_id, s.hash as secret_hash, \
                 s.expires_at as secret_expires_at, s.temporary as secret_temporary \
                 from applications a \
                 left join access_levels l on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 left join secrets s on s.tenant_id = a.tenant_id and s.application_id = a.id \
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
