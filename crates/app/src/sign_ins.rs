//! Sign-ins: a login with a secret, and the refreshes that follow it. Each gives a session token and the refresh token for the
//! next one. A refresh token is used once: whoever presents it again has shown that two hold it, and ends the sign-in.

use crate::App;
use crate::caller::{Caller, Machine, Principal};
use crate::live::record::Record;
use crate::sessions::{Issued, Wish};
use crate::state::State;
use crate::unit::{Effect, NO_RIGHT, Needs, change, to_the_end};
use crate::verify::{Call, advise, check};
use claviger_domain::address::Origin;
use claviger_domain::audit::Target;
use claviger_domain::id::{ClientId, SignInId, TenantId};
use claviger_domain::sign_in::{FIRST, PlainRefresh, REFRESH_SECONDS, RefreshHashes, Standing, recognise};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Refusal, Result};
use claviger_store::sign_ins::SignIn;
use serde_json::{Map, json};
use std::sync::Arc;

/// What a login or a refresh gives.
#[derive(Debug)]
pub struct SignedIn {
    /// The session token.
    pub issued: Issued,
    /// The refresh token, which exists nowhere else.
    pub refresh: PlainRefresh,
}

/// A sign-in whose refresh token somebody presents.
#[derive(Debug)]
pub struct Refreshing {
    sign_in: SignIn,
    presented: RefreshHashes,
    next: PlainRefresh,
}

impl Refreshing {
    /// What its session tokens are narrowed to.
    pub fn scope(&self) -> Option<&str> {
        self.sign_in.scope.as_deref()
    }
}

