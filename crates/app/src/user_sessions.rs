//! Sessions of people: who holds the token of one, as the store has it when a request comes. One statement reads session,
//! person and access levels, so that whatever is changed about them holds at once, on every node.

use crate::App;
use crate::caller::{Caller, Principal, UserCaller};
use crate::live::denials::{ActorKind, Denial};
use crate::state::State;
use crate::unit::{NO_RIGHT, Needs, Unit, to_the_end};
use claviger_domain::access_profile::narrowest_reach;
use claviger_domain::address::Origin;
use claviger_domain::audit::Target;
use claviger_domain::factor::satisfies;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Status, display_name};
use claviger_domain::user_session::{Cookie, SEEN_EACH_SECONDS, Stage, UserSession, recognise};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::system::{ProfileRole, SessionHolder};
use serde_json::{Map, json};
use std::sync::Arc;

/// The right to see and to end the sessions of others.
const SESSIONS: &str = "sessions";

impl App {
    /// Verifies the token of a person's session, whose sign-in has come to its end.
    pub async fn authenticate_user(self: &Arc<Self>, text: &str, origin: Origin) -> Result<Caller> {
        let user = self.authenticate_signing_in(text, origin).await?;
        match user.session.stage {
            Stage::Complete => Ok(self.user_as_caller(user, origin)),
            Stage::SecondFactor => Err(Error::Unauthenticated(Refusal::SecondFactorNeeded)),
        }
    }

    /// Verifies the token of a person's session, which may wait for its second factor.
    pub async fn authenticate_signing_in(self: &Arc<Self>, text: &str, origin: Origin) -> Result<UserCaller> {
        let state = &self.state;
        state.nodes.may_answer(state.clock.boot(state.clock.monotonic()))?;
        let ended = || self.stranger(Refusal::SessionEnded, origin);
        let token = recognise(Cookie::Session, text).ok_or_else(ended)?;
        let holder = state.store.find_session_holder(&token).await?.ok_or_else(ended)?;
        if state.tree.find(holder.tenant).is_none() {
            // Another node has made the tenant.
            let _refreshing = self.refreshing.lock().await;
            self.know_tenant(holder.tenant).await?;
        }
        let (tenant, id, now) = (holder.tenant, holder.user, state.shared_now());
        let user = state.user_caller(holder, now, origin).map_err(|refusal| {
            self.deny_user((tenant, id), refusal.code(), origin);
            Error::Unauthenticated(refusal)
        })?;
        if user.session.last_seen_at <= now.plus_seconds(-SEEN_EACH_SECONDS) {
            let (app, session) = (Arc::clone(self), user.session.id);
            let noted = to_the_end(async move {
                let mut tx = app.state.store.begin().await?;
                tx.touch_user_session(tenant, id, session, now).await?;
                tx.commit().await
            });
            if let Err(error) = noted.await {
                tracing::warn!(%error, "the use of a session could not be noted");
            }
        }
        Ok(user)
    }

    /// A person as a caller.
    pub(crate) fn user_as_caller(&self, user: UserCaller, origin: Origin) -> Caller {
        Caller {
            principal: Principal::User(Arc::new(user)),
            state: Arc::clone(&self.state),
            origin,
            quota: None,
            advice: None,
            request: Arc::clone(&self.no_request),
        }
    }

    /// Notes in the record of a user's tenant what the user was denied.
    pub(crate) fn deny_user(&self, (tenant, user): (TenantId, UserId), reason: &str, origin: Origin) {
        let (actor, reason) = (user.to_string(), reason.to_owned());
        let denial = Denial { tenant_id: tenant, kind: ActorKind::User, actor, reason, address: origin.address() };
        self.state.denials.add(denial, tenant, self.state.clock.now());
    }

    /// Ends the session that the caller itself holds.
    pub async fn sign_out(self: &Arc<Self>, caller: &Caller) -> Result<()> {
        let user = self.person(caller)?;
        self.end_session(caller, user.tenant.id, user.id, user.session.id, NO_RIGHT).await
    }

    /// The caller's own sessions, newest first.
    pub async fn list_own_sessions(&self, caller: &Caller) -> Result<Vec<UserSession>> {
        let user = self.person(caller)?;
        self.state.store.list_user_sessions(user.tenant.id, user.id, self.state.shared_now()).await
    }

    /// Ends one of the caller's own sessions; it is refused when this returns.
    pub async fn end_own_session(self: &Arc<Self>, caller: &Caller, id: UserSessionId) -> Result<()> {
        let user = self.person(caller)?;
        self.end_session(caller, user.tenant.id, user.id, id, NO_RIGHT).await
    }

    /// Ends all of the caller's own sessions but the one it calls with; how many that were.
    pub async fn end_other_sessions(self: &Arc<Self>, caller: &Caller) -> Result<u64> {
        let user = self.person(caller)?;
        let (tenant, id, kept, email) = (user.tenant.id, user.id, user.session.id, user.email.clone());
        self.unit(caller, Needs { tenant, right: NO_RIGHT }, move |unit| {
            Box::pin(async move {
                let now = unit.app.state.shared_now();
                let ended = unit.tx.end_user_sessions(tenant, id, Some(kept), now).await?;
                let target = Target { kind: "user", id: id.to_string(), name: email };
                unit.record("user.sessions_ended", target, count_of(ended));
                Ok(ended)
            })
        })
        .await
    }

