//! Tenants that are deleted go for good when their grace is over: what stands deepest first, a number of rows at a time, by the
//! node that does it for all. Their audit records stay, and the tenant above keeps a receipt of each.

use crate::App;
use crate::caller::Caller;
use crate::unit::{Effect, change};
use claviger_domain::Result;
use claviger_domain::audit::{NewEntry, Target};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ReceiptId, TenantId};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::purge::PurgeReceipt;
use claviger_domain::tenant::{Status, Tenant};
use claviger_domain::time::Timestamp;
use claviger_store::Tx;
use claviger_store::journal::JournalEntry;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const PERMISSION: &str = "tenants";
/// Rows that are removed in one transaction.
const ROWS_AT_ONCE: i64 = 5_000;
/// Tenants that are looked at in one go.
const TENANTS_AT_ONCE: i64 = 1_000;
/// How long after the grace it begins: clocks of nodes may differ, and nobody is to take back what is half gone.
const MARGIN_SECONDS: i64 = 60;
/// How long afterwards it is looked for what was written late.
const LATE_SECONDS: i64 = 1_800;

impl App {
    /// The receipts of tenants that stood beneath a tenant and are gone, newest first. Needs `tenants:READ`.
    pub async fn list_purge_receipts(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<PurgeReceipt>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let receipts = self.state.store.list_receipts(tenant, page).await?;
        Ok(Page::cut(receipts, page, |receipt| receipt.id.to_string()))
    }

    /// Removes every tenant whose grace is over. It may be broken off anywhere, and goes on where it was.
    pub async fn purge_tenants(self: &Arc<Self>) -> Result<()> {
        let now = self.state.clock.now();
        let due = self.state.store.list_due_purges(now.plus_seconds(-MARGIN_SECONDS), TENANTS_AT_ONCE).await?;
        if !due.is_empty() {
            // What was counted of them is to go, too.
            self.flush_usage_to_the_end().await?;
            self.fold_usage().await?;
        }
        let mut outcome = Ok(());
        for root in due {
            // One that fails is tried again, and keeps nothing from the others.
            outcome = self.purge_root(root).await.and(outcome);
        }
        outcome
    }

