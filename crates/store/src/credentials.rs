//! What the keyring loads: an application with the grants of its level and what recognises its secrets.

use crate::applications::ApplicationRow;
use crate::engine::Store;
use crate::sql::{args, hash_of, id_of, row};
use claviger_domain::Result;
use claviger_domain::application::Application;
use claviger_domain::grants::{Grants, grants_from_json};
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use std::collections::HashMap;

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
}

row! {
    struct CredentialSecretRow {
        tenant_id: String,
        application_id: String,
        id: String,
        hash: Vec<u8>,
        expires_at: Option<i64>,
    }
}

/// An application's row joined with the grants of its level.
pub(crate) struct CredentialRow {
    application: ApplicationRow,
    level_grants: Option<String>,
}

impl CredentialRow {
    /// The tenant's id as stored.
    pub(crate) fn tenant_id(&self) -> &str {
        &self.application.tenant_id
    }

    /// The application's id as stored.
    pub(crate) fn id(&self) -> &str {
        &self.application.id
    }
}

macro_rules! credential_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for CredentialRow {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                let level_grants = sqlx::Row::try_get(row, "level_grants")?;
                Ok(Self { application: ApplicationRow::from_row(row)?, level_grants })
            }
        }
    };
}
credential_row!(sqlx::sqlite::SqliteRow);
credential_row!(sqlx::postgres::PgRow);

/// Puts rows of applications and rows of secrets together, in the order of the applications.
pub(crate) fn assemble(rows: Vec<CredentialRow>, secrets: Vec<CredentialSecretRow>) -> Result<Vec<Credential>> {
    let mut held: HashMap<(TenantId, ApplicationId), Vec<CredentialSecret>> = HashMap::with_capacity(rows.len());
    for row in secrets {
        let owner = (id_of!(TenantId, &row.tenant_id)?, id_of!(ApplicationId, &row.application_id)?);
        held.entry(owner).or_default().push(CredentialSecret {
            id: id_of!(SecretId, &row.id)?,
            hash: hash_of(&row.hash)
                .map(|hash| SecretHash::stored(&hash))?
                .ok_or_else(|| crate::sql::corrupt("hash of the secret", &row.id))?,
            expires_at: row.expires_at.map(Timestamp::from_micros),
        });
    }
    rows.into_iter()
        .map(|row| {
            let application = row.application.read()?;
            let secrets = held.remove(&(application.tenant_id, application.id)).unwrap_or_default();
            Ok(Credential { application, level_grants: row.level_grants.as_deref().map(grants_from_json), secrets })
        })
        .collect()
}

impl Store {
    /// One application as it is verified against.
    pub async fn find_credential(&self, tenant: TenantId, application: ApplicationId) -> Result<Option<Credential>> {
        let row: Option<CredentialRow> = self
            .optional(
                "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, l.grants as level_grants \
                 from applications a left join access_levels l \
                 on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 where a.tenant_id = $1 and a.id = $2",
                args![tenant, application],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let secrets = self
            .all(
                "select tenant_id, application_id, id, hash, expires_at from secrets \
                 where tenant_id = $1 and application_id = $2 order by id",
                args![tenant, application],
            )
            .await?;
        Ok(assemble(vec![row], secrets)?.pop())
    }
}
