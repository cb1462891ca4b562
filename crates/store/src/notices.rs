//! Notices: what owners of applications were told.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, NoticeId, SecretId, TenantId};
use claviger_domain::notice::{Dismissal, Notice, NoticeFilter, NoticeKind, Telling};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use std::collections::BTreeSet;

row! {
    struct NoticeRow {
        id: String,
        application_id: String,
        kind: String,
        application_name: String,
        owner: Option<String>,
        secret_id: Option<String>,
        detail: String,
        due_at: Option<i64>,
        step: Option<i64>,
        created_at: i64,
        dismissed_at: Option<i64>,
        dismissed_by: Option<String>,
    }
}

impl NoticeRow {
    fn read(self) -> Result<Notice> {
        let dismissed = self
            .dismissed_at
            .map(|at| Dismissal { at: Timestamp::from_micros(at), by: self.dismissed_by.unwrap_or_default() });
        Ok(Notice {
            id: id_of!(NoticeId, &self.id)?,
            telling: Telling {
                kind: NoticeKind::parse(&self.kind).ok_or_else(|| corrupt("kind of notice", &self.kind))?,
                application_id: id_of!(ApplicationId, &self.application_id)?,
                application_name: self.application_name,
                owner: self.owner,
                secret_id: self.secret_id.map(|id| id_of!(SecretId, &id)).transpose()?,
                detail: self.detail,
                due_at: self.due_at.map(Timestamp::from_micros),
                step: self.step,
            },
            created_at: Timestamp::from_micros(self.created_at),
            dismissed,
        })
    }
}

impl Tx {
    /// Adds a notice, unless the same was told before; whether it was added.
    pub async fn insert_notice(&mut self, tenant: TenantId, notice: &Notice) -> Result<bool> {
        let Notice { id, telling, created_at, .. } = notice;
        let inserted = self
            .execute(
                "insert into notices (tenant_id, id, application_id, once_key, kind, application_name, owner, secret_id, \
                 detail, due_at, step, created_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                 on conflict (tenant_id, application_id, once_key) do nothing",
                args![
                    tenant,
                    *id,
                    telling.application_id,
                    telling.key(),
                    telling.kind.as_str(),
                    &telling.application_name,
                    telling.owner.clone(),
                    telling.secret_id,
                    &telling.detail,
                    telling.due_at,
                    telling.step,
                    *created_at
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// The notice of that id.
    pub async fn find_notice(&mut self, tenant: TenantId, id: NoticeId) -> Result<Option<Notice>> {
        let found: Option<NoticeRow> = self
            .optional(
                "select id, application_id, kind, application_name, owner, secret_id, detail, due_at, step, created_at, \
                 dismissed_at, dismissed_by \
                 from notices where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
        found.map(NoticeRow::read).transpose()
    }

    /// Notes that somebody put a notice away. Whoever was first stays the one who did.
    pub async fn dismiss_notice(&mut self, tenant: TenantId, id: NoticeId, dismissal: &Dismissal) -> Result<()> {
        self.execute(
            "update notices set dismissed_at = $3, dismissed_by = $4 \
             where tenant_id = $1 and id = $2 and dismissed_at is null",
            args![tenant, id, dismissal.at, &dismissal.by],
        )
        .await?;
        Ok(())
    }

    /// What has been told of an application, as keys of its tellings.
    pub async fn list_told(&mut self, tenant: TenantId, application: ApplicationId) -> Result<BTreeSet<String>> {
        let found: Vec<(String,)> = self.all(TOLD, args![tenant, application]).await?;
        Ok(found.into_iter().map(|(key,)| key).collect())
    }
}

const TOLD: &str = "select once_key from notices where tenant_id = $1 and application_id = $2";

impl Store {
    /// What has been told of an application, as keys of its tellings.
    pub async fn list_told(&self, tenant: TenantId, application: ApplicationId) -> Result<BTreeSet<String>> {
        let found: Vec<(String,)> = self.all(TOLD, args![tenant, application]).await?;
        Ok(found.into_iter().map(|(key,)| key).collect())
    }

    /// The tenant's notices, newest first; positions are ids.
    pub async fn list_notices(
        &self,
        tenant: TenantId,
        filter: &NoticeFilter,
        page: &PageRequest,
    ) -> Result<Vec<Notice>> {
        let found: Vec<NoticeRow> = self
            .all(
                "select id, application_id, kind, application_name, owner, secret_id, detail, due_at, step, created_at, \
                 dismissed_at, dismissed_by \
                 from notices \
                 where tenant_id = $1 and id < $2 and ($3 is null or kind = $3) and ($4 is null or application_id = $4) \
                 and ($5 or dismissed_at is null) \
                 order by id desc limit $6",
                args![
                    tenant,
                    page.after.as_deref().unwrap_or("g"),
                    filter.kind.map(NoticeKind::as_str),
                    filter.application_id,
                    filter.dismissed,
                    page.fetch()
                ],
            )
            .await?;
        found.into_iter().map(NoticeRow::read).collect()
    }
}