impl App {
    /// Begins a sign-in for a caller that has proved its secret.
    pub async fn sign_in(self: &Arc<Self>, caller: &Caller, wish: &Wish<'_>) -> Result<SignedIn> {
        let (now, random) = (self.state.shared_now(), &self.state.random);
        let id = SignInId::new(now, random.bytes()?);
        let refresh = PlainRefresh::mint(random.bytes()?, random.bytes()?);
        let issued = self.issue(caller, wish, None, Some((id, FIRST)))?;
        let RefreshHashes { handle, whole } = refresh.hashes();
        let Machine { record, secret, .. } = caller.machine()?;
        let new = SignIn {
            tenant: record.tenant.id,
            id,
            application: record.id,
            client_id: record.client_id(),
            secret: *secret,
            scope: wish.scope.map(|_| issued.scope.to_string()),
            refresh: Some(whole),
            refreshed_at: issued.issued_at,
            expires_at: now.plus_seconds(REFRESH_SECONDS),
            standing: Standing::NEW,
        };
        let app = Arc::clone(self);
        to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            tx.insert_sign_in(new.tenant, &new, Some(&handle)).await?;
            tx.commit().await
        })
        .await?;
        Ok(SignedIn { issued, refresh })
    }

    /// Verifies a refresh token as [`App::authenticate`] does a secret; whose it is, and what to go on with.
    pub async fn authenticate_refresh(
        &self,
        text: &str,
        origin: Origin,
        user_agent: &str,
    ) -> Result<(Caller, Refreshing)> {
        let call = self.call(origin, user_agent);
        let state = &self.state;
        state.nodes.may_answer(call.boot)?;
        let strange = || self.stranger(Refusal::TokenInvalid, origin);
        let presented = recognise(text).ok_or_else(strange)?;
        let sign_in = state.store.find_sign_in(&presented.handle).await?.ok_or_else(strange)?;
        self.look_up(sign_in.client_id.as_str()).await?;
        let place = ClientId::key(sign_in.client_id.as_str());
        let found = state.keyring.with_key(place, sign_in.application, |record| -> Result<Caller> {
            let checked = state.check_refresh(record, &sign_in, call).map_err(|refusal| {
                self.deny_known(record, refusal.code().into(), origin, call.now);
                Error::Unauthenticated(refusal)
            });
            let advice = advise(record, checked?, call.now);
            let quota = self.meter(record, sign_in.secret, call, None)?;
            let (state, request, secret) = (Arc::clone(state), Arc::clone(&self.no_request), sign_in.secret);
            let principal = Principal::Application(Machine { record: record.share(), secret, session: None });
            Ok(Caller { principal, state, origin, quota, advice, request })
        });
        let caller = found.ok_or_else(strange)??;
        let next = PlainRefresh::after(text, state.random.bytes()?);
        Ok((caller, Refreshing { sign_in, presented, next }))
    }

    /// Goes on with a sign-in: another session token, and the refresh token after the one that was presented. One that was used
    /// before ends the sign-in.
    pub async fn continue_sign_in(
        self: &Arc<Self>,
        caller: &Caller,
        refreshing: Refreshing,
        wish: &Wish<'_>,
    ) -> Result<SignedIn> {
        let Refreshing { sign_in, presented, next } = refreshing;
        let (tenant, id) = (sign_in.tenant, sign_in.id);
        let current = sign_in.refresh.is_some_and(|refresh| refresh.matches(&presented.whole));
        if current {
            let now = self.state.shared_now();
            let standing = sign_in.standing.refreshed(now);
            let issued = self.issue(caller, wish, None, Some((id, standing.generation)))?;
            let after = SignIn {
                refresh: Some(next.hashes().whole),
                refreshed_at: issued.issued_at,
                expires_at: now.plus_seconds(REFRESH_SECONDS),
                standing,
                ..sign_in
            };
            let app = Arc::clone(self);
            let won = to_the_end(async move {
                let mut tx = app.state.store.begin().await?;
                if !tx.refresh_sign_in(tenant, id, &presented, &after).await? {
                    return Ok(false);
                }
                let effect = Effect::SignIn(tenant, id);
                let revision = tx.bump_revision(tenant, &[change(&effect)]).await?;
                tx.commit().await?;
                // Nobody is waited for: what is replaced lives on for longer than a lease.
                app.settle(tenant, &[effect], revision).await;
                Ok(true)
            })
            .await?;
            if won {
                return Ok(SignedIn { issued, refresh: next });
            }
        }
        self.end_reused(caller, tenant, id).await?;
        Err(Error::Unauthenticated(Refusal::TokenRevoked))
    }

    /// Ends a sign-in whose refresh token was presented twice: one of the two who hold it may have stolen it.
    async fn end_reused(self: &Arc<Self>, caller: &Caller, tenant: TenantId, id: SignInId) -> Result<()> {
        self.unit(caller, Needs { tenant, right: NO_RIGHT }, move |unit| {
            Box::pin(async move {
                unit.tx.end_sign_in(tenant, id, unit.now).await?;
                let application = unit.caller.record()?.id;
                let name = unit.tx.find_application(tenant, application).await?.map(|found| found.name);
                let target =
                    Target { kind: "application", id: application.to_string(), name: name.unwrap_or_default() };
                let details = Map::from_iter([
                    ("alarm".to_owned(), json!(true)),
                    ("sign_in_id".to_owned(), json!(id.to_string())),
                ]);
                unit.record("token.refresh_reused", target, details);
                unit.affects(Effect::SignIn(tenant, id));
                Ok(())
            })
        })
        .await
    }

    /// Makes memory what the store says of a sign-in.
    pub(crate) async fn refresh_sign_in(&self, tenant: TenantId, id: SignInId) -> Result<()> {
        if let Some(standing) = self.state.store.find_sign_in_standing(tenant, id).await? {
            self.state.tokens.sign_ins.put(id, standing);
        }
        Ok(())
    }
}

impl State {
    /// Whether a sign-in may be refreshed from there now; until when the secret works that began it.
    fn check_refresh(&self, record: &Record, sign_in: &SignIn, call: Call<'_>) -> Result<Timestamp, Refusal> {
        let end = match record.secret_of(sign_in.secret) {
            Some(secret) => check(record, secret, call.origin, call.now)?,
            None if !record.is_allowed_from(call.origin) => return Err(Refusal::AddressNotAllowed),
            None => return Err(Refusal::TokenRevoked),
        };
        let ended = sign_in.standing.ended_at.is_some()
            || record.tenant.id != sign_in.tenant
            || self.tokens.rules.is_cut_off(record, sign_in.refreshed_at);
        if ended {
            return Err(Refusal::TokenRevoked);
        }
        if sign_in.expires_at <= self.nodes.shared_time(call.now) { Err(Refusal::TokenExpired) } else { Ok(end) }
    }
}
