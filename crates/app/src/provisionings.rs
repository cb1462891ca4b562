//! Provisioning: a tenant that is made with what it needs at once. What was accepted is done to its end, whatever falls in
//! between: each step is a transaction that moves the row on, and whoever finds the row goes on from there.

mod steps;

use crate::App;
use crate::caller::Caller;
use crate::secrets::MintedSecret;
use crate::tenants::describe;
use crate::unit::{Needs, OnceFor, Posted, Unit};
use claviger_domain::application::{Reach, Rights};
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, ApplicationId, ClientId, ProvisioningId, TenantId};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::provisioning::{NewProvisioning, Progress, Provisioning, Wanted};
use claviger_domain::secret::PlainSecret;
use claviger_domain::tenant::{Stage, Tenant};
use claviger_domain::user;
use claviger_domain::{Error, Result};
use serde_json::{Map, json};
use std::sync::Arc;

const PERMISSION: &str = "tenants";

/// A first secret that was claimed, and whose it is.
#[derive(Debug)]
pub struct ClaimedSecret {
    /// Its application.
    pub application_id: ApplicationId,
    /// What that presents.
    pub client_id: ClientId,
    /// The secret.
    pub minted: MintedSecret,
}

impl App {
    /// Makes a tenant beneath one within reach, and what was asked for with it; the steps after the tenant itself go on when
    /// this has returned. The same order for the same external id is done once. Needs `tenants:CREATE`, and for an
    /// application `applications:CREATE` and every right that it is given.
    pub async fn provision_tenant(
        self: &Arc<Self>,
        caller: &Caller,
        new: NewProvisioning,
        once: Option<OnceFor<Provisioning>>,
    ) -> Result<Posted<Provisioning>> {
        let posted = self.accept_provisioning(caller, new, once).await?;
        if let Posted::Done(job) = &posted {
            let (app, parent, id) = (Arc::clone(self), job.parent_id, job.id);
            tokio::spawn(async move { app.go_on(parent, id).await });
        }
        Ok(posted)
    }

