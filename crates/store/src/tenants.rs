//! Tenants: the nodes of the tree.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::{Kind, Status, Tenant};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

row! {
    struct TenantRow {
        id: String,
        parent_id: Option<String>,
        org_key: String,
        name: String,
        kind: String,
        status: String,
        application_limit: i64,
        version: i64,
        created_at: i64,
        updated_at: i64,
    }
}

impl TenantRow {
    pub(crate) fn read(self) -> Result<Tenant> {
        Ok(Tenant {
            id: id_of!(TenantId, &self.id)?,
            org_key: OrgKey::stored(self.org_key),
            name: self.name,
            kind: Kind::parse(&self.kind).ok_or_else(|| corrupt("kind", &self.kind))?,
            parent_id: self.parent_id.map(|id| id_of!(TenantId, &id)).transpose()?,
            status: Status::parse(&self.status).ok_or_else(|| corrupt("status", &self.status))?,
            application_limit: self.application_limit,
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

fn name_taken(name: &str) -> String {
    format!("there is a tenant called {name:?} beneath the same parent (upper and lower case are one); choose another")
}

impl Tx {
    /// Adds a tenant. Conflicts: `tenant_name_taken`, `org_key_taken` (draw another key), `operator_exists`.
    pub async fn insert_tenant(&mut self, tenant: &Tenant, name_key: &str) -> Result<()> {
        let inserted = self
            .execute(
                "insert into tenants (id, parent_id, org_key, name, name_key, kind, status, application_limit, version, \
                 created_at, updated_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                 on conflict (org_key) do nothing",
                args![
                    tenant.id,
                    tenant.parent_id,
                    tenant.org_key.as_str(),
                    &tenant.name,
                    name_key,
                    tenant.kind.as_str(),
                    tenant.status.as_str(),
                    tenant.application_limit,
                    tenant.version,
                    tenant.created_at,
                    tenant.updated_at
                ],
            )
            .await
            .map_err(|failure| match tenant.parent_id {
                Some(_) => failure.refers_to("tenant").conflict("tenant_name_taken", name_taken(&tenant.name)),
                None => failure.conflict("operator_exists", "the store has its operator already"),
            })?;
        if inserted == 0 {
            return Err(Error::conflict("org_key_taken", "another tenant has this org key"));
        }
        Ok(())
    }

    /// The tenant of that id.
    pub async fn find_tenant(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        let found: Option<TenantRow> = self
            .optional(
                "select id, parent_id, org_key, name, kind, status, application_limit, version, created_at, updated_at \
                 from tenants where id = $1",
                args![id],
            )
            .await?;
        found.map(TenantRow::read).transpose()
    }

    /// Writes name, status and limit of a tenant whose `version` is the new one; the stored one must be the one before.
    pub async fn update_tenant(&mut self, tenant: &Tenant, name_key: &str) -> Result<()> {
        let updated = self
            .execute(
                "update tenants set name = $2, name_key = $3, status = $4, application_limit = $5, version = $6, \
                 updated_at = $7 \
                 where id = $1 and version = $6 - 1",
                args![
                    tenant.id,
                    &tenant.name,
                    name_key,
                    tenant.status.as_str(),
                    tenant.application_limit,
                    tenant.version,
                    tenant.updated_at
                ],
            )
            .await
            .map_err(|failure| failure.conflict("tenant_name_taken", name_taken(&tenant.name)))?;
        if updated == 1 {
            return Ok(());
        }
        let version: Option<(i64,)> =
            self.optional("select version from tenants where id = $1", args![tenant.id]).await?;
        Err(not_updated("tenant", version))
    }

    /// Lets no other unit that locks the tenant go on before this one ends: for rules that count what a tenant has.
    pub async fn lock_tenant(&mut self, tenant: TenantId) -> Result<()> {
        // A write locks on either engine, where `for update` would need a text of its own.
        self.execute("update tenants set version = version where id = $1", args![tenant]).await?;
        Ok(())
    }
}

/// Why an update of one version to the next touched nothing.
pub(crate) fn not_updated(noun: &'static str, stored: Option<(i64,)>) -> Error {
    match stored {
        Some((current,)) => Error::PreconditionFailed { current },
        None => Error::NotFound(noun),
    }
}

impl Store {
    /// The tenant of that id.
    pub async fn find_tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        let found: Option<TenantRow> = self
            .optional(
                "select id, parent_id, org_key, name, kind, status, application_limit, version, created_at, updated_at \
                 from tenants where id = $1",
                args![id],
            )
            .await?;
        found.map(TenantRow::read).transpose()
    }

    /// The tenants of a kind among `root` and everything beneath it, by name; so many at most.
    pub async fn list_kind_beneath(&self, root: TenantId, kind: Kind, most: i64) -> Result<Vec<Tenant>> {
        let found: Vec<TenantRow> = self
            .all(
                "with recursive beneath (id) as ( \
                     select id from tenants where id = $1 \
                     union select t.id from tenants t join beneath b on t.parent_id = b.id \
                 ) \
                 select t.id, t.parent_id, t.org_key, t.name, t.kind, t.status, t.application_limit, t.version, \
                 t.created_at, t.updated_at \
                 from beneath b join tenants t on t.id = b.id \
                 where t.kind = $2 order by t.name_key, t.id limit $3",
                args![root, kind.as_str(), most],
            )
            .await?;
        found.into_iter().map(TenantRow::read).collect()
    }

    /// The tenant `root` and everything beneath it, by id; positions are ids.
    pub async fn list_tenants_beneath(&self, root: TenantId, page: &PageRequest) -> Result<Vec<Tenant>> {
        let found: Vec<TenantRow> = self
            .all(
                "with recursive beneath (id) as ( \
                     select id from tenants where id = $1 \
                     union select t.id from tenants t join beneath b on t.parent_id = b.id \
                 ) \
                 select t.id, t.parent_id, t.org_key, t.name, t.kind, t.status, t.application_limit, t.version, \
                 t.created_at, t.updated_at \
                 from beneath b join tenants t on t.id = b.id \
                 where t.id > $2 order by t.id limit $3",
                args![root, page.after.as_deref().unwrap_or(""), page.fetch()],
            )
            .await?;
        found.into_iter().map(TenantRow::read).collect()
    }
}
