//! Export: everything about a tenant but secrets, as it can be applied again.

use crate::App;
use crate::bulk::tenant_target;
use crate::caller::Caller;
use crate::identity_providers;
use crate::sessions::SESSIONS;
use crate::trusted_issuers;
use crate::unit::Needs;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, Reach};
use claviger_domain::credential_policy::CredentialPolicy;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::identity_provider::IdentityProvider;
use claviger_domain::page::{LIMIT_MAX, Page, PageRequest};
use claviger_domain::tenant::Tenant;
use claviger_domain::trusted_issuer::TrustedIssuer;
use claviger_domain::{Error, Result};
use claviger_store::Store;
use claviger_store::tenant_lists::{TenantFilter, TenantOrder};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

const PERMISSION: &str = "applications";
/// Most tenants, access levels and applications of one export, all together.
pub const EXPORT_MAX: usize = 20_000;

/// A tenant with what it has.
#[derive(Clone, Debug)]
pub struct ExportedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Names from the tenant that was asked for down to this one, without the first: empty for that one itself.
    pub path: Vec<String>,
    /// Its own credential policy, if it has ever set one.
    pub policy: Option<CredentialPolicy>,
    /// Its access levels.
    pub levels: Vec<AccessLevel>,
    /// Its applications.
    pub applications: Vec<Application>,
    /// Seconds that its session tokens live by its own word; none where the caller may not know.
    pub token_lifetime: Option<Option<i64>>,
    /// The issuers that it trusts; none where the caller may not know.
    pub issuers: Option<Vec<TrustedIssuer>>,
    /// Where its people sign in; none where the caller may not know.
    pub providers: Option<Vec<IdentityProvider>>,
}

impl App {
    /// Everything about a tenant but secrets; with `beneath` also about those beneath it that are within reach, parents
    /// first. Needs READ of `applications`, `access-levels`, `credential-policy` and `tenants`; token settings, trusted
    /// issuers and identity providers come along for who may read `sessions`, `trusted-issuers` and `sso`.
    pub async fn export(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        beneath: bool,
    ) -> Result<Vec<ExportedTenant>> {
        let tenant = caller.reach(tenant)?.id;
        for permission in [PERMISSION, "access-levels", "credential-policy", "tenants"] {
            caller.allow(permission, Verb::Read)?;
        }
        let mut room = EXPORT_MAX;
        let tenants = self.tenants_to_export(caller, tenant, beneath, &mut room).await?;
        let mut exported = Vec::with_capacity(tenants.len());
        for (tenant, path) in tenants {
            let id = tenant.id;
            let read = |store: Store, page: PageRequest| async move { store.list_access_levels(id, &page).await };
            let levels = self.pages(&mut room, read, |one: &AccessLevel| one.id.to_string()).await?;
            let read = |store: Store, page: PageRequest| async move { store.list_applications(id, &page).await };
            let applications = self.pages(&mut room, read, |one: &Application| one.id.to_string()).await?;
            let policy = self.state.store.find_credential_policy(id).await?.map(|stored| stored.own);
            let token_lifetime = match caller.holds(SESSIONS, Verb::Read) {
                true => {
                    let rules = self.state.store.list_token_rules(id).await?;
                    Some(rules.iter().find(|rule| rule.application.is_none()).and_then(|rule| rule.lifetime))
                }
                false => None,
            };
            let issuers = match caller.holds(trusted_issuers::PERMISSION, Verb::Read) {
                true => {
                    let read =
                        |store: Store, page: PageRequest| async move { store.list_trusted_issuers(id, &page).await };
                    Some(self.pages(&mut room, read, |one: &TrustedIssuer| one.id.to_string()).await?)
                }
                false => None,
            };
            let providers = match caller.holds(identity_providers::PERMISSION, Verb::Read) {
                true => {
                    let read =
                        |store: Store, page: PageRequest| async move { store.list_identity_providers(id, &page).await };
                    Some(self.pages(&mut room, read, |one: &IdentityProvider| one.id.to_string()).await?)
                }
                false => None,
            };
            let exported_one =
                ExportedTenant { tenant, path, policy, levels, applications, token_lifetime, issuers, providers };
            exported.push(exported_one);
        }
        let count = |of: fn(&ExportedTenant) -> usize| exported.iter().map(of).sum::<usize>();
        let details = json!({
            "beneath": beneath,
            "tenants": exported.len(),
            "access_levels": count(|one| one.levels.len()),
            "applications": count(|one| one.applications.len()),
        });
        let details = details.as_object().cloned().unwrap_or_default();
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Read) }, move |unit| {
            Box::pin(async move {
                let target = tenant_target(unit, tenant).await?;
                unit.record("tenant.exported", target, details);
                Ok(())
            })
        })
        .await?;
        Ok(exported)
    }

    /// The tenants with their paths, parents before children.
    async fn tenants_to_export(
        &self,
        caller: &Caller,
        root: TenantId,
        beneath: bool,
        room: &mut usize,
    ) -> Result<Vec<(Tenant, Vec<String>)>> {
        // Whoever reaches only their own tenant sees nothing beneath it.
        let found = match beneath && caller.reach_kind() == Reach::Beneath {
            true => {
                let read = |store: Store, page: PageRequest| async move {
                    store.list_tenants_beneath(root, &TenantFilter::default(), TenantOrder::Id, &page).await
                };
                self.pages(room, read, |one: &Tenant| one.id.to_string()).await?
            }
            false => self.state.store.find_tenant(root).await?.into_iter().collect(),
        };
        let names: HashMap<_, _> = found.iter().map(|one| (one.id, (one.name.clone(), one.parent_id))).collect();
        let path = |tenant: &Tenant| {
            let mut path = Vec::new();
            let mut at = tenant.id;
            while at != root {
                let Some((name, parent)) = names.get(&at) else { break };
                path.push(name.clone());
                let Some(parent) = parent else { break };
                at = *parent;
            }
            path.reverse();
            path
        };
        let paths: Vec<_> = found.iter().map(path).collect();
        let mut placed: Vec<_> = found.into_iter().zip(paths).collect();
        placed.sort_by_key(|(_, path)| path.len());
        Ok(placed)
    }

    /// All items of a list, page by page, as long as there is room for them.
    pub(crate) async fn pages<T, F: Future<Output = Result<Vec<T>>>>(
        &self,
        room: &mut usize,
        read: impl Fn(Store, PageRequest) -> F,
        position: impl Fn(&T) -> String,
    ) -> Result<Vec<T>> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let request = PageRequest { limit: LIMIT_MAX, after };
            let page = Page::cut(read(self.state.store.clone(), request.clone()).await?, &request, &position);
            let left = room.checked_sub(page.items.len()).ok_or_else(|| {
                let detail = format!(
                    "the export would hold more than {EXPORT_MAX} objects; export the tenants one by one, or read the lists"
                );
                Error::conflict("export_too_large", detail)
            })?;
            *room = left;
            let more = page.next.is_some();
            after = page.items.last().map(&position).filter(|_| more);
            items.extend(page.items);
            if !more {
                return Ok(items);
            }
        }
    }
}
