//! Secrets of applications: minted, shown once, regenerated, revoked.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::state::State;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::application::Secret;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::rotation::{check_retirement, is_live};
use claviger_domain::secret::PlainSecret;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::secrets::StoredSecret;
use serde_json::{Map, json};
use std::sync::Arc;

const PERMISSION: &str = "applications";

/// A secret just made: the only moment at which its text exists.
#[derive(Debug)]
pub struct MintedSecret {
    /// What stays of it.
    pub secret: Secret,
    /// The text, to be spent in one answer.
    pub text: PlainSecret,
}

impl App {
    /// The live secrets of an application, with their last use. Needs `applications:READ`.
    pub async fn list_secrets(
        &self,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Vec<Secret>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.find_application(tenant, application).await?.ok_or(Error::NotFound("application"))?;
        self.live_secrets(tenant, application).await
    }

    /// The secrets of an application that work now, oldest first.
    pub(crate) async fn live_secrets(&self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Secret>> {
        self.settle_usage(tenant).await;
        let now = self.state.clock.now();
        let mut secrets = self.state.ended_secrets(tenant, self.state.store.list_secrets(tenant, application).await?);
        secrets.retain(|secret| is_live(secret, now));
        Ok(secrets)
    }

    /// Replaces all secrets of an application by a new one; the old ones are dead when this returns. Needs
    /// `applications:UPDATE` and every right that the application has.
    pub async fn regenerate_secret(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        once: Option<OnceFor<MintedSecret>>,
    ) -> Result<Posted<MintedSecret>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let end = unit.tx.find_inherited_end(tenant, application, unit.now).await?;
                let dead = unit.tx.delete_secrets(tenant, application).await?;
                let minted = unit.mint_secret(tenant, application, end).await?;
                let details = json!({ "secret_id": minted.secret.id, "dead": dead });
                unit.record("secret.regenerated", target(&found), details.as_object().cloned().unwrap_or_default());
                unit.affects(Effect::Application(tenant, application));
                Ok(minted)
            })
        })
        .await
    }

    /// Revokes one secret; it is dead when this returns. One of two that somebody calls with is revoked by `force` only.
    /// Needs `applications:UPDATE` and every right that the application has.
    pub async fn revoke_secret(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
        force: bool,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        // Whether somebody calls with a secret decides whether it may go.
        self.settle_usage(tenant).await;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let live = unit.bury_dead_secrets(tenant, application).await?;
                let retired = live.iter().find(|one| one.id == secret).ok_or(Error::NotFound("secret"))?;
                check_retirement(retired, live.len(), force, unit.now)?;
                unit.tx.delete_secret(tenant, application, secret).await?;
                let details = Map::from_iter([("secret_id".to_owned(), secret.to_string().into())]);
                unit.record("secret.revoked", target(&found), details);
                unit.affects(Effect::Application(tenant, application));
                Ok(())
            })
        })
        .await
    }
}

impl Unit {
    /// Makes a secret that ends by itself at `end`, if ever, and stores what recognises it; where
    /// the tenant retains texts, that too, sealed.
    pub(crate) async fn mint_secret(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        end: Option<Timestamp>,
    ) -> Result<MintedSecret> {
        let (minted, mut stored) = self.app.state.mint(tenant, application, self.now)?;
        stored.secret.expires_at = end;
        self.keep_secret(tenant, minted, stored).await
    }

    /// Stores a secret that was just made, where secrets are allowed.
    pub(crate) async fn keep_secret(
        &mut self,
        tenant: TenantId,
        mut minted: MintedSecret,
        stored: StoredSecret,
    ) -> Result<MintedSecret> {
        self.refuse_static_secret(tenant)?;
        self.tx.insert_secret(tenant, &stored).await?;
        minted.secret = self.app.state.ended_secret(tenant, stored.secret);
        self.retain_text(tenant, &minted).await?;
        Ok(minted)
    }
}

impl Unit {
    /// Whether the tenant or one above forbids secrets.
    pub(crate) fn forbids_secrets(&self, tenant: TenantId) -> bool {
        self.bounds(tenant).is_some_and(|bounds| bounds.secrets_forbidden)
    }

    /// Refuses to make a secret where secrets are forbidden.
    pub(crate) fn refuse_static_secret(&self, tenant: TenantId) -> Result<()> {
        if !self.forbids_secrets(tenant) {
            return Ok(());
        }
        let detail = "the credential policy of the tenant or of one above forbids secrets; give the application a public key, or \
            bind it to the tokens of a trusted issuer";
        Err(Error::conflict("static_secrets_forbidden", detail))
    }
}

impl State {
    /// Makes a secret: what is shown once, and what is stored.
    pub(crate) fn mint(
        &self,
        tenant: TenantId,
        application: ApplicationId,
        now: Timestamp,
    ) -> Result<(MintedSecret, StoredSecret)> {
        let text = PlainSecret::mint(self.random.bytes()?);
        let id = SecretId::new(now, self.random.bytes()?);
        let row = format!("secrets/{application}/{id}/mac");
        let sealed_mac = self.root_key.seal(&self.random, tenant, &row, text.mac_states().as_bytes())?;
        let secret = Secret {
            id,
            application_id: application,
            hint: text.hint(),
            created_at: now,
            expires_at: None,
            ends_at: None,
            last_use: None,
            temporary: false,
        };
        let stored = StoredSecret { secret: secret.clone(), hash: text.hash(), sealed_mac };
        Ok((MintedSecret { secret, text }, stored))
    }
}