    /// The sessions of a user, newest first. Needs `sessions:READ`.
    pub async fn list_user_sessions(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Vec<UserSession>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(SESSIONS, Verb::Read)?;
        self.state.store.find_user(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        self.state.store.list_user_sessions(tenant, user, self.state.shared_now()).await
    }

    /// Ends a session of a user; it is refused when this returns. Needs `sessions:DELETE` and every right that the user has.
    pub async fn end_user_session(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
        id: UserSessionId,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(SESSIONS, Verb::Delete)?;
        self.end_session(caller, tenant, user, id, (SESSIONS, Verb::Delete)).await
    }

    /// Ends all sessions of a user; how many that were. Needs `sessions:DELETE` and every right that the user has.
    pub async fn end_user_sessions(self: &Arc<Self>, caller: &Caller, tenant: TenantId, user: UserId) -> Result<u64> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(SESSIONS, Verb::Delete)?;
        self.unit(caller, Needs { tenant, right: (SESSIONS, Verb::Delete) }, move |unit| {
            Box::pin(async move {
                let found = unit.user_within_rights(tenant, user, None).await?;
                let ended = unit.tx.end_user_sessions(tenant, user, None, unit.now).await?;
                unit.record("user.sessions_ended", crate::users::target(&found), count_of(ended));
                Ok(ended)
            })
        })
        .await
    }

    async fn end_session(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
        id: UserSessionId,
        right: (&'static str, Verb),
    ) -> Result<()> {
        self.unit(caller, Needs { tenant, right }, move |unit| {
            Box::pin(async move {
                let own = unit.caller.user().is_some_and(|caller| caller.id == user);
                let name = if own {
                    unit.caller.user().map(|caller| caller.email.clone()).unwrap_or_default()
                } else {
                    unit.user_within_rights(tenant, user, None).await?.email
                };
                let now = unit.app.state.shared_now();
                if !unit.tx.end_user_session(tenant, user, id, now).await? {
                    return Err(Error::NotFound("session"));
                }
                let target = Target { kind: "user", id: user.to_string(), name };
                let details = Map::from_iter([("session_id".to_owned(), json!(id.to_string()))]);
                unit.record("user.session_ended", target, details);
                Ok(())
            })
        })
        .await
    }

    /// The person who calls.
    ///
    /// # Errors
    /// `Forbidden` where an application does.
    pub(crate) fn person(&self, caller: &Caller) -> Result<Arc<UserCaller>> {
        let detail = "only a person can do this: sign in, and send the session's cookie in place of a credential";
        caller.user().cloned().ok_or_else(|| Error::Forbidden { missing: None, detail: detail.into() })
    }
}

impl State {
    /// Who holds a session, if it is to be answered at `now`.
    pub(crate) fn user_caller(
        &self,
        holder: SessionHolder,
        now: Timestamp,
        origin: Origin,
    ) -> Result<UserCaller, Refusal> {
        if holder.status != Status::Active || holder.session.is_over(now) {
            return Err(Refusal::SessionEnded);
        }
        let tenant = self.tree.find(holder.tenant).ok_or(Refusal::SessionEnded)?;
        if !tenant.is_served() {
            return Err(Refusal::TenantSuspended);
        }
        let mut session = holder.session;
        // A policy that has become stricter since the sign-in asks for what is missing.
        if !satisfies(&session.methods, tenant.mfa_required()) {
            session.stage = Stage::SecondFactor;
        }
        let counts = |role: &ProfileRole| role.conditions.hold(now, origin.address());
        let by_profile: Vec<_> = holder.profile_roles.into_iter().filter(counts).collect();
        let reach = narrowest_reach(holder.reach, by_profile.iter().map(|role| &role.reach));
        let roles = holder.roles.into_iter().chain(by_profile.into_iter().map(|role| role.role)).collect();
        let grants = match session.stage {
            Stage::Complete => self.union(roles),
            Stage::SecondFactor => GrantSet::default(),
        };
        Ok(UserCaller {
            id: holder.user,
            tenant,
            name: display_name(&holder.first_name, &holder.last_name, &holder.email),
            email: holder.email,
            reach,
            grants,
            session,
        })
    }
}

impl Unit {
    /// Reads the person who calls once more, as this unit sees it.
    pub(crate) async fn renew_user(&mut self, before: &UserCaller) -> Result<()> {
        let found = self.tx.find_session_holder(before.tenant.id, before.id, before.session.id).await?;
        let state = &self.app.state;
        let (now, origin) = (state.shared_now(), self.caller.origin());
        // Whoever goes on to another stage has another token, and this request was made with the one before.
        let renewed = found.filter(|holder| holder.session.stage == before.session.stage);
        let renewed = renewed.ok_or(Refusal::SessionEnded).and_then(|holder| state.user_caller(holder, now, origin));
        let user = renewed.map_err(|refusal| {
            self.app.deny_user((before.tenant.id, before.id), refusal.code(), self.caller.origin());
            Error::Unauthenticated(refusal)
        })?;
        self.caller.principal = Principal::User(Arc::new(user));
        Ok(())
    }
}

fn count_of(ended: u64) -> Map<String, serde_json::Value> {
    Map::from_iter([("count".to_owned(), json!(ended))])
}
