//! The sharded revision and its feed.

use crate::fixtures::*;
use claviger_domain::id::TenantId;
use claviger_store::Store;
use claviger_store::changes::{Change, ChangeKind, SHARDS, shard_of};

facts!(revisions_are_gapless_and_feed_what_changed, tenants_spread_over_shards);

fn change(subject: &str) -> Change {
    Change { kind: ChangeKind::Application, subject: subject.into() }
}

async fn revisions_are_gapless_and_feed_what_changed(store: Store) {
    let tenant = tenant_id(5);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let mut tx = store.begin().await.unwrap();
                    tx.bump_revision(tenant, &[change(&format!("{task}")), change(&format!("{round}"))]).await.unwrap();
                    if round % 5 == 0 {
                        continue;
                    }
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let found = store.read_changes(shard_of(tenant), 0).await.unwrap();
    assert_eq!(found.iter().map(|(revision, ..)| *revision).collect::<Vec<_>>(), (1..=128).collect::<Vec<_>>());
    assert!(found.iter().all(|(_, owner, _)| *owner == tenant));

    let mut tx = store.begin().await.unwrap();
    let kinds = [ChangeKind::Tenant, ChangeKind::Application, ChangeKind::AccessLevel, ChangeKind::User];
    let changes = kinds.map(|kind| Change { kind, subject: "x".into() });
    assert_eq!(tx.bump_revision(tenant, &changes).await.unwrap(), 132);
    tx.commit().await.unwrap();
    let last: Vec<_> = store.read_changes(shard_of(tenant), 128).await.unwrap().into_iter().map(|(.., c)| c).collect();
    assert_eq!(last, changes);
    let revisions = store.revisions().await.unwrap();
    assert_eq!(revisions.len(), usize::try_from(SHARDS).unwrap());
    assert!(revisions.iter().all(|(shard, revision)| *revision == if *shard == shard_of(tenant) { 132 } else { 0 }));
}

async fn tenants_spread_over_shards(store: Store) {
    let mut tx = store.begin().await.unwrap();
    for number in 0..128 {
        tx.bump_revision(TenantId::from_u128(number), &[change("x")]).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert!(store.revisions().await.unwrap().iter().all(|(_, revision)| *revision == 2));
}
