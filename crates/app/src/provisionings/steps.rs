//! The steps of a provisioning: each is a transaction that does something and moves the row on.

use super::row;
use crate::App;
use crate::unit::{Effect, change};
use claviger_domain::application::{NewApplication, Reach};
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::id::{ApplicationId, ClientId, ProvisioningId, TenantId, UserId};
use claviger_domain::lifetime::check_end;
use claviger_domain::provisioning::{Provisioning, StepKind, WantedAdministrator, WantedApplication};
use claviger_domain::temporary::parse_end;
use claviger_domain::tenant::Stage;
use claviger_domain::time::Timestamp;
use claviger_domain::user::NewUser;
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::journal::JournalEntry;
use serde_json::{Value, json};
use std::sync::Arc;

/// Provisionings that are gone on with in one go.
const OPEN_AT_ONCE: i64 = 100;

impl App {
    /// Goes on with every provisioning that is not over: those that somebody who fell has left, too.
    pub async fn resume_provisionings(self: &Arc<Self>) -> Result<()> {
        for (parent, id) in self.state.store.list_open_provisionings(OPEN_AT_ONCE).await? {
            self.go_on(parent, id).await;
        }
        Ok(())
    }

    pub(super) async fn go_on(self: &Arc<Self>, parent: TenantId, id: ProvisioningId) {
        loop {
            match self.advance_provisioning(parent, id).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, provisioning = %id, "a step could not be done; it will be tried again");
                    return;
                }
            }
        }
    }

    /// Does the next step of a provisioning; whether there may be another one.
    pub async fn advance_provisioning(self: &Arc<Self>, parent: TenantId, id: ProvisioningId) -> Result<bool> {
        let Some(found) = self.state.store.find_provisioning(parent, id).await? else { return Ok(false) };
        let mut tx = self.state.store.begin().await?;
        tx.lock_tenant(found.tenant_id).await?;
        // Somebody else may have done it meanwhile.
        let Some(job) = tx.find_provisioning(parent, id).await? else { return Ok(false) };
        let Some(step) = job.next_step() else { return Ok(false) };
        match self.do_step(tx, job, step).await {
            Err(Error::Conflict { detail, .. }) => self.fail_step(parent, id, step, detail).await,
            Err(error @ (Error::Invalid(_) | Error::NotFound(_))) => {
                self.fail_step(parent, id, step, error.to_string()).await
            }
            other => other.map(|()| true),
        }
    }

    async fn do_step(self: &Arc<Self>, mut tx: Tx, mut job: Provisioning, step: StepKind) -> Result<()> {
        let (now, parent, tenant) = (self.state.clock.now(), job.parent_id, job.tenant_id);
        let mut found = tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
        let wanted = job.wanted.clone();
        let (made, target, effects) = match (step, &wanted.application, wanted.administrator) {
            (StepKind::Application, Some(wanted), _) => {
                let (id, target) = self.make_first_application(&mut tx, &job, wanted, now).await?;
                (id.to_string(), target, vec![Effect::Application(tenant, id)])
            }
            (StepKind::Administrator, _, Some(wanted)) => {
                let (id, target) = self.make_first_person(&mut tx, tenant, wanted, now).await?;
                (id.to_string(), target, Vec::new())
            }
            _ => return Err(Error::Internal(format!("the provisioning {} has a step that makes nothing", job.id))),
        };
        let action = if step == StepKind::Administrator { "user.created" } else { "application.created" };
        job.complete(step, made, now);
        tx.update_provisioning(parent, &job).await?;
        found.provisioning = (!job.progress.is_over()).then_some(Stage::Running);
        tx.set_provisioning(tenant, found.provisioning, now).await?;
        let details = json!({ "provisioning_id": job.id, "status": job.progress.as_str() });
        let entry = self.entry(&mut tx, &job, action, target, details, now).await?;
        self.finish_step(tx, tenant, entry, effects, now).await
    }

    async fn make_first_application(
        &self,
        tx: &mut Tx,
        job: &Provisioning,
        wanted: &WantedApplication,
        now: Timestamp,
    ) -> Result<(ApplicationId, Target)> {
        let (state, tenant) = (&self.state, job.tenant_id);
        let id = ApplicationId::new(now, state.random.bytes()?);
        let bounds = state.bounds(tenant);
        let ceiling = bounds.as_ref().and_then(|bounds| bounds.application_ceiling(id.made_at()));
        let new = NewApplication {
            name: wanted.name.clone(),
            description: String::new(),
            owner: None,
            owner_id: None,
            rights: wanted.rights.clone(),
            reach: wanted.reach,
            allowed_networks: None,
            expires_at: check_end("/application", None, ceiling)?,
            secret_expires_at: None,
            enabled: true,
            rate_limit: None,
            dpop_bound: false,
        };
        let application = new.into_application(tenant, id, ClientId::of(id), now);
        tx.insert_application(tenant, &application, &wanted.name.key()).await?;
        if !bounds.as_ref().is_some_and(|bounds| bounds.secrets_forbidden) {
            let (minted, mut stored) = state.mint(tenant, id, now)?;
            let ceiling = bounds.as_ref().and_then(|bounds| bounds.secret_ceiling(stored.secret.id.made_at()));
            let end = parse_end("/application", None, now, ceiling)?;
            stored.secret.expires_at = Some(end);
            stored.secret.temporary = true;
            // It signs nothing, either.
            stored.sealed_mac = Vec::new();
            tx.insert_secret(tenant, &stored).await?;
            let sealed = state.root_key.seal(&state.random, job.parent_id, &row(job.id), minted.text.sealable())?;
            tx.keep_first_secret(job.parent_id, job.id, &sealed, end).await?;
        }
        Ok((id, crate::applications::target(&application)))
    }

    async fn make_first_person(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        wanted: WantedAdministrator,
        now: Timestamp,
    ) -> Result<(UserId, Target)> {
        let id = UserId::new(now, self.state.random.bytes()?);
        let number = tx.next_user_number().await?;
        let WantedAdministrator { email, first_name, last_name, roles } = wanted;
        let new = NewUser { email, first_name, last_name, phone: String::new(), reach: Reach::Beneath, roles };
        let user = new.into_user(tenant, id, number, now);
        tx.insert_user(tenant, &user).await?;
        Ok((id, crate::users::target(&user)))
    }

    async fn fail_step(
        self: &Arc<Self>,
        parent: TenantId,
        id: ProvisioningId,
        step: StepKind,
        why: String,
    ) -> Result<bool> {
        let now = self.state.clock.now();
        let mut tx = self.state.store.begin().await?;
        let Some(mut job) = tx.find_provisioning(parent, id).await? else { return Ok(false) };
        tx.lock_tenant(job.tenant_id).await?;
        if job.next_step() != Some(step) {
            return Ok(false);
        }
        job.fail(step, why.clone(), now);
        tx.update_provisioning(parent, &job).await?;
        let tenant = job.tenant_id;
        let Some(found) = tx.find_tenant(tenant).await? else {
            // It is gone, and its record with it.
            tx.commit().await?;
            return Ok(false);
        };
        tx.set_provisioning(tenant, Some(Stage::Failed), now).await?;
        let details = json!({ "provisioning_id": id, "step": step.as_str(), "error": why });
        let target = crate::tenants::target(&found);
        let entry = self.entry(&mut tx, &job, "tenant.provisioning_failed", target, details, now).await?;
        self.finish_step(tx, tenant, entry, Vec::new(), now).await.map(|()| false)
    }

    /// An entry of whoever asked for it.
    async fn entry(
        &self,
        tx: &mut Tx,
        job: &Provisioning,
        action: &'static str,
        target: Target,
        details: Value,
        now: Timestamp,
    ) -> Result<NewEntry> {
        let asked = tx.find_provisioning_actor(job.parent_id, job.id).await?;
        let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = if text("kind") == "user" { "user" } else { "application" };
        Ok(NewEntry {
            at: now,
            actor: Actor { kind, id: text("id"), tenant_id: TenantId::parse(&text("tenant_id")) },
            action,
            target,
            address: None,
            request_id: text("request_id"),
            request: text("request"),
            details: details.as_object().cloned().unwrap_or_default(),
        })
    }

    async fn finish_step(
        self: &Arc<Self>,
        mut tx: Tx,
        tenant: TenantId,
        entry: NewEntry,
        effects: Vec<Effect>,
        now: Timestamp,
    ) -> Result<()> {
        let body = json!({
            "target": { "kind": entry.target.kind, "id": entry.target.id, "name": entry.target.name },
            "actor": entry.actor.id,
            "details": entry.details,
        });
        tx.append_journal(tenant, now, &[JournalEntry { kind: entry.action.to_owned(), body }]).await?;
        tx.append_audit(tenant, &entry).await?;
        let mut revision = 0;
        if !effects.is_empty() {
            revision = tx.bump_revision(tenant, &effects.iter().map(change).collect::<Vec<_>>()).await?;
        }
        tx.commit().await?;
        self.settle(tenant, &effects, revision).await;
        Ok(())
    }
}
