//! Tenants that go for good: every row of every table that belongs to them, a number at a time, so that nobody else waits long.
//!
//! A table that holds rows of tenants is named here, with what becomes of them; a test compares the lists with the schema.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, hash_of, id_of, row};
use crate::visibility::Texts;
use claviger_domain::Result;
use claviger_domain::id::{ReceiptId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::purge::PurgeReceipt;
use claviger_domain::tenant::Kind;
use claviger_domain::time::Timestamp;
use std::collections::BTreeMap;

macro_rules! table {
    ($name:literal, $key:literal) => {
        (
            $name,
            concat!(
                "delete from ",
                $name,
                " where tenant_id = $1 and (",
                $key,
                ") in (select ",
                $key,
                " from ",
                $name,
                " where tenant_id = $1 limit $2)"
            ),
        )
    };
}

/// Tables whose rows go with their tenant, those that refer to others first; each with the rest of its primary key.
pub const PURGED: &[(&str, &str)] = &[
    table!("secret_texts", "application_id, secret_id"),
    table!("sso_sign_ins", "id"),
    table!("user_identities", "user_id, provider_id"),
    table!("identity_provider_domains", "domain"),
    table!("identity_providers", "id"),
    table!("access_profile_roles", "user_id, profile_id, access_level_id"),
    table!("access_profiles", "user_id, id"),
    table!("user_grants", "user_id"),
    table!("user_links", "user_id, kind"),
    table!("user_factors", "user_id, id"),
    table!("recovery_codes", "user_id, code_hash"),
    table!("user_challenges", "user_id, session_id, kind"),
    table!("factor_guards", "user_id"),
    table!("user_sessions", "user_id, id"),
    table!("user_devices", "user_id, device_hash"),
    table!("user_words", "word, user_id"),
    table!("user_roles", "user_id, access_level_id"),
    table!("users", "id"),
    table!("secrets", "application_id, id"),
    table!("public_keys", "application_id, id"),
    table!("issuer_bindings", "id"),
    table!("trusted_issuers", "id"),
    table!("secret_uses", "application_id, secret_id"),
    table!("usage_hours", "application_id, hour, permission, outcome"),
    table!("right_uses", "application_id, permission"),
    table!("network_uses", "application_id, network"),
    table!("queue_cursors", "application_id, queue"),
    table!("notices", "id"),
    table!("leaks", "hash"),
    table!("revoked_tokens", "token_id"),
    table!("token_rules", "subject"),
    table!("access_blocks", "last_at, id"),
    table!("sign_in_instances", "sign_in_id, instance_id"),
    table!("sign_ins", "id"),
    table!("idempotency", "application_id, once_key"),
    table!("jobs", "id"),
    table!("legacy_key_types", "key_type"),
    table!("credential_policies", "tenant_id"),
    table!("secret_visibility", "tenant_id"),
    table!("applications", "id"),
    table!("access_levels", "id"),
    table!("mails", "id"),
    table!("endpoint_counts", "day"),
    table!("endpoint_totals", "grain, period"),
    table!("provisionings", "id"),
    table!("purge_receipts", "id"),
    table!("journal", "position"),
    table!("streams", "tenant_id"),
];

/// Tables whose rows go with the tenant itself, since they say where it stands as long as it does.
pub const LAST: &[&str] = &["tenant_paths", "tenant_words"];

/// Tables whose rows stay, each with the reason.
pub const KEPT: &[(&str, &str)] = &[
    ("audit_entries", "the record keeps the fact"),
    ("audit_heads", "the record keeps the fact"),
    ("audit_signatures", "the record keeps the fact"),
    ("client_ids", "no other application is ever to answer to a client id that somebody may still present"),
    ("changes", "nodes follow them; what is old is swept"),
];

row! {
    struct ReceiptRow {
        tenant_id: String,
        id: String,
        purged_id: String,
        root_id: String,
        name: String,
        kind: String,
        external_id: Option<String>,
        counts: String,
        head_number: i64,
        head_hash: Vec<u8>,
        begun_at: i64,
        purged_at: Option<i64>,
    }
}

impl ReceiptRow {
    fn read(self) -> Result<PurgeReceipt> {
        let counts: BTreeMap<String, i64> =
            serde_json::from_str(&self.counts).map_err(|_| corrupt("counts of a receipt", &self.counts))?;
        Ok(PurgeReceipt {
            id: id_of!(ReceiptId, &self.id)?,
            keeper: id_of!(TenantId, &self.tenant_id)?,
            tenant_id: id_of!(TenantId, &self.purged_id)?,
            root_id: id_of!(TenantId, &self.root_id)?,
            name: self.name,
            kind: Kind::parse(&self.kind).ok_or_else(|| corrupt("kind", &self.kind))?,
            external_id: self.external_id,
            counts,
            head_number: self.head_number,
            head_hash: hash_of(&self.head_hash)?,
            begun_at: Timestamp::from_micros(self.begun_at),
            purged_at: self.purged_at.map(Timestamp::from_micros),
        })
    }
}

impl Tx {
    /// Removes rows of a tenant out of every table, at most so many in all; how many of each. Fewer than that are all there were.
    pub async fn purge_rows(&mut self, tenant: TenantId, most: i64) -> Result<Vec<(&'static str, i64)>> {
        // These are overwritten, where the engine can.
        let texts = self.delete_secret_texts(tenant, Texts::All).await?;
        let mut removed = vec![("secret_texts", i64::try_from(texts).unwrap_or(i64::MAX))];
        // Those above it no longer come to so many.
        let endpoints = self.forget_endpoints(tenant).await?;
        removed.push(("endpoint_counts", i64::try_from(endpoints).unwrap_or(i64::MAX)));
        let mut left = most;
        for (name, sql) in PURGED {
            if left <= 0 {
                break;
            }
            let deleted = self.execute(sql, args![tenant, left]).await?;
            let deleted = i64::try_from(deleted).unwrap_or(i64::MAX);
            left = left.saturating_sub(deleted);
            match removed.iter_mut().find(|(known, _)| known == name) {
                Some((_, rows)) => *rows += deleted,
                None => removed.push((name, deleted)),
            }
        }
        Ok(removed)
    }

    /// Removes the tenant itself, and where others speak of it. There must be nothing left of it or beneath it.
    pub async fn remove_tenant(&mut self, tenant: TenantId) -> Result<()> {
        for sql in [
            "delete from tenant_words where beneath_id = $1",
            "delete from tenant_paths where beneath_id = $1",
            "delete from sign_in_instances where instance_id = $1",
            "delete from provisionings where made_id = $1",
            "delete from tenants where id = $1",
        ] {
            self.execute(sql, args![tenant]).await?;
        }
        Ok(())
    }

    /// Adds a receipt.
    pub async fn insert_receipt(&mut self, keeper: TenantId, receipt: &PurgeReceipt) -> Result<()> {
        self.execute(
            "insert into purge_receipts (tenant_id, id, purged_id, root_id, name, kind, external_id, counts, head_number, \
             head_hash, begun_at, purged_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![
                keeper,
                receipt.id,
                receipt.tenant_id,
                receipt.root_id,
                &receipt.name,
                receipt.kind.as_str(),
                receipt.external_id.clone(),
                counts(receipt),
                receipt.head_number,
                &receipt.head_hash,
                receipt.begun_at,
                receipt.purged_at
            ],
        )
        .await?;
        Ok(())
    }

    /// The receipt of a tenant that is going, or gone.
    pub async fn find_receipt(&mut self, keeper: TenantId, purged: TenantId) -> Result<Option<PurgeReceipt>> {
        let found: Option<ReceiptRow> = self
            .optional(
                "select tenant_id, id, purged_id, root_id, name, kind, external_id, counts, head_number, head_hash, begun_at, \
                 purged_at from purge_receipts where tenant_id = $1 and purged_id = $2",
                args![keeper, purged],
            )
            .await?;
        found.map(ReceiptRow::read).transpose()
    }

    /// Writes how far it is.
    pub async fn update_receipt(&mut self, keeper: TenantId, receipt: &PurgeReceipt) -> Result<()> {
        self.execute(
            "update purge_receipts set counts = $3, head_number = $4, head_hash = $5, purged_at = $6 \
             where tenant_id = $1 and id = $2",
            args![keeper, receipt.id, counts(receipt), receipt.head_number, &receipt.head_hash, receipt.purged_at],
        )
        .await?;
        Ok(())
    }
}

fn counts(receipt: &PurgeReceipt) -> String {
    serde_json::to_string(&receipt.counts).unwrap_or_default()
}

impl Store {
    /// The receipts that a tenant keeps, newest first; positions are ids.
    pub async fn list_receipts(&self, keeper: TenantId, page: &PageRequest) -> Result<Vec<PurgeReceipt>> {
        let found: Vec<ReceiptRow> = self
            .all(
                "select tenant_id, id, purged_id, root_id, name, kind, external_id, counts, head_number, head_hash, begun_at, \
                 purged_at from purge_receipts where tenant_id = $1 and id < $2 order by id desc limit $3",
                // No id is greater than that.
                args![keeper, page.after.as_deref().unwrap_or("g"), page.fetch()],
            )
            .await?;
        found.into_iter().map(ReceiptRow::read).collect()
    }
}
