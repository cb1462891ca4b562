//! Units and their shared commits.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_store::testing::{execute, open_fresh};
use claviger_store::{Engine, Store};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

facts!(
    units_share_commits_and_counts_are_exact,
    a_dropped_unit_leaves_nothing,
    cancelled_callers_lose_nothing,
    a_unit_outlives_its_store,
);

async fn insert(tx: &mut claviger_store::Tx, number: u128) {
    tx.insert_setting(&format!("{number:06}"), &[1]).await.unwrap();
}

async fn holds(store: &Store, number: u128) -> bool {
    let mut tx = store.begin().await.unwrap();
    tx.find_setting(&format!("{number:06}")).await.unwrap().is_some()
}

async fn units_share_commits_and_counts_are_exact(store: Store) {
    let before = store.commits();
    let tasks: Vec<_> = (0..64_u128)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (0..1_000).filter(|number| number % 64 == task) {
                    let mut tx = store.begin().await.unwrap();
                    insert(&mut tx, number).await;
                    insert(&mut tx, number + 1_000).await;
                    if number % 10 != 0 {
                        tx.commit().await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut tx = store.begin().await.unwrap();
    for number in 0..1_000 {
        for row in [number, number + 1_000] {
            let found = tx.find_setting(&format!("{row:06}")).await.unwrap().is_some();
            assert_eq!(found, number % 10 != 0, "{row}");
        }
    }
    let commits = store.commits() - before;
    match store.engine() {
        Engine::Sqlite => assert!(commits < 200, "900 units took {commits} commits"),
        Engine::Postgres => assert_eq!(commits, 900),
    }
}

async fn a_dropped_unit_leaves_nothing(store: Store) {
    let mut tx = store.begin().await.unwrap();
    insert(&mut tx, 1).await;
    drop(tx);
    assert!(!holds(&store, 1).await);
    let mut tx = store.begin().await.unwrap();
    insert(&mut tx, 2).await;
    let mut failing = tx.insert_secret(tenant_id(1), &secret(application_id(1), 1)).await;
    assert!(failing.is_err(), "there is no such application");
    failing = tx.commit().await;
    assert!(failing.is_err());
    assert!(!holds(&store, 2).await);
    let mut tx = store.begin().await.unwrap();
    insert(&mut tx, 3).await;
    tx.commit().await.unwrap();
    assert!(holds(&store, 3).await);
}

/// Callers go away at every point of a unit; each unit is then there as a whole or not at all, and what was acknowledged
/// is there.
async fn cancelled_callers_lose_nothing(store: Store) {
    let acknowledged = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..600_u128)
        .map(|number| {
            let (store, acknowledged) = (store.clone(), std::sync::Arc::clone(&acknowledged));
            tokio::spawn(async move {
                let unit = async {
                    let mut tx = store.begin().await.unwrap();
                    insert(&mut tx, number).await;
                    insert(&mut tx, number + 1_000).await;
                    tx.commit().await.unwrap();
                    acknowledged.lock().unwrap().push(number);
                };
                if number % 3 == 0 {
                    unit.await;
                } else {
                    let patience = Duration::from_micros(u64::try_from(number * 97 % 60_000).unwrap());
                    let _gone = tokio::time::timeout(patience, unit).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() >= 200);
    let mut tx = store.begin().await.unwrap();
    for number in 0..600 {
        let first = tx.find_setting(&format!("{number:06}")).await.unwrap().is_some();
        let second = tx.find_setting(&format!("{:06}", number + 1_000)).await.unwrap().is_some();
        assert_eq!(first, second, "{number}");
        assert!(first || !acknowledged.contains(&number), "{number} was acknowledged");
    }
}

async fn a_unit_outlives_its_store(store: Store) {
    let mut tx = store.begin().await.unwrap();
    drop(store);
    insert(&mut tx, 1).await;
    tx.commit().await.unwrap();
}

/// One unit in the batch makes the shared commit fail: everybody is told, nothing remains, and the next batch works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_a_failing_commit_fails_all_its_units() {
    let (store, _guard) = open_fresh(Engine::Sqlite).await.unwrap();
    // While this unit has the writer, the others queue, so that they share a batch with the one that spoils it.
    let mut spoiler = store.begin().await.unwrap();
    let others: Vec<_> = (0..20_u128)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                insert(&mut tx, number).await;
                tx.commit().await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    execute(&mut spoiler, "pragma defer_foreign_keys = on").await.unwrap();
    spoiler.insert_secret(tenant_id(1), &secret(application_id(1), 1)).await.unwrap();
    let failed = spoiler.commit().await;
    assert!(matches!(&failed, Err(Error::Internal(text)) if text.contains("FOREIGN KEY")), "{failed:?}");
    for (number, other) in (0..).zip(others) {
        assert!(other.await.unwrap().is_err(), "{number}");
        assert!(!holds(&store, number).await, "{number}");
    }
    let mut tx = store.begin().await.unwrap();
    insert(&mut tx, 100).await;
    tx.commit().await.unwrap();
    assert!(holds(&store, 100).await);
}

/// SQLite may roll the whole transaction back by itself, as when the disk is full: who waits for the batch is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_a_batch_that_sqlite_gives_up_fails_all_its_units() {
    let (store, _guard) = open_fresh(Engine::Sqlite).await.unwrap();
    let mut first = store.begin().await.unwrap();
    insert(&mut first, 1).await;
    let second = tokio::spawn({
        let store = store.clone();
        async move {
            let mut tx = store.begin().await.unwrap();
            execute(&mut tx, "rollback").await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let third = tokio::spawn({
        let store = store.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let mut tx = store.begin().await.unwrap();
            insert(&mut tx, 3).await;
            tx.commit().await
        }
    });
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(first.commit().await.is_err(), "what was given up is not acknowledged");
    second.await.unwrap();
    third.await.unwrap().unwrap();
    assert!(!holds(&store, 1).await);
    assert!(holds(&store, 3).await);
}

#[tokio::test]
async fn sqlite_the_committer_goes_with_the_last_store() {
    let (store, guard) = open_fresh(Engine::Sqlite).await.unwrap();
    let another = store.clone();
    drop(store);
    insert_tenants(&another, 1).await;
    drop(another);
    // The connection closes when the committer has ended, and the last one to close removes the log.
    let log = guard.directory().unwrap().join("claviger.db-wal");
    for _ in 0..500 {
        if !log.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the writer is still open");
}

/// Whoever waits for a writer that is not given back is told so, and does not stand in the queue any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_a_busy_writer_is_waited_for_so_long() {
    let (store, _guard) = open_fresh(Engine::Sqlite).await.unwrap();
    let holding = store.begin().await.unwrap();
    let refused = store.begin().await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    drop(holding);
    let mut tx = store.begin().await.unwrap();
    insert(&mut tx, 1).await;
    tx.commit().await.unwrap();
}

/// A caller that goes away while its savepoint is being set costs nobody anything.
#[tokio::test]
async fn sqlite_a_begin_cut_short_harms_nobody() {
    let (store, _guard) = open_fresh(Engine::Sqlite).await.unwrap();
    let mut cut_short = 0;
    for number in 0..100 {
        let mut tx = store.begin().await.unwrap();
        insert(&mut tx, number).await;
        // On one thread the committer has had no turn yet, so that the batch is open when the next one begins.
        let mut committing = Box::pin(tx.commit());
        assert!(poll_once(committing.as_mut()).await.is_none());
        let mut cut = Box::pin(store.begin());
        cut_short += u32::from(poll_once(cut.as_mut()).await.is_none());
        drop(cut);
        let mut next = store.begin().await.unwrap();
        insert(&mut next, number + 1_000).await;
        next.commit().await.unwrap();
        committing.await.unwrap();
        assert!(holds(&store, number).await && holds(&store, number + 1_000).await);
    }
    assert!(cut_short > 0);
}

async fn poll_once<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