    /// The same, without going on: whoever goes on with what is open does the rest.
    pub async fn accept_provisioning(
        self: &Arc<Self>,
        caller: &Caller,
        new: NewProvisioning,
        once: Option<OnceFor<Provisioning>>,
    ) -> Result<Posted<Provisioning>> {
        // The path names it: whoever cannot reach it is told what they are told of one that is not there.
        caller.reach(new.tenant.parent_id)?;
        let parent = self.check_place(caller, &new.tenant)?;
        if new.application.is_some() {
            caller.allow("applications", Verb::Create)?;
        }
        if new.administrator.is_some() {
            caller.allow("users", Verb::Create)?;
            user::check_tenant(new.tenant.kind)?;
        }
        self.unit_once(caller, Needs { tenant: parent, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                let fingerprint = new.fingerprint();
                if let Some(Some(external_id)) = &new.tenant.details.external_id
                    && let Some(known) = unit.tx.find_tenant_by_external_id(parent, external_id).await?
                {
                    return match unit.tx.find_provisioning_of(parent, known.id).await? {
                        // Somebody asks again. That is told, so that this waits until what it answers with is durable.
                        Some(mut job) if job.fingerprint == fingerprint => {
                            unit.take_up_again(&mut job, known).await?;
                            Ok(job)
                        }
                        // Before anything else that stands in its way, which may be what the order before has made.
                        _ => Err(claviger_store::tenants::external_id_taken(external_id)),
                    };
                }
                unit.check_order(parent, &new).await?;
                let more = new.application.is_some() || new.administrator.is_some();
                let stage = more.then_some(Stage::Queued);
                let tenant = unit.new_tenant(new.tenant.clone(), stage).await?;
                let job = Provisioning {
                    id: ProvisioningId::new(unit.now, unit.app.state.random.bytes()?),
                    parent_id: parent,
                    tenant_id: tenant.id,
                    fingerprint,
                    progress: if stage.is_some() { Progress::Queued } else { Progress::Complete },
                    steps: new.steps(tenant.id, unit.now),
                    wanted: new.wanted(),
                    error: None,
                    secret_until: None,
                    claimed_at: None,
                    created_at: unit.now,
                    updated_at: unit.now,
                };
                let actor = unit.caller.actor();
                let asked = json!({ "kind": actor.kind, "id": actor.id, "tenant_id": actor.tenant_id,
                    "request_id": unit.caller.request.id, "request": unit.caller.request.line });
                unit.tx.insert_provisioning(parent, &job, &asked).await?;
                let mut details = describe(&tenant);
                details.insert("provisioning_id".into(), json!(job.id));
                unit.record("tenant.created", crate::tenants::target(&tenant), details);
                Ok(job)
            })
        })
        .await
    }

    /// Takes up again what has failed, once what stood in the way is put right: the steps that are left go on when this has
    /// returned. Needs what the order needed.
    pub async fn retry_provisioning(
        self: &Arc<Self>,
        caller: &Caller,
        parent: TenantId,
        id: ProvisioningId,
    ) -> Result<Provisioning> {
        const RIGHT: (&str, Verb) = (PERMISSION, Verb::Create);
        let parent = caller.reach(parent)?.id;
        caller.allow(RIGHT.0, RIGHT.1)?;
        let job = self
            .unit(caller, Needs { tenant: parent, right: RIGHT }, move |unit| {
                Box::pin(async move {
                    let found = unit.tx.find_provisioning(parent, id).await?;
                    let mut job = found.ok_or(Error::NotFound("provisioning"))?;
                    if job.progress != Progress::Failed {
                        let detail = format!("it is {}; only what has failed is taken up again", job.progress.as_str());
                        return Err(Error::conflict("provisioning_not_failed", detail));
                    }
                    let made = unit.tx.find_tenant(job.tenant_id).await?.ok_or(Error::NotFound("tenant"))?;
                    unit.check_wanted(parent, &job.wanted).await?;
                    unit.take_up_again(&mut job, made).await?;
                    Ok(job)
                })
            })
            .await?;
        let app = Arc::clone(self);
        tokio::spawn(async move { app.go_on(parent, id).await });
        Ok(job)
    }

    /// A provisioning beneath a tenant. Needs `tenants:READ`.
    pub async fn find_provisioning(
        &self,
        caller: &Caller,
        parent: TenantId,
        id: ProvisioningId,
    ) -> Result<Provisioning> {
        let parent = caller.reach(parent)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.find_provisioning(parent, id).await?.ok_or(Error::NotFound("provisioning"))
    }

    /// The provisionings beneath a tenant, newest first. Needs `tenants:READ`.
    pub async fn list_provisionings(
        &self,
        caller: &Caller,
        parent: TenantId,
        page: &PageRequest,
    ) -> Result<Page<Provisioning>> {
        let parent = caller.reach(parent)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let jobs = self.state.store.list_provisionings(parent, page).await?;
        Ok(Page::cut(jobs, page, |job| job.id.to_string()))
    }

    /// The tenant that a provisioning makes, where the caller reaches it and may read it; neither is noted as a denial.
    pub async fn find_provisioned(&self, caller: &Caller, job: &Provisioning) -> Result<Option<Tenant>> {
        if !caller.reaches(job.tenant_id) || !caller.holds(PERMISSION, Verb::Read) {
            return Ok(None);
        }
        self.state.store.find_tenant(job.tenant_id).await
    }

    /// Hands the first secret of a provisioned tenant out, once. Needs `applications:UPDATE` and every right that its
    /// application has.
    pub async fn claim_first_secret(
        self: &Arc<Self>,
        caller: &Caller,
        parent: TenantId,
        id: ProvisioningId,
        once: Option<OnceFor<ClaimedSecret>>,
    ) -> Result<Posted<ClaimedSecret>> {
        const RIGHT: (&str, Verb) = ("applications", Verb::Update);
        let parent = caller.reach(parent)?.id;
        caller.allow(RIGHT.0, RIGHT.1)?;
        let found = self.state.store.find_provisioning(parent, id).await?.ok_or(Error::NotFound("provisioning"))?;
        let tenant = caller.reach(found.tenant_id)?.id;
        self.unit_once(caller, Needs { tenant, right: RIGHT }, once, move |unit| {
            Box::pin(async move {
                let job = unit.tx.find_provisioning(parent, id).await?.ok_or(Error::NotFound("provisioning"))?;
                job.check_claim(unit.now)?;
                let application_id = job.application_id().ok_or(Error::NotFound("secret"))?;
                let application = unit.application_within_rights(tenant, application_id, None).await?;
                let lapsed = || Error::conflict("secret_lapsed", "the secret was replaced before it was claimed");
                let sealed = unit.tx.claim_first_secret(parent, id, unit.now).await?.ok_or_else(lapsed)?;
                let text = unit.app.state.root_key.open(parent, &row(id), &sealed)?;
                let text = String::from_utf8(text).map_err(|_| Error::Internal("a first secret is no text".into()))?;
                let text = PlainSecret::opened(text);
                let secrets = unit.tx.list_secrets(tenant, application_id).await?;
                let secret = secrets.into_iter().find(|secret| secret.hint == text.hint()).ok_or_else(lapsed)?;
                let details = json!({ "provisioning_id": id, "secret_id": secret.id });
                let target = crate::applications::target(&application);
                unit.record("secret.claimed", target, details.as_object().cloned().unwrap_or_default());
                let secret = unit.app.state.ended_secret(tenant, secret);
                let minted = MintedSecret { secret, text };
                Ok(ClaimedSecret { application_id, client_id: application.client_id, minted })
            })
        })
        .await
    }
}

