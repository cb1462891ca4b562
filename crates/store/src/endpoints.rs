//! Endpoints of tenants, counted by day.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::endpoints::{Count, CountGrain, Day, PeriodCount, Span, TenantCount};
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Kind;
use claviger_domain::time::Timestamp;
use std::collections::HashMap;

row! {
    struct CountRow {
        tenant_id: String,
        name: String,
        kind: String,
        external_id: Option<String>,
        trial: bool,
        period: i64,
        count: i64,
    }
}

impl CountRow {
    fn read(self) -> Result<TenantCount> {
        Ok(TenantCount {
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            name: self.name,
            kind: Kind::parse(&self.kind).ok_or_else(|| corrupt("kind", &self.kind))?,
            external_id: self.external_id,
            trial: self.trial,
            period: self.period,
            count: self.count,
        })
    }
}

/// Which tenants a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The tenant alone.
    Own,
    /// With everything beneath.
    Beneath,
}

/// Grains of what a tenant came to with all beneath it, as they are stored: what was reported last of each, each day, and the most
/// of each in each month.
const LAST: &str = "last";
const DAYS: &str = "day";
const MONTHS: &str = "month";

// What of a tenant is added up above it; none where nothing was reported.
row! {
    struct Marks {
        last: Option<i64>,
        of_day: Option<i64>,
        of_month: Option<i64>,
    }
}

/// Where an item of [`Store::tenant_counts`] stands.
pub fn count_position(count: &TenantCount) -> String {
    format!("{} {}", count.tenant_id, count.period)
}

impl Tx {
    /// Keeps the count of a day; the latest of a day stays. What the tenant and those above it come to follows.
    pub async fn put_endpoint_count(&mut self, tenant: TenantId, count: Count) -> Result<()> {
        let day = Day::of(count.at);
        let before = self.endpoint_marks(tenant, day).await?;
        self.execute(
            "insert into endpoint_counts (tenant_id, day, month, count, reported_at) values ($1, $2, $3, $4, $5) \
             on conflict (tenant_id, day) do update set count = excluded.count, reported_at = excluded.reported_at \
             where excluded.reported_at >= endpoint_counts.reported_at",
            args![tenant, day.0, day.month(), count.count, count.at],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant"))?;
        let after = self.endpoint_marks(tenant, day).await?;
        // Always in this order, so that two that report beneath the same tenant wait for each other at most.
        for (grain, period, before, after) in [
            (LAST, 0, before.last, after.last),
            (DAYS, day.0, before.of_day, after.of_day),
            (MONTHS, day.month(), before.of_month, after.of_month),
        ] {
            if before != after {
                let more = after.unwrap_or(0) - before.unwrap_or(0);
                self.add_to_endpoint_totals(tenant, (grain, period), more).await?;
            }
        }
        Ok(())
    }

    async fn endpoint_marks(&mut self, tenant: TenantId, day: Day) -> Result<Marks> {
        let found = self
            .one(
                "select (select count from endpoint_counts where tenant_id = $1 order by day desc limit 1) as last, \
                 (select count from endpoint_counts where tenant_id = $1 and day = $2) as of_day, \
                 (select max(count) from endpoint_counts where tenant_id = $1 and month = $3) as of_month",
                args![tenant, day.0, day.month()],
            )
            .await?;
        Ok(found)
    }

    async fn add_to_endpoint_totals(
        &mut self,
        tenant: TenantId,
        (grain, period): (&str, i64),
        more: i64,
    ) -> Result<()> {
        self.execute(
            "insert into endpoint_totals (tenant_id, grain, period, total) \
             select p.tenant_id, cast($2 as text), cast($3 as bigint), cast($4 as bigint) \
             from tenant_paths p where p.beneath_id = $1 order by p.tenant_id \
             on conflict (tenant_id, grain, period) do update set total = endpoint_totals.total + excluded.total",
            args![tenant, grain, period, more],
        )
        .await?;
        Ok(())
    }

    /// Forgets what was reported of a tenant, also in what those above it came to; how many counts there were.
    pub(crate) async fn forget_endpoints(&mut self, tenant: TenantId) -> Result<u64> {
        for sql in [
            "update endpoint_totals set total = total - ( \
                 select e.count from endpoint_counts e where e.tenant_id = $1 order by e.day desc limit 1 \
             ) where grain = 'last' and exists (select 1 from endpoint_counts e where e.tenant_id = $1) \
             and tenant_id in (select p.tenant_id from tenant_paths p where p.beneath_id = $1)",
            "update endpoint_totals set total = total - ( \
                 select e.count from endpoint_counts e where e.tenant_id = $1 and e.day = endpoint_totals.period \
             ) where grain = 'day' and period in (select e.day from endpoint_counts e where e.tenant_id = $1) \
             and tenant_id in (select p.tenant_id from tenant_paths p where p.beneath_id = $1)",
            "update endpoint_totals set total = total - ( \
                 select max(e.count) from endpoint_counts e where e.tenant_id = $1 and e.month = endpoint_totals.period \
             ) where grain = 'month' and period in (select e.month from endpoint_counts e where e.tenant_id = $1) \
             and tenant_id in (select p.tenant_id from tenant_paths p where p.beneath_id = $1)",
        ] {
            self.execute(sql, args![tenant]).await?;
        }
        Ok(self.execute("delete from endpoint_counts where tenant_id = $1", args![tenant]).await?)
    }
}

impl Store {
    /// The last count of a tenant.
    pub async fn last_endpoint_count(&self, tenant: TenantId) -> Result<Option<Count>> {
        let found: Option<(i64, i64)> = self
            .optional(
                "select count, reported_at from endpoint_counts where tenant_id = $1 order by day desc limit 1",
                args![tenant],
            )
            .await?;
        Ok(found.map(|(count, at)| Count { count, at: Timestamp::from_micros(at) }))
    }

