//! The lives of credentials: when applications and secrets really stop, ends that are given to secrets, and the work beside
//! the requests that warns owners and retires what was not rotated.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::secrets::MintedSecret;
use crate::state::State;
use crate::unit::{Effect, Needs, Unit};
use claviger_domain::application::{Application, Secret, parse_expiry};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::lifetime::{Bounds, application_end, check_end, secret_end};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use serde_json::json;
use std::sync::Arc;

const PERMISSION: &str = "applications";

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

impl Unit {
    /// What the tenant's credentials are allowed at most.
    pub(crate) fn bounds(&self, tenant: TenantId) -> Option<Arc<Bounds>> {
        self.app.state.bounds(tenant)
    }

    fn secret_ceiling(&self, tenant: TenantId, made: Timestamp) -> Option<Timestamp> {
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

    /// The secrets with their real ends.
    pub(crate) fn ended_secrets(&self, tenant: TenantId, secrets: Vec<Secret>) -> Vec<Secret> {
        let bounds = self.bounds(tenant);
        let ended = |secret| Secret { ends_at: secret_end(&secret, bounds.as_deref()), ..secret };
        secrets.into_iter().map(ended).collect()
    }
}
