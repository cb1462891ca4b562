//! The lives of credentials: when applications and secrets really stop, ends that are given to secrets, and the work beside
//! the requests that warns owners and retires what was not rotated.
//!
//! A secret stops at its second because the hot path asks for its end on every call, and not because somebody has looked.
//! Looking only leaves behind what is to be known of it, once, whenever that is.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::secrets::MintedSecret;
use crate::state::State;
use crate::temporary::refuse_temporary;
use crate::unit::{Effect, Needs, Unit, change};
use claviger_domain::application::{Application, Secret, parse_expiry};
use claviger_domain::audit::NewEntry;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::lifetime::{ADVICE_SECONDS, Bounds, DAY, Plan, application_end, check_end, plan, secret_end};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::lifetimes::Ageing;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const PERMISSION: &str = "applications";
/// Applications that are read at a time.
const PAGE: i64 = 500;

impl App {
    /// Sets or clears the end of a secret; when this returns, it holds. Needs `applications:UPDATE` and every right that the
    /// application has.
    pub async fn update_secret(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
        expires_at: Option<Timestamp>,
    ) -> Result<Secret> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.settle_usage(tenant).await;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let live = unit.bury_dead_secrets(tenant, application).await?;
                let before = live.into_iter().find(|one| one.id == secret).ok_or(Error::NotFound("secret"))?;
                refuse_temporary(&before)?;
                if let Some(end) = expires_at {
                    parse_expiry("/expires_at", end, unit.now)?;
                    check_end("/expires_at", Some(end), unit.secret_ceiling(tenant, secret.made_at()))?;
                }
                unit.tx.update_secret_end(tenant, application, secret, expires_at).await?;
                let end = json!({ "from": before.expires_at, "to": expires_at });
                let details = json!({ "secret_id": secret, "expires_at": end });
                unit.record("secret.updated", target(&found), details.as_object().cloned().unwrap_or_default());
                unit.affects(Effect::Application(tenant, application));
                Ok(unit.app.state.ended_secret(tenant, Secret { expires_at, ..before }))
            })
        })
        .await
    }
}

impl App {
    /// Tells owners what they are to know by now, and notes what has retired. Whatever has been told is not told again.
    pub async fn tell_lifetimes(self: &Arc<Self>) -> Result<()> {
        let now = self.state.clock.now();
        let ends = self.state.store.list_tenants_with_ends(now, now.plus_seconds(ADVICE_SECONDS)).await?;
        let tenants: BTreeSet<_> = ends.into_iter().chain(self.state.tree.bounded()).collect();
        let (mut outcome, mut retired) = (Ok(false), false);
        for tenant in tenants {
            let ageing = ageing(self.state.bounds(tenant).as_deref(), now);
            let told = self.tell_ageing(tenant, &ageing, true).await;
            retired |= !matches!(told, Ok(false));
            // One that fails is tried again, and keeps nothing from the others.
            outcome = told.and(outcome);
        }
        if retired {
            self.acknowledged().await?;
        }
        self.tell_sunsets().await.and(outcome.map(|_| ()))
    }

    /// Notes what has retired by rotation in a tenant and beneath it: the policy that retired it is about to change. When this
    /// returns every node knows, so that none sees the new policy first.
    pub(crate) async fn settle_retirements(self: &Arc<Self>, tenant: TenantId) -> Result<()> {
        let (now, mut asked) = (self.state.clock.now(), false);
        for bounded in self.state.tree.bounded_within(tenant) {
            let until = self.state.bounds(bounded).and_then(|bounds| bounds.retired_made_until(now));
            // An id tells its time in milliseconds, a row in microseconds.
            let Some(until) = until.map(|until| until.plus_seconds(1)) else { continue };
            let (applications, never) = (None, Timestamp::from_micros(i64::MIN));
            let ageing =
                Ageing { now, until: never, applications_made_until: applications, secrets_made_until: Some(until) };
            self.tell_ageing(bounded, &ageing, false).await?;
            asked = true;
        }
        if asked {
            self.acknowledged().await?;
        }
        Ok(())
    }

    /// Whether a secret has retired. With `in_charge` only the node may do it that does it for all.
    async fn tell_ageing(self: &Arc<Self>, tenant: TenantId, ageing: &Ageing, in_charge: bool) -> Result<bool> {
        let (mut after, mut retired) = (None, false);
        loop {
            let page = self.state.store.list_ageing(tenant, ageing, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(retired) };
            after = Some(*last);
            for application in page {
                retired |= self.tell_application(tenant, application, in_charge).await?;
            }
        }
    }

