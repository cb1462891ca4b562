//! Tenants: create, change, list and search what is within reach.

mod standing;
mod whereabouts;

pub use standing::Standing;

use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use aws_lc_rs::digest::{SHA256, digest};
use claviger_domain::application::Reach;
use claviger_domain::audit::Target;
use claviger_domain::grants::Verb;
use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::name::Name;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::tenant::naming::{name_key, words};
use claviger_domain::tenant::{
    APPLICATION_LIMIT, DEPTH_MAX, Details, Kind, NewTenant, Stage, Status, Tenant, TenantPatch, check_parent,
    check_trial,
};
use claviger_domain::{Error, Result};
pub use claviger_store::tenant_lists::{TenantFilter, TenantOrder};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "tenants";

impl App {
    /// Makes a tenant beneath one within reach. Needs `tenants:CREATE`.
    pub async fn create_tenant(
        self: &Arc<Self>,
        caller: &Caller,
        new: NewTenant,
        once: Option<OnceFor<Tenant>>,
    ) -> Result<Posted<Tenant>> {
        let parent = self.check_place(caller, &new)?;
        self.unit_once(caller, Needs { tenant: parent, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                let tenant = unit.new_tenant(new, None).await?;
                unit.record("tenant.created", target(&tenant), describe(&tenant));
                Ok(tenant)
            })
        })
        .await
    }

    /// Refuses a tenant where it cannot stand, or the caller cannot make one; the tenant above it.
    pub(crate) fn check_place(&self, caller: &Caller, new: &NewTenant) -> Result<TenantId> {
        let Ok(parent) = caller.reach(new.parent_id) else {
            return Err(Error::invalid("/parent_id", "there is no such tenant", "name a tenant within your reach"));
        };
        caller.allow(PERMISSION, Verb::Create)?;
        check_parent("/kind", new.kind, parent.kind)?;
        if parent.depth() + 2 > DEPTH_MAX {
            let message = format!("the tree would have more than {DEPTH_MAX} levels");
            return Err(Error::invalid("/parent_id", message, "put it higher up"));
        }
        Ok(parent.id)
    }

    /// A tenant within reach. Needs `tenants:READ`.
    pub async fn find_tenant(&self, caller: &Caller, id: TenantId) -> Result<Tenant> {
        let id = caller.reach(id)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))
    }

    /// The caller's own tenant, which every credential may know.
    pub async fn own_tenant(&self, caller: &Caller) -> Result<Tenant> {
        self.state.store.find_tenant(caller.tenant().id).await?.ok_or(Error::NotFound("tenant"))
    }

    /// The tenants within reach that are wanted, the caller's own among them. Needs `tenants:READ`.
    pub async fn list_tenants(&self, caller: &Caller, query: &TenantQuery, page: &PageRequest) -> Result<Page<Tenant>> {
        let root = caller.reach(query.beneath.unwrap_or(caller.tenant().id))?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let (store, TenantQuery { filter, order, words, .. }) = (&self.state.store, query);
        if caller.reach_kind() == Reach::Own {
            let found = store.find_tenant(root).await?.filter(|own| page.after.is_none() && query.fits(own));
            return Ok(Page::cut(found.into_iter().collect(), page, |tenant| tenant.id.to_string()));
        }
        match words {
            None => {
                let items = store.list_tenants_beneath(root, filter, *order, page).await?;
                Ok(Page::cut(items, page, |tenant| tenant.id.to_string()))
            }
            Some(words) => {
                let items = store.search_tenants_beneath(root, words, filter, page).await?;
                Ok(Page::cut(items, page, |(_, position)| position.clone()).map(|(tenant, _)| tenant))
            }
        }
    }

    /// Changes a tenant. Needs `tenants:UPDATE`; status, limits and what the tenant above knows it by are set from above only,
    /// but those of the operator, since nobody stands above it.
    pub async fn update_tenant(
        self: &Arc<Self>,
        caller: &Caller,
        id: TenantId,
        patch: TenantPatch,
        if_match: Option<i64>,
    ) -> Result<Tenant> {
        let node = caller.reach(id)?;
        caller.allow(PERMISSION, Verb::Update)?;
        if patch.details.mfa_required.is_some() {
            caller.must_step_up()?;
        }
        let own = node.id == caller.tenant().id;
        if own && patch.status.is_some() {
            return Err(from_above("status"));
        }
        let limit = patch.application_limit.map(|_| "application_limit");
        if let Some(member) = limit.or(patch.details.from_above()).filter(|_| own && node.kind != Kind::Operator) {
            return Err(from_above(member));
        }
        self.unit(caller, Needs { tenant: node.id, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.tx.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?;
                crate::check_version(if_match, before.version)?;
                let mut after = match patch.status {
                    Some(status) => before.with_status(status, unit.now)?,
                    None => before.clone(),
                };
                if let Some(name) = &patch.name {
                    name.as_str().clone_into(&mut after.name);
                }
                after.application_limit = patch.application_limit.unwrap_or(after.application_limit);
                after.details = after.details.patched(patch.details)?;
                let after = unit.change_tenant(after).await?;
                unit.record("tenant.updated", target(&after), changed(&describe(&before), &describe(&after)));
                Ok(after)
            })
        })
        .await
    }
}

