//! Tenants: create, change, list what is within reach.

use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::unit::{Effect, Needs, OnceFor, Posted};
use claviger_domain::audit::Target;
use claviger_domain::grants::Verb;
use claviger_domain::id::{OrgKey, TenantId};
use claviger_domain::name::Name;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::tenant::{
    APPLICATION_LIMIT, DEPTH_MAX, Kind, NewTenant, Status, Tenant, TenantPatch, check_parent,
};
use claviger_domain::{Error, Result};
use serde_json::{Map, Value};
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
        let Ok(parent) = caller.reach(new.parent_id) else {
            return Err(Error::invalid("/parent_id", "there is no such tenant", "name a tenant within your reach"));
        };
        caller.allow(PERMISSION, Verb::Create)?;
        check_parent("/kind", new.kind, parent.kind)?;
        if parent.depth() + 2 > DEPTH_MAX {
            let message = format!("the tree would have more than {DEPTH_MAX} levels");
            return Err(Error::invalid("/parent_id", message, "put it higher up"));
        }
        self.unit_once(caller, Needs { tenant: parent.id, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                let random = &unit.app.state.random;
                let tenant = Tenant {
                    id: TenantId::new(unit.now, random.bytes()?),
                    org_key: OrgKey::new(random.bytes()?),
                    name: new.name.as_str().to_owned(),
                    kind: new.kind,
                    parent_id: Some(new.parent_id),
                    status: Status::Active,
                    application_limit: APPLICATION_LIMIT,
                    version: 1,
                    created_at: unit.now,
                    updated_at: unit.now,
                };
                unit.tx.insert_tenant(&tenant, &new.name.key()).await?;
                unit.acts_upon(tenant.id);
                unit.record("tenant.created", target(&tenant), describe(&tenant));
                unit.affects(Effect::Tenant(tenant.id));
                Ok(tenant)
            })
        })
        .await
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

    /// The tenants within reach, the caller's own among them, by id. Needs `tenants:READ`.
    pub async fn list_tenants(&self, caller: &Caller, page: &PageRequest) -> Result<Page<Tenant>> {
        caller.allow(PERMISSION, Verb::Read)?;
        let root = caller.tenant().id;
        let items = match caller.reach_kind() {
            claviger_domain::application::Reach::Beneath => self.state.store.list_tenants_beneath(root, page).await?,
            claviger_domain::application::Reach::Own if page.after.is_some() => Vec::new(),
            claviger_domain::application::Reach::Own => self.state.store.find_tenant(root).await?.into_iter().collect(),
        };
        Ok(Page::cut(items, page, |tenant| tenant.id.to_string()))
    }

    /// Changes a tenant. Needs `tenants:UPDATE`; status and limit are set from above only, but the operator's own limit,
    /// since nobody stands above it.
    pub async fn update_tenant(
        self: &Arc<Self>,
        caller: &Caller,
        id: TenantId,
        patch: TenantPatch,
        if_match: Option<i64>,
    ) -> Result<Tenant> {
        let node = caller.reach(id)?;
        caller.allow(PERMISSION, Verb::Update)?;
        let own = node.id == caller.tenant().id;
        if own && patch.status.is_some() {
            return Err(from_above("status"));
        }
        if own && patch.application_limit.is_some() && node.kind != Kind::Operator {
            return Err(from_above("application_limit"));
        }
        self.unit(caller, Needs { tenant: node.id, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.tx.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?;
                crate::check_version(if_match, before.version)?;
                let name = match patch.name {
                    Some(name) => name,
                    None => Name::parse("/name", &before.name)?,
                };
                let mut after = before.clone();
                name.as_str().clone_into(&mut after.name);
                after.status = patch.status.unwrap_or(after.status);
                after.application_limit = patch.application_limit.unwrap_or(after.application_limit);
                after.version += 1;
                after.updated_at = unit.now;
                unit.tx.update_tenant(&after, &name.key()).await?;
                unit.record("tenant.updated", target(&after), changed(&describe(&before), &describe(&after)));
                unit.affects(Effect::Tenant(id));
                Ok(after)
            })
        })
        .await
    }
}

fn from_above(member: &str) -> Error {
    let detail = format!("{member} is set by a tenant above, not by the tenant itself");
    Error::Forbidden { missing: None, detail }
}

fn target(tenant: &Tenant) -> Target {
    Target { kind: "tenant", id: tenant.id.to_string(), name: tenant.name.clone() }
}

fn describe(tenant: &Tenant) -> Map<String, Value> {
    Map::from_iter([
        ("name".to_owned(), tenant.name.clone().into()),
        ("kind".to_owned(), tenant.kind.as_str().into()),
        ("org_key".to_owned(), tenant.org_key.to_string().into()),
        ("parent_id".to_owned(), tenant.parent_id.map(|id| id.to_string()).into()),
        ("status".to_owned(), tenant.status.as_str().into()),
        ("application_limit".to_owned(), tenant.application_limit.into()),
    ])
}
