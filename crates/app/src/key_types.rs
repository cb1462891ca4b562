//! Legacy key types: what the operator says of them, and who still uses them. A type stops by the clock, in memory.

use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::unit::{Effect, Needs, Unit};
use claviger_domain::application::{Application, Rights};
use claviger_domain::audit::Target;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::key_type::{LegacyRule, LegacyRules, LegacyType, check_allowed, is_served};
use claviger_domain::lifetime::{application_end, nearest_step, tell_sunset};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::tenant::Kind;
use claviger_domain::{Error, Result};
use claviger_store::key_types::{ComingSunset, LegacyApplication};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "tenants";
const APPLICATIONS: &str = "applications";
/// Applications whose owners are told in one transaction.
const TOLD_AT_ONCE: i64 = 100;

/// What a tenant says of the types, and what holds for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RulesAndEffect {
    /// The tenant.
    pub tenant_id: TenantId,
    /// What is said at the tenant itself.
    pub own: LegacyRules,
    /// What holds, by what it and those above it say.
    pub effective: LegacyRules,
}

/// What is to be said of a type: whether new ones are allowed, and the day on which all stop, as it came.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// Whether new ones are allowed.
    pub allowed: bool,
    /// A date or a time.
    pub sunset: Option<String>,
}

/// An application of a legacy type and what holds for it.
#[derive(Clone, Debug)]
pub struct LegacyUse {
    /// The application, with its last use.
    pub found: LegacyApplication,
    /// Its type.
    pub kind: LegacyType,
    /// What holds for the type where it stands.
    pub rule: Option<LegacyRule>,
    /// Whether it has reached its end.
    pub stopped: bool,
}

impl App {
    /// What is said of legacy key types at a tenant. Needs `tenants:READ`.
    pub async fn find_legacy_rules(&self, caller: &Caller, tenant: TenantId) -> Result<RulesAndEffect> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let own = self.state.store.find_legacy_rules(tenant).await?;
        self.rules_and_effect(tenant, own)
    }

    fn rules_and_effect(&self, tenant: TenantId, own: LegacyRules) -> Result<RulesAndEffect> {
        let node = self.state.tree.find(tenant).ok_or(Error::NotFound("tenant"))?;
        let effective = LegacyType::ALL
            .into_iter()
            .fold(LegacyRules::default(), |all, kind| all.with(kind, node.legacy_rule(kind)));
        Ok(RulesAndEffect { tenant_id: tenant, own, effective })
    }

    /// Says of each legacy key type whether it is allowed at a tenant and beneath, and when it stops, in place of what was
    /// said there before; of a type without a rule the tenant above decides. For the operator alone. Needs `tenants:UPDATE`.
    pub async fn put_legacy_rules(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: Vec<(LegacyType, NewRule)>,
    ) -> Result<RulesAndEffect> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        if caller.tenant().kind != Kind::Operator {
            let detail = "only an application of the operator may allow legacy key types".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        let own = self
            .unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
                Box::pin(async move {
                    let before = unit.tx.find_legacy_rules(tenant).await?;
                    let mut after = LegacyRules::default();
                    for (kind, NewRule { allowed, sunset }) in new {
                        let pointer = format!("/{}", kind.as_str());
                        let known = before.get(kind);
                        let rule = LegacyRule::parse(&pointer, allowed, sunset.as_deref(), unit.now, known)?;
                        after = after.with(kind, Some(rule));
                    }
                    unit.tx.put_legacy_rules(tenant, &after).await?;
                    let name = unit.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?.name;
                    let target = Target { kind: "tenant", id: tenant.to_string(), name };
                    unit.record("legacy_key_types.updated", target, changed(&describe(&before), &describe(&after)));
                    unit.affects(Effect::Tenant(tenant));
                    Ok(after)
                })
            })
            .await?;
        self.rules_and_effect(tenant, own)
    }

    /// Who still has keys of legacy types, with their last use: the applications of a tenant and, where the caller reaches
    /// beneath, of the tenants beneath it. Needs `applications:READ`.
    pub async fn list_legacy_applications(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<LegacyUse>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(APPLICATIONS, Verb::Read)?;
        if let Err(error) = self.fold_usage().await {
            tracing::warn!(%error, "the newest usage is not to be had yet");
        }
        let (reach, now) = (caller.reach_kind(), self.state.clock.now());
        let found = self.state.store.list_legacy_applications(tenant, reach, page).await?;
        let items = found.into_iter().filter_map(|found| {
            let kind = found.application.rights.legacy()?;
            let rule = self.state.tree.find(found.application.tenant_id)?.legacy_rule(kind);
            Some(LegacyUse { found, kind, rule, stopped: !is_served(rule, now) })
        });
        Ok(Page::cut(items.collect(), page, |one| one.found.application.id.to_string()))
    }
}

