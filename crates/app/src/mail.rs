//! Mails: queued in the transaction of the verb that writes them, sealed until they are sent by the node in charge, tried again for a
//! day, and given up with an entry in the record of the tenant whose doing they were.

pub mod carrier;

use crate::App;
use crate::state::State;
use crate::unit::Unit;
use carrier::{Carrier, Undelivered};
use claviger_domain::audit::{NewEntry, Target};
use claviger_domain::id::{MailId, TenantId};
use claviger_domain::mail::{DEAD_KEPT_SECONDS, NewMail, PATIENCE_SECONDS, Sender, pause_after};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::mails::WaitingMail;
use serde_json::{Map, json};
use std::sync::OnceLock;
use tokio::sync::Notify;

/// Mails that are looked at in one go.
const AT_ONCE: i64 = 20;

/// Where mails leave.
#[derive(Debug, Default)]
pub(crate) struct Mailing {
    way_out: OnceLock<(Sender, Carrier)>,
    /// That there is one more.
    pub(crate) arrived: Notify,
}

impl State {
    /// Queues mails; they are sent if and when the transaction commits.
    pub(crate) async fn queue_mails(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        mails: Vec<NewMail>,
        now: Timestamp,
    ) -> Result<()> {
        for mail in mails {
            let id = MailId::new(now, self.random.bytes()?);
            let text =
                serde_json::to_vec(&mail).map_err(|error| Error::Internal(format!("writing a mail: {error}")))?;
            let content = self.root_key.seal(&self.random, tenant, &row(id), &text)?;
            let until = mail.until.min(now.plus_seconds(PATIENCE_SECONDS));
            let waiting = WaitingMail { tenant, id, content, created_at: now, until, attempts: 0 };
            tx.insert_mail(tenant, &waiting).await?;
        }
        Ok(())
    }
}

impl Unit {
    /// Queues a mail: sent once the unit is durable, and not at all if it is not.
    pub fn mail(&mut self, mail: NewMail) {
        self.mails.push(mail);
    }
}

impl App {
    /// Says how mails leave the server and in whose name; once. Until then they wait.
    pub fn open_mail(&self, sender: Sender, carrier: Carrier) -> Result<()> {
        let said = self.state.mailing.way_out.set((sender, carrier));
        said.map_err(|_| Error::Internal("it is said twice how mails leave".into()))
    }

    /// Sends the mails that are due, where this node does that for all.
    pub async fn deliver_mails(&self) -> Result<()> {
        let Some((sender, carrier)) = self.state.mailing.way_out.get() else { return Ok(()) };
        if !self.is_in_charge() {
            return Ok(());
        }
        loop {
            let due = self.state.store.list_due_mails(self.state.clock.now(), AT_ONCE).await?;
            if due.is_empty() {
                return Ok(());
            }
            for mail in due {
                self.deliver(sender, carrier, &mail).await?;
            }
        }
    }

    /// Tries to send one mail. It is taken first: two nodes that both think themselves in charge do not both send it.
    async fn deliver(&self, sender: &Sender, carrier: &Carrier, waiting: &WaitingMail) -> Result<()> {
        let (tenant, id, now) = (waiting.tenant, waiting.id, self.state.clock.now());
        if waiting.until <= now {
            return self.bury(waiting, "it could not be sent while it was of use").await;
        }
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        let next = now.plus_seconds(pause_after(waiting.attempts + 1));
        let claimed = tx.claim_mail(tenant, id, waiting.attempts, next).await?;
        tx.commit().await?;
        if !claimed {
            return Ok(());
        }
        let text = self.state.root_key.open(tenant, &row(id), &waiting.content)?;
        let mail: NewMail =
            serde_json::from_slice(&text).map_err(|error| Error::Internal(format!("reading a mail: {error}")))?;
        let message = mail.render(sender, &id.to_string(), waiting.created_at);
        match carrier.carry(sender, mail.to(), &id.to_string(), &message).await {
            Ok(()) => {
                let mut tx = self.state.store.begin().await?;
                tx.delete_mail(tenant, id).await?;
                tx.commit().await
            }
            Err(Undelivered::ForNow(why)) => {
                tracing::warn!(%id, why, "a mail could not be sent; it will be tried again");
                let mut tx = self.state.store.begin().await?;
                tx.note_mail_error(tenant, id, &why).await?;
                tx.commit().await
            }
            Err(Undelivered::ForEver(why)) => self.bury(waiting, &why).await,
        }
    }

    /// Gives a mail up, and says so in the record.
    async fn bury(&self, waiting: &WaitingMail, why: &str) -> Result<()> {
        tracing::warn!(id = %waiting.id, why, "a mail was given up");
        let now = self.state.clock.now();
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        if tx.bury_mail(waiting.tenant, waiting.id, why, now).await? {
            let target = Target { kind: "mail", id: waiting.id.to_string(), name: String::new() };
            let details =
                Map::from_iter([("reason".to_owned(), json!(why)), ("attempts".to_owned(), json!(waiting.attempts))]);
            tx.append_audit(waiting.tenant, &NewEntry::by_system(now, "mail.undeliverable", target, details)).await?;
        }
        tx.commit().await
    }

    /// Forgets mails that were given up long ago.
    pub(crate) async fn sweep_mails(&self) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.sweep_mails(self.state.clock.now().plus_seconds(-DEAD_KEPT_SECONDS)).await?;
        tx.commit().await
    }
}

/// What a sealed mail is bound to.
fn row(id: MailId) -> String {
    format!("mails/{id}")
}
