//! The audit chain.

use crate::fixtures::*;
use claviger_domain::audit::{Filter, GENESIS, link};
use claviger_domain::id::TenantId;
use claviger_store::Store;
use claviger_store::audit::StoredEntry;
use claviger_store::system::Head;
use claviger_store::testing::execute;

facts!(
    the_chain_is_whole_under_parallel_writers,
    an_entry_rolled_back_leaves_no_gap,
    tampering_is_found,
    filters_and_pages_narrow,
    numbers_are_found_by_time,
    a_queue_begins_at_a_time_and_goes_on_by_number,
);

/// The first number at which recomputing the chain fails, as a verifier would find it.
fn broken(entries: &[StoredEntry]) -> Option<i64> {
    let mut previous = GENESIS;
    for (place, entry) in (1..).zip(entries) {
        previous = link(&previous, &entry.canonical);
        if entry.number != place || entry.hash != previous {
            return Some(place);
        }
    }
    None
}

async fn append(store: &Store, tenant: TenantId, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let mut tx = store.begin().await.unwrap();
        tx.append_audit(tenant, &entry(number)).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn chain(store: &Store) -> Vec<StoredEntry> {
    store.list_audit_after(tenant_id(1), 0, None, 10_000).await.unwrap()
}

async fn the_chain_is_whole_under_parallel_writers(store: Store) {
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move { append(&store, tenant_id(1), task * 20..task * 20 + 20).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let entries = chain(&store).await;
    assert_eq!(entries.len(), 320);
    assert_eq!(broken(&entries), None);
    let heads = store.list_heads().await.unwrap();
    assert_eq!(heads, [Head { tenant: tenant_id(1), number: 320, hash: entries[319].hash, visibility: None }]);
    assert_eq!(store.find_head(tenant_id(1)).await.unwrap(), Some((320, entries[319].hash)));
    assert_eq!(store.find_head(tenant_id(2)).await.unwrap(), None);
    let end = store.list_chain(tenant_id(1), 318, 9).await.unwrap();
    assert_eq!(end.iter().map(|one| &one.entry).collect::<Vec<_>>(), entries[318..].iter().collect::<Vec<_>>());
    assert!(end.iter().all(|one| entries[318].canonical.contains(&one.action)));
    let mut seen: Vec<_> = entries.iter().map(|entry| entry.at).collect();
    seen.sort();
    assert_eq!(seen, (0..320).map(at).collect::<Vec<_>>(), "every entry once");
}

async fn an_entry_rolled_back_leaves_no_gap(store: Store) {
    append(&store, tenant_id(1), 0..3).await;
    let mut tx = store.begin().await.unwrap();
    let lost = tx.append_audit(tenant_id(1), &entry(9)).await.unwrap();
    assert_eq!(lost.number, 4);
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let kept = tx.append_audit(tenant_id(1), &entry(10)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kept.number, 4);
    let entries = chain(&store).await;
    assert_eq!(broken(&entries), None);
    assert_eq!(entries[3].hash, kept.hash);
    assert_eq!(entries[3].canonical, kept.body.to_string());
}

async fn tampering_is_found(store: Store) {
    for (tenant, sql, place) in [
        (
            1,
            "update audit_entries set body = replace(body, 'Nightly', 'Daily') where tenant_id like '%1' and number = 3",
            3,
        ),
        (2, "delete from audit_entries where tenant_id like '%2' and number = 5", 5),
        (
            3,
            "update audit_entries set body = (select e.body from audit_entries e where e.tenant_id like '%3' \
             and e.number = 13 - audit_entries.number) where tenant_id like '%3' and number in (6, 7)",
            6,
        ),
        (
            4,
            "update audit_entries set hash = (select e.hash from audit_entries e where e.tenant_id like '%4' \
             and e.number = 1) where tenant_id like '%4' and number = 8",
            8,
        ),
    ] {
        append(&store, tenant_id(tenant), 0..8).await;
        let read = async || store.list_audit_after(tenant_id(tenant), 0, None, 99).await.unwrap();
        assert_eq!(broken(&read().await), None);
        let mut tx = store.begin().await.unwrap();
        assert!(execute(&mut tx, sql).await.unwrap() > 0);
        tx.commit().await.unwrap();
        assert_eq!(broken(&read().await), Some(place), "{sql}");
    }
}

async fn filters_and_pages_narrow(store: Store) {
    append(&store, tenant_id(1), 0..12).await;
    append(&store, tenant_id(2), 0..3).await;
    let numbers = async |filter: Filter, limit, after: Option<&str>| -> Vec<_> {
        let found = store.list_audit(tenant_id(1), &filter, &page(limit, after.map(str::to_owned))).await.unwrap();
        found.into_iter().map(|entry| entry.number).collect()
    };
    assert_eq!(numbers(Filter::default(), 2, None).await, [12, 11, 10]);
    assert_eq!(numbers(Filter::default(), 50, Some("3")).await, [2, 1]);
    let between = Filter { since: Some(at(2)), until: Some(at(4)), ..Filter::default() };
    assert_eq!(numbers(between, 50, None).await, [4, 3]);
    let target = Filter { target: Some("target 1".into()), ..Filter::default() };
    assert_eq!(numbers(target, 50, None).await, [11, 8, 5, 2]);
    let actor = Filter { actor: Some("actor".into()), action: Some("application.created".into()), ..Filter::default() };
    assert_eq!(numbers(actor, 50, None).await.len(), 12);
    let nobody = Filter { action: Some("application.deleted".into()), ..Filter::default() };
    assert!(numbers(nobody, 50, None).await.is_empty());
    let found = store.list_audit(tenant_id(1), &Filter::default(), &page(1, None)).await.unwrap();
    assert_eq!(found[0].body["details"]["n"], 11);
    assert_eq!(found[0].at, at(11));
}

async fn numbers_are_found_by_time(store: Store) {
    append(&store, tenant_id(1), 10..20).await;
    let number = async |seconds| store.audit_number_at(tenant_id(1), at(seconds)).await.unwrap();
    assert_eq!((number(10).await, number(11).await, number(99).await), (0, 1, 10));
    let later = store.list_audit_after(tenant_id(1), 4, Some(at(17)), 99).await.unwrap();
    assert_eq!(later.iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(store.list_audit_after(tenant_id(1), 4, None, 2).await.unwrap().len(), 2);
}

async fn a_queue_begins_at_a_time_and_goes_on_by_number(store: Store) {
    append(&store, tenant_id(1), 10..20).await;
    let mut tx = store.begin().await.unwrap();
    let first = tx.list_audit_queue(tenant_id(1), None, at(17), 2).await.unwrap();
    assert_eq!(first.iter().map(|entry| entry.number).collect::<Vec<_>>(), [8, 9]);
    let next = tx.list_audit_queue(tenant_id(1), Some(3), at(17), 99).await.unwrap();
    assert_eq!(next.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9, 10]);
    assert!(tx.list_audit_queue(tenant_id(2), None, at(0), 9).await.unwrap().is_empty());
}
