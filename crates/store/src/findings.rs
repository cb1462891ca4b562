//! What findings are made of: applications with what they hold, and when it was used last.

use crate::applications::ApplicationRow;
use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::application::Application;
use claviger_domain::grants::{Grants, grants_from_json};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::network::Network;
use claviger_domain::time::Timestamp;
use sqlx::Row;
use std::collections::BTreeMap;

/// An application with what its level grants, and since when that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The application.
    pub application: Application,
    /// What its access level grants, if that is one of its tenant; none for inline grants and built-in levels.
    pub level_grants: Option<Grants>,
    /// Since when it has held just these rights.
    pub rights_since: Timestamp,
    /// Since when its networks have been just these.
    pub networks_since: Timestamp,
}

struct HolderRow {
    application: ApplicationRow,
    level_grants: Option<String>,
    rights_since: i64,
    grants_since: i64,
    networks_since: i64,
}

macro_rules! holder_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for HolderRow {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                Ok(Self {
                    application: sqlx::FromRow::from_row(row)?,
                    level_grants: row.try_get("level_grants")?,
                    rights_since: row.try_get("rights_since")?,
                    grants_since: row.try_get("grants_since")?,
                    networks_since: row.try_get("networks_since")?,
                })
            }
        }
    };
}
holder_row!(sqlx::sqlite::SqliteRow);
holder_row!(sqlx::postgres::PgRow);

impl HolderRow {
    fn read(self) -> Result<Holder> {
        Ok(Holder {
            application: self.application.read()?,
            level_grants: self.level_grants.as_deref().map(grants_from_json),
            rights_since: Timestamp::from_micros(self.rights_since.max(self.grants_since)),
            networks_since: Timestamp::from_micros(self.networks_since),
        })
    }
}

row! {
    struct UseRow {
        application_id: String,
        subject: String,
        at: i64,
    }
}

/// For each application, when each of its rights was used last, by name of the right.
pub type RightUses = BTreeMap<ApplicationId, BTreeMap<String, Timestamp>>;
/// For each application, the allowed networks out of which calls came, and when last.
pub type NetworkUses = BTreeMap<ApplicationId, Vec<(Network, Timestamp)>>;

const HOLDER: &str = "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, a.key_type, a.dpop_bound, l.grants as level_grants, \
                 coalesce(a.rights_since, a.created_at) as rights_since, \
                 coalesce(l.grants_since, l.created_at, a.created_at) as grants_since, \
                 coalesce(a.networks_since, a.created_at) as networks_since \
                 from applications a \
                 left join access_levels l on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 where a.tenant_id = $1 and a.id = $2";

impl Tx {
    /// One application with what its level grants.
    pub async fn find_holder(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Option<Holder>> {
        let found: Option<HolderRow> = self.optional(HOLDER, args![tenant, application]).await?;
        found.map(HolderRow::read).transpose()
    }

    /// When an application last used each right with success, by name of the right.
    pub async fn list_right_uses(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<BTreeMap<String, Timestamp>> {
        let found: Vec<(String, i64)> = self
            .all(
                "select permission, at from right_uses where tenant_id = $1 and application_id = $2",
                args![tenant, application],
            )
            .await?;
        Ok(found.into_iter().map(|(right, at)| (right, Timestamp::from_micros(at))).collect())
    }
}

impl Store {
    /// Applications with what their levels grant, by id, from `first` on, that one too.
    pub async fn list_holders(&self, tenant: TenantId, first: &str, limit: i64) -> Result<Vec<Holder>> {
        let found: Vec<HolderRow> = self
            .all(
                "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, a.key_type, a.dpop_bound, l.grants as level_grants, \
                 coalesce(a.rights_since, a.created_at) as rights_since, \
                 coalesce(l.grants_since, l.created_at, a.created_at) as grants_since, \
                 coalesce(a.networks_since, a.created_at) as networks_since \
                 from applications a \
                 left join access_levels l on l.tenant_id = a.tenant_id and l.id = a.access_level_id \
                 where a.tenant_id = $1 and a.id >= $2 order by a.id limit $3",
                args![tenant, first, limit],
            )
            .await?;
        found.into_iter().map(HolderRow::read).collect()
    }

    /// When applications from one to another last used their rights.
    pub async fn right_uses(&self, tenant: TenantId, first: ApplicationId, last: ApplicationId) -> Result<RightUses> {
        let found: Vec<UseRow> = self
            .all(
                "select application_id, permission as subject, at from right_uses \
                 where tenant_id = $1 and application_id >= $2 and application_id <= $3",
                args![tenant, first, last],
            )
            .await?;
        let mut uses = RightUses::new();
        for row in found {
            let of = uses.entry(id_of!(ApplicationId, &row.application_id)?).or_default();
            of.insert(row.subject, Timestamp::from_micros(row.at));
        }
        Ok(uses)
    }

    /// Out of which allowed networks applications from one to another called, and when last.
    pub async fn network_uses(
        &self,
        tenant: TenantId,
        first: ApplicationId,
        last: ApplicationId,
    ) -> Result<NetworkUses> {
        let found: Vec<UseRow> = self
            .all(
                "select application_id, network as subject, at from network_uses \
                 where tenant_id = $1 and application_id >= $2 and application_id <= $3 \
                 order by application_id, network",
                args![tenant, first, last],
            )
            .await?;
        let mut uses = NetworkUses::new();
        for row in found {
            let network = Network::parse("", &row.subject).map_err(|_| corrupt("network", &row.subject))?;
            let of = uses.entry(id_of!(ApplicationId, &row.application_id)?).or_default();
            of.push((network, Timestamp::from_micros(row.at)));
        }
        Ok(uses)
    }
}
