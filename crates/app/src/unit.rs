//! The unit of work: one verb, one transaction, one audit entry.
//!
//! A unit runs detached from the request that asked for it: a client that goes away changes nothing. What happens in
//! memory happens after the durable commit and before the verb returns.

use crate::App;
use crate::caller::Caller;
use crate::revocations::PersonChange;
use claviger_domain::audit::{NewEntry, Target};
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, ApplicationId, IssuerId, ProviderId, SignInId, TenantId, TokenId, UserId};
use claviger_domain::idempotency::Once;
use claviger_domain::mail::NewMail;
use claviger_domain::notice::Telling;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::changes::{Change, ChangeKind};
use claviger_store::idempotency::{Claim, StoredAnswer};
use claviger_store::journal::JournalEntry;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A POST that is to be done once, and how its answer is kept for whoever repeats it. The kept answer holds no secret.
pub struct OnceFor<T> {
    /// The key and the fingerprint of the request.
    pub once: Once,
    /// Renders the answer to keep.
    pub keep: fn(&T) -> Kept,
}

/// An answer as it is kept: status and JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// HTTP status.
    pub status: u16,
    /// JSON text.
    pub body: String,
}

/// What became of a POST.
#[derive(Debug)]
pub enum Posted<T> {
    /// It was done.
    Done(T),
    /// It had been done before; this was the answer.
    Replayed(Kept),
}

/// A change that must be in memory before the verb returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The tenant was made or changed.
    Tenant(TenantId),
    /// The application or its secrets were made, changed or deleted.
    Application(TenantId, ApplicationId),
    /// The grants of the access level were changed.
    Level(TenantId, AccessLevelId),
    /// Something was said of the tokens of the tenant or its applications.
    TokenRules(TenantId),
    /// The session token was revoked.
    RevokedToken(TenantId, TokenId),
    /// A signing key was made, ended or revoked.
    SigningKeys,
    /// The trusted issuer or its bindings were made, changed or deleted.
    Issuer(TenantId, IssuerId),
    /// The sign-in was refreshed or ended.
    SignIn(TenantId, SignInId),
    /// Somebody is about to decide by the usage of the tenant: what was counted is to be written down.
    Usage(TenantId),
    /// A person was narrowed, or may sign in again. Nothing of it is in memory; it is kept beside the store.
    User(TenantId, UserId, PersonChange),
    /// An identity provider was made, changed or deleted. Nothing of it is in memory; it is kept beside the store.
    Provider(TenantId, ProviderId),
}

/// The right of verbs that every caller may call.
pub(crate) const NO_RIGHT: (&str, Verb) = ("", Verb::Read);

/// Where a verb acts, and with which right: asked for again when its turn has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// The tenant it was called with.
    pub(crate) tenant: TenantId,
    /// Permission and verb.
    pub(crate) right: (&'static str, Verb),
}

/// A verb at work.
pub struct Unit {
    /// The server.
    pub app: Arc<App>,
    /// Who asked.
    pub caller: Caller,
    /// When its turn came.
    pub now: Timestamp,
    /// Its transaction.
    pub tx: Tx,
    tenant: TenantId,
    entry: Option<NewEntry>,
    effects: Vec<Effect>,
    rehearsal: bool,
    pub(crate) tellings: Vec<Telling>,
    pub(crate) mails: Vec<NewMail>,
}

impl Unit {
    /// Says what was done: the audit entry, and the journal's. Each unit says it once.
    pub fn record(&mut self, action: &'static str, target: Target, details: Map<String, Value>) {
        self.entry = Some(NewEntry {
            at: self.now,
            actor: self.caller.actor(),
            action,
            target,
            address: self.caller.origin().address(),
            request_id: self.caller.request.id.clone(),
            request: self.caller.request.line.clone(),
            details,
        });
    }

    /// Says upon which tenant it acts, where that is not the one the verb was called with: its record tells of it.
    pub fn acts_upon(&mut self, tenant: TenantId) {
        self.tenant = tenant;
    }

