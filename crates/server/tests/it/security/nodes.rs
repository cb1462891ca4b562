//! D, A7, A12 on three servers of one PostgreSQL, as clients see it.

use crate::fixture::{Client, Fixture, Node, START, on_both, run};
use crate::oauth;
use claviger_store::Engine;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

on_both![nodes_are_the_operators_own, an_answer_names_who_has_followed];

async fn nodes_are_the_operators_own(f: Arc<Fixture>) {
    // Answered when every node has followed, also what the start itself has changed.
    let (org, _) = f.organization("Acme").await;
    let nodes = f.operator.get("/v1/nodes").await.expect(200);
    let items = nodes["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["address"], f.operator.base.as_str());
    assert_eq!(
        (&items[0]["this"], &items[0]["lag"], &items[0]["clock_offset_ms"]),
        (&json!(true), &json!(0), &json!(0))
    );
    assert!(items[0]["lease_ms"].as_i64().unwrap() > 0);
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(["nodes", "--credentials-file"])
        .arg(f.data_dir.join("credentials.json"))
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("LEASE_MS") && printed.contains(&f.operator.base), "{printed}");
    let (_, theirs) = f.application(&org, "Curious", json!({"nodes": ["READ"]})).await;
    assert_eq!(theirs.get("/v1/nodes").await.code(403), "forbidden");
    let (_, lacking) = f.application(&f.root, "Lacking", json!({})).await;
    assert_eq!(lacking.get("/v1/nodes").await.expect(403)["missing_permission"], "nodes:READ");
}

async fn an_answer_names_who_has_followed(f: Arc<Fixture>) {
    let body = json!({"name": "Acme", "kind": "organization", "parent_id": f.root});
    let made = f.operator.post("/v1/tenants", &body).await;
    let name = f.operator.get("/v1/nodes").await.expect(200)["items"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(made.header("claviger-confirmed-by"), Some(name.as_str()));
    assert_eq!(made.header("claviger-lapsed"), None);
    assert_eq!(f.operator.get("/v1/tenants").await.header("claviger-confirmed-by"), None, "nothing was changed");
}

/// Runs a test against three servers.
async fn on_three<T, F>(test: T)
where
    T: FnOnce(Arc<Fixture>, Arc<[Node; 2]>) -> F,
    F: Future<Output = ()>,
{
    run(Engine::Postgres, &[], |f| async move {
        let nodes = Arc::new([f.join("two").await, f.join("three").await]);
        test(Arc::clone(&f), Arc::clone(&nodes)).await;
        for node in Arc::into_inner(nodes).unwrap() {
            node.stop().await;
        }
    })
    .await;
}

fn everywhere(nodes: &[Node; 2], client: &Client) -> [Client; 3] {
    [client.clone(), nodes[0].client(client), nodes[1].client(client)]
}

fn advance(f: &Fixture, nodes: &[Node; 2], seconds: i64) {
    for app in [&f.app, &nodes[0].app, &nodes[1].app] {
        app.clock().advance(seconds);
    }
}

async fn statuses(clients: &[Client; 3]) -> Vec<u16> {
    let mut found = Vec::new();
    for client in clients {
        found.push(client.verify("org.audits:READ").await.status.as_u16());
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_as_one() {
    on_three(|f, nodes| async move {
        let listed = nodes[1].operator.get("/v1/nodes").await.expect(200);
        let ids: std::collections::HashSet<_> =
            listed["items"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 3, "a copy of a data directory is another node: {listed}");
        let (org, _) = f.organization("Acme").await;
        let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
        let clients = everywhere(&nodes, &client);
        assert_eq!(statuses(&clients).await, [204; 3], "a new one works everywhere at once");
        let path = format!("/v1/tenants/{org}/applications/{id}");
        // What another node has changed is what this one goes on from.
        for (node, body, status) in [
            (0, json!({"enabled": false}), 401),
            (1, json!({"enabled": true}), 204),
            (0, json!({"allowed_networks": ["192.0.2.0/24"]}), 401),
            (1, json!({"allowed_networks": null}), 204),
            (0, json!({"grants": {}}), 403),
            (1, json!({"grants": {"org.audits": ["READ"]}}), 204),
        ] {
            let answer = nodes[node].operator.patch(&path, &body).await;
            assert_eq!(answer.header("claviger-confirmed-by").unwrap().split(", ").count(), 3);
            answer.expect(200);
            assert_eq!(statuses(&clients).await, [status; 3], "{body}");
        }
        let tenant = format!("/v1/tenants/{org}");
        for (status, expected) in [("suspended", 401), ("active", 204)] {
            nodes[1].operator.patch(&tenant, &json!({"status": status})).await.expect(200);
            assert_eq!(statuses(&clients).await, [expected; 3], "{status}");
        }
        nodes[0].operator.delete(&path).await.expect(204);
        assert_eq!(statuses(&clients).await, [401; 3]);
    })
    .await;
}

/// A7: a rotation with an overlap loses no call on any node, and the old secret ends everywhere in the same second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_rotation_on_three_nodes_loses_no_call() {
    on_three(|f, nodes| async move {
        let (org, _) = f.organization("Acme").await;
        let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = everywhere(&nodes, &client)
            .into_iter()
            .map(|client| {
                let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let answer = client.verify("org.audits:READ").await;
                        assert_eq!(answer.status, 204, "{}", answer.text);
                        calls.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                })
            })
            .collect();
        let path = format!("/v1/tenants/{org}/applications/{id}/rotate");
        let rotated = nodes[0].operator.post(&path, &json!({"overlap_seconds": 60})).await.expect(200);
        let newer = Client { secret: rotated["secret"]["text"].as_str().unwrap().to_owned(), ..client.clone() };
        let before = calls.load(Ordering::Relaxed);
        assert_eq!(statuses(&everywhere(&nodes, &newer)).await, [204; 3]);
        while calls.load(Ordering::Relaxed) < before + 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
        advance(&f, &nodes, 59);
        assert_eq!(statuses(&everywhere(&nodes, &client)).await, [204; 3]);
        advance(&f, &nodes, 2);
        assert_eq!(statuses(&everywhere(&nodes, &client)).await, [401; 3]);
        assert_eq!(statuses(&everywhere(&nodes, &newer)).await, [204; 3]);
    })
    .await;
}

