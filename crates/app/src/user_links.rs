//! Links that people get by mail: invitations, new passwords, another address. Whoever asks for one learns nothing; whoever opens one
//! uses nothing up; whoever uses one does so once, and a password that it sets lets nobody past a second factor.

use crate::App;
use crate::caller::Caller;
use crate::deeds::{Deed, Visit};
use crate::live::tree::TenantNode;
use crate::revocations::PersonChange;
use crate::sso::provider_required;
use crate::state::State;
use crate::unit::{Needs, OnceFor, Posted, Unit};
use claviger_domain::factor::{MAILS_BY_ADDRESS, MAILS_EACH};
use claviger_domain::grants::Verb;
use claviger_domain::guess::key;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::letters::{self, Addressee, News};
use claviger_domain::mail::NewMail;
use claviger_domain::password::{MIN_ALONE, MIN_WITH_SECOND_FACTOR, Password};
use claviger_domain::secret::SecretHash;
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Email, Status, User, presented_key};
use claviger_domain::user_link::{LinkKind, PlainLink, recognise};
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::user_links::UserLink;
use serde_json::{Map, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

const PERMISSION: &str = "users";
/// Where people sign in at their organization's identity provider.
const SINGLE_SIGN_ON: &str = "/console/sign-in/sso";
/// Links that are made at a time for people who asked for them.
const AT_ONCE: u32 = 8;

/// Bounds the work that goes on after an answer was given.
#[derive(Debug)]
pub(crate) struct Afterwards(Arc<Semaphore>);

impl Default for Afterwards {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(AT_ONCE).unwrap_or(1))))
    }
}

/// A first or last name, where somebody says one.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// First name.
    pub first: Option<String>,
    /// Last name.
    pub last: Option<String>,
}

impl State {
    /// Makes a link for a user and the mail that holds it, which goes to `email`.
    pub(crate) async fn make_link(
        &self,
        tx: &mut Tx,
        user: &User,
        kind: LinkKind,
        email: &str,
        now: Timestamp,
    ) -> Result<(NewMail, Timestamp)> {
        let public_url = &self.tokens.settings()?.issuer;
        let token = PlainLink::mint(self.random.bytes()?);
        let link = UserLink {
            tenant: user.tenant_id,
            user: user.id,
            kind,
            email: email.to_owned(),
            created_at: now,
            expires_at: now.plus_seconds(kind.seconds()),
        };
        tx.put_user_link(user.tenant_id, &link, &token.hash()).await?;
        let url = token.into_url(public_url, kind);
        let name = user.display_name();
        let to = Addressee { email, name: &name };
        let by_provider =
            kind == LinkKind::Invitation && tx.requires_provider(user.tenant_id, &presented_key(email)).await?;
        let mail = if by_provider {
            // A password is none of theirs: the link would lead to a refusal.
            letters::invitation_to_provider(to, &format!("{}{SINGLE_SIGN_ON}", public_url.trim_end_matches('/')), now)?
        } else {
            letters::link(to, kind, &url, now)?
        };
        Ok((mail, link.expires_at))
    }

    /// Whether a link can still be used by its user.
    fn is_usable(&self, link: &UserLink, user: &User) -> bool {
        // A link dies with the address that it was sent for.
        let sent_for = link.kind == LinkKind::EmailChange || link.email == user.email;
        let fits = match link.kind {
            LinkKind::Invitation => user.status == Status::Invited,
            LinkKind::PasswordReset => user.status != Status::Disabled,
            LinkKind::EmailChange => user.status == Status::Active,
        };
        fits && sent_for && self.tree.find(user.tenant_id).is_some_and(|node| node.is_served())
    }
}

/// Fewest characters of a password in a tenant.
pub(crate) fn fewest(node: &TenantNode) -> usize {
    if node.mfa_required() == MfaRequirement::None { MIN_ALONE } else { MIN_WITH_SECOND_FACTOR }
}

fn link_invalid() -> Error {
    let detail =
        "the link cannot be used: it was used, or replaced by a newer one, or it is too old; ask for another one";
    Error::conflict("link_invalid", detail)
}

impl Unit {
    /// Invites a user: a link to set the first password goes by mail once the unit is durable; until when it can be used.
    pub(crate) async fn invite(&mut self, user: &User) -> Result<Timestamp> {
        let (app, now) = (Arc::clone(&self.app), self.app.state.shared_now());
        let (mail, expires_at) =
            app.state.make_link(&mut self.tx, user, LinkKind::Invitation, &user.email, now).await?;
        self.mail(mail);
        Ok(expires_at)
    }
}