    /// Says what must be in memory before the verb returns.
    pub fn affects(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Says that nothing is to stay of what it does: somebody only asks what would come of it.
    pub(crate) fn only_rehearses(&mut self) {
        self.rehearsal = true;
    }

    /// What it has changed, and the revision after the last change.
    async fn finish(mut self) -> Result<(Vec<Effect>, i64)> {
        let Some(entry) = self.entry.take() else {
            return Err(Error::Internal("a verb left no audit entry".into()));
        };
        let body = serde_json::json!({
            "target": { "kind": entry.target.kind, "id": entry.target.id, "name": entry.target.name },
            "actor": entry.actor.id,
            "details": entry.details,
        });
        let journal = JournalEntry { kind: entry.action.to_owned(), body };
        let mails = std::mem::take(&mut self.mails);
        let mailed = !mails.is_empty();
        self.app.state.queue_mails(&mut self.tx, self.tenant, mails, self.now).await?;
        let tellings = std::mem::take(&mut self.tellings);
        let mut entries = self.app.state.store_tellings(&mut self.tx, self.tenant, tellings, self.now).await?;
        entries.insert(0, journal);
        self.tx.append_journal(self.tenant, self.now, &entries).await?;
        self.tx.append_audit(self.tenant, &entry).await?;
        let changes: Vec<_> = self.effects.iter().map(change).collect();
        let mut revision = 0;
        if !changes.is_empty() {
            revision = self.tx.bump_revision(self.tenant, &changes).await?;
        }
        self.tx.commit().await?;
        if mailed {
            self.app.state.mailing.arrived.notify_one();
        }
        Ok((self.effects, revision))
    }
}

pub(crate) fn change(effect: &Effect) -> Change {
    let (kind, subject) = match effect {
        Effect::Tenant(id) => (ChangeKind::Tenant, id.to_string()),
        Effect::Application(_, id) => (ChangeKind::Application, id.to_string()),
        Effect::Level(_, id) => (ChangeKind::AccessLevel, id.to_string()),
        Effect::TokenRules(id) => (ChangeKind::TokenRules, id.to_string()),
        Effect::RevokedToken(_, id) => (ChangeKind::RevokedToken, id.to_string()),
        Effect::SigningKeys => (ChangeKind::SigningKeys, String::new()),
        Effect::Issuer(_, id) => (ChangeKind::TrustedIssuer, id.to_string()),
        Effect::SignIn(_, id) => (ChangeKind::SignIn, id.to_string()),
        Effect::Usage(id) => (ChangeKind::Usage, id.to_string()),
        Effect::User(_, id, change) => (ChangeKind::User, change.subject(*id)),
        Effect::Provider(_, id) => (ChangeKind::IdentityProvider, id.to_string()),
    };
    Change { kind, subject }
}

impl App {
    /// Runs a verb as one transaction with one audit entry. Verbs of one tenant go one after the other.
    pub(crate) async fn unit<T, F>(self: &Arc<Self>, caller: &Caller, needs: Needs, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Unit) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        match self.unit_once(caller, needs, None, work).await? {
            Posted::Done(done) => Ok(done),
            Posted::Replayed(_) => Err(Error::Internal("a unit without a key was replayed".into())),
        }
    }

    /// As [`App::unit`], done once for all requests with the same idempotency key.
    pub(crate) async fn unit_once<T, F>(
        self: &Arc<Self>,
        caller: &Caller,
        needs: Needs,
        once: Option<OnceFor<T>>,
        work: F,
    ) -> Result<Posted<T>>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Unit) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        let (app, caller) = (Arc::clone(self), caller.clone());
        let running = tokio::spawn(async move {
            let now = app.state.clock.now();
            let tx = app.state.store.begin().await?;
            let tenant = needs.tenant;
            let mut unit = Unit {
                app: Arc::clone(&app),
                caller,
                now,
                tx,
                tenant,
                entry: None,
                effects: Vec::new(),
                rehearsal: false,
                tellings: Vec::new(),
                mails: Vec::new(),
            };
            let owner = (unit.caller.tenant().id, unit.caller.id());
            if let Some(once) = &once {
                match unit.tx.claim_once(owner.0, owner.1, &once.once, now).await? {
                    Claim::Fresh => {}
                    Claim::Replay(answer) => {
                        unit.renew_caller(needs).await?;
                        // What was read may be of a unit that is not durable yet: this commit waits for it.
                        let request = Arc::clone(&unit.caller.request);
                        unit.tx.commit().await?;
                        // Whoever repeats it may do so because the first answer has not come yet.
                        let acknowledged = app.acknowledged().await?;
                        *request.acknowledged.lock() = Some(acknowledged);
                        return Ok(Posted::Replayed(kept(answer)));
                    }
                    Claim::Mismatch => return Err(key_reused()),
                }
            }
            unit.tx.lock_tenant(tenant).await?;
            // It may have waited: the entries of a chain have the order of their times.
            unit.now = app.state.clock.now();
            unit.renew_caller(needs).await?;
            let done = work(&mut unit).await?;
            if unit.rehearsal {
                return Ok(Posted::Done(done));
            }
            if let Some(once) = &once {
                let kept = (once.keep)(&done);
                let answer = StoredAnswer { status: i64::from(kept.status), body: kept.body };
                unit.tx.store_answer(owner.0, owner.1, &once.once, &answer).await?;
            }
            let (acted_upon, request) = (unit.tenant, Arc::clone(&unit.caller.request));
            let (effects, revision) = unit.finish().await?;
            if !effects.is_empty() {
                app.settle(acted_upon, &effects, revision).await;
                // The last word of several units of a request is about all of them.
                let acknowledged = app.acknowledged().await?;
                *request.acknowledged.lock() = Some(acknowledged);
            }
            Ok(Posted::Done(done))
        });
        running.await.map_err(|_| Error::Internal("a unit of work ended early".into()))?
    }
}

/// Runs what must come to its end although the request that asked for it may go away.
pub(crate) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(|_| Error::Internal("work ended early".into()))?
}

fn kept(answer: StoredAnswer) -> Kept {
    Kept { status: u16::try_from(answer.status).unwrap_or(200), body: answer.body }
}

fn key_reused() -> Error {
    Error::Invalid(vec![claviger_domain::FieldError {
        pointer: "Idempotency-Key".into(),
        message: "the key was used with another request".into(),
        fix: "use a fresh key for each request, and repeat a request unchanged".into(),
    }])
}
