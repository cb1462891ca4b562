//! Findings, the remedies they name, and shrinking.

use crate::fixture::{Answer, Client, Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

on_both![
    each_remedy_mends_its_finding,
    legacy_keys_are_found_and_migrated,
    what_is_new_is_not_unused,
    pages_are_walked_and_narrowed,
    networks_are_seen_by_the_calls_out_of_them,
    another_edit_keeps_the_time_of_rights_and_networks,
    shrinking_makes_a_level_of_its_own_and_bites_at_once,
    shrinking_is_bounded,
    findings_stay_in_their_tenant,
];

const DAY: i64 = 86_400;

async fn findings(f: &Fixture, tenant: &str, query: &str) -> Vec<Value> {
    let page = f.operator.get(&format!("/v1/tenants/{tenant}/findings?limit=1000{query}")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

fn kinds(findings: &[Value], application: &str) -> Vec<String> {
    let of = findings.iter().filter(|found| found["application"]["id"] == application);
    of.map(|found| found["kind"].as_str().unwrap().to_owned()).collect()
}

async fn perform(f: &Fixture, remedy: &Value, fill: &Value) -> Answer {
    let method: Method = remedy["method"].as_str().unwrap().parse().unwrap();
    let request = f.operator.request(method, remedy["path"].as_str().unwrap());
    let mut body = remedy["body"].clone();
    for pointer in remedy["fill"].as_array().unwrap() {
        *body.pointer_mut(pointer.as_str().unwrap()).unwrap() = fill.clone();
    }
    send(if body.is_null() { request } else { request.json(&body) }).await
}

async fn call(client: &Client, right: &str) {
    assert_eq!(client.verify(right).await.status, 204);
}

/// A tenant with two applications in use, a third that nobody uses, and everything there is to find about them.
async fn each_remedy_mends_its_finding(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let level = json!({"name": "Reader", "grants": {"org.audits": ["READ"], "org.feeds": ["READ", "UPDATE"]}});
    let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
    let body = json!({"name": "Leveled", "access_level_id": level["id"], "owner": "ops@example.com",
        "allowed_networks": ["127.0.0.0/8", "203.0.113.0/24"], "expires_at": "2037-01-01T00:00:00Z"});
    let (leveled, client) = f.application_with(&org, body).await;
    let (idle, _) = f.application(&org, "Idle", json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{leveled}");
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 2_592_000})).await.expect(200);
    assert_eq!(kinds(&findings(&f, &org, "").await, &idle), ["no_expiry", "no_owner"]);
    f.app.clock().advance(29 * DAY);
    call(&client, "org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let found = findings(&f, &org, "&days=28").await;
    assert_eq!(kinds(&found, &leveled), ["secret_unused", "permission_unused", "network_never_seen"]);
    assert_eq!(kinds(&found, &idle), ["application_unused", "secret_unused", "no_expiry", "no_owner"]);
    assert_eq!(kinds(&findings(&f, &org, "").await, &leveled), Vec::<String>::new(), "90 days are not over");
    let of = |kind: &str| {
        let found = found.iter().find(|one| one["kind"] == kind && one["application"]["id"] == leveled.as_str());
        found.unwrap().clone()
    };
    assert_eq!(of("secret_unused")["subjects"], json!([rotated["secret"]["id"]]));
    assert_eq!(of("permission_unused")["subjects"], json!(["org.feeds:READ", "org.feeds:UPDATE"]));
    assert_eq!(of("network_never_seen")["subjects"], json!(["203.0.113.0/24"]));
    assert_eq!(of("permission_unused")["since"], crate::fixture::START.to_string());
    let mut left: Vec<Value> = found;
    while let Some(finding) = left.pop() {
        let answer = perform(&f, &finding["remedy"], &json!("ops@example.com")).await;
        assert!(answer.status.is_success(), "{finding}: {}", answer.text);
        let now = findings(&f, &org, "&days=28").await;
        let same = |one: &Value| one["kind"] == finding["kind"] && one["application"] == finding["application"];
        assert!(!now.iter().any(same), "{finding} is still there");
        // Mending one mends no other, but for those of an application at rest.
        let alive = left.iter().filter(|one| one["application"]["id"] == leveled.as_str());
        for other in alive {
            assert!(now.iter().any(|one| one["kind"] == other["kind"]), "{other} is gone");
        }
    }
    assert_eq!(findings(&f, &org, "&days=28").await, Vec::<Value>::new());
    call(&client, "org.audits:READ").await;
}

async fn legacy_keys_are_found_and_migrated(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let rule = json!({"api": {"allowed": true, "sunset": "2037-01-01"}});
    f.operator.put(&format!("/v1/tenants/{org}/legacy-key-types"), &rule).await.expect(200);
    let body = json!({"name": "Old", "key_type": "api", "owner": "ops@example.com",
        "expires_at": "2036-01-01T00:00:00Z"});
    let (id, client) = f.application_with(&org, body).await;
    f.app.clock().advance(DAY);
    call(&client, "org.alerts:READ").await;
    f.app.clock().advance(89 * DAY);
    call(&client, "org.alerts:READ").await;
    f.app.flush_usage().await.unwrap();
    let found = findings(&f, &org, "").await;
    assert_eq!(kinds(&found, &id), ["legacy_key_type"], "its rights are fixed, so none of them is called unused");
    let shrink = format!("/v1/tenants/{org}/applications/{id}/shrink");
    assert_eq!(f.operator.post(&shrink, &json!({})).await.code(409), "key_type_legacy");
    assert_eq!(perform(&f, &found[0]["remedy"], &json!(null)).await.status, 200);
    assert!(!kinds(&findings(&f, &org, "").await, &id).contains(&"legacy_key_type".to_owned()));
    call(&client, "org.alerts:READ").await;
}

async fn what_is_new_is_not_unused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, _) = f.application(&org, "New", json!({"org.audits": ["READ"]})).await;
    for (days, expected) in [(89, false), (1, true)] {
        f.app.clock().advance(days * DAY);
        let found = kinds(&findings(&f, &org, "").await, &id);
        assert_eq!(found.contains(&"application_unused".to_owned()), expected, "{found:?}");
    }
    for bad in ["days=0", "days=366", "days=x", "kind=unused", "old=1"] {
        let refused = f.operator.get(&format!("/v1/tenants/{org}/findings?{bad}")).await;
        assert_eq!(refused.status, 422, "{bad}: {}", refused.text);
    }
}

