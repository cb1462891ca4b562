//! Tenants that go for good.

use crate::fixtures::*;
use claviger_domain::endpoints::Count;
use claviger_domain::id::ReceiptId;
use claviger_domain::purge::PurgeReceipt;
use claviger_domain::tenant::{Kind, Status, Tenant};
use claviger_store::Store;
use claviger_store::journal::JournalEntry;
use claviger_store::purges::{KEPT, LAST, PURGED};
use claviger_store::testing::tables_of_tenants;
use std::collections::BTreeMap;

facts!(
    every_table_of_tenants_is_named,
    nothing_is_left_but_the_record,
    rows_go_a_number_at_a_time,
    a_receipt_is_kept_above,
    who_is_due_goes_from_below
);

/// A table that a migration adds must be named in `purges.rs`, or its rows would outlive their tenant.
async fn every_table_of_tenants_is_named(store: Store) {
    let names = PURGED.iter().chain(KEPT).map(|(name, _)| name).chain(LAST);
    let mut named: Vec<_> = names.map(|name| (*name).to_owned()).collect();
    named.sort();
    let mut there = tables_of_tenants(&store).await;
    there.sort();
    assert_eq!(there, named, "name each table of tenants in crates/store/src/purges.rs: what refers to others first");
}

async fn fill(store: &Store) {
    let (tenant, application) = seed(store).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_secret(tenant, &secret(application, 1)).await.unwrap();
    tx.insert_access_level(tenant, &level(tenant, 1, "Level"), "level").await.unwrap();
    tx.append_journal(tenant, NOW, &[JournalEntry { kind: "x".into(), body: serde_json::json!({}) }]).await.unwrap();
    tx.append_audit(tenant, &entry(1)).await.unwrap();
    tx.put_endpoint_count(tenant, Count { count: 3, at: NOW }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn nothing_is_left_but_the_record(store: Store) {
    fill(&store).await;
    let mut tx = store.begin().await.unwrap();
    let removed: BTreeMap<_, _> = tx.purge_rows(tenant_id(1), 10_000).await.unwrap().into_iter().collect();
    for (table, rows) in [
        ("applications", 1),
        ("secrets", 1),
        ("access_levels", 1),
        ("journal", 1),
        ("streams", 1),
        ("endpoint_counts", 1),
    ] {
        assert_eq!(removed[table], rows, "{table}");
    }
    tx.commit().await.unwrap();
    assert_eq!(store.list_from_below(tenant_id(1), 9).await.unwrap(), [tenant_id(1)], "it still knows where it stands");
    let mut tx = store.begin().await.unwrap();
    tx.remove_tenant(tenant_id(1)).await.unwrap();
    assert_eq!(tx.find_tenant(tenant_id(1)).await.unwrap(), None);
    assert!(tx.is_client_id_taken(&application_id(1).to_string()).await.unwrap(), "nobody gets it again");
    tx.commit().await.unwrap();
    assert_eq!(store.find_head(tenant_id(1)).await.unwrap().unwrap().0, 1, "the record stays");
    assert!(store.find_tenant(tenant_id(0)).await.unwrap().is_some());
    let mut tx = store.begin().await.unwrap();
    tx.insert_tenant(&Tenant { org_key: tenant(7, "").org_key, ..tenant(8, "Tenant 1") }, "tenant 1").await.unwrap();
    assert_eq!(tx.count_applications(tenant_id(8)).await.unwrap(), 0);
}

async fn rows_go_a_number_at_a_time(store: Store) {
    insert_tenants(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for number in 1..=7 {
        insert_application(&mut tx, &application(tenant_id(1), number)).await;
        insert_application(&mut tx, &application(tenant_id(2), 100 + number)).await;
    }
    let mut steps = Vec::new();
    loop {
        let removed = tx.purge_rows(tenant_id(1), 3).await.unwrap();
        let rows: i64 = removed.iter().map(|(_, rows)| rows).sum();
        steps.push(rows);
        if rows < 3 {
            break;
        }
    }
    assert!(steps.iter().all(|rows| *rows <= 3) && steps.iter().sum::<i64>() >= 7, "{steps:?}");
    assert_eq!(tx.count_applications(tenant_id(1)).await.unwrap(), 0);
    assert_eq!(tx.count_applications(tenant_id(2)).await.unwrap(), 7, "somebody else's stay");
}

fn receipt(number: u128, purged: u128) -> PurgeReceipt {
    PurgeReceipt {
        id: ReceiptId::from_u128(0x0190_0000_0000_7000_d000_0000_0000_0000 + number),
        keeper: tenant_id(0),
        tenant_id: tenant_id(purged),
        root_id: tenant_id(1),
        name: "Gone".into(),
        kind: Kind::Instance,
        external_id: Some("A".into()),
        counts: BTreeMap::from_iter([("secrets".to_owned(), 2)]),
        head_number: 4,
        head_hash: [7; 32],
        begun_at: NOW,
        purged_at: None,
    }
}

async fn a_receipt_is_kept_above(store: Store) {
    insert_tenants(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    let mut first = receipt(1, 1);
    tx.insert_receipt(tenant_id(0), &first).await.unwrap();
    tx.insert_receipt(tenant_id(0), &receipt(2, 2)).await.unwrap();
    first.add("secrets", 3);
    first.purged_at = Some(at(9));
    tx.update_receipt(tenant_id(0), &first).await.unwrap();
    assert_eq!(tx.find_receipt(tenant_id(0), tenant_id(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(tx.find_receipt(tenant_id(2), tenant_id(1)).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(store.list_receipts(tenant_id(0), &page(9, None)).await.unwrap(), [receipt(2, 2), first]);
    assert_eq!(store.list_receipts(tenant_id(2), &page(9, None)).await.unwrap(), []);
    assert_eq!(store.list_purged_since(at(8), 9).await.unwrap(), [tenant_id(1)]);
    assert_eq!(store.list_purged_since(at(9), 9).await.unwrap(), []);
}

async fn who_is_due_goes_from_below(store: Store) {
    insert_tenants(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for (number, parent) in [(3, 1), (4, 3), (5, 1)] {
        let below = Tenant { parent_id: Some(tenant_id(parent)), ..tenant(number, &format!("Below {number}")) };
        tx.insert_tenant(&below, &key(&below.name)).await.unwrap();
    }
    let leaving = Tenant { status: Status::Deleting, purge_at: Some(at(60)), version: 2, ..tenant(1, "Tenant 1") };
    tx.update_tenant(&leaving, "tenant 1").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_tenants_to_go(9).await.unwrap(), [tenant_id(1)]);
    assert_eq!(store.list_due_purges(at(59), 9).await.unwrap(), []);
    assert_eq!(store.list_due_purges(at(60), 9).await.unwrap(), [tenant_id(1)]);
    let order = store.list_from_below(tenant_id(1), 9).await.unwrap();
    assert_eq!(order, [4, 3, 5, 1].map(tenant_id));
}
