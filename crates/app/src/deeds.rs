//! Deeds: what somebody does who is no caller yet, with a link, a password or a code in hand. As a unit, a deed is one transaction with
//! one audit entry and one journal entry, and goes on although its request goes away; but nobody has to be asked again.

use crate::App;
use crate::caller::RequestLine;
use crate::revocations::PersonChange;
use crate::unit::{Effect, change};
use claviger_domain::address::Origin;
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::mail::NewMail;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::journal::JournalEntry;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// From where somebody comes who is no caller, and with which request.
#[derive(Clone, Debug)]
pub struct Visit {
    /// From where.
    pub origin: Origin,
    /// What the browser calls itself.
    pub user_agent: String,
    /// The request.
    pub request: Arc<RequestLine>,
}

/// A deed under way.
pub(crate) struct Deed {
    pub(crate) app: Arc<App>,
    pub(crate) tx: Tx,
    /// When its turn came, by the time that all nodes agree about.
    pub(crate) now: Timestamp,
    tenant: TenantId,
    user: UserId,
    visit: Visit,
    entry: Option<NewEntry>,
    mails: Vec<NewMail>,
    effects: Vec<Effect>,
}

impl Deed {
    /// Says what was done, of the person and to it. Each deed says it once.
    pub(crate) fn record(&mut self, action: &'static str, name: &str, details: Map<String, Value>) {
        let id = self.user.to_string();
        self.entry = Some(NewEntry {
            at: self.app.state.clock.now(),
            actor: Actor { kind: "user", id: id.clone(), tenant_id: Some(self.tenant) },
            action,
            target: Target { kind: "user", id, name: name.to_owned() },
            address: self.visit.origin.address(),
            request_id: self.visit.request.id.clone(),
            request: self.visit.request.line.clone(),
            details,
        });
    }

    /// Queues a mail: sent once the deed is durable.
    pub(crate) fn mail(&mut self, mail: NewMail) {
        self.mails.push(mail);
    }

    /// Says what it takes from the person, which no restored backup may give back unseen.
    pub(crate) fn affects(&mut self, change: PersonChange) {
        self.effects.push(Effect::User(self.tenant, self.user, change));
    }

    /// What is to be kept of it, and the revision after the last of it.
    async fn finish(mut self) -> Result<(Vec<Effect>, i64)> {
        let mailed = !self.mails.is_empty();
        let mails = std::mem::take(&mut self.mails);
        self.app.state.queue_mails(&mut self.tx, self.tenant, mails, self.now).await?;
        if let Some(entry) = self.entry.take() {
            let body = json!({
                "target": { "kind": entry.target.kind, "id": entry.target.id, "name": entry.target.name },
                "actor": entry.actor.id,
                "details": entry.details,
            });
            let journal = JournalEntry { kind: entry.action.to_owned(), body };
            self.tx.append_journal(self.tenant, entry.at, &[journal]).await?;
            self.tx.append_audit(self.tenant, &entry).await?;
        }
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

impl App {
    /// Runs a deed of a user. Deeds and units of one tenant go one after the other. What comes out is committed also where it says
    /// that somebody was wrong; only an error undoes it.
    pub(crate) async fn deed<T, F>(
        self: &Arc<Self>,
        (tenant, user): (TenantId, UserId),
        visit: &Visit,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Deed) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        let (app, visit) = (Arc::clone(self), visit.clone());
        let running = tokio::spawn(async move {
            let mut tx = app.state.store.begin().await?;
            tx.lock_tenant(tenant).await?;
            let now = app.state.shared_now();
            let (entry, mails, effects) = (None, Vec::new(), Vec::new());
            let mut deed = Deed { app: Arc::clone(&app), tx, now, tenant, user, visit, entry, mails, effects };
            let done = work(&mut deed).await?;
            let (effects, revision) = deed.finish().await?;
            app.settle_and_tell(tenant, &effects, revision).await?;
            Ok(done)
        });
        running.await.map_err(|_| Error::Internal("a deed ended early".into()))?
    }
}
