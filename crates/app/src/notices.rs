//! Notices: telling the owner of an application something, once, as a notice and as an entry of the journal; and reading
//! what was told.

use crate::App;
use crate::caller::Caller;
use crate::state::State;
use crate::unit::{Needs, Unit};
use claviger_domain::audit::Target;
use claviger_domain::grants::Verb;
use claviger_domain::id::{NoticeId, TenantId};
use claviger_domain::notice::{Dismissal, Notice, NoticeFilter, Telling};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::journal::JournalEntry;
use serde_json::{Map, json};
use std::sync::Arc;

const PERMISSION: &str = "notices";

impl App {
    /// A tenant's notices, newest first. Needs `notices:READ`.
    pub async fn list_notices(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &NoticeFilter,
        page: &PageRequest,
    ) -> Result<Page<Notice>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let items = self.state.store.list_notices(tenant, filter, page).await?;
        Ok(Page::cut(items, page, |notice| notice.id.to_string()))
    }

    /// Puts a notice away: it stays, and lists leave it out. One that was put away before stays as it is. Needs
    /// `notices:UPDATE`.
    pub async fn dismiss_notice(self: &Arc<Self>, caller: &Caller, tenant: TenantId, id: NoticeId) -> Result<Notice> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let notice = unit.tx.find_notice(tenant, id).await?.ok_or(Error::NotFound("notice"))?;
                let dismissal = Dismissal { at: unit.now, by: unit.caller.name() };
                unit.tx.dismiss_notice(tenant, id, &dismissal).await?;
                let target = Target { kind: "notice", id: id.to_string(), name: notice.telling.kind.as_str().into() };
                let about = Map::from_iter([("application_id".to_owned(), json!(notice.telling.application_id))]);
                unit.record("notice.dismissed", target, about);
                let dismissed = notice.dismissed.clone().or(Some(dismissal));
                Ok(Notice { dismissed, ..notice })
            })
        })
        .await
    }
}

impl Unit {
    /// Tells the owner of an application something when the verb has done the rest of its work; what was told before is not
    /// told again.
    pub(crate) fn tell(&mut self, telling: Telling) {
        self.tellings.push(telling);
    }
}

impl State {
    /// Stores what has not been told yet as notices; what the journal is to say of them.
    pub(crate) async fn store_tellings(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        tellings: Vec<Telling>,
        now: Timestamp,
    ) -> Result<Vec<JournalEntry>> {
        let mut entries = Vec::new();
        for telling in tellings {
            let id = NoticeId::new(now, self.random.bytes()?);
            let notice = Notice { id, telling, created_at: now, dismissed: None };
            if tx.insert_notice(tenant, &notice).await? {
                entries.push(journal(&notice));
            }
        }
        Ok(entries)
    }
}

fn journal(notice: &Notice) -> JournalEntry {
    let telling = &notice.telling;
    let body = json!({
        "target": { "kind": "application", "id": telling.application_id, "name": telling.application_name },
        "actor": "",
        "details": {
            "notice_id": notice.id,
            "owner": telling.owner,
            "secret_id": telling.secret_id,
            "detail": telling.detail,
            "due_at": telling.due_at,
        },
    });
    JournalEntry { kind: telling.kind.as_str().to_owned(), body }
}