impl Unit {
    /// Makes a tenant, where its parent may have one; what the unit goes on to record is told of the new one.
    pub(crate) async fn new_tenant(&mut self, new: NewTenant, stage: Option<Stage>) -> Result<Tenant> {
        let parent = self.tx.find_tenant(new.parent_id).await?.ok_or(Error::NotFound("tenant"))?;
        if self.tx.is_tenant_leaving(parent.id).await? {
            let detail = format!("{} is being deleted, or a tenant above it is; reactivate it first", parent.name);
            return Err(Error::conflict("tenant_deleting", detail));
        }
        if parent.provisioning.is_some() {
            let detail = format!("{} is still being provisioned; wait until that is complete", parent.name);
            return Err(Error::conflict("tenant_not_ready", detail));
        }
        let random = &self.app.state.random;
        let details = Details { agent_key: Some(random.hex()?), ..Details::default() }.patched(new.details)?;
        check_trial(new.kind, &details)?;
        let tenant = Tenant {
            id: TenantId::new(self.now, random.bytes()?),
            org_key: OrgKey::new(random.bytes()?),
            name: new.name.as_str().to_owned(),
            kind: new.kind,
            parent_id: Some(new.parent_id),
            status: Status::Active,
            purge_at: None,
            provisioning: stage,
            application_limit: new.application_limit.unwrap_or(APPLICATION_LIMIT),
            details,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        self.tx.insert_tenant(&tenant, &name_key(&new.name)).await?;
        self.acts_upon(tenant.id);
        self.affects(Effect::Tenant(tenant.id));
        Ok(tenant)
    }

    /// Writes a tenant that was changed, as its next version; memory follows.
    pub(crate) async fn change_tenant(&mut self, changed: Tenant) -> Result<Tenant> {
        let mut changed = Tenant { version: changed.version + 1, updated_at: self.now, ..changed };
        if changed.details.agent_key.is_none() {
            changed.details.agent_key = Some(self.app.state.random.hex()?);
        }
        let key = name_key(&Name::parse("/name", &changed.name)?);
        self.tx.update_tenant(&changed, &key).await?;
        self.affects(Effect::Tenant(changed.id));
        Ok(changed)
    }
}

/// Which tenants are asked for.
#[derive(Clone, Debug, Default)]
pub struct TenantQuery {
    /// This one and those beneath it; none for the caller's own.
    pub beneath: Option<TenantId>,
    /// Which.
    pub filter: TenantFilter,
    /// In which order; a search has one of its own.
    pub order: TenantOrder,
    /// Beginnings of words of the name.
    pub words: Option<Vec<String>>,
}

impl TenantQuery {
    /// Whether a tenant is asked for.
    fn fits(&self, tenant: &Tenant) -> bool {
        let known = Name::parse("", &tenant.name).map(|name| words(&name_key(&name))).unwrap_or_default();
        let begins = |wanted: &String| known.iter().any(|word| word.starts_with(wanted));
        self.filter.fits(tenant) && self.words.iter().flatten().all(begins)
    }
}

pub(crate) fn from_above(member: &str) -> Error {
    let detail = format!("{member} is set by a tenant above, not by the tenant itself");
    Error::Forbidden { missing: None, detail }
}

pub(crate) fn target(tenant: &Tenant) -> Target {
    Target { kind: "tenant", id: tenant.id.to_string(), name: tenant.name.clone() }
}

/// The members of a tenant that its audit entries may hold.
pub(crate) fn describe(tenant: &Tenant) -> Map<String, Value> {
    let details = &tenant.details;
    let address = &details.address;
    let settings = serde_json::to_vec(&details.settings).unwrap_or_default();
    let members = json!({
        "name": tenant.name,
        "kind": tenant.kind.as_str(),
        "org_key": tenant.org_key.as_str(),
        "parent_id": tenant.parent_id,
        "status": tenant.status.as_str(),
        "purge_at": tenant.purge_at,
        "application_limit": tenant.application_limit,
        "external_id": details.external_id,
        "short_name": details.short_name,
        "email": details.email,
        "street": address.street,
        "postal": address.postal,
        "city": address.city,
        "state": address.state,
        "country": details.country,
        "foreign_tenant_id": details.foreign_tenant_id,
        "trial": details.trial,
        "trial_ends_at": details.trial_ends_at,
        "user_limit": details.user_limit,
        "endpoint_limit": details.endpoint_limit,
        "mfa_required": details.mfa_required.as_str(),
        // What they hold is nobody's but the tenant's.
        "settings_sha256": hex(digest(&SHA256, &settings).as_ref()),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
