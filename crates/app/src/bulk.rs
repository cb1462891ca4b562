//! Many applications at once: revoke by filter, hand over from one owner to another.

use crate::App;
use crate::caller::Caller;
use crate::credential_policy::Stay;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::application;
use claviger_domain::audit::Target;
use claviger_domain::bulk::{BULK_MAX, Filter, Resolve, Revocation};
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::{Error, Result};
use claviger_store::bulk::Match;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const PERMISSION: &str = "applications";

/// What a bulk change came to, or would come to.
#[derive(Debug)]
pub struct Changed {
    /// Whether nothing was changed, since it was only asked.
    pub dry_run: bool,
    /// The applications as they were before.
    pub applications: Vec<Match>,
}

impl App {
    /// Revokes every application that fits; all of them are refused when this returns. The caller's own is never among
    /// them. Needs `applications:UPDATE` and every right that they have.
    pub async fn revoke_applications(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        filter: Filter,
        revocation: Revocation,
        resolve: Resolve,
        once: Option<OnceFor<Changed>>,
    ) -> Result<Posted<Changed>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        if filter.unused_days.is_some() {
            // Whether somebody has called decides what fits, up to this moment.
            self.gather_usage(tenant).await?;
        }
        self.settle_usage(tenant).await;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let applications = unit.matching(tenant, &filter, Some(revocation), resolve).await?;
                for one in &applications {
                    let id = one.application.id;
                    match revocation {
                        Revocation::Disable => {
                            unit.tx.disable_application(tenant, id, unit.now).await?;
                        }
                        Revocation::DeleteSecrets => {
                            unit.tx.delete_secrets(tenant, id).await?;
                            unit.delete_public_keys(tenant, id).await?;
                        }
                    }
                    unit.affects(Effect::Application(tenant, id));
                }
                if !applications.is_empty() {
                    unit.refuse_operator_lock_out(tenant, Stay::Now).await?;
                }
                let mut details = ids_of(&applications);
                details.insert("mode".into(), revocation.as_str().into());
                details.insert("filter".into(), describe(&filter));
                unit.settle("applications.revoked", tenant, resolve, details, applications).await
            })
        })
        .await
    }

    /// Makes one owner's applications another's. `None` stands for those without an owner. Needs `applications:UPDATE` and
    /// every right that they have.
    pub async fn transfer_applications(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        from: Option<String>,
        to: String,
        resolve: Resolve,
        once: Option<OnceFor<Changed>>,
    ) -> Result<Posted<Changed>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let filter = Filter { owner: Some(from.clone()), ..Filter::default() };
                let applications = unit.matching(tenant, &filter, None, resolve).await?;
                for one in &applications {
                    unit.tx.change_owner(tenant, one.application.id, &to, unit.now).await?;
                    unit.affects(Effect::Application(tenant, one.application.id));
                }
                let mut details = ids_of(&applications);
                details.insert("from_owner".into(), from.into());
                details.insert("to_owner".into(), to.into());
                unit.settle("applications.transferred", tenant, resolve, details, applications).await
            })
        })
        .await
    }
}

impl Unit {
    /// What fits, where the caller may deal with all of it and it is as much as was expected.
    async fn matching(
        &mut self,
        tenant: TenantId,
        filter: &Filter,
        revocation: Option<Revocation>,
        resolve: Resolve,
    ) -> Result<Vec<Match>> {
        // One more than may be tells that there are too many; another one is the caller's own.
        let mut found =
            self.tx.match_applications(tenant, filter, revocation, self.now, BULK_MAX.saturating_add(2)).await?;
        if revocation.is_some() {
            let own = self.caller.application();
            found.retain(|one| Some(one.application.id) != own);
        }
        let mut rights = Rights::default();
        for Match { application, .. } in &found {
            let held = rights.of(self, tenant, &application.rights).await?;
            let covered = self.caller.covers(&held, application.reach);
            covered.map_err(|error| naming(&application.name, error))?;
        }
        resolve.check(found.len())?;
        Ok(found)
    }

    async fn settle(
        &mut self,
        action: &'static str,
        tenant: TenantId,
        resolve: Resolve,
        details: Map<String, Value>,
        applications: Vec<Match>,
    ) -> Result<Changed> {
        let dry_run = resolve == Resolve::DryRun;
        if dry_run {
            self.only_rehearses();
        }
        let target = tenant_target(self, tenant).await?;
        self.record(action, target, details);
        Ok(Changed { dry_run, applications })
    }
}

/// The rights behind many applications: each access level is read once.
#[derive(Default)]
pub(crate) struct Rights(HashMap<AccessLevelId, GrantSet>);

impl Rights {
    /// The grants behind an application's rights.
    pub(crate) async fn of(
        &mut self,
        unit: &mut Unit,
        tenant: TenantId,
        rights: &application::Rights,
    ) -> Result<GrantSet> {
        let application::Rights::Level(id) = rights else { return unit.rights_of(tenant, rights).await };
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let held = unit.rights_of(tenant, rights).await?;
        self.0.insert(*id, held.clone());
        Ok(held)
    }
}

/// The same refusal, naming the one of many applications that it is about.
pub(crate) fn naming(name: &str, error: Error) -> Error {
    match error {
        Error::Forbidden { missing, detail } => Error::Forbidden { missing, detail: format!("{name}: {detail}") },
        other => other,
    }
}

/// The tenant, as the record names what a bulk change was about.
pub(crate) async fn tenant_target(unit: &mut Unit, tenant: TenantId) -> Result<Target> {
    let found = unit.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
    Ok(Target { kind: "tenant", id: found.id.to_string(), name: found.name })
}

fn ids_of(applications: &[Match]) -> Map<String, Value> {
    let ids: Vec<ApplicationId> = applications.iter().map(|one| one.application.id).collect();
    Map::from_iter([("count".to_owned(), ids.len().into()), ("application_ids".to_owned(), json!(ids))])
}

/// The parts of a filter that were given.
fn describe(filter: &Filter) -> Value {
    let mut parts = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            parts.insert(name.to_owned(), value);
        }
    };
    put("owner", filter.owner.as_ref().map(|owner| json!(owner)));
    put("access_level_id", filter.access_level_id.map(|id| json!(id)));
    put("unused_days", filter.unused_days.map(Value::from));
    put("name_prefix", filter.name_prefix.as_ref().map(|prefix| json!(prefix)));
    put("created_before", filter.created_before.map(|time| json!(time)));
    put("ids", filter.ids.as_ref().map(|ids| json!(ids)));
    Value::Object(parts)
}
