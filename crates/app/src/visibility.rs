//! Secret visibility: make a tenant retaining, remove what it retains for ever, read a retained text again.
//!
//! A removal is one unit, after which nothing is kept or read, and then work that may be repeated until it is done: the head
//! that says so is signed, the tenant's text key destroyed, and what the engine still has of the sealed texts.

use crate::App;
use crate::applications::target as application_target;
use crate::caller::Caller;
use crate::heads::hex;
use crate::secrets::MintedSecret;
use crate::text_keys::Removal;
use crate::unit::{Needs, Unit};
use claviger_domain::application::Secret;
use claviger_domain::audit::{NewEntry, Target};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::secret::PlainSecret;
use claviger_domain::tenant::Kind;
use claviger_domain::visibility::{
    Stage, Visibility, VisibilityState, check_confirmed, check_readable, check_reader, check_removal, check_retaining,
    made_final,
};
use claviger_domain::{Error, Result};
use claviger_store::journal::JournalEntry;
use claviger_store::visibility::Texts;
use serde_json::{Map, json};
use std::sync::Arc;

const PERMISSION: &str = "secret-visibility";
const TEXTS: &str = "secret-texts";

/// How a tenant stands to the texts of its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantVisibility {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its state; none where it has only ever shown secrets once.
    pub state: Option<VisibilityState>,
    /// Texts that can be read again.
    pub retained_secrets: i64,
}

