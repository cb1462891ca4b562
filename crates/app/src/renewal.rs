//! What keeps memory and the store from drifting apart: effects of durable changes, and callers whose turn has come.

use crate::App;
use crate::live::record::{Held, Policy, Record};
use crate::state::{Followed, State};
use crate::unit::{Effect, Needs, Unit};
use crate::verify;
use claviger_domain::application::Rights;
use claviger_domain::grants::{GrantSet, Grants};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::credentials::Credential;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// After which rest something that could not be read is read again.
const READ_AGAIN: Duration = Duration::from_millis(250);
/// Effects that are read back at the same time.
const EFFECTS_AT_ONCE: usize = 16;
/// How long one confirmation of the hold may take.
const HOLD_PATIENCE: Duration = Duration::from_secs(1);

impl App {
    /// Makes memory what the store says about what has changed. What cannot be read right now is refused until it can be:
    /// the change is durable, and may have been made to revoke something.
    pub(crate) async fn apply(self: &Arc<Self>, effects: &[Effect]) {
        // Those of one kind do not depend on each other; a bulk change has thousands.
        let alike = effects.iter().all(|effect| matches!(effect, Effect::Application(..)));
        let at_once = if alike { EFFECTS_AT_ONCE } else { 1 };
        futures_util::stream::iter(effects).for_each_concurrent(at_once, |effect| self.follow(*effect)).await;
    }

    async fn follow(self: &Arc<Self>, effect: Effect) {
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

    /// Makes sure of the hold on the store. Where it was lost and taken again, another server may have changed the store in
    /// between: then memory is emptied, and fills again from the store.
    pub(crate) async fn confirm_hold(self: &Arc<Self>) -> Result<()> {
        let state = &self.state;
        // A connection that was cut without a word would keep this waiting for ever.
        let held = tokio::time::timeout(HOLD_PATIENCE, state.store.hold_alone()).await;
        let held = held.map_err(|_| Error::Unavailable("the store does not confirm the hold in time".into()))??;
        let followed = *state.followed.lock();
        let lost = followed.lost || held.taken;
        if lost {
            *state.followed.lock() = Followed { lost, ..followed };
            state.refusing.store(true, Ordering::Release);
            if held.revision != followed.revision {
                tracing::warn!("the hold on the store was lost for a while; everything is read again");
                // Whoever reads something back just now may have read it before the other server changed it.
                let _lock = self.refreshing.lock().await;
                self.load_tree().await?;
                state.keyring.forget_all(&state.levels).await;
                let app = Arc::downgrade(self);
                tokio::spawn(async move {
                    let Some(app) = app.upgrade() else { return };
                    if let Err(error) = app.load_keyring().await {
                        tracing::error!(%error, "loading the applications failed; they are loaded one by one");
                    }
                });
            }
        }
        *state.followed.lock() = Followed { revision: held.revision, lost: false };
        Ok(())
    }

    async fn refresh(&self, effect: Effect) -> Result<()> {
        let state = &self.state;
        match effect {
            Effect::Tenant(id) => {
                let _lock = self.refreshing.lock().await;
                if let Some(tenant) = state.store.find_tenant(id).await? {
                    let policy = state.store.find_credential_policy(id).await?;
                    let legacy = state.store.find_legacy_rules(id).await?;
                    // Last, as it ends a doubt: until then nothing may work that these have ended.
                    state.tree.put_legacy(id, legacy);
                    if let Some(policy) = policy {
                        state.tree.put_policy(id, policy);
                    }
                    state.tree.put(&tenant);
                }
            }
            Effect::Application(tenant, id) => state.keyring.refresh(state.surroundings(), tenant, id).await?,
            Effect::Level(tenant, id) => {
                let _lock = self.refreshing.lock().await;
                match state.store.find_access_level(tenant, id).await? {
                    Some(level) => state.levels.put(id, &level.grants),
                    None => state.levels.remove(id),
                }
            }
        }
        Ok(())
    }

    async fn doubt(&self, effect: Effect) {
        match effect {
            Effect::Tenant(id) => self.state.tree.doubt(id),
            Effect::Application(_, id) => self.state.keyring.forget(id).await,
            Effect::Level(_, id) => self.state.levels.put(id, &Grants::new()),
        }
    }
}

impl Unit {
    /// Asks once more for what the verb was allowed by, as this unit sees it: a request may have waited for its turn while
    /// its caller was revoked or lost rights. What the verb goes on to ask, it asks of what is left.
    pub(crate) async fn renew_caller(&mut self, needs: Needs) -> Result<()> {
        let (tenant, id) = (self.caller.tenant().id, self.caller.record().id);
        let found = self.tx.find_credential(tenant, id).await?;
        let renewed = found.map(|credential| self.app.state.record(credential, &self.caller.record));
        let checked = match &renewed {
            None => Err(Refusal::UnknownClient),
            Some(record) => match record.secret_of(self.caller.secret) {
                None => Err(Refusal::WrongSecret),
                Some(secret) => verify::check(record, secret, self.caller.origin(), self.now).map(|_| ()),
            },
        };
        if let Err(refusal) = checked {
            let record = Arc::clone(&self.caller.record);
            self.app.deny_known(&record, refusal.code().into(), self.caller.origin(), self.now);
            return Err(Error::Unauthenticated(refusal));
        }
        if let Some(record) = renewed {
            self.caller.record = Arc::new(record);
        }
        self.caller.reach(needs.tenant)?;
        let (permission, verb) = needs.right;
        self.caller.must_hold(permission, verb)
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
