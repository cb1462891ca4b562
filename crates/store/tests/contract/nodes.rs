//! The servers of a store, the leases of work that one does for all, and what they tell each other.

use crate::fixtures::*;
use claviger_domain::time::Timestamp;
use claviger_store::changes::SHARDS;
use claviger_store::nodes::{Hint, Node};
use claviger_store::testing::open_fresh;
use claviger_store::{Engine, Store};
use std::time::Duration;
use tokio::sync::mpsc;

facts!(
    a_process_has_a_number_of_its_own,
    nodes_come_and_renew_and_go,
    who_stands_still_is_shut_out,
    leases_are_held_by_one_and_late_ones_are_shut_out,
    rates_are_told_to_the_others,
    a_history_begins_beyond_the_one_before,
    processes_log_without_meeting,
);

fn node(id: &str, run: i64) -> Node {
    Node {
        id: id.into(),
        run,
        name: format!("name of {id}"),
        address: "https://127.0.0.1:8443".into(),
        version: "1".into(),
        started_at: at(1),
        renewed_at: at(2),
        clock_offset: -3,
        applied: 0,
        beat: 0,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(seconds)
}

async fn a_process_has_a_number_of_its_own(store: Store) {
    let first = store.next_run().await.unwrap();
    let second = store.next_run().await.unwrap();
    assert!(first > 0 && second > first);
    let near = store.database_time().await.unwrap();
    assert!(near > at(1_700_000_000), "{near}");
}

async fn nodes_come_and_renew_and_go(store: Store) {
    store.register_node(&node("b", 2)).await.unwrap();
    store.register_node(&node("a", 1)).await.unwrap();
    assert_eq!(store.list_nodes().await.unwrap(), [node("a", 1), node("b", 2)]);
    assert!(store.renew_node("a", 1, 40, at(9), 5).await.unwrap());
    assert!(store.renew_node("a", 1, 30, at(10), 6).await.unwrap());
    let found = store.list_nodes().await.unwrap().remove(0);
    let renewed = Node { applied: 40, beat: 2, renewed_at: at(10), clock_offset: 6, ..node("a", 1) };
    assert_eq!(found, renewed, "what was applied stays applied");
    assert!(!store.renew_node("a", 7, 50, at(11), 0).await.unwrap(), "another process");
    store.register_node(&node("a", 3)).await.unwrap();
    assert_eq!(store.list_nodes().await.unwrap().remove(0), node("a", 3), "in place of the process before");
    store.remove_node("a", 1).await.unwrap();
    assert_eq!(store.list_nodes().await.unwrap().len(), 2, "the process before has nothing to take away");
    store.remove_node("a", 3).await.unwrap();
    assert_eq!(store.list_nodes().await.unwrap(), [node("b", 2)]);
}

async fn who_stands_still_is_shut_out(store: Store) {
    store.register_node(&node("a", 1)).await.unwrap();
    assert!(store.renew_node("a", 1, 1, at(3), 0).await.unwrap());
    assert!(!store.shut_out_node("a", 1, 0).await.unwrap(), "it has renewed since");
    assert!(store.shut_out_node("a", 1, 1).await.unwrap());
    assert!(!store.renew_node("a", 1, 2, at(4), 0).await.unwrap(), "too late");
    assert!(store.list_nodes().await.unwrap().is_empty());
}

async fn leases_are_held_by_one_and_late_ones_are_shut_out(store: Store) {
    for run in 1..=3 {
        store.register_node(&node(&run.to_string(), run)).await.unwrap();
    }
    assert_eq!(store.take_lease("work", 1, at(0), at(10)).await.unwrap(), Some(1));
    assert_eq!(store.take_lease("work", 2, at(5), at(15)).await.unwrap(), None);
    assert_eq!(store.take_lease("other", 2, at(5), at(15)).await.unwrap(), Some(1));
    assert_eq!(store.take_lease("work", 1, at(9), at(19)).await.unwrap(), Some(1), "kept");
    assert_eq!(store.take_lease("work", 2, at(19), at(29)).await.unwrap(), Some(2), "run out");
    assert_eq!(store.find_lease_holder("work", at(28)).await.unwrap(), Some(2));
    assert_eq!(store.find_lease_holder("work", at(29)).await.unwrap(), None, "nobody any more");
    assert_eq!(store.find_lease_holder("nothing", at(0)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.holds_lease("work", 1).await.unwrap());
    assert!(tx.holds_lease("work", 2).await.unwrap());
    assert!(!tx.holds_lease("nothing", 0).await.unwrap());
    tx.commit().await.unwrap();
    store.remove_node("2", 2).await.unwrap();
    assert_eq!(store.take_lease("work", 3, at(20), at(30)).await.unwrap(), Some(3), "its holder is gone");
}

async fn rates_are_told_to_the_others(store: Store) {
    for run in [1, 2] {
        store.register_node(&node(&format!("node {run}"), run)).await.unwrap();
    }
    store.tell_rates(1, b"one").await.unwrap();
    store.tell_rates(2, b"two").await.unwrap();
    store.tell_rates(1, b"one more").await.unwrap();
    assert_eq!(store.hear_rates(2).await.unwrap(), [(1, b"one more".to_vec())]);
    assert_eq!(store.hear_rates(3).await.unwrap().len(), 2);
    store.remove_node("node 2", 2).await.unwrap();
    assert_eq!(store.hear_rates(3).await.unwrap().len(), 1);
    // Started again at once: what the process before has said is not listened to.
    store.register_node(&node("node 1", 4)).await.unwrap();
    assert!(store.hear_rates(3).await.unwrap().is_empty());
}

async fn a_history_begins_beyond_the_one_before(store: Store) {
    let (history, revisions) = store.look().await.unwrap();
    assert_eq!((history, revisions.len()), (0, usize::try_from(SHARDS).unwrap()));
    let mut tx = store.begin().await.unwrap();
    tx.begin_history(99, &[(3, 40), (4, 50)]).await.unwrap();
    tx.begin_history(100, &[(3, 20)]).await.unwrap();
    tx.commit().await.unwrap();
    let (history, revisions) = store.look().await.unwrap();
    assert_eq!(history, 100);
    assert_eq!(store.read_history().await.unwrap(), 100);
    assert_eq!(revisions[3..5], [(3, 40), (4, 50)]);
    assert_eq!(store.head().await.unwrap(), 90);
}

async fn processes_log_without_meeting(store: Store) {
    let other = store.beside();
    for (store, rounds) in [(&store, 3), (&other, 3)] {
        store.next_run().await.unwrap();
        for _ in 0..rounds {
            let mut batch = claviger_store::usage_log::UsageBatch::default();
            let (hour, right) = (at(3_600), "org.audits:READ");
            batch.of(tenant_id(1), application_id(1)).called(
                right,
                claviger_domain::usage::Outcome::Allowed,
                1,
                hour,
                hour,
            );
            let mut tx = store.begin().await.unwrap();
            tx.log_usage(&batch).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_are_heard_by_those_who_listen() {
    let Some((store, _guard)) = open_fresh(Engine::Postgres).await else { return };
    let (tell, mut heard) = mpsc::unbounded_channel();
    let listening = store.beside();
    let listener = tokio::spawn(async move { listening.listen(move |hint| tell.send(hint).unwrap()).await });
    // At first everything is worth a look, since what was told before is lost.
    assert_eq!((heard.recv().await, heard.recv().await), (Some(Hint::Changed), Some(Hint::Confirmed)));
    for hint in [Hint::Confirmed, Hint::Changed] {
        store.hint(hint).await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap();
        assert_eq!(told, Some(hint));
    }
    listener.abort();
}
