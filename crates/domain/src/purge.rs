//! What is left of a tenant that is gone: a receipt that says what there was, and where its audit record ended.

use crate::id::{ReceiptId, TenantId};
use crate::tenant::Kind;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeReceipt {
    /// Id.
    pub id: ReceiptId,
    /// The tenant that keeps it: the one above the tenant that was deleted.
    pub keeper: TenantId,
    /// The tenant that is gone.
    pub tenant_id: TenantId,
    /// The tenant that was deleted: itself, or one above it.
    pub root_id: TenantId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What the tenant above called it.
    pub external_id: Option<String>,
    /// Rows that were removed, by kind of thing.
    pub counts: BTreeMap<String, i64>,
    /// Number of the last entry of its audit record, which is kept.
    pub head_number: i64,
    /// Hash of that record.
    pub head_hash: [u8; 32],
    /// When the removal began.
    pub begun_at: Timestamp,
    /// When nothing was left; none while it is under way.
    pub purged_at: Option<Timestamp>,
}

impl PurgeReceipt {
    /// Notes that rows were removed.
    pub fn add(&mut self, what: &str, rows: i64) {
        if rows > 0 {
            *self.counts.entry(what.to_owned()).or_default() += rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up() {
        let mut receipt = PurgeReceipt {
            id: ReceiptId::from_u128(1),
            keeper: TenantId::from_u128(1),
            tenant_id: TenantId::from_u128(2),
            root_id: TenantId::from_u128(2),
            name: "Acme".into(),
            kind: Kind::Organization,
            external_id: None,
            counts: BTreeMap::new(),
            head_number: 0,
            head_hash: [0; 32],
            begun_at: Timestamp::from_micros(0),
            purged_at: None,
        };
        for rows in [2, 0, 3] {
            receipt.add("applications", rows);
        }
        receipt.add("secrets", 0);
        assert_eq!(receipt.counts, BTreeMap::from_iter([("applications".to_owned(), 5)]));
    }
}
