//! Many applications at once: which ones fit a filter, and changes of each of them.

use crate::applications::ApplicationRow;
use crate::sql::{Tx, Value, args, id_of};
use claviger_domain::Result;
use claviger_domain::application::Application;
use claviger_domain::bulk::{Filter, Revocation};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::time::Timestamp;
use sqlx::Row;

/// An application that fits a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The application.
    pub application: Application,
    /// When one of its live secrets was used last.
    pub last_used_at: Option<Timestamp>,
}

struct MatchRow {
    application: ApplicationRow,
    used_at: Option<i64>,
}

macro_rules! match_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for MatchRow {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                Ok(Self { application: sqlx::FromRow::from_row(row)?, used_at: row.try_get("used_at")? })
            }
        }
    };
}
match_row!(sqlx::sqlite::SqliteRow);
match_row!(sqlx::postgres::PgRow);

impl Tx {
    /// The tenant's applications that fit, by id, at most `limit`. With a revocation only those to which it would still do
    /// something.
    pub async fn match_applications(
        &mut self,
        tenant: TenantId,
        filter: &Filter,
        revocation: Option<Revocation>,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Match>> {
        let mut found = Vec::new();
        match &filter.ids {
            None => found.extend(self.match_between(tenant, filter, revocation, now, limit, None).await?),
            Some(ids) => {
                let mut ids = ids.clone();
                ids.sort_unstable();
                ids.dedup();
                for id in ids {
                    found.extend(self.match_between(tenant, filter, revocation, now, 1, Some(id)).await?);
                }
                found.truncate(limit);
            }
        }
        Ok(found)
    }

    async fn match_between(
        &mut self,
        tenant: TenantId,
        filter: &Filter,
        revocation: Option<Revocation>,
        now: Timestamp,
        limit: usize,
        only: Option<ApplicationId>,
    ) -> Result<Vec<Match>> {
        // Every id lies between these: the first is empty, the second beyond any hexadecimal digit.
        let (first, last) = only.map_or_else(|| (String::new(), "g".to_owned()), |id| (id.to_string(), id.to_string()));
        let mut values: Vec<Value> = args![
            tenant,
            first,
            last,
            filter.owner.is_none(),
            filter.owner.clone().flatten(),
            filter.owner == Some(None),
            filter.access_level_id.map(|id| id.to_string()),
            filter.name_prefix.clone(),
            filter.created_before
        ];
        values.extend(args![
            filter.unused_since(now),
            revocation != Some(Revocation::Disable),
            revocation != Some(Revocation::DeleteSecrets),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ]);
        let rows: Vec<MatchRow> = self
            .all(
                "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
                 a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, \
                 a.version, a.created_at, a.updated_at, a.key_type, a.dpop_bound, \
                 (select max(u.at) from secret_uses u \
                  where u.tenant_id = a.tenant_id and u.application_id = a.id) as used_at \
                 from applications a \
                 where a.tenant_id = $1 and a.id >= $2 and a.id <= $3 \
                 and ($4 or a.owner = $5 or ($6 and a.owner is null)) \
                 and (cast($7 as text) is null or a.access_level_id = $7) \
                 and (cast($8 as text) is null or substr(a.name, 1, length($8)) = $8) \
                 and (cast($9 as bigint) is null or a.created_at < $9) \
                 and (cast($10 as bigint) is null or (a.created_at < $10 and not exists ( \
                     select 1 from secret_uses u \
                     where u.tenant_id = a.tenant_id and u.application_id = a.id and u.at >= $10 \
                 ) and not exists ( \
                     select 1 from usage_hours h \
                     where h.tenant_id = a.tenant_id and h.application_id = a.id and h.last_at >= $10 \
                 ))) \
                 and ($11 or a.enabled) \
                 and ($12 or exists ( \
                     select 1 from secrets s where s.tenant_id = a.tenant_id and s.application_id = a.id \
                 ) or exists ( \
                     select 1 from public_keys k where k.tenant_id = a.tenant_id and k.application_id = a.id \
                 )) \
                 order by a.id limit $13",
                values,
            )
            .await?;
        let read = |row: MatchRow| {
            let last_used_at = row.used_at.map(Timestamp::from_micros);
            Ok(Match { application: row.application.read()?, last_used_at })
        };
        rows.into_iter().map(read).collect()
    }

    /// Disables an application; whether it was enabled.
    pub async fn disable_application(&mut self, tenant: TenantId, id: ApplicationId, now: Timestamp) -> Result<bool> {
        let disabled = self
            .execute(
                "update applications set enabled = false, version = version + 1, updated_at = $3 \
                 where tenant_id = $1 and id = $2 and enabled",
                args![tenant, id, now],
            )
            .await?;
        Ok(disabled == 1)
    }

    /// Gives an application another owner; whether there is one.
    pub async fn change_owner(
        &mut self,
        tenant: TenantId,
        id: ApplicationId,
        owner: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let changed = self
            .execute(
                "update applications set owner = $3, owner_id = null, version = version + 1, updated_at = $4 \
                 where tenant_id = $1 and id = $2",
                args![tenant, id, owner, now],
            )
            .await?;
        Ok(changed == 1)
    }

    /// The application of the tenant that has this name's key.
    pub async fn find_application_by_name(
        &mut self,
        tenant: TenantId,
        name_key: &str,
    ) -> Result<Option<ApplicationId>> {
        let found: Option<(String,)> = self
            .optional("select id from applications where tenant_id = $1 and name_key = $2", args![tenant, name_key])
            .await?;
        found.map(|(id,)| id_of!(ApplicationId, &id)).transpose()
    }
}
