//! What crosses tenants.

use crate::fixtures::*;
use claviger_domain::id::JobId;
use claviger_domain::idempotency::Once;
use claviger_domain::visibility::Visibility;
use claviger_store::Store;
use claviger_store::changes::{Change, ChangeKind, shard_of};
use claviger_store::idempotency::{Claim, StoredAnswer};
use claviger_store::jobs::{JobEnd, NewJob};
use claviger_store::system::SignedHead;

facts!(
    tenants_and_clients_are_found,
    settings_are_written_once_unless_they_are_replaced,
    heads_are_signed_once,
    sweeping_removes_what_is_past
);

async fn tenants_and_clients_are_found(store: Store) {
    assert_eq!(store.find_operator().await.unwrap(), None);
    let (tenant, id) = seed(&store).await;
    assert_eq!(store.find_operator().await.unwrap(), Some(operator()));
    assert_eq!(store.find_client(&id.to_string()).await.unwrap(), Some((tenant, id)));
    assert_eq!(store.find_client("nobody").await.unwrap(), None);
    assert_eq!(store.find_client("no\0body").await.unwrap(), None);
    assert_eq!(store.find_tenant_by_org_key("KEY00001").await.unwrap(), Some(tenant));
    assert_eq!(store.find_tenant_by_org_key("key00001").await.unwrap(), None);
    assert_eq!(store.load_tenants(None, 1).await.unwrap(), [operator()]);
    assert_eq!(store.load_tenants(Some(operator().id), 9).await.unwrap(), [crate::fixtures::tenant(1, "Tenant 1")]);
}

async fn settings_are_written_once_unless_they_are_replaced(store: Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_setting("root_key").await.unwrap(), None);
    assert!(tx.insert_setting("root_key", &[1, 2]).await.unwrap());
    assert!(!tx.insert_setting("root_key", &[3]).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for value in [[4], [5]] {
        tx.put_setting("origin", &value).await.unwrap();
        assert_eq!(tx.find_setting("origin").await.unwrap(), Some(value.to_vec()));
    }
    assert_eq!(tx.find_setting("root_key").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(store.read_setting("root_key").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(store.read_setting("other").await.unwrap(), None);
}

async fn heads_are_signed_once(store: Store) {
    let head = |tenant, number, byte| SignedHead {
        tenant: tenant_id(tenant),
        number,
        hash: [byte; 32],
        visibility: (number == 8).then_some(Visibility::ShowOnce),
        signed_at: NOW,
        key_id: "k1".into(),
        signature: vec![byte; 64],
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_signed_heads(&[head(1, 5, 1), head(2, 7, 2)]).await.unwrap();
    tx.insert_signed_heads(&[head(1, 5, 9), head(1, 8, 3)]).await.unwrap();
    tx.insert_signed_heads(&[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_signed_heads(tenant_id(1)).await.unwrap(), [head(1, 5, 1), head(1, 8, 3)]);
    assert_eq!(store.last_signed_head(tenant_id(1)).await.unwrap(), Some(head(1, 8, 3)));
    assert_eq!(store.last_signed_head(tenant_id(3)).await.unwrap(), None);
    insert_tenants(&store, 1).await;
    assert_eq!(store.list_chains().await.unwrap(), [operator().id, tenant_id(1), tenant_id(2)]);
}

async fn sweeping_removes_what_is_past(store: Store) {
    let (tenant, id) = (tenant_id(1), application_id(1));
    let once = |key: &str| Once::parse(key, "POST", "/", b"").unwrap();
    let day = 86_400;
    let mut tx = store.begin().await.unwrap();
    for (key, age) in [("old", day), ("young", day - 1)] {
        tx.claim_once(tenant, id, &once(key), at(-age)).await.unwrap();
        tx.store_answer(tenant, id, &once(key), &StoredAnswer { status: 201, body: key.into() }).await.unwrap();
    }
    let mut numbers = Vec::new();
    for (number, end) in [(1, Some(-8 * day)), (2, Some(-6 * day)), (3, None)] {
        let job = NewJob {
            id: JobId::from_u128(number),
            application_id: id,
            kind: "k".into(),
            status: "s".into(),
            parameters: serde_json::Value::Null,
            created_at: at(-30 * day),
            total: 0,
        };
        numbers.push(tx.insert_job(tenant, &job).await.unwrap());
        if let Some(end) = end {
            let (status, at, completed) = ("s".to_owned(), at(end), 0);
            let end = JobEnd { status, at, content_type: None, error: None, total: 0, completed };
            tx.finish_job(tenant, job.id, &end, b"").await.unwrap();
        }
    }
    let changes = vec![Change { kind: ChangeKind::Application, subject: "x".into() }; 10_004];
    tx.bump_revision(tenant, &changes).await.unwrap();
    tx.bump_revision(tenant_id(2), &changes[..1]).await.unwrap();
    tx.sweep(NOW).await.unwrap();
    // The key is gone, not merely past its time: it would be fresh for an earlier clock, too.
    assert_eq!(tx.claim_once(tenant, id, &once("old"), at(-day)).await.unwrap(), Claim::Fresh);
    assert!(matches!(tx.claim_once(tenant, id, &once("young"), at(-1)).await.unwrap(), Claim::Replay(_)));
    tx.commit().await.unwrap();
    let left = [0, 1, 2].map(|n| numbers[n]);
    let mut found = Vec::new();
    for number in left {
        found.push(store.find_job(tenant, number).await.unwrap().is_some());
    }
    assert_eq!(found, [false, true, true]);
    let feed = store.read_changes(shard_of(tenant), 0).await.unwrap();
    assert_eq!((feed.len(), feed[0].0), (10_000, 5));
    assert_eq!(store.read_changes(shard_of(tenant_id(2)), 0).await.unwrap().len(), 1);
}
