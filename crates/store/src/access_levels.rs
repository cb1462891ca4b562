//! Access levels of tenants. Levels that come with the server are not stored.

use crate::engine::Store;
use crate::sql::{Tx, args, id_of, row};
use crate::tenants::not_updated;
use claviger_domain::Result;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::grants::{grants_from_json, grants_to_json};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;

/// An application that takes its rights from a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelUser {
    /// Its id.
    pub id: ApplicationId,
    /// Its name.
    pub name: String,
}

row! {
    struct LevelRow {
        tenant_id: String,
        id: String,
        name: String,
        description: String,
        grants: String,
        version: i64,
        created_at: i64,
        updated_at: i64,
    }
}

impl LevelRow {
    fn read(self) -> Result<AccessLevel> {
        Ok(AccessLevel {
            id: id_of!(AccessLevelId, &self.id)?,
            tenant_id: Some(id_of!(TenantId, &self.tenant_id)?),
            name: self.name,
            description: self.description,
            grants: grants_from_json(&self.grants),
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

fn name_taken(name: &str) -> String {
    format!("the tenant has an access level called {name:?} (upper and lower case are one); choose another")
}

impl Tx {
    /// Adds a level. Conflict: `access_level_name_taken`.
    pub async fn insert_access_level(&mut self, tenant: TenantId, level: &AccessLevel, name_key: &str) -> Result<()> {
        self.execute(
            "insert into access_levels (tenant_id, id, name, name_key, description, grants, version, created_at, \
             updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args![
                tenant,
                level.id,
                &level.name,
                name_key,
                &level.description,
                grants_to_json(&level.grants).to_string(),
                level.version,
                level.created_at,
                level.updated_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant").conflict("access_level_name_taken", name_taken(&level.name)))?;
        Ok(())
    }

    /// The level of that id. Whoever goes on to assign it calls [`Tx::lock_tenant`] first, so that it stays.
    pub async fn find_access_level(&mut self, tenant: TenantId, id: AccessLevelId) -> Result<Option<AccessLevel>> {
        let found: Option<LevelRow> = self
            .optional(
                "select tenant_id, id, name, description, grants, version, created_at, updated_at \
                 from access_levels where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
        found.map(LevelRow::read).transpose()
    }

    /// The level of that name.
    pub async fn find_access_level_named(&mut self, tenant: TenantId, name_key: &str) -> Result<Option<AccessLevel>> {
        let found: Option<LevelRow> = self
            .optional(
                "select tenant_id, id, name, description, grants, version, created_at, updated_at \
                 from access_levels where tenant_id = $1 and name_key = $2",
                args![tenant, name_key],
            )
            .await?;
        found.map(LevelRow::read).transpose()
    }

    /// Writes a level whose `version` is the new one; the stored one must be the one before.
    pub async fn update_access_level(&mut self, tenant: TenantId, level: &AccessLevel, name_key: &str) -> Result<()> {
        let updated = self
            .execute(
                "update access_levels set name = $3, name_key = $4, description = $5, grants = $6, version = $7, \
                 updated_at = $8, grants_since = case when grants <> $6 then $8 else grants_since end \
                 where tenant_id = $1 and id = $2 and version = $7 - 1",
                args![
                    tenant,
                    level.id,
                    &level.name,
                    name_key,
                    &level.description,
                    grants_to_json(&level.grants).to_string(),
                    level.version,
                    level.updated_at
                ],
            )
            .await
            .map_err(|failure| failure.conflict("access_level_name_taken", name_taken(&level.name)))?;
        if updated == 1 {
            return Ok(());
        }
        let stored: Option<(i64,)> = self
            .optional("select version from access_levels where tenant_id = $1 and id = $2", args![tenant, level.id])
            .await?;
        Err(not_updated("access level", stored))
    }

    /// Removes a level that no application and no user has; whether it was removed. Ask [`Tx::list_level_users`] and
    /// [`Tx::list_level_holders`] in the same unit,
    /// after [`Tx::lock_tenant`], to say who keeps it.
    pub async fn delete_access_level(&mut self, tenant: TenantId, id: AccessLevelId) -> Result<bool> {
        self.lock_tenant(tenant).await?;
        let deleted = self
            .execute(
                "delete from access_levels where tenant_id = $1 and id = $2 and not exists ( \
                     select 1 from applications a where a.tenant_id = $1 and a.access_level_id = $2 \
                 ) and not exists ( \
                     select 1 from user_roles r where r.tenant_id = $1 and r.access_level_id = $2 \
                 ) and not exists ( \
                     select 1 from access_profile_roles r where r.tenant_id = $1 and r.access_level_id = $2 \
                 )",
                args![tenant, id],
            )
            .await?;
        Ok(deleted == 1)
    }

    /// Whether a level of the tenant has the name of this key.
    pub async fn is_level_name_taken(&mut self, tenant: TenantId, name_key: &str) -> Result<bool> {
        let found: Option<(String,)> = self
            .optional("select id from access_levels where tenant_id = $1 and name_key = $2", args![tenant, name_key])
            .await?;
        Ok(found.is_some())
    }

    /// Whether an application or a user with the level reaches beneath its tenant.
    pub async fn level_reaches_beneath(&mut self, tenant: TenantId, level: AccessLevelId) -> Result<bool> {
        let found: Option<(String,)> = self
            .optional(
                "select id from applications \
                 where tenant_id = $1 and access_level_id = $2 and reach = 'beneath' \
                 union all select u.id from user_roles r \
                 join users u on u.tenant_id = r.tenant_id and u.id = r.user_id \
                 where r.tenant_id = $1 and r.access_level_id = $2 and u.reach = 'beneath' \
                 union all select p.id from access_profile_roles r \
                 join access_profiles p \
                 on p.tenant_id = r.tenant_id and p.user_id = r.user_id and p.id = r.profile_id \
                 where r.tenant_id = $1 and r.access_level_id = $2 and p.reach = 'beneath' limit 1",
                args![tenant, level],
            )
            .await?;
        Ok(found.is_some())
    }

    /// The applications that take their rights from the level, by id.
    pub async fn list_level_users(&mut self, tenant: TenantId, level: AccessLevelId) -> Result<Vec<LevelUser>> {
        let found: Vec<(String, String)> = self
            .all(
                "select id, name from applications where tenant_id = $1 and access_level_id = $2 order by id",
                args![tenant, level],
            )
            .await?;
        found.into_iter().map(|(id, name)| Ok(LevelUser { id: id_of!(ApplicationId, &id)?, name })).collect()
    }
}

impl Store {
    /// The level of that id.
    pub async fn find_access_level(&self, tenant: TenantId, id: AccessLevelId) -> Result<Option<AccessLevel>> {
        let found: Option<LevelRow> = self
            .optional(
                "select tenant_id, id, name, description, grants, version, created_at, updated_at \
                 from access_levels where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
        found.map(LevelRow::read).transpose()
    }

    /// The tenant's levels, by id; positions are ids.
    pub async fn list_access_levels(&self, tenant: TenantId, page: &PageRequest) -> Result<Vec<AccessLevel>> {
        let found: Vec<LevelRow> = self
            .all(
                "select tenant_id, id, name, description, grants, version, created_at, updated_at \
                 from access_levels where tenant_id = $1 and id > $2 order by id limit $3",
                args![tenant, page.after.as_deref().unwrap_or(""), page.fetch()],
            )
            .await?;
        found.into_iter().map(LevelRow::read).collect()
    }
}
