//! Many applications at once: revoke by filter, hand over to another owner.

use crate::fixture::{Client, Fixture, on_both, send};
use crate::keys::Key;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_dry_run_says_what_would_come_of_it,
    what_was_counted_is_revoked_at_once,
    without_secrets_nobody_calls,
    another_count_is_refused,
    the_unused_are_found,
    bounds_are_told,
    nobody_revokes_above_their_own_rights,
    an_owner_hands_over,
];

/// Three applications of two owners; the tenant's path and the clients.
async fn start(f: &Fixture) -> (String, Vec<Client>) {
    let (org, _) = f.organization("Acme").await;
    let mut clients = Vec::new();
    for (name, owner) in [("siem one", "a@example.com"), ("siem two", "a@example.com"), ("portal", "b@example.com")] {
        let body = json!({"name": name, "owner": owner, "grants": {"org.audits": ["READ"]}});
        clients.push(f.application_with(&org, body).await.1);
    }
    (format!("/v1/tenants/{org}"), clients)
}

async fn allowed(clients: &[Client]) -> Vec<bool> {
    let mut answers = Vec::new();
    for client in clients {
        answers.push(client.verify("org.audits:READ").await.status == 204);
    }
    answers
}

fn revoke(filter: Value, mode: &str, expected: Option<usize>) -> Value {
    match expected {
        None => json!({"filter": filter, "mode": mode}),
        Some(count) => json!({"filter": filter, "mode": mode, "dry_run": false, "expected_count": count}),
    }
}