impl Unit {
    /// Refuses rights from a key type that is not allowed at the tenant; the rule that allows it.
    pub(crate) fn check_key_type(&self, tenant: TenantId, rights: &Rights) -> Result<Option<LegacyRule>> {
        let Some(kind) = rights.legacy() else { return Ok(None) };
        let rule = self.app.state.tree.find(tenant).and_then(|node| node.legacy_rule(kind));
        check_allowed(kind, rule, self.now)?;
        Ok(rule)
    }

    /// Tells the owner of a new application of a legacy type when that stops.
    pub(crate) fn tell_sunset(&mut self, application: &Application, rule: LegacyRule) {
        self.tell(tell_sunset(application, rule.end(), self.now));
    }
}

impl App {
    /// Tells the owners of applications of legacy types when those stop: once the operator has said or moved the day, and
    /// again as it comes near. Whatever has been told is not told again.
    pub(crate) async fn tell_sunsets(&self) -> Result<()> {
        if !self.state.tree.has_legacy_rules() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for (tenant, kind) in self.state.store.list_legacy_types_in_use().await? {
            outcome = self.tell_sunset_of(tenant, kind).await.and(outcome);
        }
        outcome
    }

    async fn tell_sunset_of(&self, tenant: TenantId, kind: LegacyType) -> Result<()> {
        let mut after = None;
        while let Some(sunset) = self.coming_sunset(tenant, kind) {
            let page = self.state.store.list_untold_of_sunset(tenant, &sunset, after, TOLD_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            self.tell_sunset_to(tenant, kind, &page).await?;
        }
        Ok(())
    }

    /// When the type stops at the tenant, if that lies ahead.
    fn coming_sunset(&self, tenant: TenantId, kind: LegacyType) -> Option<ComingSunset> {
        let (end, now) = (self.state.tree.find(tenant)?.legacy_rule(kind)?.end(), self.state.clock.now());
        (now < end).then(|| ComingSunset { kind, end, step: nearest_step(end, now) })
    }

    async fn tell_sunset_to(&self, tenant: TenantId, kind: LegacyType, page: &[ApplicationId]) -> Result<()> {
        let state = &self.state;
        let mut tx = state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.lock_tenant(tenant).await?;
        // Only now can nobody else move the day or migrate an application.
        let Some(sunset) = self.coming_sunset(tenant, kind) else { return Ok(()) };
        let (now, bounds) = (state.clock.now(), state.bounds(tenant));
        let mut tellings = Vec::with_capacity(page.len());
        for id in page {
            let found = tx.find_application(tenant, *id).await?;
            let found = found.filter(|one| one.rights.legacy() == Some(kind));
            let ends_after =
                |one: &Application| application_end(one, bounds.as_deref()).is_none_or(|end| end > sunset.end);
            tellings.extend(found.filter(ends_after).map(|one| tell_sunset(&one, sunset.end, now)));
        }
        let entries = state.store_tellings(&mut tx, tenant, tellings, now).await?;
        if !entries.is_empty() {
            tx.append_journal(tenant, now, &entries).await?;
        }
        tx.commit().await
    }
}

fn describe(rules: &LegacyRules) -> Map<String, Value> {
    let said = |kind| rules.get(kind).map(|rule| json!({ "allowed": rule.allowed, "sunset": rule.sunset }));
    LegacyType::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), json!(said(kind)))).collect()
}