impl App {
    /// Invites a user once more: a new link goes by mail, those before can be used no more. Until when it can be used. Needs
    /// `users:UPDATE` and every right that the user has.
    pub async fn invite_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        once: Option<OnceFor<Timestamp>>,
    ) -> Result<Posted<Timestamp>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let user = unit.user_within_rights(tenant, id, None).await?;
                if user.status != Status::Invited {
                    let detail =
                        "the user has a password or is disabled; who has forgotten a password asks for a new one";
                    return Err(Error::conflict("user_not_invited", detail));
                }
                let expires_at = unit.invite(&user).await?;
                let details = Map::from_iter([("expires_at".to_owned(), json!(expires_at.to_string()))]);
                unit.record("user.invited", crate::users::target(&user), details);
                Ok(expires_at)
            })
        })
        .await
    }

    /// Takes an invitation back; it cannot be used when this returns. Needs `users:UPDATE` and every right that the user has.
    pub async fn cancel_invitation(self: &Arc<Self>, caller: &Caller, tenant: TenantId, id: UserId) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let user = unit.user_within_rights(tenant, id, None).await?;
                let now = unit.app.state.shared_now();
                if !unit.tx.delete_user_link(tenant, id, LinkKind::Invitation, now).await? {
                    return Err(Error::NotFound("invitation"));
                }
                unit.record("user.invitation_cancelled", crate::users::target(&user), Map::new());
                Ok(())
            })
        })
        .await
    }

    /// Until when a user's invitation can be used. Needs `users:READ`.
    pub async fn find_invitation(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<UserLink> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let found = self.state.store.find_user_link(tenant, id, LinkKind::Invitation).await?;
        found.filter(|link| self.state.shared_now() < link.expires_at).ok_or(Error::NotFound("invitation"))
    }

    /// Accepts an invitation: the first password is set, and the user can sign in.
    pub async fn accept_invitation(
        self: &Arc<Self>,
        token: &str,
        password: Password,
        names: Names,
        visit: &Visit,
    ) -> Result<()> {
        self.set_password_by(LinkKind::Invitation, token, password, names, visit).await
    }

    /// Asks for a link to set a new password. What comes back, and when, is the same whoever the address belongs to.
    pub async fn request_password_reset(self: &Arc<Self>, email: &Email, visit: &Visit) -> Result<()> {
        if !self.may_be_mailed(&email.key(), visit).await? {
            return Ok(());
        }
        let Ok(place) = Arc::clone(&self.state.afterwards.0).try_acquire_owned() else { return Ok(()) };
        let (app, email, visit) = (Arc::clone(self), email.clone(), visit.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = app.send_password_reset(&email, &visit).await {
                tracing::error!(%error, "a link to set a new password could not be made");
            }
        });
        Ok(())
    }

    /// Forgets links and challenges that are over.
    pub(crate) async fn sweep_links(&self) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.sweep_links(self.state.shared_now()).await?;
        tx.commit().await
    }

    /// Waits until what was asked for so far has been done.
    pub async fn finish_afterwards(&self) {
        drop(self.state.afterwards.0.acquire_many(AT_ONCE).await);
    }

    async fn send_password_reset(self: &Arc<Self>, email: &Email, visit: &Visit) -> Result<()> {
        let (store, origin) = (&self.state.store, visit.origin);
        let Some((tenant, id)) = store.find_user_by_email(&email.key()).await? else { return Ok(()) };
        self.deed((tenant, id), visit, move |deed| {
            Box::pin(async move {
                let Some(user) = deed.tx.find_user(tenant, id).await? else { return Ok(()) };
                let served = deed.app.state.tree.find(tenant).is_some_and(|node| node.is_served());
                if user.status == Status::Disabled || !served {
                    return Ok(());
                }
                if deed.tx.requires_provider(tenant, &presented_key(&user.email)).await? {
                    deed.app.deny_user((tenant, id), "sso_required", origin);
                    return Ok(());
                }
                let (app, now) = (Arc::clone(&deed.app), deed.now);
                // To the address that is stored, however the one that was typed is spelt.
                let made = app.state.make_link(&mut deed.tx, &user, LinkKind::PasswordReset, &user.email, now).await?;
                deed.mail(made.0);
                deed.record("user.password_reset_requested", &user.display_name(), Map::new());
                Ok(())
            })
        })
        .await
    }

    /// Counts a mail that somebody asks to be sent to a mailbox; whether it may be. Counted alike whether there is such a user.
    pub(crate) async fn may_be_mailed(self: &Arc<Self>, email_key: &str, visit: &Visit) -> Result<bool> {
        let mut keys = vec![(key("mails", email_key), MAILS_EACH)];
        if let Some(address) = visit.origin.address() {
            keys.push((key("mails asked from", &address.to_string()), MAILS_BY_ADDRESS));
        }
        let (app, now) = (Arc::clone(self), self.state.shared_now());
        crate::unit::to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            let mut may = true;
            for (key, allowance) in keys {
                let mut times = tx.lock_guesses(&key).await?;
                may &= allowance.count(&mut times, now).is_ok();
                tx.put_guesses(&key, &times, now).await?;
            }
            tx.commit().await?;
            Ok(may)
        })
        .await
    }

    /// Sets a new password by a link. All sessions end; nobody is signed in by it.
    pub async fn complete_password_reset(
        self: &Arc<Self>,
        token: &str,
        password: Password,
        visit: &Visit,
    ) -> Result<()> {
        self.set_password_by(LinkKind::PasswordReset, token, password, Names::default(), visit).await
    }

    async fn set_password_by(
        self: &Arc<Self>,
        kind: LinkKind,
        token: &str,
        password: Password,
        names: Names,
        visit: &Visit,
    ) -> Result<()> {
        let (link, user, token) = self.find_link(kind, token).await?;
        let (tenant, id) = (link.tenant, link.user);
        if self.state.store.requires_provider(tenant, &presented_key(&user.email)).await? {
            return Err(provider_required());
        }
        self.check_new_password("/password", tenant, &user.email, &password).await?;
        let hash = self.state.passwords.hash(&password).await?.to_string();
        self.deed((tenant, id), visit, move |deed| {
            Box::pin(async move {
                let before = deed.use_link(&link, &token).await?;
                deed.may_sign_in_by_password(&before).await?;
                let now = deed.now;
                deed.tx.put_user_password(tenant, id, Some(&hash), Some(now)).await?;
                deed.tx.delete_user_links(tenant, id).await?;
                deed.tx.delete_user_devices(tenant, id).await?;
                let ended = deed.tx.end_user_sessions(tenant, id, None, now).await?;
                let mut after = User {
                    first_name: names.first.unwrap_or_else(|| before.first_name.clone()),
                    last_name: names.last.unwrap_or_else(|| before.last_name.clone()),
                    ..before.clone()
                };
                if before.status == Status::Invited {
                    // Whoever has the link reads the mailbox: the address is confirmed either way.
                    after = User { status: Status::Active, activated_at: before.activated_at.or(Some(now)), ..after };
                }
                if after != before {
                    after = User { version: before.version + 1, updated_at: now, ..after };
                    deed.tx.update_user(tenant, &after).await?;
                }
                // Somebody else may have known the password and used up the checks of the second factor.
                let mut guard = deed.tx.lock_guard(tenant, id).await?;
                (guard.wrong, guard.suspended_at) = (0, None);
                deed.tx.put_guard(tenant, id, &guard).await?;
                if kind == LinkKind::PasswordReset {
                    deed.affects(PersonChange::Password);
                    let to = Addressee { email: &after.email, name: &after.display_name() };
                    deed.mail(letters::news(to, News::PasswordChanged, now)?);
                }
                let action = match kind {
                    LinkKind::Invitation => "user.invitation_accepted",
                    _ => "user.password_reset",
                };
                let details = Map::from_iter([("sessions_ended".to_owned(), json!(ended))]);
                deed.record(action, &after.display_name(), details);
                Ok(())
            })
        })
        .await
    }

    /// The usable link of a token. Nothing is used up.
    pub(crate) async fn find_link(&self, kind: LinkKind, token: &str) -> Result<(UserLink, User, SecretHash)> {
        let token = recognise(token).ok_or_else(link_invalid)?;
        let found = self.state.store.find_link_by_token(&token, self.state.shared_now()).await?;
        let link = found.filter(|link| link.kind == kind).ok_or_else(link_invalid)?;
        let user = self.state.store.find_user(link.tenant, link.user).await?;
        let user = user.filter(|user| self.state.is_usable(&link, user)).ok_or_else(link_invalid)?;
        Ok((link, user, token))
    }
}

impl Deed {
    /// Uses a link up; its user, as this deed sees it.
    pub(crate) async fn use_link(&mut self, link: &UserLink, token: &SecretHash) -> Result<User> {
        let now = self.now;
        if !self.tx.use_user_link(link.tenant, link.user, token, now).await? {
            return Err(link_invalid());
        }
        let user = self.tx.find_user(link.tenant, link.user).await?;
        user.filter(|user| self.app.state.is_usable(link, user)).ok_or_else(link_invalid)
    }
}
