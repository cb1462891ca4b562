//! Tenants: the nodes of the tree.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::tenant::details::{Address, MfaRequirement};
use claviger_domain::tenant::{Details, Kind, Stage, Status, Tenant};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The columns of a tenant, of the table that the statement calls `t`.
macro_rules! tenant_columns {
    () => {
        "t.id, t.parent_id, t.org_key, t.name, t.name_key, t.kind, t.status, t.application_limit, t.external_id, t.agent_key, t.profile, \
         t.trial, t.trial_ends_at, t.user_limit, t.endpoint_limit, t.mfa_required, t.purge_at, t.provisioning, t.version, \
         t.created_at, t.updated_at"
    };
}
pub(crate) use tenant_columns;

const FIND: &str = concat!("select ", tenant_columns!(), " from tenants t where t.id = $1");

row! {
    struct TenantRow {
        id: String,
        parent_id: Option<String>,
        org_key: String,
        name: String,
        name_key: String,
        kind: String,
        status: String,
        application_limit: i64,
        external_id: Option<String>,
        agent_key: Option<String>,
        profile: String,
        trial: bool,
        trial_ends_at: Option<i64>,
        user_limit: Option<i64>,
        endpoint_limit: Option<i64>,
        mfa_required: String,
        purge_at: Option<i64>,
        provisioning: Option<String>,
        version: i64,
        created_at: i64,
        updated_at: i64,
    }
}

/// The details that no rule asks for.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Profile {
    short_name: Option<String>,
    email: Option<String>,
    street: Option<String>,
    postal: Option<String>,
    city: Option<String>,
    state: Option<String>,
    country: Option<String>,
    foreign_tenant_id: Option<String>,
    settings: Map<String, Value>,
}

impl Profile {
    fn of(details: &Details) -> String {
        let Details { short_name, email, address, country, foreign_tenant_id, settings, .. } = details.clone();
        let Address { street, postal, city, state } = address;
        let profile = Self { short_name, email, street, postal, city, state, country, foreign_tenant_id, settings };
        serde_json::to_string(&profile).unwrap_or_default()
    }
}

