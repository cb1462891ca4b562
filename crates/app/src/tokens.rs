//! Session tokens from without: revoked one by one or all at once, and how long they live.

use crate::App;
use crate::caller::Caller;
use crate::live::sessions::Session;
use crate::sessions::{END_SESSIONS, SESSIONS};
use crate::unit::{Effect, NO_RIGHT, Needs, OnceFor, Posted, Unit};
use claviger_domain::audit::Target;
use claviger_domain::grants::{Right, Verb};
use claviger_domain::id::{ApplicationId, TenantId, TokenId};
use claviger_domain::time::Timestamp;
use claviger_domain::token::{LIFETIME_DEFAULT, check_cut_off, lifetime};
use claviger_domain::{Error, Result};
use serde_json::{Map, json};
use std::sync::Arc;

/// Most tokens of an application that are revoked one by one; beyond that all of its tokens end, so that memory is bounded.
const REVOKED_MAX: i64 = 1_000;

/// How long the session tokens of a tenant's applications live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLifetime {
    /// What the tenant says itself, in seconds.
    pub own: Option<i64>,
    /// What holds, in seconds: the shortest of what it and those above say.
    pub effective: i64,
    /// Tokens signed up to then are invalid, as far as the tenant's own word goes.
    pub not_before: Option<Timestamp>,
}

impl App {
    /// Revokes a session token: dead when this returns. An application revokes its own; `sessions:DELETE` revokes those of
    /// others within reach. What is no token, or one out of reach, is answered as if it had been revoked.
    pub async fn revoke_token(self: &Arc<Self>, caller: &Caller, text: &str) -> Result<()> {
        caller.count();
        let Some(session) = self.find_session(caller, text).await? else {
            // It may have ended by a call that other nodes have not followed yet.
            *caller.request.acknowledged.lock() = Some(self.acknowledged().await?);
            return Ok(());
        };
        let own = Some(session.application) == caller.application();
        let right = if own { NO_RIGHT } else { END_SESSIONS };
        if !own && !caller.holds(right.0, right.1) {
            let missing = Right::new(right.0, right.1);
            caller.deny(missing.to_string());
            return Err(Error::missing(missing));
        }
        self.unit(caller, Needs { tenant: session.tenant, right }, move |unit| {
            Box::pin(async move {
                let Session { tenant, application, token, expires_at, .. } = *session;
                let (now, dead) = (unit.now, (token, expires_at));
                let revoked = unit.tx.revoke_token(tenant, application, dead, now, REVOKED_MAX).await?;
                let mut details = Map::from_iter([("token_id".to_owned(), json!(token.to_string()))]);
                if let Some((id, _)) = session.sign_in {
                    // What could get the next one ends with it.
                    unit.tx.end_sign_in(tenant, id, now).await?;
                    details.insert("sign_in_id".into(), json!(id.to_string()));
                    unit.affects(Effect::SignIn(tenant, id));
                }
                if revoked > REVOKED_MAX {
                    let cut_off = unit.after_every_token().await?;
                    unit.tx.cut_off_tokens(tenant, Some(application), cut_off, now).await?;
                    unit.tx.forget_revoked_tokens(tenant, application).await?;
                    details.insert("all_before".into(), json!(cut_off));
                    unit.affects(Effect::TokenRules(tenant));
                }
                let target = Target { kind: "application", id: application.to_string(), name: String::new() };
                unit.record("token.revoked", target, details);
                unit.affects(Effect::RevokedToken(tenant, token));
                Ok(())
            })
        })
        .await
    }

