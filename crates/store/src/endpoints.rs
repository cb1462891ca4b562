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

/// Where an item of [`Store::tenant_counts`] stands.
pub fn count_position(count: &TenantCount) -> String {
    format!("{} {}", count.tenant_id, count.period)
}

impl Tx {
    /// Keeps the count of a day; the latest of a day stays.
    pub async fn put_endpoint_count(&mut self, tenant: TenantId, count: Count) -> Result<()> {
        let day = Day::of(count.at);
        self.execute(
            "insert into endpoint_counts (tenant_id, day, month, count, reported_at) values ($1, $2, $3, $4, $5) \
             on conflict (tenant_id, day) do update set count = excluded.count, reported_at = excluded.reported_at \
             where excluded.reported_at >= endpoint_counts.reported_at",
            args![tenant, day.0, day.month(), count.count, count.at],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant"))?;
        Ok(())
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
        let found: Option<(i64,)> = self
            .optional(
                "select cast(coalesce(sum(e.count), 0) as bigint) from tenant_paths p \
                 join endpoint_counts e on e.tenant_id = p.beneath_id \
                 where p.tenant_id = $1 and ($2 or p.beneath_id = $1) and e.day = ( \
                     select max(n.day) from endpoint_counts n where n.tenant_id = p.beneath_id \
                 )",
                args![tenant, depth == Depth::Beneath],
            )
            .await?;
        Ok(found.map_or(0, |(sum,)| sum))
    }

    /// What each period of a span came to, for a tenant and what is beneath it.
    pub async fn endpoint_periods(&self, tenant: TenantId, span: Span, depth: Depth) -> Result<Vec<PeriodCount>> {
        let sql = match span.grain {
            CountGrain::Day => {
                "select e.day, max(case when e.tenant_id = $1 then e.count end), cast(sum(e.count) as bigint) \
                 from tenant_paths p join endpoint_counts e on e.tenant_id = p.beneath_id \
                 where p.tenant_id = $1 and ($4 or p.beneath_id = $1) and e.day >= $2 and e.day <= $3 \
                 group by e.day order by e.day"
            }
            CountGrain::Month => {
                "select m.month, max(case when m.tenant_id = $1 then m.peak end), cast(sum(m.peak) as bigint) from ( \
                     select e.tenant_id, e.month, max(e.count) as peak \
                     from tenant_paths p join endpoint_counts e on e.tenant_id = p.beneath_id \
                     where p.tenant_id = $1 and ($4 or p.beneath_id = $1) and e.day >= $2 and e.day <= $3 \
                     group by e.tenant_id, e.month \
                 ) m group by m.month order by m.month"
            }
        };
        let values = args![tenant, span.from.0, span.to.0, depth == Depth::Beneath];
        let found: Vec<(i64, Option<i64>, i64)> = self.all(sql, values).await?;
        let read = |(period, own, total)| PeriodCount { from: span.start_of(period), own, total };
        Ok(found.into_iter().map(read).collect())
    }

    /// What each tenant at and beneath one came to in each period of a span, by tenant; positions are those of
    /// [`count_position`].
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
        let sql = match span.grain {
            CountGrain::Day => {
                "select t.id as tenant_id, t.name, t.kind, t.external_id, t.trial, e.day as period, e.count as count \
                 from tenant_paths p join tenants t on t.id = p.beneath_id \
                 join endpoint_counts e on e.tenant_id = p.beneath_id \
                 where p.tenant_id = $1 and p.beneath_id >= $5 and ($4 or p.beneath_id = $1) \
                 and e.day >= $2 and e.day <= $3 and (p.beneath_id > $5 or e.day > $6) \
                 order by p.beneath_id, e.day limit $7"
            }
            CountGrain::Month => {
                "select t.id as tenant_id, t.name, t.kind, t.external_id, t.trial, e.month as period, \
                 max(e.count) as count \
                 from tenant_paths p join tenants t on t.id = p.beneath_id \
                 join endpoint_counts e on e.tenant_id = p.beneath_id \
                 where p.tenant_id = $1 and p.beneath_id >= $5 and ($4 or p.beneath_id = $1) \
                 and e.day >= $2 and e.day <= $3 and (p.beneath_id > $5 or e.month > $6) \
                 group by p.beneath_id, t.id, t.name, t.kind, t.external_id, t.trial, e.month \
                 order by p.beneath_id, e.month limit $7"
            }
        };
        let values = args![root, span.from.0, span.to.0, depth == Depth::Beneath, after, period, page.fetch()];
        let found: Vec<CountRow> = self.all(sql, values).await?;
        found.into_iter().map(CountRow::read).collect()
    }
}
