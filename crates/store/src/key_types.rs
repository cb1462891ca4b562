//! Legacy key types: what an operator says of them, and who still has keys of them.

use crate::applications::ApplicationRow;
use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::application::{Application, LastUse, Reach};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::key_type::{LegacyRule, LegacyRules, LegacyType};
use claviger_domain::lifetime::DAY;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use sqlx::Row;

row! {
    struct RuleRow {
        tenant_id: String,
        key_type: String,
        allowed: bool,
        sunset: Option<i64>,
        since: i64,
    }
}

fn add(rules: LegacyRules, row: &RuleRow) -> Result<LegacyRules> {
    let kind = LegacyType::parse(&row.key_type).ok_or_else(|| corrupt("key type", &row.key_type))?;
    let (sunset, since) = (row.sunset.map(Timestamp::from_micros), Timestamp::from_micros(row.since));
    Ok(rules.with(kind, Some(LegacyRule { allowed: row.allowed, sunset, since })))
}

/// The end of a legacy type that lies ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComingSunset {
    /// The type.
    pub kind: LegacyType,
    /// When applications of it stop.
    pub end: Timestamp,
    /// Days ahead at which owners are told, if any of them are reached.
    pub step: Option<i64>,
}

/// An application of a legacy type, and the last use of any of its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyApplication {
    /// The application.
    pub application: Application,
    /// Its last use.
    pub last_use: Option<LastUse>,
}

struct LegacyRow {
    application: ApplicationRow,
    used_at: Option<i64>,
    address: Option<String>,
    user_agent: Option<String>,
}

macro_rules! legacy_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for LegacyRow {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                Ok(Self {
                    application: sqlx::FromRow::from_row(row)?,
                    used_at: row.try_get("used_at")?,
                    address: row.try_get("address")?,
                    user_agent: row.try_get("user_agent")?,
                })
            }
        }
    };
}
legacy_row!(sqlx::sqlite::SqliteRow);
legacy_row!(sqlx::postgres::PgRow);

impl LegacyRow {
    fn read(self) -> Result<LegacyApplication> {
        let last_use = self.used_at.map(|at| LastUse {
            at: Timestamp::from_micros(at),
            address: self.address.and_then(|address| address.parse().ok()),
            user_agent: self.user_agent.unwrap_or_default(),
        });
        Ok(LegacyApplication { application: self.application.read()?, last_use })
    }
}

impl Tx {
    /// What is said of the types at the tenant itself.
    pub async fn find_legacy_rules(&mut self, tenant: TenantId) -> Result<LegacyRules> {
        let found: Vec<RuleRow> = self
            .all(
                "select tenant_id, key_type, allowed, sunset, since from legacy_key_types where tenant_id = $1",
                args![tenant],
            )
            .await?;
        found.iter().try_fold(LegacyRules::default(), add)
    }

    /// Says something else of the types at the tenant, in place of everything before.
    pub async fn put_legacy_rules(&mut self, tenant: TenantId, rules: &LegacyRules) -> Result<()> {
        self.execute("delete from legacy_key_types where tenant_id = $1", args![tenant]).await?;
        let said = LegacyType::ALL.into_iter().filter_map(|kind| Some((kind, rules.get(kind)?)));
        let rows = said.map(|(kind, rule)| args![tenant, kind.as_str(), rule.allowed, rule.sunset, rule.since]);
        self.execute_many(
            "insert into legacy_key_types (tenant_id, key_type, allowed, sunset, since) values {rows}",
            rows.collect(),
        )
        .await
        .map_err(|failure| failure.refers_to("tenant"))?;
        Ok(())
    }
}

impl Store {
    /// What is said of the types at the tenant itself.
    pub async fn find_legacy_rules(&self, tenant: TenantId) -> Result<LegacyRules> {
        let found: Vec<RuleRow> = self
            .all(
                "select tenant_id, key_type, allowed, sunset, since from legacy_key_types where tenant_id = $1",
                args![tenant],
            )
            .await?;
        found.iter().try_fold(LegacyRules::default(), add)
    }

