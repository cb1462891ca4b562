//! Rotation with an overlap, and what simulation says of it.

use crate::fixture::{Client, Fixture, on_both};
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    two_secrets_overlap_and_the_old_one_ends_by_itself,
    a_third_secret_has_no_room,
    a_leak_ends_everything_at_once,
    a_secret_in_use_is_retired_by_force,
    rotation_fails_no_call,
    two_hundred_calls_a_second_see_no_rotation,
    simulation_tells_everything_in_the_way,
];

async fn start(f: &Fixture) -> (String, String, Client) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    (format!("/v1/tenants/{org}/applications/{id}"), format!("/v1/tenants/{org}"), client)
}

fn renewed(f: &Fixture, old: &Client, answer: &Value) -> Client {
    f.client(&old.client_id, answer["secret"]["text"].as_str().unwrap())
}

async fn allowed(client: &Client) -> bool {
    client.verify("org.audits:READ").await.status == 204
}

async fn two_secrets_overlap_and_the_old_one_ends_by_itself(f: Arc<Fixture>) {
    let (path, _, old) = start(&f).await;
    assert!(allowed(&old).await);
    // The use has not been written yet.
    let answer = f.operator.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 60})).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let rotated = answer.expect(200);
    let new = renewed(&f, &old, &rotated);
    assert_eq!(rotated["previous"]["last_use"]["address"], "127.0.0.1", "{rotated}");
    assert_eq!(rotated["previous"]["expires_at"], crate::fixture::START.plus_seconds(60).to_string());
    assert!(allowed(&old).await && allowed(&new).await);
    f.app.clock().advance(59);
    assert!(allowed(&old).await);
    f.app.clock().advance(1);
    assert_eq!(old.verify("org.audits:READ").await.code(401), "credential_expired");
    assert!(allowed(&new).await);
    let live = f.operator.get(&format!("{path}/secrets")).await.expect(200);
    assert_eq!(live["items"].as_array().unwrap().len(), 1);
    assert_eq!(f.operator.post(&format!("{path}/rotate"), &json!({})).await.status, 200, "there is room again");
}

async fn a_third_secret_has_no_room(f: Arc<Fixture>) {
    let (path, _, old) = start(&f).await;
    let first = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    let problem = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(409);
    assert_eq!(problem["code"], "two_secrets_live");
    for bad in [
        json!({"overlap_seconds": 0}),
        json!({"overlap_seconds": 2_592_001}),
        json!({"quarantine": true}),
        json!({"leak": true, "overlap_seconds": 5}),
    ] {
        assert_eq!(f.operator.post(&format!("{path}/rotate"), &bad).await.status, 422, "{bad}");
    }
    assert!(allowed(&old).await && allowed(&renewed(&f, &old, &first)).await);
}

async fn a_leak_ends_everything_at_once(f: Arc<Fixture>) {
    let (path, tenant, old) = start(&f).await;
    let first = renewed(&f, &old, &f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200));
    let second =
        f.operator.post(&format!("{path}/rotate"), &json!({"leak": true, "quarantine": true})).await.expect(200);
    let second = renewed(&f, &old, &second);
    assert!(!allowed(&old).await && !allowed(&first).await);
    assert_eq!(second.verify("org.audits:READ").await.code(401), "application_disabled");
    f.operator.patch(&path, &json!({"enabled": true})).await.expect(200);
    assert!(allowed(&second).await);
    let record = f.operator.get(&format!("{tenant}/audit?action=secret.leaked")).await.expect(200);
    assert_eq!(record["items"][0]["details"]["alarm"], true, "{record}");
}

async fn a_secret_in_use_is_retired_by_force(f: Arc<Fixture>) {
    let (path, _, old) = start(&f).await;
    assert!(allowed(&old).await);
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    let own = format!("{path}/secrets/{}", rotated["previous"]["id"].as_str().unwrap());
    let refused = f.operator.delete(&own).await.expect(409);
    assert_eq!(refused["code"], "secret_in_use");
    assert!(refused["detail"].as_str().unwrap().contains("127.0.0.1"), "{refused}");
    assert_eq!(f.operator.delete(&format!("{own}?force=true")).await.status, 204);
    assert!(!allowed(&old).await && allowed(&renewed(&f, &old, &rotated)).await);
}

async fn rotation_fails_no_call(f: Arc<Fixture>) {
    let (path, _, first) = start(&f).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let current = Arc::new(parking_lot::Mutex::new(first));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (current, stopped) = (Arc::clone(&current), stopped.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !*stopped.borrow() {
                    let client = current.lock().clone();
                    assert!(allowed(&client).await, "a call failed during a rotation");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for _ in 0..10 {
        let rotated = f.operator.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 60})).await.expect(200);
        let next = renewed(&f, &current.lock().clone(), &rotated);
        *current.lock() = next;
        // Whoever read the secret before the exchange has finished its call when the old one ends.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        f.app.clock().advance(61);
    }
    stop.send(true).unwrap();
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
}

/// A7: the client goes on with the old secret for the whole overlap, and the old secret ends at its second.
async fn two_hundred_calls_a_second_see_no_rotation(f: Arc<Fixture>) {
    const CALLS: u32 = 200;
    let (path, _, old) = start(&f).await;
    let called = {
        let old = old.clone();
        tokio::spawn(async move {
            let mut pace = tokio::time::interval(std::time::Duration::from_secs(1) / CALLS);
            let mut calls = tokio::task::JoinSet::new();
            for _ in 0..CALLS {
                pace.tick().await;
                let client = old.clone();
                calls.spawn(async move { allowed(&client).await });
            }
            calls.join_all().await
        })
    };
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 60})).await.expect(200);
    let new = renewed(&f, &old, &rotated);
    for _ in 0..20 {
        assert!(allowed(&new).await, "at once, and as long as the old one works");
    }
    let answers = called.await.unwrap();
    assert_eq!(answers.iter().filter(|allowed| **allowed).count(), answers.len());
    f.app.clock().advance(59);
    assert!(allowed(&old).await && allowed(&new).await);
    f.app.clock().advance(1);
    assert_eq!(old.verify("org.audits:READ").await.code(401), "credential_expired");
    assert!(allowed(&new).await);
}

async fn simulation_tells_everything_in_the_way(f: Arc<Fixture>) {
    let (path, tenant, _) = start(&f).await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let ask = |permission: &str, address: &str| {
        let body = json!({"application_id": id, "permission": permission, "address": address});
        let (f, tenant) = (Arc::clone(&f), tenant.clone());
        async move { f.operator.post(&format!("{tenant}/simulate"), &body).await }
    };
    let passes = ask("org.audits:READ", "203.0.113.9").await.expect(200);
    assert_eq!(passes, json!({"allowed": true, "obstacles": []}));
    let change = json!({"enabled": false, "allowed_networks": ["10.0.0.0/8"]});
    f.operator.patch(&path, &change).await.expect(200);
    f.operator.patch(&tenant, &json!({"status": "suspended"})).await.expect(200);
    let fails = ask("org.feeds:READ", "203.0.113.9").await.expect(200);
    let codes: Vec<_> =
        fails["obstacles"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["address_not_allowed", "application_disabled", "tenant_suspended", "permission_missing"]);
    assert_eq!(ask("org.feeds:PEEK", "203.0.113.9").await.status, 422);
    assert_eq!(ask("org.feeds:READ", "300.0.0.1").await.status, 422);
}
