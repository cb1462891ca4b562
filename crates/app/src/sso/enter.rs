//! The last step of a sign-in at a provider: which user somebody is, what they hold from now on, and their session; one
//! transaction.

use super::{Comeback, Entered, began_from, begun};
use crate::App;
use crate::guesses::take_back_guesses;
use crate::revocations::PersonChange;
use crate::unit::{Effect, change};
use claviger_domain::access::clean;
use claviger_domain::application::Reach;
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::id::{AccessLevelId, TenantId, UserId, UserSessionId};
use claviger_domain::id_token::{self, Identity};
use claviger_domain::identity_provider::IdentityProvider;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{NewUser, Status, User};
use claviger_domain::user_session::{Cookie, Method, PlainCookie, Stage, UserSession, recognise, spell_methods};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::Tx;
use claviger_store::journal::JournalEntry;
use claviger_store::system::PendingSignIn;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Who has come, and what is new about them.
struct Found {
    user: User,
    created: bool,
    linked: bool,
    roles_before: Option<Vec<AccessLevelId>>,
}

/// Why somebody whom the provider knows does not get in; with the user, where it is one.
type Refused = (Option<UserId>, &'static str);

impl App {
    pub(super) async fn enter_by_sso(
        self: &Arc<Self>,
        comeback: Comeback,
        pending: PendingSignIn,
        provider: IdentityProvider,
        (identity, claims): (Identity, Map<String, Value>),
    ) -> Result<Entered> {
        let (state, tenant, origin) = (&self.state, provider.tenant_id, comeback.origin);
        let elsewhere = state.store.find_user_by_email(&identity.email.key()).await?;
        let mut tx = state.store.begin().await?;
        tx.lock_tenant(tenant).await?;
        let now = state.shared_now();
        // It may have waited: what it goes by must not have changed meanwhile.
        let same = tx.find_identity_provider(tenant, provider.id).await?;
        if same.is_none_or(|same| same.version != provider.version || !same.enabled) {
            return Err(self.refuse_sso(tenant, "sso_provider_changed", origin));
        }
        let roles = provider.roles_of(&claims);
        let whose = elsewhere.map(|(tenant, id)| (tenant == provider.tenant_id).then_some(id));
        let found = match self.recognise_somebody(&mut tx, (&provider, &identity), whose, (&roles, now)).await? {
            Ok(found) => found,
            Err((Some(user), reason)) => {
                self.deny_user((tenant, user), reason, origin);
                return Err(Error::Unauthenticated(Refusal::SignInFailed));
            }
            Err((None, reason)) => return Err(self.refuse_sso(tenant, reason, origin)),
        };
        let user = &found.user;
        let token = PlainCookie::mint(Cookie::Session, state.random.bytes()?);
        let session = UserSession {
            id: UserSessionId::new(now, state.random.bytes()?),
            stage: Stage::Complete,
            methods: vec![Method::SingleSignOn],
            created_at: now,
            last_seen_at: now,
            stepped_up_at: id_token::is_fresh(&claims, pending.begun_at, now).then_some(now),
            address: origin.address(),
            user_agent: clean(&comeback.user_agent),
            ended_at: None,
        };
        tx.insert_user_session(tenant, user.id, &session, &token.hash()).await?;
        if let Some(before) = comeback.session.as_deref().and_then(|text| recognise(Cookie::Session, text)) {
            tx.end_presented_session(&before, now).await?;
        }
        take_back_guesses(&mut tx, &[began_from(origin)], &begun(pending.begun_at)).await?;
        let (request_id, request) = comeback.request;
        let entry = NewEntry {
            at: state.clock.now(),
            actor: Actor { kind: "user", id: user.id.to_string(), tenant_id: Some(tenant) },
            action: "user.signed_in",
            target: Target { kind: "user", id: user.id.to_string(), name: user.email.clone() },
            address: origin.address(),
            request_id,
            request,
            details: describe(&found, &provider, &session),
        };
        let body = json!({
            "target": { "kind": entry.target.kind, "id": entry.target.id, "name": entry.target.name },
            "actor": entry.actor.id,
            "details": entry.details,
        });
        let journal = JournalEntry { kind: entry.action.to_owned(), body };
        tx.append_journal(tenant, entry.at, &[journal]).await?;
        tx.append_audit(tenant, &entry).await?;
        let lost = found.roles_before.iter().flatten().any(|role| !found.user.roles.contains(role));
        let effects: Vec<_> =
            lost.then_some(Effect::User(tenant, found.user.id, PersonChange::Narrowed)).into_iter().collect();
        let mut revision = 0;
        if !effects.is_empty() {
            revision = tx.bump_revision(tenant, &effects.iter().map(change).collect::<Vec<_>>()).await?;
        }
        tx.commit().await?;
        self.settle_and_tell(tenant, &effects, revision).await?;
        Ok(Entered { session, token, return_to: pending.return_to })
    }

    /// Which user somebody is: the one whom the provider has called that before; or else the one of that address, if the provider
    /// has called it nothing yet; or else a new one. `whose` is the user of that address, if there is one, and if it is one of
    /// the tenant's.
    async fn recognise_somebody(
        &self,
        tx: &mut Tx,
        (provider, identity): (&IdentityProvider, &Identity),
        whose: Option<Option<UserId>>,
        (roles, now): (&[AccessLevelId], Timestamp),
    ) -> Result<std::result::Result<Found, Refused>> {
        let (tenant, subject) = (provider.tenant_id, identity.subject.as_str());
        let (id, linked) = match (tx.find_user_by_subject(tenant, provider.id, subject).await?, whose) {
            (Some(id), _) => (id, false),
            (None, Some(None)) => return Ok(Err((None, "sso_user_of_another_tenant"))),
            (None, Some(Some(id))) if tx.has_user_identity(tenant, id, provider.id).await? => {
                // An address that was given to somebody else makes nobody its former owner.
                return Ok(Err((Some(id), "sso_other_subject")));
            }
            (None, Some(Some(id))) => (id, true),
            (None, None) if !provider.creates_users => return Ok(Err((None, "user_unknown"))),
            (None, None) if roles.is_empty() => return Ok(Err((None, "sso_no_access_level"))),
            (None, None) if !has_room(tx, tenant).await? => return Ok(Err((None, "user_limit_reached"))),
            (None, None) => {
                let user = self.create_by_sso(tx, provider, identity, (roles, now)).await?;
                tx.insert_user_identity(tenant, (user.id, provider.id), subject, now).await?;
                return Ok(Ok(Found { user, created: true, linked: true, roles_before: None }));
            }
        };
        let Some(before) = tx.find_user(tenant, id).await? else { return Ok(Err((Some(id), "user_unknown"))) };
        if before.status == Status::Disabled {
            return Ok(Err((Some(id), "user_disabled")));
        }
        let mut after =
            User { status: Status::Active, activated_at: before.activated_at.or(Some(now)), ..before.clone() };
        if provider.maps_roles() {
            after.roles = self.roles_with_owner(tx, tenant, &before, roles).await?;
        }
        if after != before {
            after = User { version: before.version + 1, updated_at: now, ..after };
            tx.update_user(tenant, &after).await?;
        }
        if linked {
            tx.insert_user_identity(tenant, (id, provider.id), subject, now).await?;
        } else {
            tx.touch_user_identity(tenant, (id, provider.id), now).await?;
        }
        let roles_before = (after.roles != before.roles).then_some(before.roles);
        Ok(Ok(Found { user: after, created: false, linked, roles_before }))
    }

    async fn create_by_sso(
        &self,
        tx: &mut Tx,
        provider: &IdentityProvider,
        identity: &Identity,
        (roles, now): (&[AccessLevelId], Timestamp),
    ) -> Result<User> {
        let tenant = provider.tenant_id;
        let new = NewUser {
            email: identity.email.clone(),
            first_name: identity.first_name.clone(),
            last_name: identity.last_name.clone(),
            phone: String::new(),
            reach: Reach::Beneath,
            roles: roles.to_vec(),
        };
        let id = UserId::new(now, self.state.random.bytes()?);
        let number = tx.next_user_number().await?;
        let user = new.into_user(tenant, id, number, now);
        let user = User { status: Status::Active, activated_at: Some(now), ..user };
        // Somebody else has become the owner of the address a moment ago, which is nobody's business.
        tx.insert_user(tenant, &user).await.map_err(|error| match error {
            Error::Conflict { .. } => Error::Unauthenticated(Refusal::SignInFailed),
            other => other,
        })?;
        Ok(user)
    }

    /// What the rules give, and Super Admin besides for the last active user who holds that: no claim leaves a tenant without one.
    async fn roles_with_owner(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        before: &User,
        roles: &[AccessLevelId],
    ) -> Result<Vec<AccessLevelId>> {
        let owner = self.state.owner_level()?.id;
        let mut roles = roles.to_vec();
        let was_owner = before.status == Status::Active && before.roles.contains(&owner);
        if was_owner && !roles.contains(&owner) && tx.count_active_holders(tenant, owner).await? <= 1 {
            roles.push(owner);
            roles.sort_unstable();
        }
        Ok(roles)
    }
}

/// Whether a tenant may have one more user.
async fn has_room(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    let found = tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
    match found.details.user_limit {
        Some(limit) => Ok(tx.count_users(tenant).await? < limit),
        None => Ok(true),
    }
}

fn describe(found: &Found, provider: &IdentityProvider, session: &UserSession) -> Map<String, Value> {
    let mut details = Map::from_iter([
        ("session_id".to_owned(), json!(session.id)),
        ("methods".to_owned(), json!(spell_methods(&session.methods))),
        ("stage".to_owned(), json!(session.stage.as_str())),
        ("identity_provider_id".to_owned(), json!(provider.id)),
    ]);
    if found.created {
        details.insert("user_created".into(), json!(true));
    }
    if found.linked {
        details.insert("identity_linked".into(), json!(true));
    }
    if found.created || found.roles_before.is_some() {
        details.insert("access_level_ids".into(), json!(found.user.roles));
    }
    if let Some(before) = &found.roles_before {
        details.insert("access_level_ids_before".into(), json!(before));
    }
    details
}
