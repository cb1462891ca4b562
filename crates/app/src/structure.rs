//! The tree as clients read it who know no pages: all that is served at and beneath a tenant, parents before what is beneath
//! them and those of one parent by name. What is suspended is left out with everything beneath it.

use crate::App;
use crate::caller::Caller;
use claviger_domain::application::Reach;
use claviger_domain::endpoints::{Span, TenantCount};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::provisioning::Progress;
use claviger_domain::tenant::{Stage, Status, Tenant};
use claviger_domain::{Error, Result};
use claviger_store::tenant_lists::{TenantFilter, TenantOrder};
use std::collections::HashMap;

const PERMISSION: &str = "tenants";
/// Pages that are put together.
const PAGES_MAX: usize = 200;

/// A tenant in its place.
#[derive(Clone, Debug)]
pub struct PlacedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its names from the caller's own tenant down to itself.
    pub path: Vec<String>,
    /// Endpoints that were reported of it last.
    pub endpoints: i64,
}

/// How far the provisioning of a tenant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The tenant.
    pub tenant_id: TenantId,
    /// How far.
    pub progress: Progress,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl App {
    /// All that is served within the caller's reach. Needs `tenants:READ`.
    pub async fn list_structure(&self, caller: &Caller) -> Result<Vec<PlacedTenant>> {
        caller.allow(PERMISSION, Verb::Read)?;
        let (store, root) = (&self.state.store, caller.tenant().id);
        let mut tenants = Vec::new();
        if caller.reach_kind() == Reach::Own {
            tenants.extend(store.find_tenant(root).await?);
        } else {
            let mut page = PageRequest { limit: LIMIT_MAX, after: None };
            for _ in 0..PAGES_MAX {
                let found =
                    store.list_tenants_beneath(root, &TenantFilter::default(), TenantOrder::Name, &page).await?;
                let next = claviger_domain::page::Page::cut(found, &page, |tenant| tenant.id.to_string());
                tenants.extend(next.items);
                match next.next {
                    Some(cursor) => page = PageRequest::parse(Some(LIMIT_MAX), Some(&cursor))?,
                    None => break,
                }
            }
        }
        let counts = store.list_last_endpoint_counts(root).await?;
        Ok(place(root, tenants, &counts))
    }

    /// One of them; none where it is suspended, or a tenant above it is. Needs `tenants:READ`.
    pub async fn find_in_structure(&self, caller: &Caller, id: TenantId) -> Result<Option<PlacedTenant>> {
        let node = caller.reach(id)?;
        caller.allow(PERMISSION, Verb::Read)?;
        if !node.is_served() {
            return Ok(None);
        }
        let store = &self.state.store;
        let (mut found, mut path, mut next) = (None, Vec::new(), Some(id));
        while let Some(id) = next {
            let tenant = store.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?;
            path.insert(0, tenant.name.clone());
            next = tenant.parent_id.filter(|_| tenant.id != caller.tenant().id);
            found.get_or_insert(tenant);
        }
        let endpoints = store.last_endpoint_count(id).await?.map_or(0, |last| last.count);
        Ok(found.map(|tenant| PlacedTenant { tenant, path, endpoints }))
    }

    /// The key that installers of agents take, for whoever may make the tenant and those beneath it. Needs `tenants:CREATE`.
    pub async fn find_agent_key(&self, caller: &Caller, id: TenantId) -> Result<String> {
        let id = caller.reach(id)?.id;
        caller.must_hold(PERMISSION, Verb::Create)?;
        let tenant = self.state.store.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?;
        Ok(tenant.details.agent_key.unwrap_or_default())
    }

    /// How far the provisioning of a tenant is; one that was not provisioned is complete. Needs `tenants:READ`.
    pub async fn find_readiness(&self, caller: &Caller, id: TenantId) -> Result<Readiness> {
        let id = caller.reach(id)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let tenant = self.state.store.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?;
        let progress = match tenant.provisioning {
            None => Progress::Complete,
            Some(Stage::Queued) => Progress::Queued,
            Some(Stage::Running) => Progress::Running,
            Some(Stage::Failed) => Progress::Failed,
        };
        let error = match (progress, tenant.parent_id) {
            (Progress::Failed, Some(parent)) => {
                self.state.store.find_provisioning_of(parent, id).await?.and_then(|job| job.error)
            }
            _ => None,
        };
        Ok(Readiness { tenant_id: id, progress, error })
    }

    /// What each tenant within reach came to in a span. Needs `endpoints:READ`.
    pub async fn list_all_utilization(&self, caller: &Caller, span: Span) -> Result<Vec<TenantCount>> {
        let root = caller.tenant().id;
        let (mut counts, mut page) = (Vec::new(), PageRequest { limit: LIMIT_MAX, after: None });
        for _ in 0..PAGES_MAX {
            let found = self.list_utilization(caller, root, span, &page).await?;
            counts.extend(found.items);
            match found.next {
                Some(cursor) => page = PageRequest::parse(Some(LIMIT_MAX), Some(&cursor))?,
                None => break,
            }
        }
        Ok(counts)
    }
}