    async fn tell_application(
        self: &Arc<Self>,
        tenant: TenantId,
        application: ApplicationId,
        in_charge: bool,
    ) -> Result<bool> {
        let (state, bounds) = (&self.state, self.state.bounds(tenant));
        let Some(found) = state.store.find_application(tenant, application).await? else { return Ok(false) };
        let secrets = state.store.list_secrets(tenant, application).await?;
        let told = state.store.list_told(tenant, application).await?;
        if plan(&found, &secrets, bounds.as_deref(), &told, state.clock.now()) == Plan::default() {
            return Ok(false);
        }
        // There is something to do: what exactly is asked once more, when nobody else can change the tenant's applications.
        let mut tx = state.store.begin().await?;
        if in_charge {
            self.still_in_charge(&mut tx).await?;
        }
        tx.lock_tenant(tenant).await?;
        let now = state.clock.now();
        let Some(found) = tx.find_application(tenant, application).await? else { return Ok(false) };
        let secrets = tx.list_secrets(tenant, application).await?;
        let told = tx.list_told(tenant, application).await?;
        let Plan { tellings, retired } = plan(&found, &secrets, self.state.bounds(tenant).as_deref(), &told, now);
        for (secret, at) in &retired {
            tx.end_secret(tenant, application, secret.id, *at).await?;
        }
        let entries = state.store_tellings(&mut tx, tenant, tellings, now).await?;
        if !entries.is_empty() {
            tx.append_journal(tenant, now, &entries).await?;
        }
        for (secret, at) in &retired {
            tx.append_audit(tenant, &retirement(&found, secret, *at, now)).await?;
        }
        let effects: Vec<_> = retired.iter().take(1).map(|_| Effect::Application(tenant, application)).collect();
        let mut revision = 0;
        if !effects.is_empty() {
            revision = tx.bump_revision(tenant, &effects.iter().map(change).collect::<Vec<_>>()).await?;
        }
        tx.commit().await?;
        self.settle(tenant, &effects, revision).await;
        Ok(!effects.is_empty())
    }
}

/// What has to be looked at in a tenant with these bounds.
fn ageing(bounds: Option<&Bounds>, now: Timestamp) -> Ageing {
    let until = now.plus_seconds(ADVICE_SECONDS);
    // An id tells its time in milliseconds, a row in microseconds.
    let made_until = |seconds: i64| until.plus_seconds(1).plus_seconds(-seconds);
    let rotations = bounds.iter().flat_map(|bounds| &bounds.rotations).map(|rule| rule.every_days * DAY);
    let secrets = bounds.and_then(|bounds| bounds.secret_seconds);
    Ageing {
        now,
        until,
        applications_made_until: bounds.and_then(|bounds| bounds.application_seconds).map(made_until),
        secrets_made_until: rotations.chain(secrets).min().map(made_until),
    }
}

fn retirement(application: &Application, secret: &Secret, at: Timestamp, now: Timestamp) -> NewEntry {
    let details = json!({ "secret_id": secret.id, "expires_at": { "from": secret.expires_at, "to": at } });
    let details = details.as_object().cloned().unwrap_or_default();
    NewEntry::by_system(now, "secret.retired", target(application), details)
}

impl Unit {
    /// What the tenant's credentials are allowed at most.
    pub(crate) fn bounds(&self, tenant: TenantId) -> Option<Arc<Bounds>> {
        self.app.state.bounds(tenant)
    }

    pub(crate) fn secret_ceiling(&self, tenant: TenantId, made: Timestamp) -> Option<Timestamp> {
        self.bounds(tenant).and_then(|bounds| bounds.secret_ceiling(made))
    }

    /// Makes a secret that ends at `end`, if ever; refused at `pointer` where that lies beyond the ceiling.
    pub(crate) async fn mint_secret_until(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        pointer: &str,
        end: Option<Timestamp>,
    ) -> Result<MintedSecret> {
        check_end(pointer, end, self.secret_ceiling(tenant, SecretId::new(self.now, [0; 10]).made_at()))?;
        self.mint_secret(tenant, application, end).await
    }
}

impl State {
    /// What the tenant's credentials are allowed at most.
    pub(crate) fn bounds(&self, tenant: TenantId) -> Option<Arc<Bounds>> {
        self.tree.find(tenant).and_then(|node| node.bounds())
    }

    /// The application with its real end.
    pub(crate) fn ended(&self, application: Application) -> Application {
        let ends_at = application_end(&application, self.bounds(application.tenant_id).as_deref());
        Application { ends_at, ..application }
    }

    /// The secret with its real end.
    pub(crate) fn ended_secret(&self, tenant: TenantId, secret: Secret) -> Secret {
        Secret { ends_at: secret_end(&secret, self.bounds(tenant).as_deref()), ..secret }
    }

    /// The secrets with their real ends, and with uses that have not been written yet.
    pub(crate) fn ended_secrets(&self, tenant: TenantId, secrets: Vec<Secret>) -> Vec<Secret> {
        let bounds = self.bounds(tenant);
        let ended = |secret: Secret| {
            let unwritten = self.keyring.with_application(secret.application_id, |record| {
                record.cell_in_use().and_then(|cell| cell.last_use(secret.id))
            });
            let last_use = unwritten.flatten().into_iter().chain(secret.last_use.clone()).max_by_key(|last| last.at);
            Secret { ends_at: secret_end(&secret, bounds.as_deref()), last_use, ..secret }
        };
        secrets.into_iter().map(ended).collect()
    }
}