    /// What is said of the types at every tenant where anything is. It crosses tenants: read at start, into the tree.
    pub async fn load_legacy_rules(&self) -> Result<Vec<(TenantId, LegacyRules)>> {
        let found: Vec<RuleRow> = self
            .all("select tenant_id, key_type, allowed, sunset, since from legacy_key_types order by tenant_id", args![])
            .await?;
        let mut all: Vec<(TenantId, LegacyRules)> = Vec::new();
        for row in found {
            let tenant = id_of!(TenantId, &row.tenant_id)?;
            match all.last_mut() {
                Some((last, rules)) if *last == tenant => *rules = add(*rules, &row)?,
                _ => all.push((tenant, add(LegacyRules::default(), &row)?)),
            }
        }
        Ok(all)
    }

    /// The legacy types of which there are applications, by tenant. It crosses tenants: read beside the requests.
    pub async fn list_legacy_types_in_use(&self) -> Result<Vec<(TenantId, LegacyType)>> {
        let found: Vec<(String, String)> = self
            .all(
                "select distinct tenant_id, key_type from applications \
                 where key_type <> 'custom' and key_type in ('siem', 'api', 'live_response') order by 1, 2",
                args![],
            )
            .await?;
        let read = |(tenant, kind): (String, String)| {
            let kind = LegacyType::parse(&kind).ok_or_else(|| corrupt("key type", &kind))?;
            Ok((id_of!(TenantId, &tenant)?, kind))
        };
        found.into_iter().map(read).collect()
    }

    /// The tenant's applications of the type whose owners have not been told of its end, or not at the step that is
    /// reached, by id.
    pub async fn list_untold_of_sunset(
        &self,
        tenant: TenantId,
        sunset: &ComingSunset,
        after: Option<ApplicationId>,
        limit: i64,
    ) -> Result<Vec<ApplicationId>> {
        // Whoever was told when the application was made, later than the step, is not told at the step.
        let (step, made) = match sunset.step {
            Some(days) => (days, sunset.end.plus_seconds(-days * DAY)),
            None => (0, Timestamp::from_micros(i64::MIN)),
        };
        let found: Vec<(String,)> = self
            .all(
                "select a.id from applications a \
                 where a.tenant_id = $1 and a.key_type = $2 and a.id > $3 \
                 and not exists ( \
                     select 1 from notices n \
                     where n.tenant_id = a.tenant_id and n.application_id = a.id and n.kind = 'key_type.sunset' \
                     and n.due_at = $4 and (n.step <= $5 or a.created_at >= $6) \
                 ) \
                 order by a.id limit $7",
                args![
                    tenant,
                    sunset.kind.as_str(),
                    after.map_or_else(String::new, |id| id.to_string()),
                    sunset.end,
                    step,
                    made,
                    limit
                ],
            )
            .await?;
        found.iter().map(|(id,)| id_of!(ApplicationId, id)).collect()
    }

    /// The applications of legacy types of a tenant, or of it and everything beneath, by id; positions are ids.
    pub async fn list_legacy_applications(
        &self,
        tenant: TenantId,
        reach: Reach,
        page: &PageRequest,
    ) -> Result<Vec<LegacyApplication>> {
        // Such applications are few: the first condition is that of their own index, and the ids are made texts that no index orders,
        // or SQLite would go through all applications in the order of their ids.
        let found: Vec<LegacyRow> = self
            .all(
                "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
                 a.created_at, a.updated_at, a.key_type, a.dpop_bound, u.at as used_at, u.address, u.user_agent \
                 from applications a \
                 join tenant_paths p on p.tenant_id = $1 and p.beneath_id = a.tenant_id \
                 and ($4 = 'beneath' or p.beneath_id = $1) \
                 left join secret_uses u on u.tenant_id = a.tenant_id and u.application_id = a.id and u.secret_id = ( \
                     select l.secret_id from secret_uses l \
                     where l.tenant_id = a.tenant_id and l.application_id = a.id \
                     order by l.at desc, l.secret_id limit 1 \
                 ) \
                 where a.key_type <> 'custom' and a.key_type in ('siem', 'api', 'live_response') and a.id || '' > $2 \
                 order by a.id || '' limit $3",
                args![tenant, page.after.as_deref().unwrap_or(""), page.fetch(), reach.as_str()],
            )
            .await?;
        found.into_iter().map(LegacyRow::read).collect()
    }
}
