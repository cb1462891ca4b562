//! Endpoints: the platform reports how many a tenant has, and whoever bills by them reads what each day or month came to.

use crate::App;
use crate::bulk::tenant_target;
use crate::caller::Caller;
use crate::unit::Needs;
use claviger_domain::application::Reach;
use claviger_domain::endpoints::{Count, PeriodCount, Span, TenantCount};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::endpoints::{Depth, count_position};
use serde_json::json;
use std::sync::Arc;

const PERMISSION: &str = "endpoints";

/// How many endpoints a tenant has, and may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// What was reported last of the tenant itself.
    pub last: Option<Count>,
    /// The sum of what was reported last of it and of everything beneath that the caller reaches.
    pub total: i64,
    /// What the tenant above allows it at most.
    pub limit: Option<i64>,
    /// What each period came to.
    pub periods: Vec<PeriodCount>,
}

impl Endpoints {
    /// Whether there are more than it is to have.
    pub fn is_over_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.total > limit)
    }
}

impl App {
    /// Keeps how many endpoints a tenant has; the latest of a day counts. Needs `endpoints:UPDATE`.
    pub async fn report_endpoints(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        count: i64,
        at: Option<Timestamp>,
    ) -> Result<Endpoints> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        let count = Count::parse(count, at, self.state.clock.now())?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                unit.tx.put_endpoint_count(tenant, count).await?;
                let target = tenant_target(unit, tenant).await?;
                let details = json!({ "count": count.count, "at": count.at });
                unit.record("endpoints.reported", target, details.as_object().cloned().unwrap_or_default());
                Ok(())
            })
        })
        .await?;
        self.endpoints_of(caller, tenant, None).await
    }

    /// How many endpoints a tenant has, with everything beneath that is within reach, and what each period came to. Needs
    /// `endpoints:READ`.
    pub async fn find_endpoints(&self, caller: &Caller, tenant: TenantId, span: Span) -> Result<Endpoints> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.endpoints_of(caller, tenant, Some(span)).await
    }

    /// What each tenant at and beneath one came to, tenant by tenant. Needs `endpoints:READ`.
    pub async fn list_utilization(
        &self,
        caller: &Caller,
        tenant: TenantId,
        span: Span,
        page: &PageRequest,
    ) -> Result<Page<TenantCount>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let counts = self.state.store.tenant_counts(tenant, span, depth(caller), page).await?;
        Ok(Page::cut(counts, page, count_position))
    }

    async fn endpoints_of(&self, caller: &Caller, tenant: TenantId, span: Option<Span>) -> Result<Endpoints> {
        let (store, depth) = (&self.state.store, depth(caller));
        let found = store.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
        let periods = match span {
            Some(span) => store.endpoint_periods(tenant, span, depth).await?,
            None => Vec::new(),
        };
        Ok(Endpoints {
            last: store.last_endpoint_count(tenant).await?,
            total: store.sum_endpoints(tenant, depth).await?,
            limit: found.details.endpoint_limit,
            periods,
        })
    }
}

/// Whoever reaches only their own tenant is told nothing of those beneath it.
fn depth(caller: &Caller) -> Depth {
    match caller.reach_kind() {
        Reach::Own => Depth::Own,
        Reach::Beneath => Depth::Beneath,
    }
}