    /// The last counts of a tenant and of all beneath it, where there are any.
    pub async fn list_last_endpoint_counts(&self, root: TenantId) -> Result<HashMap<TenantId, i64>> {
        let found: Vec<(String, i64)> = self
            .all(
                "select e.tenant_id, e.count from tenant_paths p \
                 join endpoint_counts e on e.tenant_id = p.beneath_id \
                 where p.tenant_id = $1 and e.day = ( \
                     select max(n.day) from endpoint_counts n where n.tenant_id = p.beneath_id \
                 )",
                args![root],
            )
            .await?;
        found.into_iter().map(|(id, count)| Ok((id_of!(TenantId, &id)?, count))).collect()
    }

    /// The sum of the last counts of a tenant and of what is beneath it.
    pub async fn sum_endpoints(&self, tenant: TenantId, depth: Depth) -> Result<i64> {
        if depth == Depth::Own {
            return Ok(self.last_endpoint_count(tenant).await?.map_or(0, |count| count.count));
        }
        let found: Option<(i64,)> = self
            .optional("select total from endpoint_totals where tenant_id = $1 and grain = 'last'", args![tenant])
            .await?;
        Ok(found.map_or(0, |(sum,)| sum))
    }

    /// What each period of a span came to, for a tenant and what is beneath it. Months count as a whole.
    pub async fn endpoint_periods(&self, tenant: TenantId, span: Span, depth: Depth) -> Result<Vec<PeriodCount>> {
        let sql = match (depth, span.grain) {
            (Depth::Own, CountGrain::Day) => {
                "select day, count, count from endpoint_counts where tenant_id = $1 and day >= $2 and day <= $3 order by day"
            }
            (Depth::Own, CountGrain::Month) => {
                "select month, max(count), max(count) from endpoint_counts \
                 where tenant_id = $1 and month >= $2 and month <= $3 group by month order by month"
            }
            (Depth::Beneath, CountGrain::Day) => {
                "select t.period, (select e.count from endpoint_counts e where e.tenant_id = $1 and e.day = t.period), t.total \
                 from endpoint_totals t \
                 where t.tenant_id = $1 and t.grain = 'day' and t.period >= $2 and t.period <= $3 order by t.period"
            }
            (Depth::Beneath, CountGrain::Month) => {
                "select t.period, \
                 (select max(e.count) from endpoint_counts e where e.tenant_id = $1 and e.month = t.period), t.total \
                 from endpoint_totals t \
                 where t.tenant_id = $1 and t.grain = 'month' and t.period >= $2 and t.period <= $3 order by t.period"
            }
        };
        let (from, to) = span.periods();
        let found: Vec<(i64, Option<i64>, i64)> = self.all(sql, args![tenant, from, to]).await?;
        let read = |(period, own, total)| PeriodCount { from: span.start_of(period), own, total };
        Ok(found.into_iter().map(read).collect())
    }

