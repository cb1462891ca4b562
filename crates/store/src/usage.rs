//! Usage per application, hour, right and outcome.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Grain, NetworkUse, Outcome, UsageDelta, UsageRow};
use claviger_domain::{Error, Result};
use std::collections::BTreeMap;

row! {
    struct UsageHourRow {
        application_id: String,
        period: i64,
        permission: String,
        outcome: String,
        calls: i64,
        last_at: i64,
    }
}

impl UsageHourRow {
    fn read(self) -> Result<UsageRow> {
        Ok(UsageRow {
            application_id: id_of!(ApplicationId, &self.application_id)?,
            period: Timestamp::from_micros(self.period),
            right: self.permission,
            outcome: Outcome::parse(&self.outcome).ok_or_else(|| corrupt("outcome", &self.outcome))?,
            count: self.calls,
            last_at: Timestamp::from_micros(self.last_at),
        })
    }
}

/// Where a row stands in the list: what a page goes on after.
pub fn usage_position(row: &UsageRow) -> String {
    format!("{}|{}|{}|{}", row.period.micros(), row.application_id, row.right, row.outcome.as_str())
}

fn parse_position(text: &str) -> Result<(i64, String, String, String)> {
    let mut parts = text.split('|');
    let period = parts.next().and_then(|period| period.parse().ok());
    match (period, parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(period), Some(application), Some(right), Some(outcome), None) => {
            Ok((period, application.into(), right.into(), outcome.into()))
        }
        _ => Err(Error::invalid("cursor", "not a cursor of this list", "leave it out to begin anew")),
    }
}

impl Tx {
    /// Adds calls to what is stored for their hours. Calls of an application that is gone are dropped.
    pub async fn add_usage(&mut self, deltas: &[UsageDelta]) -> Result<()> {
        // One row per key, as an upsert may meet no row twice; sorted, so that two nodes cannot deadlock.
        let mut sums: BTreeMap<_, (i64, Timestamp)> = BTreeMap::new();
        for delta in deltas {
            let key = (delta.tenant_id, delta.application_id, delta.hour, delta.right.as_str(), delta.outcome.as_str());
            let sum = sums.entry(key).or_insert((0, delta.last_at));
            *sum = (sum.0.saturating_add(delta.count), sum.1.max(delta.last_at));
        }
        let rows = sums.into_iter().map(|((tenant, application, hour, right, outcome), (count, last_at))| {
            args![tenant, application, hour, right, outcome, count, last_at]
        });
        self.execute_many(
            "insert into usage_hours (tenant_id, application_id, hour, permission, outcome, calls, last_at) \
             select v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, v.column7 \
             from (values {rows}) as v \
             where exists (select 1 from applications a where a.tenant_id = v.column1 and a.id = v.column2) \
             order by v.column1, v.column2, v.column3, v.column4, v.column5 \
             on conflict (tenant_id, application_id, hour, permission, outcome) do update \
             set calls = usage_hours.calls + excluded.calls, \
             last_at = case when excluded.last_at > usage_hours.last_at then excluded.last_at else usage_hours.last_at end",
            rows.collect(),
        )
        .await?;
        self.touch_rights(deltas).await
    }

    /// Records when rights were last used with success: the later time wins.
    async fn touch_rights(&mut self, deltas: &[UsageDelta]) -> Result<()> {
        let mut latest = BTreeMap::new();
        for delta in deltas.iter().filter(|delta| delta.outcome == Outcome::Allowed && !delta.right.is_empty()) {
            let key = (delta.tenant_id, delta.application_id, delta.right.as_str());
            let at = latest.entry(key).or_insert(delta.last_at);
            *at = delta.last_at.max(*at);
        }
        let rows = latest.into_iter().map(|((tenant, application, right), at)| args![tenant, application, right, at]);
        self.execute_many(
            "insert into right_uses (tenant_id, application_id, permission, at) \
             select v.column1, v.column2, v.column3, v.column4 from (values {rows}) as v \
             where exists (select 1 from applications a where a.tenant_id = v.column1 and a.id = v.column2) \
             order by v.column1, v.column2, v.column3 \
             on conflict (tenant_id, application_id, permission) do update set at = excluded.at \
             where excluded.at > right_uses.at",
            rows.collect(),
        )
        .await?;
        Ok(())
    }

    /// Records from which of its allowed networks an application called: the later time wins.
    pub async fn touch_networks(&mut self, uses: &[NetworkUse]) -> Result<()> {
        let mut latest = BTreeMap::new();
        for one in uses {
            let at = latest.entry((one.tenant_id, one.application_id, one.network.as_str())).or_insert(one.at);
            *at = one.at.max(*at);
        }
        let rows =
            latest.into_iter().map(|((tenant, application, network), at)| args![tenant, application, network, at]);
        self.execute_many(
            "insert into network_uses (tenant_id, application_id, network, at) \
             select v.column1, v.column2, v.column3, v.column4 from (values {rows}) as v \
             where exists (select 1 from applications a where a.tenant_id = v.column1 and a.id = v.column2) \
             order by v.column1, v.column2, v.column3 \
             on conflict (tenant_id, application_id, network) do update set at = excluded.at \
             where excluded.at > network_uses.at",
            rows.collect(),
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// Usage of one application or all, from the hour of `since` to before `until`, by period, application, right and
    /// outcome; positions are those of [`usage_position`].
    pub async fn usage(
        &self,
        tenant: TenantId,
        application: Option<ApplicationId>,
        since: Timestamp,
        until: Timestamp,
        grain: Grain,
        page: &PageRequest,
    ) -> Result<Vec<UsageRow>> {
        let (period, after_application, right, outcome) = match &page.after {
            Some(after) => parse_position(after)?,
            None => (i64::MIN, String::new(), String::new(), String::new()),
        };
        let found: Vec<UsageHourRow> = self
            .all(
                "select application_id, hour - hour % $5 as period, permission, outcome, \
                 cast(sum(calls) as bigint) as calls, max(last_at) as last_at \
                 from usage_hours \
                 where tenant_id = $1 and ($2 is null or application_id = $2) and hour >= $3 and hour < $4 \
                 and (hour - hour % $5, application_id, permission, outcome) > ($6, $7, $8, $9) \
                 group by hour - hour % $5, application_id, permission, outcome \
                 order by period, application_id, permission, outcome limit $10",
                args![
                    tenant,
                    application,
                    since.hour(),
                    until,
                    grain.micros(),
                    period,
                    after_application,
                    right,
                    outcome,
                    page.fetch()
                ],
            )
            .await?;
        found.into_iter().map(UsageHourRow::read).collect()
    }

    /// When the application last used each right it was allowed, by name of the right.
    pub async fn last_use_of_rights(
        &self,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Vec<(String, Timestamp)>> {
        let found: Vec<(String, i64)> = self
            .all(
                "select permission, at from right_uses where tenant_id = $1 and application_id = $2 order by permission",
                args![tenant, application],
            )
            .await?;
        Ok(found.into_iter().map(|(right, at)| (right, Timestamp::from_micros(at))).collect())
    }
}
