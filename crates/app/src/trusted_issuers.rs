//! Trusted issuers: made, changed and deleted by whoever could do what their bindings lead to. Whoever sets the keys of an
//! issuer can be every application that is bound to it, so that each change needs the rights of them all.

use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::credential_policy::Stay;
use crate::live::foreign::is_key;
use crate::outgoing::Outgoing;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::application::LastUse;
use claviger_domain::audit::Target;
use claviger_domain::claim::Condition;
use claviger_domain::foreign_key::read_set;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::trusted_issuer::{
    Binding, ISSUERS_MAX, KeySource, NewTrustedIssuer, Trust, TrustedIssuer, TrustedIssuerPatch,
};
use claviger_domain::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) const PERMISSION: &str = "trusted-issuers";

/// A trusted issuer with the last uses of its bindings, of those that were used.
#[derive(Clone, Debug)]
pub struct IssuerAndUses {
    /// The issuer.
    pub issuer: TrustedIssuer,
    /// When each was used last.
    pub uses: HashMap<BindingId, LastUse>,
}

impl App {
    /// Says how the server calls others; once, before it serves.
    pub fn open_outgoing(&self, outgoing: Outgoing) -> Result<()> {
        self.state.issuers.set(outgoing)
    }

    /// Trusts an issuer. Needs `trusted-issuers:CREATE` and every right of the applications that its tokens are to stand for.
    pub async fn create_trusted_issuer(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewTrustedIssuer,
        once: Option<OnceFor<TrustedIssuer>>,
    ) -> Result<Posted<TrustedIssuer>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Create)?;
        self.check_trust(&new.trust)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                if unit.tx.count_trusted_issuers(tenant).await? >= ISSUERS_MAX {
                    let detail = format!("the tenant trusts {ISSUERS_MAX} issuers already; delete one first");
                    return Err(Error::conflict("trusted_issuer_limit", detail));
                }
                let mut bindings = Vec::with_capacity(new.bindings.len());
                for binding in new.bindings {
                    bindings.push(binding.into_binding(unit.fresh_binding()?));
                }
                let issuer = TrustedIssuer {
                    id: IssuerId::new(unit.now, unit.app.state.random.bytes()?),
                    tenant_id: tenant,
                    name: new.name.as_str().to_owned(),
                    trust: new.trust,
                    bindings,
                    version: 1,
                    created_at: unit.now,
                    updated_at: unit.now,
                };
                unit.covers_bound(tenant, &issuer.bindings, "/bindings").await?;
                unit.tx.insert_trusted_issuer(tenant, &issuer, &new.name.key()).await?;
                unit.record("trusted_issuer.created", target(&issuer), describe(&issuer));
                unit.affects(Effect::Issuer(tenant, issuer.id));
                Ok(issuer)
            })
        })
        .await
    }

    /// A trusted issuer with its bindings. Needs `trusted-issuers:READ`.
    pub async fn find_trusted_issuer(&self, caller: &Caller, tenant: TenantId, id: IssuerId) -> Result<IssuerAndUses> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let issuer =
            self.state.store.find_trusted_issuer(tenant, id).await?.ok_or(Error::NotFound("trusted issuer"))?;
        self.with_uses(issuer).await
    }

    async fn with_uses(&self, issuer: TrustedIssuer) -> Result<IssuerAndUses> {
        self.settle_usage(issuer.tenant_id).await;
        let uses = self.state.store.list_binding_uses(issuer.tenant_id, issuer.id, issuer.id).await?;
        Ok(IssuerAndUses { issuer, uses })
    }

    /// The issuers that a tenant trusts, oldest first. Needs `trusted-issuers:READ`.
    pub async fn list_trusted_issuers(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<IssuerAndUses>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.settle_usage(tenant).await;
        let items = self.state.store.list_trusted_issuers(tenant, page).await?;
        let uses = match (items.first(), items.last()) {
            (Some(first), Some(last)) => self.state.store.list_binding_uses(tenant, first.id, last.id).await?,
            _ => HashMap::new(),
        };
        let mut with_uses = Vec::with_capacity(items.len());
        for issuer in items {
            let of = |binding: &Binding| uses.get(&binding.id).map(|last| (binding.id, last.clone()));
            let uses = issuer.bindings.iter().filter_map(of).collect();
            with_uses.push(IssuerAndUses { issuer, uses });
        }
        Ok(Page::cut(with_uses, page, |found| found.issuer.id.to_string()))
    }

    /// Changes a trusted issuer. Session tokens that were got by a binding that is gone or changed have ended when this
    /// returns; so have all, where it is verified otherwise. Needs `trusted-issuers:UPDATE` and every right of the
    /// applications that are bound before and after.
    pub async fn update_trusted_issuer(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: IssuerId,
        patch: TrustedIssuerPatch,
        if_match: Option<i64>,
    ) -> Result<IssuerAndUses> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        let changing = self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.issuer_within_rights(tenant, id, if_match).await?;
                let after = before.patched(patch, unit.now, || unit.fresh_binding())?;
                unit.app.check_trust(&after.trust)?;
                unit.covers_bound(tenant, &after.bindings, "/bindings").await?;
                let key = Name::parse("/name", &after.name)?.key();
                unit.tx.update_trusted_issuer(tenant, &after, &key).await?;
                unit.refuse_operator_lock_out(tenant, Stay::Now).await?;
                let details = changed(&describe(&before), &describe(&after));
                unit.record("trusted_issuer.updated", target(&after), details);
                unit.affects(Effect::Issuer(tenant, id));
                Ok(after)
            })
        });
        self.with_uses(changing.await?).await
    }

    /// Trusts an issuer no longer; session tokens that were got by its tokens have ended when this returns. Needs
    /// `trusted-issuers:DELETE` and every right of the applications that are bound.
    pub async fn delete_trusted_issuer(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: IssuerId,
        if_match: Option<i64>,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Delete)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Delete) }, move |unit| {
            Box::pin(async move {
                let issuer = unit.issuer_within_rights(tenant, id, if_match).await?;
                unit.tx.delete_trusted_issuer(tenant, id).await?;
                unit.refuse_operator_lock_out(tenant, Stay::Now).await?;
                unit.record("trusted_issuer.deleted", target(&issuer), Map::new());
                unit.affects(Effect::Issuer(tenant, id));
                Ok(())
            })
        })
        .await
    }

    fn check_trust(&self, trust: &Trust) -> Result<()> {
        let ourselves = &self.state.tokens.settings()?.issuer;
        trust.check(self.state.issuers.outgoing()?.allowance(), ourselves)?;
        if let KeySource::Pinned(text) = &trust.keys
            && !read_set(text.as_bytes()).unwrap_or_default().iter().all(is_key)
        {
            let fix = "give public keys as their owner publishes them";
            return Err(Error::invalid("/jwks", "one of the keys is no point of its curve", fix));
        }
        Ok(())
    }

    /// Makes memory what the store says of a trusted issuer.
    pub(crate) async fn refresh_trusted_issuer(&self, tenant: TenantId, id: IssuerId) -> Result<()> {
        let _lock = self.refreshing.lock().await;
        match self.state.store.find_trusted_issuer(tenant, id).await? {
            Some(issuer) => self.state.issuers.put(issuer),
            None => self.state.issuers.remove(id),
        }
        Ok(())
    }

    /// Reads all trusted issuers, and trusts no others.
    pub(crate) async fn load_trusted_issuers(&self) -> Result<()> {
        let _lock = self.refreshing.lock().await;
        let (mut after, mut kept) = (None, Vec::new());
        loop {
            let page = self.state.store.load_trusted_issuers(after, 1_000).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.tenant_id, last.id));
            for issuer in page {
                kept.push(issuer.id);
                self.state.issuers.put(issuer);
            }
        }
        self.state.issuers.keep_only(&kept);
        Ok(())
    }
}