impl Unit {
    /// Refuses an order whose steps could not be done, or would hand out more than the caller has.
    async fn check_order(&mut self, parent: TenantId, new: &NewProvisioning) -> Result<()> {
        let fix = |what: &str| format!("raise it, or leave the {what} out");
        if new.application.is_some() && new.tenant.application_limit == Some(0) {
            let message = "it leaves room for no application";
            return Err(Error::invalid("/tenant/application_limit", message, fix("application")));
        }
        if new.administrator.is_some() && new.tenant.details.user_limit == Some(Some(0)) {
            return Err(Error::invalid("/tenant/user_limit", "it leaves room for nobody", fix("administrator")));
        }
        self.check_wanted(parent, &new.wanted()).await
    }

    /// Refuses steps that could not be done, or would hand out more than the caller has.
    async fn check_wanted(&mut self, parent: TenantId, wanted: &Wanted) -> Result<()> {
        if let Some(application) = &wanted.application {
            self.caller.allow("applications", Verb::Create)?;
            if let Rights::Level(id) = &application.rights {
                self.check_built_in("/application/access_level_id", *id)?;
            }
            let rights = self.rights_of(parent, &application.rights).await?;
            self.caller.covers(&rights, application.reach)?;
        }
        let Some(administrator) = &wanted.administrator else { return Ok(()) };
        self.caller.allow("users", Verb::Create)?;
        for (index, role) in administrator.roles.iter().enumerate() {
            self.check_built_in(&format!("/administrator/access_level_ids/{index}"), *role)?;
        }
        let rights = self.rights_of_roles(parent, &administrator.roles).await?;
        self.caller.covers(&rights, Reach::Beneath)?;
        if self.tx.is_email_taken(&administrator.email.key()).await? {
            return Err(Error::conflict("email_taken", "another user of this server signs in with this address"));
        }
        Ok(())
    }

    /// Lets an order go on where it has failed, if it has. That somebody asks again is told, so that this waits until what it
    /// answers with is durable.
    async fn take_up_again(&mut self, job: &mut Provisioning, made: Tenant) -> Result<()> {
        if job.progress == Progress::Failed {
            job.retry(self.now);
            self.tx.update_provisioning(job.parent_id, job).await?;
            self.tx.set_provisioning(made.id, Some(Stage::Running), self.now).await?;
        }
        let details = Map::from_iter([("provisioning_id".to_owned(), json!(job.id))]);
        self.record("tenant.provisioning_repeated", crate::tenants::target(&made), details);
        Ok(())
    }

    /// Refuses an access level that a tenant cannot have before it is there.
    fn check_built_in(&self, pointer: &str, id: AccessLevelId) -> Result<()> {
        if self.app.state.catalogue.level(id).is_some() {
            return Ok(());
        }
        let fix = "name one that comes with the server";
        Err(Error::invalid(pointer, "no such access level comes with the server", fix))
    }
}

/// What a sealed first secret is bound to.
fn row(id: ProvisioningId) -> String {
    format!("provisionings/{id}/secret")
}
