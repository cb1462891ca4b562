//! The journal.

use crate::fixtures::*;
use claviger_store::Store;
use claviger_store::journal::JournalEntry;
use serde_json::json;

facts!(positions_are_gapless_and_in_commit_order);

async fn positions_are_gapless_and_in_commit_order(store: Store) {
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let entry = |n| JournalEntry { kind: "alert".into(), body: json!({ "task": task, "n": n }) };
                    let mut tx = store.begin().await.unwrap();
                    tx.append_journal(tenant_id(1), at(round), &[entry(1), entry(2)]).await.unwrap();
                    if round % 3 == 0 {
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
    let found = store.read_journal(tenant_id(1), 0, 1_000).await.unwrap();
    assert_eq!(found.iter().map(|(position, ..)| *position).collect::<Vec<_>>(), (1..=96).collect::<Vec<_>>());
    assert!(found.chunks(2).all(|pair| pair[0].3["task"] == pair[1].3["task"]), "a batch stays together");
    assert_eq!(found[0].2, "alert");

    let mut tx = store.begin().await.unwrap();
    let many: Vec<_> = (0..300).map(|n| JournalEntry { kind: "event".into(), body: n.into() }).collect();
    assert_eq!(tx.append_journal(tenant_id(1), NOW, &many).await.unwrap(), 396);
    assert_eq!(tx.append_journal(tenant_id(2), NOW, &many[..1]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let found = store.read_journal(tenant_id(1), 100, 3).await.unwrap();
    let expected = [101, 102, 103].map(|position| (position, NOW, "event".to_owned(), json!(position - 97)));
    assert_eq!(found, expected);
}
