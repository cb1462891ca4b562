//! What keeps memory and the store from drifting apart: effects of durable changes, and callers whose turn has come.

use crate::App;
use crate::caller::{Machine, Principal};
use crate::live::record::{Held, Policy, Record};
use crate::state::State;
use crate::unit::{Effect, NO_RIGHT, Needs, Unit};
use crate::verify;
use claviger_domain::application::Rights;
use claviger_domain::grants::{GrantSet, Grants};
use claviger_domain::id::{BindingId, TenantId};
use claviger_domain::tenant::{Status, Tenant};
use claviger_domain::token::{LEEWAY, LIFETIME_MAX};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::credentials::Credential;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;

/// After which rest something that could not be read is read again.
const READ_AGAIN: Duration = Duration::from_millis(250);
/// Effects that are read back at the same time.
const EFFECTS_AT_ONCE: usize = 16;

impl App {
    /// Makes memory what the store says about what has changed. What cannot be read right now is refused until it can be:
    /// the change is durable, and may have been made to revoke something.
    async fn apply(self: &Arc<Self>, effects: &[Effect]) {
        // Those of one kind do not depend on each other; a bulk change has thousands.
        let alike = effects.iter().all(|effect| matches!(effect, Effect::Application(..)));
        let at_once = if alike { EFFECTS_AT_ONCE } else { 1 };
        futures_util::stream::iter(effects).for_each_concurrent(at_once, |effect| self.apply_one(*effect)).await;
    }

    /// Makes memory what a durable change of this node has made of the store, and keeps what it has narrowed. The change is
    /// known everywhere once it is acknowledged, besides.
    pub(crate) async fn settle(self: &Arc<Self>, tenant: TenantId, effects: &[Effect], revision: i64) {
        if effects.is_empty() {
            return;
        }
        let before = effects.iter().map(|effect| self.standing(*effect)).collect();
        self.apply(effects).await;
        self.note(Self::numbered(tenant, revision, effects, before)).await;
        self.state.nodes.has_applied(tenant, revision, i64::try_from(effects.len()).unwrap_or(i64::MAX));
    }

    /// As [`App::settle`], and waits until every node has followed, where there is something to follow.
    pub(crate) async fn settle_and_tell(
        self: &Arc<Self>,
        tenant: TenantId,
        effects: &[Effect],
        revision: i64,
    ) -> Result<()> {
        if effects.is_empty() {
            return Ok(());
        }
        self.settle(tenant, effects, revision).await;
        self.acknowledged().await.map(drop)
    }

    async fn apply_one(self: &Arc<Self>, effect: Effect) {
        let Err(error) = self.refresh(effect).await else { return };
        tracing::error!(%error, ?effect, "a change could not be read back; what it is about is refused until it is");
        self.doubt(effect).await;
        let app = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(READ_AGAIN).await;
                let Some(app) = app.upgrade() else { return };
                match app.refresh(effect).await {
                    Ok(()) => return,
                    Err(_) => app.doubt(effect).await,
                }
            }
        });
    }

    /// Takes a tenant in that memory has not heard of yet, and those above it.
    pub(crate) async fn know_tenant(&self, id: TenantId) -> Result<()> {
        let (mut missing, mut next) = (Vec::new(), Some(id));
        while let Some(id) = next.filter(|id| self.state.tree.find(*id).is_none()) {
            let Some(tenant) = self.state.store.find_tenant(id).await? else { break };
            next = tenant.parent_id;
            missing.push(tenant);
        }
        for tenant in missing.iter().rev() {
            self.take_tenant(tenant).await?;
        }
        Ok(())
    }

    /// Takes a tenant as it is stored, with what it says about credentials.
    async fn take_tenant(&self, tenant: &Tenant) -> Result<()> {
        let state = &self.state;
        let policy = state.store.find_credential_policy(tenant.id).await?;
        let legacy = state.store.find_legacy_rules(tenant.id).await?;
        if state.tree.find(tenant.id).is_none() {
            // Not served before what it says is known.
            state.tree.put(&Tenant { status: Status::Suspended, ..tenant.clone() });
        }
        state.tree.put_legacy(tenant.id, legacy);
        if let Some(policy) = policy {
            state.tree.put_policy(tenant.id, policy);
        }
        // Last, as it ends a doubt: until then nothing may work that these have ended.
        state.tree.put(tenant);
        Ok(())
    }

    pub(crate) async fn refresh(self: &Arc<Self>, effect: Effect) -> Result<()> {
        let state = &self.state;
        match effect {
            Effect::Tenant(id) => {
                let _lock = self.refreshing.lock().await;
                match state.store.find_tenant(id).await? {
                    Some(tenant) => {
                        if let Some(parent) = tenant.parent_id {
                            self.know_tenant(parent).await?;
                        }
                        self.take_tenant(&tenant).await?;
                    }
                    None => self.forget_tenant(id).await,
                }
            }
            Effect::Application(tenant, id) => {
                if state.tree.find(tenant).is_none() {
                    let _lock = self.refreshing.lock().await;
                    self.know_tenant(tenant).await?;
                }
                state.keyring.refresh(state.surroundings(), tenant, id).await?;
            }
            Effect::Level(tenant, id) => {
                let _lock = self.refreshing.lock().await;
                match state.store.find_access_level(tenant, id).await? {
                    Some(level) => state.levels.put(id, &level.grants),
                    None => state.levels.remove(id),
                }
            }
            Effect::TokenRules(tenant) => self.refresh_token_rules(tenant).await?,
            Effect::RevokedToken(tenant, token) => self.refresh_revoked_token(tenant, token).await?,
            Effect::SigningKeys => self.refresh_signing_keys().await?,
            Effect::Issuer(tenant, id) => self.refresh_trusted_issuer(tenant, id).await?,
            Effect::SignIn(tenant, id) => self.refresh_sign_in(tenant, id).await?,
            Effect::Usage(_) => self.flush_usage_to_the_end().await?,
            // It is read from the store at each request.
            Effect::User(..) | Effect::Provider(..) => {}
        }
        Ok(())
    }

    async fn doubt(&self, effect: Effect) {
        match effect {
            Effect::Tenant(id) => self.state.tree.doubt(id),
            Effect::Application(_, id) => self.state.keyring.forget(id).await,
            Effect::Level(_, id) => self.state.levels.put(id, &Grants::new()),
            Effect::TokenRules(id) => self.state.tokens.rules.cut_off(id, self.state.shared_now()),
            Effect::RevokedToken(_, token) => {
                let longest = self.state.clock.now().plus_seconds(LIFETIME_MAX + LEEWAY);
                self.state.tokens.rules.revoke(token, longest);
            }
            Effect::SigningKeys => self.state.tokens.keys.doubt(),
            Effect::Issuer(_, id) => self.state.issuers.remove(id),
            Effect::SignIn(_, id) => self.state.tokens.sign_ins.end(id, self.state.clock.now()),
            // What could not be written is kept, and written with what comes next.
            Effect::Usage(_) | Effect::User(..) | Effect::Provider(..) => {}
        }
    }
}