/// A12: an application ends everywhere at its second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a12_an_application_ends_on_three_nodes_at_once() {
    on_three(|f, nodes| async move {
        let (org, _) = f.organization("Acme").await;
        let end = START.plus_seconds(100).to_string();
        let body = json!({"name": "Short", "grants": {"org.audits": ["READ"]}, "expires_at": end});
        let (_, client) = f.application_with(&org, body).await;
        let clients = everywhere(&nodes, &client);
        advance(&f, &nodes, 99);
        assert_eq!(statuses(&clients).await, [204; 3]);
        advance(&f, &nodes, 2);
        assert_eq!(statuses(&clients).await, [401; 3]);
    })
    .await;
}

/// D10: random client ids, each looked up on three nodes, drive nobody out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_strangers_drive_nobody_out() {
    on_three(|f, nodes| async move {
        let (org, _) = f.organization("Acme").await;
        let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
        let strange = |number: u32| Client {
            client_id: format!("00000000-0000-7000-8000-{number:012x}"),
            ..nodes[0].client(&client)
        };
        for number in 0..300 {
            assert_eq!(strange(number).verify("org.audits:READ").await.status, 401);
        }
        let statements = nodes[0].app.store().statements();
        assert_eq!(nodes[0].client(&client).verify("org.audits:READ").await.status, 204);
        assert!(nodes[0].app.store().statements() <= statements + 3, "it is still in memory");
    })
    .await;
}

/// An expired lease and a wrong clock are told apart by whoever asks whether the server is ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_may_not_answer_says_so() {
    on_three(|f, nodes| async move {
        let (org, _) = f.organization("Acme").await;
        let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
        let client = nodes[0].client(&client);
        nodes[0].app.clock().skew(40);
        let mut ready = nodes[0].operator.get("/readyz").await;
        for _ in 0..500 {
            if ready.status == 503 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            ready = nodes[0].operator.get("/readyz").await;
        }
        let problem: Value = ready.expect(503);
        assert!(problem["detail"].as_str().unwrap().contains("clock"), "{problem}");
        let refused = client.verify("org.audits:READ").await;
        assert_eq!((refused.status.as_u16(), refused.header("x-claviger-reason")), (403, Some("unavailable")));
        assert!(refused.header("retry-after").is_some());
        assert_eq!(client.get("/v1/whoami").await.code(503), "unavailable");
    })
    .await;
}

/// Tokens, whichever server has signed them and whichever ends them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_one_on_three_nodes() {
    on_three(|f, nodes| async move {
        let (org, _) = f.organization("Acme").await;
        let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
        let clients = everywhere(&nodes, &client);
        let statuses = async |text: &str| {
            let mut found = Vec::new();
            for client in &clients {
                found.push(oauth::verify(client, "org.audits:READ", text).await);
                found.push(oauth::whoami(client, text).await.status.as_u16());
            }
            found
        };
        let accepted = [204, 200, 204, 200, 204, 200];
        for (index, client) in clients.iter().enumerate() {
            let text = oauth::token(client, &[]).await;
            assert_eq!(statuses(&text).await, accepted, "signed by {}", client.base);
            let next = &clients[(index + 1) % 3];
            let answer = match index {
                0 => oauth::form(next, "/oauth2/revoke", &[("token", &text)]).await,
                1 => nodes[1].operator.post(&format!("/v1/tenants/{org}/invalidate-tokens"), &json!({})).await,
                _ => {
                    let path = format!("/v1/tenants/{org}/applications/{id}/invalidate-tokens");
                    f.operator.post(&path, &json!({})).await
                }
            };
            assert_eq!(answer.header("claviger-confirmed-by").unwrap().split(", ").count(), 3, "{}", answer.text);
            assert!(answer.status.is_success(), "{}", answer.text);
            assert_eq!(statuses(&text).await, [401; 6]);
        }
        let text = oauth::token(&client, &[]).await;
        assert_eq!(statuses(&text).await, accepted);
        let keys = nodes[0].operator.get("/v1/signing-keys").await.expect(200);
        let kid = keys["items"][0]["kid"].as_str().unwrap().to_owned();
        let answer = nodes[0].operator.post(&format!("/v1/signing-keys/{kid}/revoke"), &json!({})).await;
        assert_eq!(answer.header("claviger-confirmed-by").unwrap().split(", ").count(), 3);
        assert_eq!(answer.status, 200);
        assert_eq!(statuses(&text).await, [401; 6]);
        let new = oauth::token(&clients[2], &[]).await;
        assert_eq!(statuses(&new).await, accepted, "the new key is known everywhere");
        let settings = format!("/v1/tenants/{org}/token-settings");
        nodes[1].operator.put(&settings, &json!({"lifetime_seconds": 60})).await.expect(200);
        let issued = oauth::exchange(&clients[2], &[]).await.expect(200);
        assert_eq!(issued["expires_in"], 60);
    })
    .await;
}