fn names(answer: &Value) -> Vec<&str> {
    let mut names: Vec<_> = answer["items"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

async fn a_dry_run_says_what_would_come_of_it(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let path = format!("{tenant}/applications/revoke");
    let dry = f.operator.post(&path, &revoke(json!({"owner": "a@example.com"}), "disable", None)).await.expect(200);
    assert_eq!((&dry["dry_run"], &dry["count"]), (&json!(true), &json!(2)));
    assert_eq!(names(&dry), ["siem one", "siem two"]);
    assert_eq!(allowed(&clients).await, [true, true, true]);
    let record = f.operator.get(&format!("{tenant}/audit?action=applications.revoked")).await.expect(200);
    assert_eq!(record["items"], json!([]));
}

async fn what_was_counted_is_revoked_at_once(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let path = format!("{tenant}/applications/revoke");
    let wanted = revoke(json!({"name_prefix": "siem"}), "disable", Some(2));
    let request = f.operator.request(Method::POST, &path).header("idempotency-key", "k").json(&wanted);
    let done = send(request.try_clone().unwrap()).await.expect(200);
    assert_eq!((&done["dry_run"], &done["count"]), (&json!(false), &json!(2)));
    assert_eq!(allowed(&clients).await, [false, false, true]);
    assert_eq!(clients[0].verify("org.audits:READ").await.code(401), "application_disabled");
    assert_eq!(send(request).await.expect(200), done, "repeated, not done again");
    let rest = f.operator.post(&path, &revoke(json!({"name_prefix": "siem"}), "disable", None)).await.expect(200);
    assert_eq!(rest["count"], 0, "what is disabled fits no more");
    let record = f.operator.get(&format!("{tenant}/audit?action=applications.revoked")).await.expect(200);
    let [entry] = &record["items"].as_array().unwrap()[..] else { panic!("{record}") };
    assert_eq!((&entry["details"]["count"], &entry["details"]["mode"]), (&json!(2), &json!("disable")));
    assert_eq!(entry["details"]["filter"], json!({"name_prefix": "siem"}));
    let id = entry["details"]["application_ids"][0].as_str().unwrap();
    f.operator.patch(&format!("{tenant}/applications/{id}"), &json!({"enabled": true})).await.expect(200);
    assert_eq!(allowed(&clients).await.iter().filter(|allowed| **allowed).count(), 2);
}

async fn without_secrets_nobody_calls(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let path = format!("{tenant}/applications/revoke");
    let list = f.operator.get(&format!("{tenant}/applications")).await.expect(200);
    let ids: Vec<_> = list["items"].as_array().unwrap().iter().take(2).map(|item| item["id"].clone()).collect();
    let keys = format!("{tenant}/applications/{}/keys", ids[0].as_str().unwrap());
    f.operator.post(&keys, &json!({"name": "CI", "jwk": Key::edwards().jwk()})).await.expect(201);
    f.operator.post(&path, &revoke(json!({"ids": ids}), "delete_secrets", Some(2))).await.expect(200);
    assert_eq!(f.operator.get(&keys).await.expect(200)["items"], json!([]), "keys go, too");
    assert_eq!(allowed(&clients).await.iter().filter(|allowed| **allowed).count(), 1);
    let again = f.operator.post(&path, &revoke(json!({"ids": ids}), "delete_secrets", None)).await.expect(200);
    assert_eq!(again["count"], 0);
    let one = format!("{tenant}/applications/{}/regenerate", ids[0].as_str().unwrap());
    f.operator.post(&one, &json!({})).await.expect(200);
}

async fn another_count_is_refused(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let path = format!("{tenant}/applications/revoke");
    let refused =
        f.operator.post(&path, &revoke(json!({"owner": "a@example.com"}), "disable", Some(3))).await.expect(409);
    assert_eq!(refused["code"], "count_differs");
    assert!(refused["detail"].as_str().unwrap().contains('2'), "{refused}");
    assert_eq!(allowed(&clients).await, [true, true, true]);
}

async fn the_unused_are_found(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let path = format!("{tenant}/applications/revoke");
    let unused = json!({"unused_days": 30});
    f.app.clock().advance(29 * 86_400);
    assert_eq!(f.operator.post(&path, &revoke(unused.clone(), "disable", None)).await.expect(200)["count"], 0);
    assert!(allowed(&clients[..1]).await[0]);
    f.app.clock().advance(2 * 86_400);
    let found = f.operator.post(&path, &revoke(unused, "disable", None)).await.expect(200);
    assert_eq!(names(&found), ["portal", "siem two"], "the one that calls is spared, though nothing was flushed yet");
    let narrow = json!({"unused_days": 30, "created_before": crate::fixture::START.to_string()});
    assert_eq!(f.operator.post(&path, &revoke(narrow, "disable", None)).await.expect(200)["count"], 0);
}

async fn bounds_are_told(f: Arc<Fixture>) {
    let (tenant, _) = start(&f).await;
    let revoke_path = format!("{tenant}/applications/revoke");
    for (bad, pointer) in [
        (json!({"filter": {}, "mode": "disable"}), "/filter"),
        (json!({"mode": "disable"}), "/filter"),
        (json!({"filter": {"unused_days": 0}, "mode": "disable"}), "/filter/unused_days"),
        (json!({"filter": {"ids": []}, "mode": "disable"}), "/filter/ids"),
        (json!({"filter": {"everything": true}, "mode": "disable"}), "/filter/everything"),
        (json!({"filter": {"owner": null}, "mode": "burn"}), "/mode"),
        (json!({"filter": {"owner": null}, "mode": "disable", "dry_run": false}), "/expected_count"),
    ] {
        let refused = f.operator.post(&revoke_path, &bad).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let transfer_path = format!("{tenant}/applications/transfer");
    for (bad, pointer) in [
        (json!({"to_owner": "a@example.com"}), "/from_owner"),
        (json!({"from_owner": null, "to_owner": "nobody"}), "/to_owner"),
        (json!({"from_owner": null, "to_owner": "a@example.com", "dry_run": false}), "/expected_count"),
    ] {
        let refused = f.operator.post(&transfer_path, &bad).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
}

async fn nobody_revokes_above_their_own_rights(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let org = tenant.rsplit('/').next().unwrap();
    let (_, editor) = f.application(org, "Editor", json!({"applications": ["UPDATE"]})).await;
    let path = format!("{tenant}/applications/revoke");
    let refused = editor.post(&path, &revoke(json!({"name_prefix": "siem"}), "disable", Some(2))).await.expect(403);
    assert_eq!(refused["missing_permission"], "org.audits:READ");
    assert_eq!(allowed(&clients).await, [true, true, true]);
    let own = editor.post(&path, &revoke(json!({"name_prefix": "Editor"}), "disable", None)).await.expect(200);
    assert_eq!(own["count"], 0, "an application does not shut itself out");
}

async fn an_owner_hands_over(f: Arc<Fixture>) {
    let (tenant, clients) = start(&f).await;
    let path = format!("{tenant}/applications/transfer");
    let mut wanted = json!({"from_owner": "a@example.com", "to_owner": "c@example.com"});
    let dry = f.operator.post(&path, &wanted).await.expect(200);
    assert_eq!((&dry["dry_run"], names(&dry)), (&json!(true), vec!["siem one", "siem two"]));
    (wanted["dry_run"], wanted["expected_count"]) = (json!(false), json!(2));
    let done = f.operator.post(&path, &wanted).await.expect(200);
    assert_eq!(done["items"][0]["owner"], "a@example.com", "as it was before");
    let list = f.operator.get(&format!("{tenant}/applications")).await.expect(200);
    let owners: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["owner"].as_str().unwrap()).collect();
    assert_eq!(owners.iter().filter(|owner| **owner == "c@example.com").count(), 2, "{owners:?}");
    assert_eq!(f.operator.post(&path, &wanted).await.code(409), "count_differs");
    let one = list["items"][0]["id"].as_str().unwrap();
    f.operator.patch(&format!("{tenant}/applications/{one}"), &json!({"owner": null})).await.expect(200);
    let adopt = json!({"from_owner": null, "to_owner": "d@example.com", "dry_run": false, "expected_count": 1});
    f.operator.post(&path, &adopt).await.expect(200);
    assert_eq!(allowed(&clients).await, [true, true, true]);
    let record = f.operator.get(&format!("{tenant}/audit?action=applications.transferred")).await.expect(200);
    assert_eq!(record["items"][1]["details"]["from_owner"], "a@example.com");
}
