//! Passwords of people: changed by whoever knows the old one. Whatever changes one ends every other session of the user.

use crate::App;
use crate::caller::Caller;
use crate::guesses::{Count, take_back_guesses};
use crate::revocations::PersonChange;
use crate::sso::provider_required;
use crate::unit::{Effect, NO_RIGHT, Needs, Unit};
use crate::user_links::fewest;
use crate::users::target;
use claviger_domain::guess::BY_DEVICE;
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::letters::{self, Addressee, News};
use claviger_domain::password::{Context, Password, PasswordHash};
use claviger_domain::user::presented_key;
use claviger_domain::{Error, Result};
use serde_json::{Map, json};
use std::sync::Arc;

impl App {
    /// Changes the caller's own password. All other sessions of theirs have ended when this returns.
    pub async fn change_own_password(
        self: &Arc<Self>,
        caller: &Caller,
        current: Password,
        new: Password,
    ) -> Result<()> {
        let me = self.person(caller)?;
        let (tenant, id, kept) = (me.tenant.id, me.id, me.session.id);
        let email_key = presented_key(&me.email);
        if self.state.store.requires_provider(tenant, &email_key).await? {
            return Err(provider_required());
        }
        self.check_new_password("/new_password", tenant, &me.email, &new).await?;
        // Whoever has found a session may guess from it, and uses up nobody else's guesses.
        let counts = vec![Count::new("password of a session", &id.to_string(), BY_DEVICE)];
        let counted = self.count_guesses(&counts).await?;
        let locked = counted.waits.first().is_some_and(Option::is_some);
        let stored = if locked { None } else { self.stored_password(tenant, id).await? };
        let hash = stored.as_deref().and_then(PasswordHash::parse);
        if !self.state.passwords.verify(&current, hash.as_ref()).await? {
            let reason = if locked { "too_many_guesses" } else { "password_wrong" };
            self.deny_user((tenant, id), reason, caller.origin());
            return Err(Error::invalid(
                "/current_password",
                "this is not the password, or it was guessed at too often",
                "give the password that you sign in with, or reset it; after 10 wrong ones wait for 15 minutes",
            ));
        }
        let hash = self.state.passwords.hash(&new).await?;
        self.unit(caller, Needs { tenant, right: NO_RIGHT }, move |unit| {
            Box::pin(async move {
                if unit.tx.find_user_password(tenant, id).await? != stored {
                    return Err(Error::conflict(
                        "password_changed",
                        "the password was changed meanwhile; sign in anew",
                    ));
                }
                if unit.tx.requires_provider(tenant, &email_key).await? {
                    return Err(provider_required());
                }
                take_back_guesses(&mut unit.tx, &counts, &counted).await?;
                let ended = unit.replace_password(tenant, id, &hash, Some(kept)).await?;
                let user = unit.tx.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
                let to = Addressee { email: &user.email, name: &user.display_name() };
                unit.mail(letters::news(to, News::PasswordChanged, unit.app.state.shared_now())?);
                let details = Map::from_iter([("sessions_ended".to_owned(), json!(ended))]);
                unit.record("user.password_changed", target(&user), details);
                Ok(())
            })
        })
        .await
    }

    /// Accepts somebody's new password at `pointer`.
    pub(crate) async fn check_new_password(
        &self,
        pointer: &str,
        tenant: TenantId,
        email: &str,
        password: &Password,
    ) -> Result<()> {
        let node = self.state.tree.find(tenant).ok_or(Error::NotFound("tenant"))?;
        let name = self.state.store.find_tenant(tenant).await?.map(|tenant| tenant.name).unwrap_or_default();
        password.must_be_acceptable(pointer, fewest(&node), &Context::of([name.as_str()], email))
    }

    /// The password of a user, as it is stored.
    pub(crate) async fn stored_password(&self, tenant: TenantId, user: UserId) -> Result<Option<String>> {
        let mut tx = self.state.store.begin().await?;
        let found = tx.find_user_password(tenant, user).await?;
        tx.commit().await?;
        Ok(found)
    }
}

impl Unit {
    /// Puts a password in the place of whatever the user had. Its sessions end, but the one that is kept, and no device is known
    /// any more; how many sessions that were.
    pub(crate) async fn replace_password(
        &mut self,
        tenant: TenantId,
        user: UserId,
        hash: &PasswordHash,
        kept: Option<UserSessionId>,
    ) -> Result<u64> {
        self.tx.put_user_password(tenant, user, Some(&hash.to_string()), Some(self.now)).await?;
        self.tx.delete_user_devices(tenant, user).await?;
        self.tx.delete_user_links(tenant, user).await?;
        self.affects(Effect::User(tenant, user, PersonChange::Password));
        let now = self.app.state.shared_now();
        self.tx.end_user_sessions(tenant, user, kept, now).await
    }
}
