//! Idempotency keys.

use crate::fixtures::*;
use claviger_domain::idempotency::Once;
use claviger_store::Store;
use claviger_store::idempotency::{Claim, StoredAnswer};

facts!(a_key_has_one_effect, parallel_twins_have_one_effect, an_abandoned_claim_is_no_claim);

fn once(key: &str, body: &str) -> Once {
    Once::parse(key, "POST", "/v1/tenants", body.as_bytes()).unwrap()
}

fn answer(text: &str) -> StoredAnswer {
    StoredAnswer { status: 201, body: text.into() }
}

async fn a_key_has_one_effect(store: Store) {
    let (tenant, id) = (tenant_id(1), application_id(1));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim_once(tenant, id, &once("k", "a"), NOW).await.unwrap(), Claim::Fresh);
    tx.store_answer(tenant, id, &once("k", "a"), &answer("first")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim_once(tenant, id, &once("k", "a"), at(1)).await.unwrap(), Claim::Replay(answer("first")));
    assert_eq!(tx.claim_once(tenant, id, &once("k", "b"), at(1)).await.unwrap(), Claim::Mismatch);
    let other = application_id(2);
    assert_eq!(tx.claim_once(tenant, other, &once("k", "b"), at(1)).await.unwrap(), Claim::Fresh);
    let just_before = tx.claim_once(tenant, id, &once("k", "b"), at(86_399)).await.unwrap();
    assert_eq!(just_before, Claim::Mismatch);
    assert_eq!(tx.claim_once(tenant, id, &once("k", "b"), at(86_400)).await.unwrap(), Claim::Fresh);
    assert!(tx.claim_once(tenant, id, &once("k", "b"), at(86_401)).await.is_err(), "claimed without an answer");
}

async fn parallel_twins_have_one_effect(store: Store) {
    let tasks: Vec<_> = (0..12)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let (tenant, id, once) = (tenant_id(1), application_id(1), once("twin", "a"));
                let mut tx = store.begin().await.unwrap();
                match tx.claim_once(tenant, id, &once, NOW).await.unwrap() {
                    Claim::Fresh => {
                        tokio::task::yield_now().await;
                        tx.store_answer(tenant, id, &once, &answer(&task.to_string())).await.unwrap();
                        tx.commit().await.unwrap();
                        (true, task.to_string())
                    }
                    Claim::Replay(answer) => {
                        tx.commit().await.unwrap();
                        (false, answer.body)
                    }
                    Claim::Mismatch => panic!("the twins are equal"),
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|(fresh, _)| *fresh).count(), 1);
    assert!(answers.iter().all(|(_, body)| *body == answers[0].1));
}

async fn an_abandoned_claim_is_no_claim(store: Store) {
    let (tenant, id) = (tenant_id(1), application_id(1));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim_once(tenant, id, &once("k", "a"), NOW).await.unwrap(), Claim::Fresh);
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim_once(tenant, id, &once("k", "b"), NOW).await.unwrap(), Claim::Fresh);
}
