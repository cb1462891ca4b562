//! Applications and their client ids.

use crate::engine::Store;
use crate::sql::{Engine, Tx, Value, args, corrupt, id_of, row};
use crate::tenants::not_updated;
use crate::visibility::Texts;
use claviger_domain::application::{Application, Reach, Rights};
use claviger_domain::grants::{grants_from_json, grants_to_json};
use claviger_domain::id::{AccessLevelId, ApplicationId, ClientId, TenantId, UserId};
use claviger_domain::key_type::LegacyType;
use claviger_domain::network::Network;
use claviger_domain::page::PageRequest;
use claviger_domain::rate::RateLimit;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

row! {
    struct ApplicationRow {
        tenant_id: String,
        id: String,
        client_id: String,
        name: String,
        description: String,
        owner: Option<String>,
        owner_id: Option<String>,
        access_level_id: Option<String>,
        grants: Option<String>,
        reach: String,
        allowed_networks: Option<String>,
        expires_at: Option<i64>,
        enabled: bool,
        rate_requests: Option<i64>,
        rate_window_seconds: Option<i64>,
        version: i64,
        created_at: i64,
        updated_at: i64,
        key_type: String,
        dpop_bound: bool,
    }
}

impl ApplicationRow {
    pub(crate) fn read(self) -> Result<Application> {
        let rights = match (&self.access_level_id, &self.grants, LegacyType::parse(&self.key_type)) {
            (Some(level), None, None) => Rights::Level(id_of!(AccessLevelId, level)?),
            (None, Some(grants), None) => Rights::Inline(grants_from_json(grants)),
            (None, None, Some(kind)) => Rights::Legacy(kind),
            _ => return Err(corrupt("rights of the application", &self.id)),
        };
        let rate_limit = match (self.rate_requests, self.rate_window_seconds) {
            (Some(requests), Some(window)) => Some(RateLimit::parse("", requests, window)),
            _ => None,
        };
        Ok(Application {
            id: id_of!(ApplicationId, &self.id)?,
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            client_id: ClientId::stored(self.client_id),
            name: self.name,
            description: self.description,
            owner: self.owner,
            owner_id: self.owner_id.map(|id| id_of!(UserId, &id)).transpose()?,
            rights,
            reach: Reach::parse(&self.reach).ok_or_else(|| corrupt("reach", &self.reach))?,
            allowed_networks: self.allowed_networks.as_deref().map(read_networks).transpose()?,
            expires_at: self.expires_at.map(Timestamp::from_micros),
            ends_at: self.expires_at.map(Timestamp::from_micros),
            enabled: self.enabled,
            rate_limit: rate_limit.transpose().map_err(|_| corrupt("rate limit of the application", &self.id))?,
            dpop_bound: self.dpop_bound,
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

/// A list that cannot be read is an error, never a shorter list: that could let in or shut out.
fn read_networks(json: &str) -> Result<Vec<Network>> {
    let texts: Vec<String> = serde_json::from_str(json).map_err(|_| corrupt("allowed networks", json))?;
    texts.iter().map(|text| Network::parse("", text).map_err(|_| corrupt("network", text))).collect()
}

/// The values that an insert and an update have in common, in the order of their columns.
pub(crate) fn columns(tenant: TenantId, application: &Application, name_key: &str) -> Vec<Value> {
    let (level, grants) = match &application.rights {
        Rights::Level(id) => (Some(id.to_string()), None),
        Rights::Inline(grants) => (None, Some(grants_to_json(grants).to_string())),
        Rights::Legacy(_) => (None, None),
    };
    let networks = application
        .allowed_networks
        .as_ref()
        .map(|networks| networks.iter().map(|network| serde_json::Value::from(network.to_string())).collect())
        .map(|networks: serde_json::Value| networks.to_string());
    args![
        tenant,
        application.id,
        &application.name,
        name_key,
        &application.description,
        application.owner.clone(),
        level,
        grants,
        application.reach.as_str(),
        networks,
        application.expires_at,
        application.enabled,
        application.rate_limit.map(|limit| i64::from(limit.requests)),
        application.rate_limit.map(|limit| i64::from(limit.window_seconds)),
        application.version,
        application.updated_at,
        application.rights.key_type(),
        application.dpop_bound,
        application.owner_id
    ]
}

fn name_taken(name: &str) -> String {
    format!("the tenant has an application called {name:?} (upper and lower case are one); choose another")
}

impl Tx {
    /// Adds an application and its client id. Conflicts: `application_name_taken`, `client_id_taken`. Whoever keeps a
    /// limit calls [`Tx::lock_tenant`] and [`Tx::count_applications`] first.
    pub async fn insert_application(
        &mut self,
        tenant: TenantId,
        application: &Application,
        name_key: &str,
    ) -> Result<()> {
        let client_id = application.client_id.as_str();
        let mut values = columns(tenant, application, name_key);
        values.extend(args![client_id, application.created_at]);
        self.execute(
            "insert into applications (tenant_id, id, name, name_key, description, owner, access_level_id, grants, reach, \
             allowed_networks, expires_at, enabled, rate_requests, rate_window_seconds, version, updated_at, \
             key_type, dpop_bound, owner_id, client_id, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
            values,
        )
        .await
        .map_err(|failure| failure.refers_to("tenant").conflict("application_name_taken", name_taken(&application.name)))?;
        self.execute(
            "insert into client_ids (client_id, tenant_id, application_id) values ($1, $2, $3)",
            args![client_id, tenant, application.id],
        )
        .await
        .map_err(|failure| failure.conflict("client_id_taken", "another application has this client id"))?;
        Ok(())
    }

    /// The application of that id.
    pub async fn find_application(&mut self, tenant: TenantId, id: ApplicationId) -> Result<Option<Application>> {
        let found: Option<ApplicationRow> = self
            .optional(
                "select tenant_id, id, client_id, name, description, owner, owner_id, access_level_id, grants, reach, \
                 allowed_networks, expires_at, enabled, rate_requests, rate_window_seconds, version, created_at, \
                 updated_at, key_type, dpop_bound \
                 from applications where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
        found.map(ApplicationRow::read).transpose()
    }

    /// Writes an application whose `version` is the new one; the stored one must be the one before. The client id stays.
    pub async fn update_application(
        &mut self,
        tenant: TenantId,
        application: &Application,
        name_key: &str,
    ) -> Result<()> {
        let updated = self
            .execute(
                "update applications set name = $3, name_key = $4, description = $5, owner = $6, access_level_id = $7, \
                 grants = $8, reach = $9, allowed_networks = $10, expires_at = $11, enabled = $12, rate_requests = $13, \
                 rate_window_seconds = $14, version = $15, updated_at = $16, key_type = $17, \
                 dpop_bound = $18, owner_id = $19, \
                 rights_since = case when access_level_id is distinct from $7 or grants is distinct from $8 \
                 or key_type is distinct from $17 then $16 else rights_since end, \
                 networks_since = case when allowed_networks is distinct from $10 then $16 else networks_since end \
                 where tenant_id = $1 and id = $2 and version = $15 - 1",
                columns(tenant, application, name_key),
            )
            .await
            .map_err(|failure| failure.conflict("application_name_taken", name_taken(&application.name)))?;
        if updated == 1 {
            return Ok(());
        }
        let stored: Option<(i64,)> = self
            .optional(
                "select version from applications where tenant_id = $1 and id = $2",
                args![tenant, application.id],
            )
            .await?;
        Err(not_updated("application", stored))
    }

    /// Removes an application with its client id, secrets, usage, cursors and notices; whether there was one.
    pub async fn delete_application(&mut self, tenant: TenantId, id: ApplicationId) -> Result<bool> {
        // Waits for units that add a secret just now, and lets none begin; SQLite has one writer.
        let lock = match self.engine() {
            Engine::Sqlite => "select id from applications where tenant_id = $1 and id = $2",
            Engine::Postgres => "select id from applications where tenant_id = $1 and id = $2 for update",
        };
        if self.optional::<(String,)>(lock, args![tenant, id]).await?.is_none() {
            return Ok(false);
        }
        for sql in [
            "delete from client_ids where tenant_id = $1 and application_id = $2",
            "delete from secrets where tenant_id = $1 and application_id = $2",
            "delete from public_keys where tenant_id = $1 and application_id = $2",
            "delete from secret_uses where tenant_id = $1 and application_id = $2",
            "delete from usage_hours where tenant_id = $1 and application_id = $2",
            "delete from right_uses where tenant_id = $1 and application_id = $2",
            "delete from network_uses where tenant_id = $1 and application_id = $2",
            "delete from queue_cursors where tenant_id = $1 and application_id = $2",
            "delete from notices where tenant_id = $1 and application_id = $2",
        ] {
            self.execute(sql, args![tenant, id]).await?;
        }
        self.delete_secret_texts(tenant, Texts::Application(id)).await?;
        let deleted =
            self.execute("delete from applications where tenant_id = $1 and id = $2", args![tenant, id]).await?;
        Ok(deleted == 1)
    }

    /// How many applications the tenant has.
    pub async fn count_applications(&mut self, tenant: TenantId) -> Result<i64> {
        let (count,): (i64,) = self
            .one("select count(*) from applications where tenant_id = $1", args![tenant])
            .await
            .map_err(Error::from)?;
        Ok(count)
    }
}

impl Store {
    /// The application of that id.
    pub async fn find_application(&self, tenant: TenantId, id: ApplicationId) -> Result<Option<Application>> {
        let found: Option<ApplicationRow> = self
            .optional(
                "select tenant_id, id, client_id, name, description, owner, owner_id, access_level_id, grants, reach, \
                 allowed_networks, expires_at, enabled, rate_requests, rate_window_seconds, version, created_at, \
                 updated_at, key_type, dpop_bound \
                 from applications where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
        found.map(ApplicationRow::read).transpose()
    }

    /// The tenant's applications, by id; positions are ids.
    pub async fn list_applications(&self, tenant: TenantId, page: &PageRequest) -> Result<Vec<Application>> {
        let found: Vec<ApplicationRow> = self
            .all(
                "select tenant_id, id, client_id, name, description, owner, owner_id, access_level_id, grants, reach, \
                 allowed_networks, expires_at, enabled, rate_requests, rate_window_seconds, version, created_at, \
                 updated_at, key_type, dpop_bound \
                 from applications where tenant_id = $1 and id > $2 order by id limit $3",
                args![tenant, page.after.as_deref().unwrap_or(""), page.fetch()],
            )
            .await?;
        found.into_iter().map(ApplicationRow::read).collect()
    }
}
