//! Temporary secrets: issued for an application by whoever may, and changed by whoever got them. Nothing else is accepted of
//! them, and nobody but the one who has changed it knows the secret that counts.

use crate::App;
use crate::applications::target;
use crate::caller::{Caller, Machine};
use crate::live::record::{LiveSecret, Record};
use crate::secrets::MintedSecret;
use crate::unit::{Effect, NO_RIGHT, Needs, OnceFor, Posted};
use crate::verify::{Call, Presented};
use claviger_domain::address::Origin;
use claviger_domain::application::Secret;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::temporary::parse_end;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Refusal, Result};
use serde_json::json;
use std::sync::Arc;

const PERMISSION: &str = "applications";

impl App {
    /// Puts a temporary secret in the place of all secrets of an application; these are dead when this returns. Needs
    /// `applications:UPDATE` and every right that the application has.
    pub async fn issue_temporary_secret(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        expires_at: Option<Timestamp>,
        once: Option<OnceFor<MintedSecret>>,
    ) -> Result<Posted<MintedSecret>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let dead = unit.tx.delete_secrets(tenant, application).await?;
                let (mut minted, mut stored) = unit.app.state.mint(tenant, application, unit.now)?;
                let ceiling = unit.secret_ceiling(tenant, stored.secret.id.made_at());
                stored.secret.expires_at = Some(parse_end("/expires_at", expires_at, unit.now, ceiling)?);
                stored.secret.temporary = true;
                // It signs nothing, either.
                stored.sealed_mac = Vec::new();
                minted = unit.keep_secret(tenant, minted, stored).await?;
                let details = json!({
                    "secret_id": minted.secret.id,
                    "expires_at": minted.secret.expires_at,
                    "dead": dead,
                });
                let details = details.as_object().cloned().unwrap_or_default();
                unit.record("secret.temporary_issued", target(&found), details);
                unit.affects(Effect::Application(tenant, application));
                Ok(minted)
            })
        })
        .await
    }

    /// Verifies a secret that is to be changed: a temporary one is good for that, and for nothing else.
    pub async fn authenticate_to_change(
        &self,
        presented: Presented<'_>,
        origin: Origin,
        user_agent: &str,
    ) -> Result<Caller> {
        self.authenticate_secret(presented, Call { to_change: true, ..self.call(origin, user_agent) }).await
    }

    /// Replaces all secrets of the caller's own application by a new one, which is shown once. The old ones, and all session
    /// tokens however they were got, are dead when this returns. Needs no right but the secret.
    pub async fn change_own_secret(self: &Arc<Self>, caller: &Caller) -> Result<MintedSecret> {
        let Machine { record, session, .. } = caller.machine()?;
        if session.is_some() {
            let detail = "a session token cannot change the secret; present the secret itself".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        let (tenant, application) = (caller.tenant().id, record.id);
        caller.count();
        self.unit(caller, Needs { tenant, right: NO_RIGHT }, move |unit| {
            Box::pin(async move {
                let found = unit.tx.find_application(tenant, application).await?;
                let found = found.ok_or(Error::NotFound("application"))?;
                let Machine { record, secret, .. } = unit.caller.machine()?;
                let was_temporary = record.is_temporary(*secret);
                let end = unit.tx.find_inherited_end(tenant, application, unit.now).await?;
                let dead = unit.tx.delete_secrets(tenant, application).await?;
                let minted = unit.mint_secret(tenant, application, end).await?;
                let cut_off = unit.after_every_token().await?;
                unit.tx.cut_off_tokens(tenant, Some(application), cut_off, unit.now).await?;
                let details = json!({ "secret_id": minted.secret.id, "dead": dead, "was_temporary": was_temporary });
                unit.record("secret.changed", target(&found), details.as_object().cloned().unwrap_or_default());
                unit.affects(Effect::TokenRules(tenant));
                unit.affects(Effect::Application(tenant, application));
                Ok(minted)
            })
        })
        .await
    }
}

/// A temporary secret does nothing but be changed.
pub(crate) fn check_use(record: &Record, secret: &LiveSecret, call: Call<'_>) -> Result<(), Refusal> {
    if record.is_temporary(secret.id) && !call.to_change { Err(Refusal::SecretTemporary) } else { Ok(()) }
}

/// Refuses to deal with a temporary secret as if it were any other.
pub(crate) fn refuse_temporary(secret: &Secret) -> Result<()> {
    if !secret.temporary {
        return Ok(());
    }
    let detail = "a temporary secret keeps its end; issue another one in its place";
    Err(Error::conflict("secret_is_temporary", detail))
}