impl TenantRow {
    pub(crate) fn read(self) -> Result<Tenant> {
        let profile: Profile =
            serde_json::from_str(&self.profile).map_err(|_| corrupt("profile of a tenant", &self.profile))?;
        let Profile { short_name, email, street, postal, city, state, country, foreign_tenant_id, settings } = profile;
        let mfa = MfaRequirement::parse(&self.mfa_required);
        let stage = |word: String| Stage::parse(&word).ok_or_else(|| corrupt("provisioning", &word));
        Ok(Tenant {
            id: id_of!(TenantId, &self.id)?,
            org_key: OrgKey::stored(self.org_key),
            name: self.name,
            kind: Kind::parse(&self.kind).ok_or_else(|| corrupt("kind", &self.kind))?,
            parent_id: self.parent_id.map(|id| id_of!(TenantId, &id)).transpose()?,
            status: Status::parse(&self.status).ok_or_else(|| corrupt("status", &self.status))?,
            purge_at: self.purge_at.map(Timestamp::from_micros),
            provisioning: self.provisioning.map(stage).transpose()?,
            application_limit: self.application_limit,
            details: Details {
                external_id: self.external_id,
                short_name,
                email,
                address: Address { street, postal, city, state },
                country,
                agent_key: self.agent_key,
                foreign_tenant_id,
                trial: self.trial,
                trial_ends_at: self.trial_ends_at.map(Timestamp::from_micros),
                user_limit: self.user_limit,
                endpoint_limit: self.endpoint_limit,
                mfa_required: mfa.ok_or_else(|| corrupt("second factor of a tenant", &self.mfa_required))?,
                settings,
            },
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

fn name_taken(name: &str) -> String {
    format!("there is a tenant called {name:?} beneath the same parent (upper and lower case are one); choose another")
}

/// The refusal of an external id that another tenant of the same parent has.
pub fn external_id_taken(id: &str) -> Error {
    let detail =
        format!("there is a tenant with the external id {id:?} beneath the same parent; it may be the one you mean");
    Error::conflict("external_id_taken", detail)
}

/// The values that an insert and an update have in common, in the order of their columns.
pub(crate) fn columns(tenant: &Tenant, name_key: &str) -> Vec<crate::sql::Value> {
    let details = &tenant.details;
    args![
        tenant.id,
        &tenant.name,
        name_key,
        tenant.status.as_str(),
        tenant.application_limit,
        details.external_id.clone(),
        details.agent_key.clone(),
        Profile::of(details),
        details.trial,
        details.trial_ends_at,
        details.user_limit,
        details.endpoint_limit,
        details.mfa_required.as_str(),
        tenant.purge_at,
        tenant.provisioning.map(Stage::as_str),
        tenant.version,
        tenant.updated_at
    ]
}

impl Tx {
    /// Adds a tenant. Conflicts: `external_id_taken`, `tenant_name_taken`, `org_key_taken` (draw another key),
    /// `operator_exists`.
    pub async fn insert_tenant(&mut self, tenant: &Tenant, name_key: &str) -> Result<()> {
        self.check_external_id(tenant).await?;
        let mut values = columns(tenant, name_key);
        values.extend(args![tenant.parent_id, tenant.org_key.as_str(), tenant.kind.as_str(), tenant.created_at]);
        let inserted = self
            .execute(
                "insert into tenants (id, name, name_key, status, application_limit, external_id, agent_key, profile, \
                 trial, trial_ends_at, user_limit, endpoint_limit, mfa_required, purge_at, provisioning, version, \
                 updated_at, parent_id, org_key, kind, created_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) \
                 on conflict (org_key) do nothing",
                values,
            )
            .await
            .map_err(|failure| match tenant.parent_id {
                Some(_) => failure.refers_to("tenant").conflict("tenant_name_taken", name_taken(&tenant.name)),
                None => failure.conflict("operator_exists", "the store has its operator already"),
            })?;
        if inserted == 0 {
            return Err(Error::conflict("org_key_taken", "another tenant has this org key"));
        }
        self.place_tenant(tenant, name_key).await
    }

    /// Refuses an external id that another tenant of the same parent has.
    async fn check_external_id(&mut self, tenant: &Tenant) -> Result<()> {
        let (Some(parent), Some(external_id)) = (tenant.parent_id, &tenant.details.external_id) else { return Ok(()) };
        let found: Option<(String,)> = self
            .optional(
                "select id from tenants where parent_id = $1 and external_id = $2 and id <> $3",
                args![parent, external_id, tenant.id],
            )
            .await?;
        match found {
            None => Ok(()),
            Some(_) => Err(external_id_taken(external_id)),
        }
    }

    /// The tenant of that id.
    pub async fn find_tenant(&mut self, id: TenantId) -> Result<Option<Tenant>> {
        let found: Option<TenantRow> = self.optional(FIND, args![id]).await?;
        found.map(TenantRow::read).transpose()
    }

    /// Writes a tenant whose `version` is the new one; the stored one must be the one before. Kind, parent and org key stay.
    pub async fn update_tenant(&mut self, tenant: &Tenant, name_key: &str) -> Result<()> {
        self.check_external_id(tenant).await?;
        let updated = self
            .execute(
                "update tenants set name = $2, name_key = $3, status = $4, application_limit = $5, external_id = $6, \
                 agent_key = $7, profile = $8, trial = $9, trial_ends_at = $10, user_limit = $11, endpoint_limit = $12, \
                 mfa_required = $13, purge_at = $14, provisioning = $15, version = $16, updated_at = $17 \
                 where id = $1 and version = $16 - 1",
                columns(tenant, name_key),
            )
            .await
            .map_err(|failure| failure.conflict("tenant_name_taken", name_taken(&tenant.name)))?;
        if updated == 1 {
            return self.rename_tenant(tenant.id, name_key).await;
        }
        let version: Option<(i64,)> =
            self.optional("select version from tenants where id = $1", args![tenant.id]).await?;
        Err(not_updated("tenant", version))
    }

    /// The tenant of that external id beneath a parent.
    pub async fn find_tenant_by_external_id(&mut self, parent: TenantId, external_id: &str) -> Result<Option<Tenant>> {
        let found: Option<TenantRow> = self
            .optional(
                concat!("select ", tenant_columns!(), " from tenants t where t.parent_id = $1 and t.external_id = $2"),
                args![parent, external_id],
            )
            .await?;
        found.map(TenantRow::read).transpose()
    }

    /// Writes how far the provisioning of a tenant is, as its next version.
    pub async fn set_provisioning(&mut self, tenant: TenantId, stage: Option<Stage>, now: Timestamp) -> Result<()> {
        self.execute(
            "update tenants set provisioning = $2, version = version + 1, updated_at = $3 where id = $1",
            args![tenant, stage.map(Stage::as_str), now],
        )
        .await?;
        Ok(())
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
        let found: Option<TenantRow> = self.optional(FIND, args![id]).await?;
        found.map(TenantRow::read).transpose()
    }
}
