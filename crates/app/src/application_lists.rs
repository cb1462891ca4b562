//! Looking through the applications of a tenant: searched, filtered, in an order, each with what is known of its secrets.

use crate::App;
use crate::caller::Caller;
use claviger_domain::Result;
use claviger_domain::application::Rights;
use claviger_domain::error::Referrer;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{Page, PageRequest};
pub use claviger_store::application_lists::{ApplicationFilter, ApplicationOrder, ApplicationState, ListedApplication};

const PERMISSION: &str = "applications";

impl App {
    /// How many applications a tenant has. Needs `applications:READ`.
    pub async fn count_applications(&self, caller: &Caller, tenant: TenantId) -> Result<i64> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.count_applications(tenant).await
    }

    /// What refers to an application and so keeps it from being deleted. Needs `applications:READ`; jobs are named to who holds
    /// `jobs:READ`, trusted issuers to who holds `trusted-issuers:READ`.
    pub async fn list_application_referrers(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<Vec<Referrer>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let mut found = Vec::new();
        if caller.holds("jobs", Verb::Read) {
            let jobs = self.state.store.list_open_jobs(tenant, id).await?;
            found.extend(jobs.into_iter().map(|job| Referrer {
                kind: "job",
                id: job.number.to_string(),
                name: job.kind,
            }));
        }
        if caller.holds("trusted-issuers", Verb::Read) {
            found.extend(self.state.store.list_issuers_of(tenant, id).await?);
        }
        Ok(found)
    }

    /// The applications of a tenant that are wanted, with their access level's name, newest secret, last use and open notices. Needs
    /// `applications:READ`.
    pub async fn search_applications(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &ApplicationFilter,
        order: ApplicationOrder,
        page: &PageRequest,
    ) -> Result<Page<ListedApplication>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.settle_usage(tenant).await;
        let now = self.state.clock.now();
        let found = self.state.store.list_applications_by(tenant, filter, order, now, page).await?;
        let items = found.into_iter().map(|listed| {
            let built_in = match &listed.application.rights {
                Rights::Level(id) => self.state.catalogue.level(*id),
                _ => None,
            };
            let level = listed.level.or_else(|| built_in.map(|level| level.name.clone()));
            ListedApplication { application: self.state.ended(listed.application), level, ..listed }
        });
        Ok(Page::cut(items.collect(), page, |listed| listed.position(order)))
    }
}