    /// Invalidates all session tokens of a tenant and everything beneath it, or of one application, that were signed up to
    /// `before`, now if it is not given: dead when this returns. Of several such times the latest holds; the answer names it.
    /// Needs `sessions:DELETE`.
    pub async fn invalidate_tokens(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: Option<ApplicationId>,
        before: Option<Timestamp>,
        once: Option<OnceFor<Timestamp>>,
    ) -> Result<Posted<Timestamp>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(END_SESSIONS.0, END_SESSIONS.1)?;
        self.unit_once(caller, Needs { tenant, right: END_SESSIONS }, once, move |unit| {
            Box::pin(async move {
                let (kind, id, name) = match application {
                    None => {
                        let found = unit.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
                        ("tenant", tenant.to_string(), found.name)
                    }
                    Some(application) => {
                        let found = unit.tx.find_application(tenant, application).await?;
                        let found = found.ok_or(Error::NotFound("application"))?;
                        ("application", application.to_string(), found.name)
                    }
                };
                let before = match before {
                    Some(_) => check_cut_off(before, unit.app.state.shared_now())?,
                    None => unit.after_every_token().await?,
                };
                let holds = unit.tx.cut_off_tokens(tenant, application, before, unit.now).await?;
                let details =
                    Map::from_iter([("before".to_owned(), json!(before)), ("holds".to_owned(), json!(holds))]);
                unit.record("tokens.invalidated", Target { kind, id, name }, details);
                unit.affects(Effect::TokenRules(tenant));
                Ok(holds)
            })
        })
        .await
    }

    /// How long the session tokens of a tenant's applications live. Needs `sessions:READ`.
    pub async fn token_lifetime(&self, caller: &Caller, tenant: TenantId) -> Result<TokenLifetime> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(SESSIONS, Verb::Read)?;
        self.read_token_lifetime(tenant).await
    }

    async fn read_token_lifetime(&self, tenant: TenantId) -> Result<TokenLifetime> {
        let rules = self.state.store.list_token_rules(tenant).await?;
        let rule = rules.iter().find(|rule| rule.application.is_none());
        let node = self.state.tree.find(tenant).ok_or(Error::NotFound("tenant"))?;
        let set = self.state.tokens.rules.lifetimes(&node);
        Ok(TokenLifetime {
            own: rule.and_then(|rule| rule.lifetime),
            effective: lifetime(LIFETIME_DEFAULT, set.into_iter(), None),
            not_before: rule.and_then(|rule| rule.not_before),
        })
    }

    /// Sets how long the session tokens of a tenant's applications live, and at most those of tenants beneath; none for as
    /// long as those above say. Needs `sessions:UPDATE`.
    pub async fn set_token_lifetime(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        seconds: Option<i64>,
    ) -> Result<TokenLifetime> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(SESSIONS, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (SESSIONS, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let found = unit.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
                unit.tx.set_token_lifetime(tenant, seconds, unit.now).await?;
                let target = Target { kind: "tenant", id: tenant.to_string(), name: found.name };
                let details = Map::from_iter([("token_lifetime_seconds".to_owned(), json!(seconds))]);
                unit.record("tenant.token_lifetime_set", target, details);
                unit.affects(Effect::TokenRules(tenant));
                Ok(())
            })
        })
        .await?;
        self.read_token_lifetime(tenant).await
    }

    /// Makes memory what the store says of the tokens of a tenant.
    pub(crate) async fn refresh_token_rules(&self, tenant: TenantId) -> Result<()> {
        let _lock = self.refreshing.lock().await;
        for rule in self.state.store.list_token_rules(tenant).await? {
            self.state.tokens.rules.put(&rule);
        }
        Ok(())
    }

    /// Keeps a token out of memory's good graces if the store says that it was revoked.
    pub(crate) async fn refresh_revoked_token(&self, tenant: TenantId, token: TokenId) -> Result<()> {
        if let Some(expires_at) = self.state.store.find_revoked_token(tenant, token).await? {
            self.state.tokens.rules.revoke(token, expires_at);
        }
        Ok(())
    }

    pub(crate) async fn load_token_rules(&self) -> Result<()> {
        let _lock = self.refreshing.lock().await;
        for rule in self.state.store.load_token_rules().await? {
            self.state.tokens.rules.put(&rule);
        }
        for (id, standing) in self.state.store.load_sign_in_standings(self.state.clock.now()).await? {
            self.state.tokens.sign_ins.put(id, standing);
        }
        for dead in self.state.store.load_revoked_tokens(self.state.clock.now()).await? {
            self.state.tokens.rules.revoke(dead.token, dead.expires_at);
        }
        Ok(())
    }
}

impl Unit {
    /// A cut-off that no token signed so far has left behind, whichever node has signed it.
    pub(crate) async fn after_every_token(&mut self) -> Result<Timestamp> {
        let nodes = &self.app.state.nodes;
        let now = nodes.shared_time(self.now).plus_seconds(nodes.time_slack());
        let now = now.max(self.app.state.tokens.last_stamp());
        // Tokens that were signed since stand just after it.
        let last = self.tx.find_last_cut_off().await?.map(|last| last.micros().saturating_add(1));
        Ok(last.map_or(now, |last| now.max(Timestamp::from_micros(last))))
    }
}