impl Unit {
    /// Asks once more for what the verb was allowed by, as this unit sees it: a request may have waited for its turn while
    /// its caller was revoked or lost rights. What the verb goes on to ask, it asks of what is left.
    pub(crate) async fn renew_caller(&mut self, needs: Needs) -> Result<()> {
        let Machine { record: before, secret: presented, session } = match &self.caller.principal {
            Principal::Application(machine) => machine.clone(),
            Principal::User(user) => {
                let user = Arc::clone(user);
                self.renew_user(&user).await?;
                return self.ask_again(needs);
            }
        };
        let found = self.tx.find_credential(before.tenant.id, before.id).await?;
        let renewed = found.map(|credential| self.app.state.record(credential, &before));
        let bound = self.is_bound_still().await?;
        let checked = match &renewed {
            None => Err(Refusal::UnknownClient),
            Some(record) => match record.secret_of(presented) {
                None if bound => verify::check_bound(record, self.caller.origin(), self.now).map(|_| ()),
                None => Err(Refusal::WrongSecret),
                Some(secret) => verify::check(record, secret, self.caller.origin(), self.now).map(|_| ()),
            },
        };
        let checked = match checked {
            Ok(()) => self.check_session().await?,
            refused => refused,
        };
        if let Err(refusal) = checked {
            self.app.deny_known(&before, refusal.code().into(), self.caller.origin(), self.now);
            return Err(Error::Unauthenticated(refusal));
        }
        if let Some(record) = renewed {
            let machine = Machine { record: Arc::new(record), secret: presented, session };
            self.caller.principal = Principal::Application(machine);
        }
        self.ask_again(needs)
    }

    fn ask_again(&self, needs: Needs) -> Result<()> {
        self.caller.reach(needs.tenant)?;
        let (permission, verb) = needs.right;
        if needs.right == NO_RIGHT {
            return Ok(());
        }
        self.caller.must_hold(permission, verb)
    }
}

impl Unit {
    /// Whether the caller's session token was got by a binding that is there still, as this unit sees it.
    async fn is_bound_still(&mut self) -> Result<bool> {
        let Some(session) = self.caller.session().cloned() else { return Ok(false) };
        if self.caller.record()?.secret_of(session.secret).is_some() {
            return Ok(false);
        }
        let binding = BindingId::from_u128(session.secret.as_u128());
        self.tx.is_bound(session.tenant, binding, session.application).await
    }
}

impl State {
    /// A record of its own for what the store holds, which goes on counting where `before` does.
    fn record(&self, credential: Credential, before: &Record) -> Record {
        let application = &credential.application;
        let compile = |grants: &Grants| GrantSet::compile(grants, &self.catalogue);
        let held = match &application.rights {
            Rights::Inline(grants) => compile(grants),
            Rights::Legacy(kind) => self.catalogue.legacy_grants(*kind),
            Rights::Level(id) => match (&credential.level_grants, self.catalogue.level(*id)) {
                (Some(grants), _) => compile(grants),
                (None, Some(built_in)) => compile(&built_in.grants),
                (None, None) => GrantSet::default(),
            },
        };
        let policy = Policy::of(application, Held::Inline(held));
        let record = Record::of(credential, Arc::clone(&before.tenant), Arc::new(policy));
        record.go_on_from(before);
        record
    }
}