async fn pages_are_walked_and_narrowed(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    for number in 0..7 {
        f.application(&org, &format!("App {number}"), json!({})).await;
    }
    let whole = findings(&f, &org, "").await;
    assert_eq!(whole.len(), 14);
    let (mut walked, mut path) = (Vec::new(), format!("/v1/tenants/{org}/findings?limit=3"));
    loop {
        let answer = f.operator.get(&path).await;
        let link = answer.header("link").map(|link| link[1..link.find('>').unwrap()].to_owned());
        let page = answer.expect(200);
        assert!(page["items"].as_array().unwrap().len() <= 3);
        walked.extend(page["items"].as_array().unwrap().clone());
        match link {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(walked, whole);
    let owners = findings(&f, &org, "&kind=no_owner").await;
    assert_eq!(owners.len(), 7);
    assert!(owners.iter().all(|found| found["kind"] == "no_owner"));
}

async fn networks_are_seen_by_the_calls_out_of_them(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "Two", "grants": {"org.audits": ["READ"]},
        "allowed_networks": ["127.0.0.1", "127.0.0.0/8", "198.51.100.0/24"]});
    let (id, client) = f.application_with(&org, body).await;
    f.app.clock().advance(100 * DAY);
    call(&client, "org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let found = findings(&f, &org, "&kind=network_never_seen").await;
    assert_eq!(found[0]["subjects"], json!(["198.51.100.0/24"]), "{found:?}");
    assert_eq!(found[0]["remedy"]["body"], json!({"allowed_networks": ["127.0.0.1/32", "127.0.0.0/8"]}));
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"allowed_networks": ["127.0.0.0/8", "203.0.113.0/24"]})).await.expect(200);
    assert!(findings(&f, &org, "&kind=network_never_seen").await.is_empty(), "the list is new");
    f.app.clock().advance(91 * DAY);
    call(&client, "org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let found = findings(&f, &org, "&kind=network_never_seen").await;
    assert_eq!(found[0]["subjects"], json!(["203.0.113.0/24"]), "{found:?}");
}