    /// Removes what was written late of tenants that are gone: by a call that was counted, or answered, while they went.
    pub async fn sweep_purged(&self) -> Result<()> {
        let now = self.state.clock.now();
        for gone in self.state.store.list_purged_since(now.plus_seconds(-LATE_SECONDS), TENANTS_AT_ONCE).await? {
            let mut tx = self.state.store.begin().await?;
            self.still_in_charge(&mut tx).await?;
            tx.purge_rows(gone, ROWS_AT_ONCE).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn purge_root(self: &Arc<Self>, root: TenantId) -> Result<()> {
        loop {
            let Some(found) = self.state.store.find_tenant(root).await? else { return Ok(()) };
            let Some(keeper) = found.parent_id else { return Ok(()) };
            let order = self.state.store.list_from_below(root, TENANTS_AT_ONCE).await?;
            if order.is_empty() {
                return Ok(());
            }
            for tenant in order {
                if !self.purge_tenant(keeper, root, tenant).await? {
                    return Ok(());
                }
            }
        }
    }

    /// Removes one tenant with nothing beneath it; `false` if it is not to be removed any more.
    async fn purge_tenant(self: &Arc<Self>, keeper: TenantId, root: TenantId, tenant: TenantId) -> Result<bool> {
        let mut done = false;
        while !done {
            let Some(mut tx) = self.begin_purge(root).await? else { return Ok(false) };
            let Some(found) = tx.find_tenant(tenant).await? else { return Ok(true) };
            let now = self.state.clock.now();
            let mut receipt = match tx.find_receipt(keeper, tenant).await? {
                Some(receipt) => receipt,
                None => self.open_receipt(&mut tx, keeper, root, &found, now).await?,
            };
            let removed = tx.purge_rows(tenant, ROWS_AT_ONCE).await?;
            removed.iter().for_each(|(what, rows)| receipt.add(what, *rows));
            tx.update_receipt(keeper, &receipt).await?;
            done = removed.iter().map(|(_, rows)| rows).sum::<i64>() < ROWS_AT_ONCE;
            tx.commit().await?;
        }
        let Some(mut tx) = self.begin_purge(root).await? else { return Ok(false) };
        tx.lock_tenant(keeper).await?;
        let now = self.state.clock.now();
        let Some(mut receipt) = tx.find_receipt(keeper, tenant).await? else { return Ok(false) };
        receipt.purged_at = Some(now);
        tx.update_receipt(keeper, &receipt).await?;
        tx.remove_tenant(tenant).await?;
        let entry = NewEntry::by_system(now, "tenant.purged", target(&receipt), details(&receipt));
        let body =
            json!({ "target": { "kind": "tenant", "id": tenant, "name": receipt.name }, "details": entry.details });
        let journal = JournalEntry { kind: entry.action.to_owned(), body };
        tx.append_journal(keeper, now, &[journal]).await?;
        tx.append_audit(keeper, &entry).await?;
        let effects = [Effect::Tenant(tenant)];
        let revision = tx.bump_revision(keeper, &effects.iter().map(change).collect::<Vec<_>>()).await?;
        tx.commit().await?;
        self.settle(keeper, &effects, revision).await;
        tracing::info!(%tenant, name = receipt.name, "a deleted tenant is gone for good");
        Ok(true)
    }

    /// A transaction in which the tenant that was deleted is still to go.
    async fn begin_purge(&self, root: TenantId) -> Result<Option<Tx>> {
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.lock_tenant(root).await?;
        let until = self.state.clock.now().plus_seconds(-MARGIN_SECONDS);
        let found = tx.find_tenant(root).await?;
        let is_due = |tenant: &Tenant| {
            tenant.status == Status::Deleting && tenant.purge_at.is_some_and(|purge_at| purge_at <= until)
        };
        Ok(found.as_ref().is_some_and(is_due).then_some(tx))
    }

    /// Ends the tenant's own record with the fact, and begins the receipt.
    async fn open_receipt(
        &self,
        tx: &mut Tx,
        keeper: TenantId,
        root: TenantId,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<PurgeReceipt> {
        let target = Target { kind: "tenant", id: tenant.id.to_string(), name: tenant.name.clone() };
        let details = Map::from_iter([("root_id".to_owned(), json!(root))]);
        let last = tx.append_audit(tenant.id, &NewEntry::by_system(now, "tenant.purged", target, details)).await?;
        let receipt = PurgeReceipt {
            id: ReceiptId::new(now, self.state.random.bytes()?),
            keeper,
            tenant_id: tenant.id,
            root_id: root,
            name: tenant.name.clone(),
            kind: tenant.kind,
            external_id: tenant.details.external_id.clone(),
            counts: BTreeMap::new(),
            head_number: last.number,
            head_hash: last.hash,
            begun_at: now,
            purged_at: None,
        };
        tx.insert_receipt(keeper, &receipt).await?;
        Ok(receipt)
    }

    /// Lets memory go of a tenant that the store does not hold any more.
    pub(crate) async fn forget_tenant(&self, id: TenantId) {
        // Records hold on to the node: whoever has one in hand is refused.
        self.state.tree.doubt(id);
        self.state.keyring.forget_tenant(id).await;
        self.state.issuers.forget_tenant(id);
        self.state.tree.remove(id);
    }
}

fn target(receipt: &PurgeReceipt) -> Target {
    Target { kind: "tenant", id: receipt.tenant_id.to_string(), name: receipt.name.clone() }
}

fn details(receipt: &PurgeReceipt) -> Map<String, Value> {
    let hash: String = receipt.head_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let members = json!({
        "receipt_id": receipt.id,
        "root_id": receipt.root_id,
        "kind": receipt.kind.as_str(),
        "external_id": receipt.external_id,
        "counts": receipt.counts,
        "audit_number": receipt.head_number,
        "audit_hash": hash,
    });
    members.as_object().cloned().unwrap_or_default()
}