impl App {
    /// How a tenant stands to the texts of its secrets. Needs `secret-visibility:READ`.
    pub async fn find_visibility(&self, caller: &Caller, tenant: TenantId) -> Result<TenantVisibility> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.visibility_of(tenant).await
    }

    async fn visibility_of(&self, tenant: TenantId) -> Result<TenantVisibility> {
        let (store, keys) = (&self.state.store, &self.state.text_keys);
        let mut state = store.find_visibility(tenant).await?;
        if let Some(state) = &mut state
            && (keys.is_removed(tenant) || self.stated_visibility(tenant).await? == Some(Visibility::ShowOnce))
            && state.stage == Stage::Retaining
        {
            state.stage = Stage::Removed;
        }
        let retaining = state.is_some_and(|state| state.stage == Stage::Retaining) && keys.has(tenant);
        let retained_secrets = if retaining { store.count_secret_texts(tenant).await? } else { 0 };
        Ok(TenantVisibility { tenant_id: tenant, state, retained_secrets })
    }

    /// Makes a tenant keep the texts of the secrets that it makes from now on. For the operator alone, and never for a
    /// tenant that has removed them. Needs `secret-visibility:UPDATE`.
    pub async fn retain_secrets(self: &Arc<Self>, caller: &Caller, tenant: TenantId) -> Result<TenantVisibility> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        if caller.tenant().kind != Kind::Operator {
            let detail = "only an application of the operator may make a tenant retain its secrets".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        if !self.retention_is_due(tenant).await? {
            return self.visibility_of(tenant).await;
        }
        self.refuse_unless_alone().await?;
        // Before the unit: a key that nothing is sealed under does no harm, a text without its key is lost.
        self.state.text_keys.make(tenant, &self.state.random)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.tx.find_visibility(tenant).await?;
                check_retaining(before.map(|state| state.stage))?;
                let since = before.map_or(unit.now, |state| state.since);
                unit.tx.put_visibility(tenant, VisibilityState { stage: Stage::Retaining, since }).await?;
                unit.record_of_tenant("secret_visibility.retaining", tenant, Map::new()).await
            })
        })
        .await?;
        self.visibility_of(tenant).await
    }

    /// Refuses where other servers of the store are at work: a text key is known to one server.
    async fn refuse_unless_alone(&self) -> Result<()> {
        match self.others_at_work().await?.first() {
            None => Ok(()),
            Some(other) => Err(Error::conflict(
                "texts_need_one_node",
                format!(
                    "text keys are kept by one server, and {} serves the store as well; stop every server but one, and try \
                     again",
                    other.name
                ),
            )),
        }
    }

    /// Refuses to serve beside others where a tenant retains the texts of its secrets.
    pub(crate) async fn refuse_beside_retaining(&self) -> Result<()> {
        if !self.state.nodes.shared || !self.state.store.is_any_retaining().await? {
            return Ok(());
        }
        match self.others_at_work().await?.first() {
            None => Ok(()),
            Some(other) => Err(Error::conflict(
                "texts_need_one_node",
                format!(
                    "tenants of the store retain the texts of their secrets, whose keys one server keeps, and {} serves it; \
                     stop that one, or remove the texts of these tenants",
                    other.name
                ),
            )),
        }
    }

    async fn retention_is_due(&self, tenant: TenantId) -> Result<bool> {
        let keys = &self.state.text_keys;
        if keys.is_removed(tenant) || self.stated_visibility(tenant).await? == Some(Visibility::ShowOnce) {
            return Err(made_final());
        }
        let stage = self.state.store.find_visibility(tenant).await?.map(|state| state.stage);
        // One whose key was lost with its file gets a new one.
        Ok(check_retaining(stage)? || !keys.has(tenant))
    }

    /// Destroys the texts of all secrets of a tenant and makes it show secrets once for ever; the secrets go on working.
    /// Needs `secret-visibility:UPDATE`.
    pub async fn remove_secrets(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        confirm: bool,
    ) -> Result<TenantVisibility> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        caller.must_step_up()?;
        check_confirmed(confirm)?;
        let before = self.state.store.find_visibility(tenant).await?;
        if check_removal(before.map(|state| state.stage)) {
            self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
                Box::pin(async move {
                    let destroyed = unit.tx.delete_secret_texts(tenant, Texts::All).await?;
                    let state = VisibilityState { stage: Stage::Removing, since: unit.now };
                    unit.tx.put_visibility(tenant, state).await?;
                    let details = Map::from_iter([("texts".to_owned(), destroyed.into())]);
                    unit.record_of_tenant("secret_visibility.removed", tenant, details).await
                })
            })
            .await?;
        }
        let app = Arc::clone(self);
        // Detached, as a unit is.
        let finishing = tokio::spawn(async move { app.finish_removal(tenant).await });
        finishing.await.map_err(|_| Error::Internal("a removal ended early".into()))??;
        self.visibility_of(tenant).await
    }

    /// Goes on with every removal that has not come to its end.
    pub async fn finish_removals(&self) -> Result<()> {
        for tenant in self.state.store.list_removing().await? {
            self.finish_removal(tenant).await?;
        }
        Ok(())
    }

    async fn finish_removal(&self, tenant: TenantId) -> Result<()> {
        let _one = self.removing.lock().await;
        let stage = self.state.store.find_visibility(tenant).await?.map(|state| state.stage);
        if stage != Some(Stage::Removing) {
            return Ok(());
        }
        self.sign(false).await?;
        let head = self.state.store.last_signed_head(tenant).await?;
        let head = head.ok_or_else(|| Error::Internal("a removal stands in no signed head".into()))?;
        let removal =
            Removal { at: head.signed_at, number: head.number, hash: hex(&head.hash), signature: hex(&head.signature) };
        self.state.text_keys.remove(tenant, removal)?;
        let log = self.state.store.shred_secret_texts().await?;
        let mut tx = self.state.store.begin().await?;
        tx.lock_tenant(tenant).await?;
        let now = self.state.clock.now();
        let found = tx.find_visibility(tenant).await?.ok_or(Error::NotFound("tenant"))?;
        if found.stage != Stage::Removing {
            // Another node has come first.
            return Ok(());
        }
        tx.put_visibility(tenant, VisibilityState { stage: Stage::Removed, since: found.since }).await?;
        let name = tx.find_tenant(tenant).await?.map(|tenant| tenant.name).unwrap_or_default();
        let target = Target { kind: "tenant", id: tenant.to_string(), name };
        let details = Map::from_iter([("database_log".to_owned(), log.as_str().into())]);
        let entry = NewEntry::by_system(now, "secret_texts.destroyed", target, details);
        let body = json!({ "details": entry.details });
        tx.append_journal(tenant, now, &[JournalEntry { kind: entry.action.to_owned(), body }]).await?;
        tx.append_audit(tenant, &entry).await?;
        tx.commit().await
    }

    /// The text of a secret that its tenant retains; each time is an entry of the record. Not for a partner of the tenant.
    /// Needs `secret-texts:READ` and every right that the application has.
    pub async fn read_secret_text(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        secret: SecretId,
    ) -> Result<MintedSecret> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(TEXTS, Verb::Read)?;
        caller.must_step_up()?;
        let reader = caller.tenant();
        check_reader(reader.kind, reader.id == tenant).inspect_err(|_| caller.deny("secret_of_a_customer".into()))?;
        let stated = self.stated_visibility(tenant).await?;
        self.unit(caller, Needs { tenant, right: (TEXTS, Verb::Read) }, move |unit| {
            Box::pin(async move {
                let found = unit.application_within_rights(tenant, application, None).await?;
                let live = unit.tx.list_secrets(tenant, application).await?;
                let shown = live.into_iter().find(|one| one.id == secret).ok_or(Error::NotFound("secret"))?;
                let app = Arc::clone(&unit.app);
                let stage = unit.tx.find_visibility(tenant).await?.map(|state| state.stage);
                check_readable(stage)?;
                // The store may be an older copy, or somebody may have turned it back.
                let keys = &app.state.text_keys;
                if keys.is_removed(tenant) || stated == Some(Visibility::ShowOnce) {
                    return Err(made_final());
                }
                let sealed = unit.tx.find_secret_text(tenant, application, secret).await?.ok_or_else(not_retained)?;
                let key = keys.find(tenant).ok_or_else(key_missing)?;
                let key = app.state.root_key.joined_with(&key)?;
                if !key.has_sealed(&sealed) {
                    return Err(key_missing());
                }
                let opened = key.open(tenant, &row(application, secret), &sealed)?;
                let text = String::from_utf8(opened).map_err(|_| Error::Internal("a kept text is no text".into()))?;
                let details = Map::from_iter([("secret_id".to_owned(), secret.to_string().into())]);
                unit.record("secret.text_read", application_target(&found), details);
                Ok(MintedSecret { secret: shown, text: PlainSecret::opened(text) })
            })
        })
        .await
    }
}