/// Puts tenants, which come by name, in their places. What is not served is left out with everything beneath it.
fn place(root: TenantId, tenants: Vec<Tenant>, counts: &HashMap<TenantId, i64>) -> Vec<PlacedTenant> {
    let mut beneath: HashMap<TenantId, Vec<Tenant>> = HashMap::new();
    let mut first = None;
    for tenant in tenants.into_iter().filter(|tenant| tenant.status == Status::Active) {
        match tenant.parent_id {
            _ if tenant.id == root => first = Some(tenant),
            Some(parent) => beneath.entry(parent).or_default().push(tenant),
            None => {}
        }
    }
    let mut placed = Vec::new();
    let mut waiting: Vec<(Tenant, Vec<String>)> = first.into_iter().map(|tenant| (tenant, Vec::new())).collect();
    while let Some((tenant, mut path)) = waiting.pop() {
        path.push(tenant.name.clone());
        let children = beneath.remove(&tenant.id).unwrap_or_default();
        waiting.extend(children.into_iter().rev().map(|child| (child, path.clone())));
        let endpoints = counts.get(&tenant.id).copied().unwrap_or(0);
        placed.push(PlacedTenant { tenant, path, endpoints });
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::id::OrgKey;
    use claviger_domain::tenant::{Details, Kind};
    use claviger_domain::time::Timestamp;

    fn tenant(number: u128, parent: u128, name: &str, status: Status) -> Tenant {
        Tenant {
            id: TenantId::from_u128(number),
            org_key: OrgKey::stored(format!("KEY{number}")),
            name: name.into(),
            kind: Kind::Organization,
            parent_id: (parent > 0).then(|| TenantId::from_u128(parent)),
            status,
            purge_at: None,
            provisioning: None,
            application_limit: 1,
            details: Details::default(),
            version: 1,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn parents_come_first_and_siblings_by_name() {
        let tenants = vec![
            tenant(3, 1, "Acme", Status::Active),
            tenant(5, 2, "Beta", Status::Active),
            tenant(6, 4, "Gone too", Status::Active),
            tenant(4, 1, "Hidden", Status::Suspended),
            tenant(7, 3, "Inner", Status::Active),
            tenant(1, 9, "Root", Status::Active),
            tenant(2, 1, "Zeta", Status::Active),
        ];
        let counts = HashMap::from([(TenantId::from_u128(7), 12)]);
        let placed = place(TenantId::from_u128(1), tenants, &counts);
        let told: Vec<_> = placed.iter().map(|one| (one.path.join("/"), one.endpoints)).collect();
        assert_eq!(
            told,
            [
                ("Root".to_owned(), 0),
                ("Root/Acme".to_owned(), 0),
                ("Root/Acme/Inner".to_owned(), 12),
                ("Root/Zeta".to_owned(), 0),
                ("Root/Zeta/Beta".to_owned(), 0),
            ]
        );
        assert!(place(TenantId::from_u128(8), vec![tenant(1, 0, "Root", Status::Active)], &counts).is_empty());
    }
}
