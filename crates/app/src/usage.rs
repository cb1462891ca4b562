//! Usage: what applications did, per hour and day.

use crate::App;
use crate::caller::Caller;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Grain, UsageRow};
use claviger_domain::{Error, Result};
use claviger_store::usage::usage_position;

const PERMISSION: &str = "usage";

/// Which usage is asked for.
#[derive(Clone, Debug)]
pub struct UsageQuery {
    /// Of one application, or of all of the tenant.
    pub application: Option<ApplicationId>,
    /// Periods that begin at or after.
    pub since: Timestamp,
    /// Periods that begin before.
    pub until: Timestamp,
    /// How finely.
    pub grain: Grain,
}

impl App {
    /// Usage by period, application, right and outcome, oldest first. Needs `usage:READ`.
    pub async fn list_usage(
        &self,
        caller: &Caller,
        tenant: TenantId,
        query: &UsageQuery,
        page: &PageRequest,
    ) -> Result<Page<UsageRow>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.usage_page(tenant, query, page).await
    }

    /// Usage of one application, and when each of its rights was last used with success, by name. Needs `usage:READ`.
    pub async fn application_usage(
        &self,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        query: UsageQuery,
        page: &PageRequest,
    ) -> Result<(Page<UsageRow>, Vec<(String, Timestamp)>)> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let query = UsageQuery { application: Some(application), ..query };
        let rows = self.usage_page(tenant, &query, page).await?;
        Ok((rows, self.state.store.last_use_of_rights(tenant, application).await?))
    }

    /// When each right of an application was last used with success, by name. Needs `usage:READ`.
    pub async fn last_use_of_rights(
        &self,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Vec<(String, Timestamp)>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.find_application(tenant, application).await?.ok_or(Error::NotFound("application"))?;
        self.settle_usage(tenant).await;
        self.state.store.last_use_of_rights(tenant, application).await
    }

    async fn usage_page(&self, tenant: TenantId, query: &UsageQuery, page: &PageRequest) -> Result<Page<UsageRow>> {
        if query.until <= query.since {
            return Err(Error::invalid("until", "it does not lie after since", "give a later time"));
        }
        if let Some(application) = query.application {
            self.state.store.find_application(tenant, application).await?.ok_or(Error::NotFound("application"))?;
        }
        self.settle_usage(tenant).await;
        let rows =
            self.state.store.usage(tenant, query.application, query.since, query.until, query.grain, page).await?;
        Ok(Page::cut(rows, page, usage_position))
    }
}