    /// What each tenant at and beneath one came to in each period of a span, by tenant; positions are those of
    /// [`count_position`]. Months count as a whole.
    pub async fn tenant_counts(
        &self,
        root: TenantId,
        span: Span,
        depth: Depth,
        page: &PageRequest,
    ) -> Result<Vec<TenantCount>> {
        let (after, period) = match page.after.as_deref().and_then(|position| position.split_once(' ')) {
            Some((id, period)) => (id.to_owned(), period.parse().unwrap_or(i64::MIN)),
            None => (String::new(), i64::MIN),
        };
        let (first, last) = span.periods();
        // Where nothing was reported, a large tree need not be walked to learn it.
        let grain = if span.grain == CountGrain::Month { MONTHS } else { DAYS };
        let any: Option<(i64,)> = self
            .optional(
                "select period from endpoint_totals where tenant_id = $1 and grain = $2 and period >= $3 and period <= $4 limit 1",
                args![root, grain, first, last],
            )
            .await?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let sql = match span.grain {
            CountGrain::Day => {
                "select t.id as tenant_id, t.name, t.kind, t.external_id, t.trial, e.day as period, e.count as count \
                 from tenant_paths p join tenants t on t.id = p.beneath_id \
                 join endpoint_counts e on e.tenant_id = p.beneath_id \
                 where p.tenant_id = $1 and p.beneath_id >= $5 and ($4 or p.beneath_id = $1) \
                 and e.day >= $2 and e.day <= $3 and (p.beneath_id > $5 or e.day > $6) \
                 order by p.beneath_id, e.day limit $7"
            }
            // Grouping all tenants there are to show a page of them would read the whole tree.
            CountGrain::Month => {
                "select t.id as tenant_id, t.name, t.kind, t.external_id, t.trial, e.month as period, \
                 max(e.count) as count \
                 from ( \
                     select p.beneath_id from tenant_paths p \
                     where p.tenant_id = $1 and p.beneath_id >= $5 and ($4 or p.beneath_id = $1) and exists ( \
                         select 1 from endpoint_counts n where n.tenant_id = p.beneath_id and n.day >= $2 and n.day <= $3 \
                     ) \
                     order by p.beneath_id limit $7 + 1 \
                 ) c join tenants t on t.id = c.beneath_id \
                 join endpoint_counts e on e.tenant_id = c.beneath_id \
                 where e.day >= $2 and e.day <= $3 and (c.beneath_id > $5 or e.month > $6) \
                 group by c.beneath_id, t.id, t.name, t.kind, t.external_id, t.trial, e.month \
                 order by c.beneath_id, e.month limit $7"
            }
        };
        let (from, to) = span.days();
        let values = args![root, from.0, to.0, depth == Depth::Beneath, after, period, page.fetch()];
        let found: Vec<CountRow> = self.all(sql, values).await?;
        found.into_iter().map(CountRow::read).collect()
    }
}
