//! Findings: what the applications of a tenant could do without. Read from what the store keeps ready, page by page.

use crate::App;
use crate::caller::Caller;
use crate::state::State;
use claviger_domain::Result;
use claviger_domain::application::Rights;
use claviger_domain::findings::{DAYS_DEFAULT, Finding, Kind, Look, Patience};
use claviger_domain::grants::{GrantSet, Grants, Verb};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{Page, PageRequest};
use claviger_store::findings::Holder;

const PERMISSION: &str = "findings";
/// Applications that are read at a time, at most.
const BATCH: i64 = 256;
/// Applications that are looked at for one page: it may be short, or empty, and have a next one all the same.
const LOOKED_AT: usize = 2_048;

/// Which findings are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsQuery {
    /// About this application alone.
    pub application: Option<ApplicationId>,
    /// Of this kind alone.
    pub kind: Option<Kind>,
    /// Days without use that are too many, in place of those that hold for the tenant.
    pub days: Option<i64>,
}

impl App {
    /// What is found about the applications of a tenant, by application and kind. Needs `findings:READ`.
    pub async fn list_findings(
        &self,
        caller: &Caller,
        tenant: TenantId,
        query: FindingsQuery,
        page: &PageRequest,
    ) -> Result<Page<Finding>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.settle_usage(tenant).await;
        let now = self.state.clock.now();
        let patience = Patience {
            unused_days: query.days.unwrap_or(self.effective_policy(tenant)?.unused_after_days),
            held_days: query.days.unwrap_or(DAYS_DEFAULT),
        };
        let limit = usize::try_from(page.limit).unwrap_or(0);
        let mut after = page.after.clone().unwrap_or_default();
        if let Some(only) = query.application {
            after = after.max(format!("{only}|"));
        }
        let (mut items, mut looked_at): (Vec<Finding>, _) = (Vec::new(), 0);
        // Most applications have something to be found, so that as many as fit the page are enough as a rule.
        let mut batch = if query.application.is_some() { 1 } else { page.fetch().min(BATCH) };
        loop {
            let looks = self.looks(tenant, after.split('|').next().unwrap_or_default(), batch).await?;
            let found = looks.iter().flat_map(|look| match query.kind {
                Some(Kind::StaticSecret) => look.static_secret(now).into_iter().collect(),
                _ => look.findings(patience, now),
            });
            let wanted = |found: &Finding| {
                query.kind.is_none_or(|kind| kind == found.kind)
                    && query.application.is_none_or(|application| application == found.application)
            };
            for found in found.filter(wanted) {
                if found.position() <= after {
                    continue;
                }
                if items.len() == limit {
                    let last = items.last().map(Finding::position);
                    return Ok(Page::gathered(items, last.as_deref()));
                }
                items.push(found);
            }
            looked_at += looks.len();
            let full = query.application.is_none() && i64::try_from(looks.len()).is_ok_and(|read| read == batch);
            let Some(last) = looks.last().filter(|_| full) else {
                return Ok(Page::gathered(items, None));
            };
            // Behind every finding of that application.
            after = format!("{}|~", last.application.id);
            if looked_at >= LOOKED_AT {
                return Ok(Page::gathered(items, Some(&after)));
            }
            batch = BATCH;
        }
    }

    /// What is known of some applications, from that id on.
    async fn looks(&self, tenant: TenantId, first: &str, limit: i64) -> Result<Vec<Look>> {
        let store = &self.state.store;
        let holders = store.list_holders(tenant, first, limit).await?;
        let (Some(first), Some(last)) = (holders.first(), holders.last()) else { return Ok(Vec::new()) };
        let (first, last) = (first.application.id, last.application.id);
        let mut rights = store.right_uses(tenant, first, last).await?;
        let mut networks = store.network_uses(tenant, first, last).await?;
        let mut secrets = std::collections::BTreeMap::<_, Vec<_>>::new();
        for secret in self.state.ended_secrets(tenant, store.list_secrets_between(tenant, first, last).await?) {
            secrets.entry(secret.application_id).or_default().push(secret);
        }
        let look = |holder: Holder| {
            let id = holder.application.id;
            let mut look = self.state.look(holder);
            look.secrets = secrets.remove(&id).unwrap_or_default();
            look.rights = rights.remove(&id).unwrap_or_default();
            look.networks = networks.remove(&id).unwrap_or_default();
            look
        };
        Ok(holders.into_iter().map(look).collect())
    }
}

impl State {
    /// An application with what it holds; when it used that last is still to be filled in.
    pub(crate) fn look(&self, holder: Holder) -> Look {
        let Holder { application, level_grants, rights_since, networks_since } = holder;
        let level = match &application.rights {
            Rights::Level(id) => level_grants.or_else(|| self.catalogue.level(*id).map(|level| level.grants.clone())),
            Rights::Inline(grants) => Some(grants.clone()),
            Rights::Legacy(kind) => Some(self.catalogue.legacy_grants(*kind).to_grants(&self.catalogue)),
        };
        // What has left the catalogue gives no right.
        let known = |grants: Grants| GrantSet::compile(&grants, &self.catalogue).to_grants(&self.catalogue);
        Look {
            grants: level.map(known).unwrap_or_default(),
            application: self.ended(application),
            rights_since,
            networks_since,
            secrets: Vec::new(),
            rights: std::collections::BTreeMap::new(),
            networks: Vec::new(),
        }
    }
}
