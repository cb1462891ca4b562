//! What was accepted once.

use crate::fixtures::*;
use claviger_store::Store;

facts!(
    the_first_of_many_at_once_is_accepted,
    before_the_birth_nothing_is_accepted,
    what_is_saved_takes_the_place_of_what_was,
    what_has_ended_is_swept,
);

async fn the_first_of_many_at_once_is_accepted(store: Store) {
    assert_eq!(store.find_replay_birth().await.unwrap().unwrap().micros(), 0, "a new store has no past");
    let tries = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.accept_once(&[7; 32], at(60), at(0)).await.unwrap() })
    });
    let mut first = 0;
    for tried in tries.collect::<Vec<_>>() {
        first += usize::from(tried.await.unwrap());
    }
    assert_eq!(first, 1);
    assert!(!store.accept_once(&[7; 32], at(99), at(0)).await.unwrap(), "with another end");
    assert!(store.accept_once(&[8; 32], at(60), at(0)).await.unwrap());
}

async fn before_the_birth_nothing_is_accepted(store: Store) {
    let mut tx = store.begin().await.unwrap();
    tx.forget_replay().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_replay_birth().await.unwrap(), None);
    assert!(!store.accept_once(&[7; 32], at(60), at(9)).await.unwrap());
    for now in [5, 6] {
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.begin_replay(at(now)).await.unwrap(), at(5), "the first says when it began");
        tx.commit().await.unwrap();
    }
    assert!(!store.accept_once(&[7; 32], at(60), at(4)).await.unwrap());
    assert!(store.accept_once(&[7; 32], at(60), at(5)).await.unwrap());
}

async fn what_is_saved_takes_the_place_of_what_was(store: Store) {
    store.accept_once(&[1; 32], at(60), at(0)).await.unwrap();
    let saved: Vec<_> = (2..250_u8).map(|byte| ([byte; 32], at(i64::from(byte)))).collect();
    let mut tx = store.begin().await.unwrap();
    tx.save_replay(at(3), &saved).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_replay_birth().await.unwrap(), Some(at(3)));
    let mut read = store.list_accepted(at(100)).await.unwrap();
    read.sort_unstable();
    assert_eq!(read, saved[98..]);
}

async fn what_has_ended_is_swept(store: Store) {
    for (byte, end) in [(1, 10), (2, 20)] {
        store.accept_once(&[byte; 32], at(end), at(0)).await.unwrap();
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.sweep_replay(at(20)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(store.list_accepted(at(0)).await.unwrap(), [([2; 32], at(20))]);
}
