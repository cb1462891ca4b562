//! Public keys of applications: registered, listed, deleted. An application with a key needs no secret.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::credential_policy::Stay;
use crate::live::public_keys::is_key;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::lifetime::check_end;
use claviger_domain::public_key::{NewPublicKey, PublicKey, check_room, is_live};
use claviger_domain::{Error, Result};
use serde_json::json;
use std::sync::Arc;

const PERMISSION: &str = "applications";

impl App {
    /// Registers a key with an application: whoever signs with its private half is the application. Needs
    /// `applications:UPDATE` and every right that the application has.
    pub async fn register_public_key(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        new: NewPublicKey,
        once: Option<OnceFor<PublicKey>>,
    ) -> Result<Posted<PublicKey>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        if !is_key(new.key.algorithm, &new.key.public) {
            return Err(Error::invalid("/jwk", "not a point of its curve", "give a key that was made by a library"));
        }
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let live = unit.bury_dead_keys(tenant, application).await?;
                check_room(&live, &new)?;
                let id = SecretId::new(unit.now, unit.app.state.random.bytes()?);
                let bounds = unit.bounds(tenant);
                let ceiling = bounds.as_ref().and_then(|bounds| bounds.secret_ceiling(id.made_at()));
                let key = PublicKey {
                    id,
                    application_id: application,
                    name: new.name.as_str().to_owned(),
                    kid: new.kid,
                    algorithm: new.key.algorithm,
                    public: new.key.public,
                    created_at: unit.now,
                    expires_at: check_end("/expires_at", new.expires_at, ceiling)?,
                };
                unit.tx.insert_public_key(tenant, &key).await?;
                unit.tell_of_key(&found, "public_key.registered", &key);
                Ok(key)
            })
        })
        .await
    }

    /// The live keys of an application, oldest first. Needs `applications:READ`.
    pub async fn list_public_keys(
        &self,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<Vec<PublicKey>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let store = &self.state.store;
        store.find_application(tenant, application).await?.ok_or(Error::NotFound("application"))?;
        let now = self.state.clock.now();
        let mut keys = store.list_public_keys(tenant, application).await?;
        keys.retain(|key| is_live(key, now));
        Ok(keys)
    }

    /// Deletes a key; it and every session token that was got with it are dead when this returns. Needs
    /// `applications:UPDATE` and every right that the application has.
    pub async fn delete_public_key(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        key: SecretId,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let live = unit.bury_dead_keys(tenant, application).await?;
                let deleted = live.iter().find(|one| one.id == key).ok_or(Error::NotFound("key"))?;
                unit.tx.delete_public_key(tenant, application, key).await?;
                unit.refuse_operator_lock_out(tenant, Stay::Now).await?;
                unit.tell_of_key(&found, "public_key.deleted", deleted);
                Ok(())
            })
        })
        .await
    }
}

impl Unit {
    /// Removes the keys whose time is over; the others, oldest first.
    async fn bury_dead_keys(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Vec<PublicKey>> {
        let now = self.now;
        let all = self.tx.list_public_keys(tenant, application).await?;
        let (live, dead): (Vec<_>, Vec<_>) = all.into_iter().partition(|key| is_live(key, now));
        for key in dead {
            self.tx.delete_public_key(tenant, application, key.id).await?;
        }
        Ok(live)
    }

    /// Removes all keys of an application.
    pub(crate) async fn delete_public_keys(&mut self, tenant: TenantId, application: ApplicationId) -> Result<()> {
        for key in self.tx.list_public_keys(tenant, application).await? {
            self.tx.delete_public_key(tenant, application, key.id).await?;
        }
        Ok(())
    }

    fn tell_of_key(
        &mut self,
        application: &claviger_domain::application::Application,
        action: &'static str,
        key: &PublicKey,
    ) {
        let details = json!({
            "key_id": key.id,
            "key_name": key.name,
            "kid": key.kid,
            "algorithm": key.algorithm.as_str(),
            "expires_at": key.expires_at,
        });
        self.record(action, target(application), details.as_object().cloned().unwrap_or_default());
        self.affects(Effect::Application(application.tenant_id, application.id));
    }
}