impl Unit {
    fn fresh_binding(&self) -> Result<BindingId> {
        Ok(BindingId::new(self.now, self.app.state.random.bytes()?))
    }

    async fn issuer_within_rights(
        &mut self,
        tenant: TenantId,
        id: IssuerId,
        if_match: Option<i64>,
    ) -> Result<TrustedIssuer> {
        let found = self.tx.find_trusted_issuer(tenant, id).await?.ok_or(Error::NotFound("trusted issuer"))?;
        crate::check_version(if_match, found.version)?;
        self.covers_bound(tenant, &found.bindings, "").await?;
        Ok(found)
    }

    /// Refuses bindings to applications that are not there, or hold more than the caller does.
    async fn covers_bound(&mut self, tenant: TenantId, bindings: &[Binding], pointer: &str) -> Result<()> {
        let bound: BTreeSet<ApplicationId> = bindings.iter().map(|binding| binding.application_id).collect();
        for id in bound {
            self.application_within_rights(tenant, id, None).await.map_err(|error| match error {
                Error::NotFound(_) => Error::invalid(
                    pointer,
                    format!("the tenant has no application {id}"),
                    "GET /v1/tenants/{tenant_id}/applications lists its applications",
                ),
                other => other,
            })?;
        }
        Ok(())
    }
}

fn target(issuer: &TrustedIssuer) -> Target {
    Target { kind: "trusted_issuer", id: issuer.id.to_string(), name: issuer.name.clone() }
}

/// The members of a trusted issuer that its audit entries may hold.
fn describe(issuer: &TrustedIssuer) -> Map<String, Value> {
    let trust = &issuer.trust;
    let keys = match &trust.keys {
        KeySource::Discovery => json!("discovery"),
        KeySource::Fetched(target) => json!(target.as_str()),
        KeySource::Pinned(text) => json!({ "pinned": serde_json::from_str::<Value>(text).unwrap_or_default() }),
    };
    let bindings: Vec<_> = issuer
        .bindings
        .iter()
        .map(|binding| {
            json!({
                "id": binding.id,
                "application_id": binding.application_id,
                "conditions": binding.conditions.iter().map(Condition::draft).collect::<Vec<_>>(),
            })
        })
        .collect();
    let members = json!({
        "name": issuer.name,
        "issuer": trust.issuer.as_str(),
        "audience": trust.audience,
        "keys": keys,
        "algorithms": trust.algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>(),
        "max_token_age_seconds": trust.max_age_seconds,
        "single_use": trust.single_use,
        "enabled": trust.enabled,
        "bindings": bindings,
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