impl Unit {
    /// Keeps the text of a new secret where the tenant retains it.
    pub(crate) async fn retain_text(&mut self, tenant: TenantId, minted: &MintedSecret) -> Result<()> {
        let state = &self.app.state;
        let Some(key) = state.text_keys.find(tenant) else { return Ok(()) };
        if self.tx.find_visibility(tenant).await?.map(|state| state.stage) != Some(Stage::Retaining) {
            return Ok(());
        }
        let Secret { id, application_id, .. } = minted.secret;
        let sealed = state.root_key.joined_with(&key)?.seal(
            &state.random,
            tenant,
            &row(application_id, id),
            minted.text.sealable(),
        )?;
        self.tx.insert_secret_text(tenant, (application_id, id), &sealed, self.now).await
    }

    async fn record_of_tenant(
        &mut self,
        action: &'static str,
        tenant: TenantId,
        details: Map<String, serde_json::Value>,
    ) -> Result<()> {
        let name = self.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?.name;
        self.record(action, Target { kind: "tenant", id: tenant.to_string(), name }, details);
        Ok(())
    }
}

fn row(application: ApplicationId, secret: SecretId) -> String {
    format!("secret_texts/{application}/{secret}")
}

fn not_retained() -> Error {
    let detail = "the text of this secret was not kept: it is older than the tenant's setting; rotate or regenerate it";
    Error::conflict("secret_not_retained", detail)
}

fn key_missing() -> Error {
    let detail = "the text was kept, but the server has lost the key to it with its file of text keys; rotate or \
                  regenerate the secret";
    Error::conflict("text_key_missing", detail)
}