async fn another_edit_keeps_the_time_of_rights_and_networks(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "Edited", "grants": {"org.audits": ["READ"], "org.feeds": ["READ"]},
        "allowed_networks": ["127.0.0.0/8", "203.0.113.0/24"]});
    let (id, client) = f.application_with(&org, body).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.app.clock().advance(91 * DAY);
    call(&client, "org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    f.operator.patch(&path, &json!({"owner": "ops@example.com", "description": "other"})).await.expect(200);
    assert_eq!(kinds(&findings(&f, &org, "").await, &id), ["permission_unused", "network_never_seen", "no_expiry"]);
    let more = json!({"grants": {"org.audits": ["READ"], "org.feeds": ["READ"], "org.watchlists": ["READ"]}});
    f.operator.patch(&path, &more).await.expect(200);
    assert_eq!(kinds(&findings(&f, &org, "").await, &id), ["network_never_seen", "no_expiry"]);
    let refused = f.operator.post(&format!("{path}/shrink"), &json!({"dry_run": false})).await.code(409);
    assert_eq!(refused, "rights_too_young");
}

async fn shrinking_makes_a_level_of_its_own_and_bites_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{org}/access-levels");
    let level = json!({"name": "Shared", "grants": {"org.audits": ["READ"], "org.feeds": ["READ"]}});
    let level = f.operator.post(&levels, &level).await.expect(201);
    let taken = json!({"name": "one (NARROWED)", "grants": {}});
    f.operator.post(&levels, &taken).await.expect(201);
    let make = |name: &str| f.application_with(&org, json!({"name": name, "access_level_id": level["id"]}));
    let (one, client) = make("One").await;
    let (_, other) = make("Other").await;
    f.app.clock().advance(91 * DAY);
    for used in [&client, &other] {
        call(used, "org.audits:READ").await;
    }
    let path = format!("/v1/tenants/{org}/applications/{one}");
    let dry = f.operator.post(&format!("{path}/shrink"), &Value::Null).await;
    assert_eq!(dry.status, 422, "a body is an object, or none");
    let dry = send(f.operator.request(Method::POST, &format!("{path}/shrink"))).await.expect(200);
    assert_eq!(
        dry,
        json!({"dry_run": true, "dropped": {"org.feeds": ["READ"]}, "kept": {"org.audits": ["READ"]},
            "access_level": {"id": null, "name": "One (narrowed)"}, "version": 1})
    );
    call(&client, "org.feeds:READ").await;
    let nothing = f.operator.post(&format!("{path}/shrink"), &json!({"dry_run": false})).await.expect(200);
    assert_eq!((&nothing["dropped"], &nothing["version"]), (&json!({}), &json!(1)), "it was used a moment ago");
    f.app.clock().advance(91 * DAY);
    call(&client, "org.audits:READ").await;
    let shrink = |body: Value, tag: &str| {
        let request = f.operator.request(Method::POST, &format!("{path}/shrink"));
        send(request.header("If-Match", tag).header("Idempotency-Key", "once").json(&body))
    };
    assert_eq!(shrink(json!({"dry_run": false}), "\"7\"").await.status, 412);
    let done = shrink(json!({"dry_run": false}), "\"1\"").await.expect(200);
    assert_eq!((&done["access_level"]["name"], &done["version"]), (&json!("One (narrowed 2)"), &json!(2)));
    assert_eq!(client.verify("org.feeds:READ").await.status, 403, "at once");
    call(&client, "org.audits:READ").await;
    call(&other, "org.feeds:READ").await;
    let repeated = shrink(json!({"dry_run": false}), "\"1\"").await;
    assert_eq!(repeated.header("idempotency-replayed"), Some("true"));
    assert_eq!(repeated.expect(200), done);
    let now = f.operator.get(&path).await.expect(200);
    assert_eq!(now["access_level_id"], done["access_level"]["id"]);
    let kept = f.operator.get(&format!("{levels}/{}", level["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&kept["grants"], &kept["version"]), (&level["grants"], &json!(1)), "others use it");
    let entries = f.operator.get(&format!("/v1/tenants/{org}/audit?action=application.shrunk")).await.expect(200);
    assert_eq!(entries["items"].as_array().unwrap().len(), 2, "{entries}");
    assert_eq!(entries["items"][0]["details"]["dropped"], json!({"org.feeds": ["READ"]}));
}

async fn shrinking_is_bounded(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants = json!({"org.audits": ["READ"], "org.feeds": ["READ"]});
    let (id, client) = f.application(&org, "Wide", grants).await;
    let level = json!({"name": "Shared", "grants": {"org.audits": ["READ"], "org.feeds": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
    let (leveled, _) = f.application_with(&org, json!({"name": "L", "access_level_id": level["id"]})).await;
    let narrow = json!({"applications": ["UPDATE"], "findings": ["READ"], "org.audits": ["READ"]});
    let (_, narrow) = f.application(&org, "Narrow", narrow).await;
    let wider =
        json!({"applications": ["UPDATE"], "findings": ["READ"], "org.audits": ["READ"], "org.feeds": ["READ"]});
    let (_, wider) = f.application(&org, "Wider", wider).await;
    f.app.clock().advance(91 * DAY);
    call(&client, "org.audits:READ").await;
    let path = |id: &str| format!("/v1/tenants/{org}/applications/{id}/shrink");
    for bad in [json!({"days": 0}), json!({"days": 366}), json!({"dry_run": "no"}), json!({"day": 9})] {
        assert_eq!(f.operator.post(&path(&id), &bad).await.status, 422, "{bad}");
    }
    for dry_run in [true, false] {
        let refused = narrow.post(&path(&id), &json!({"dry_run": dry_run})).await.expect(403);
        assert_eq!(refused["missing_permission"], "org.feeds:READ", "above its own rights");
    }
    let refused = wider.post(&path(&leveled), &json!({"dry_run": false})).await.expect(403);
    assert_eq!(refused["missing_permission"], "access-levels:CREATE");
    let done = wider.post(&path(&id), &json!({"dry_run": false})).await.expect(200);
    assert_eq!((&done["access_level"], &done["kept"]), (&Value::Null, &json!({"org.audits": ["READ"]})));
    assert_eq!(client.verify("org.feeds:READ").await.status, 403);
    let now = f.operator.get(&format!("/v1/tenants/{org}/applications/{id}")).await.expect(200);
    assert_eq!(now["grants"], json!({"org.audits": ["READ"]}));
}

async fn findings_stay_in_their_tenant(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let (foreign, _) = f.organization("Foreign").await;
    let (theirs, _) = f.application(&foreign, "Theirs", json!({})).await;
    let (mine, reader) = f.application(&own, "Reader", json!({"findings": ["READ"]})).await;
    let page = reader.get(&format!("/v1/tenants/{own}/findings")).await.expect(200);
    let listed: BTreeSet<_> =
        page["items"].as_array().unwrap().iter().map(|found| found["application"]["id"].as_str().unwrap()).collect();
    assert_eq!(listed, BTreeSet::from([mine.as_str()]));
    assert_eq!(reader.get(&format!("/v1/tenants/{foreign}/findings")).await.status, 404);
    let mixed = format!("/v1/tenants/{own}/applications/{theirs}/shrink");
    assert_eq!(f.operator.post(&mixed, &json!({"dry_run": false})).await.status, 404);
}
