//! Cursors on queues that hand everything out once.

use crate::fixtures::*;
use claviger_store::Store;
use std::collections::BTreeSet;

facts!(a_new_cursor_is_none, parallel_readers_get_everything_once);

async fn a_new_cursor_is_none(store: Store) {
    let (tenant, id) = (tenant_id(1), application_id(1));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_cursor(tenant, id, "audit").await.unwrap(), None);
    assert_eq!(tx.find_cursor(tenant, id, "audit").await.unwrap(), None, "looking is not reading");
    tx.update_cursor(tenant, id, "audit", 7).await.unwrap();
    tx.update_cursor(tenant, id, "events", 9).await.unwrap();
    assert_eq!(tx.find_cursor(tenant, id, "audit").await.unwrap(), Some(7));
    assert_eq!(tx.find_cursor(tenant, application_id(2), "audit").await.unwrap(), None);
    tx.commit().await.unwrap();
}

async fn parallel_readers_get_everything_once(store: Store) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let (tenant, id) = (tenant_id(1), application_id(1));
                let mut taken = Vec::new();
                for _ in 0..10 {
                    let mut tx = store.begin().await.unwrap();
                    let position = tx.find_cursor(tenant, id, "audit").await.unwrap().unwrap_or(0);
                    tokio::task::yield_now().await;
                    tx.update_cursor(tenant, id, "audit", position + 3).await.unwrap();
                    tx.commit().await.unwrap();
                    taken.extend(position + 1..=position + 3);
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.unwrap());
    }
    assert_eq!(taken.len(), 240);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), (1..=240).collect());
}
