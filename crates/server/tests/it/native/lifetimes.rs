//! Credential policies, ends of applications and secrets, and what owners and clients are told of them.

use crate::fixture::{Answer, Client, Fixture, START, on_both};
use claviger_domain::lifetime::DAY;
use claviger_domain::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    policies_are_set_inherited_and_recorded,
    what_no_policy_can_say_is_refused,
    ceilings_bound_what_is_made_and_changed,
    a_lowered_ceiling_stops_what_is_older,
    secrets_have_ends_of_their_own,
    owners_are_told_thirty_fourteen_three_and_one_days_ahead,
    answers_say_that_the_credential_ends,
    a_secret_that_is_not_rotated_retires,
    a_leak_is_told_once,
    notices_are_put_away,
];

const EXPIRES: &str = "x-claviger-credential-expires";

fn day(days: i64) -> String {
    START.plus_seconds(days * DAY).to_string()
}

async fn put(client: &Client, path: &str, body: &Value) -> Answer {
    crate::fixture::send(client.request(reqwest::Method::PUT, path).json(body)).await
}

async fn set(f: &Fixture, org: &str, policy: Value) -> Value {
    put(&f.operator, &format!("/v1/tenants/{org}/credential-policy"), &policy).await.expect(200)
}

/// An application that may call, its path and its client.
async fn start(f: &Fixture, org: &str) -> (String, Client) {
    let body = json!({"name": "SIEM", "owner": "ops@example.com", "grants": {"org.audits": ["READ"]}});
    let (id, client) = f.application_with(org, body).await;
    (format!("/v1/tenants/{org}/applications/{id}"), client)
}

async fn told(f: &Fixture, org: &str) -> Vec<Value> {
    f.app.tell_lifetimes().await.unwrap();
    let page = f.operator.get(&format!("/v1/tenants/{org}/notices")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

async fn policies_are_set_inherited_and_recorded(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/credential-policy");
    let answer = f.operator.get(&path).await;
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let nothing = json!({
        "max_application_lifetime_seconds": null, "max_secret_lifetime_seconds": null, "rotate_every_days": null,
        "rotation_overlap_seconds": 86_400, "unused_after_days": 90, "on_leak": "revoke", "static_secrets": "allowed"
    });
    let unset = answer.expect(200);
    assert_eq!((&unset["effective"], &unset["updated_at"]), (&nothing, &Value::Null));
    assert_eq!(unset["on_leak"], Value::Null);
    set(&f, &f.root, json!({"max_secret_lifetime_seconds": 90 * DAY, "on_leak": "quarantine"})).await;
    let own = json!({"max_secret_lifetime_seconds": 99 * DAY, "rotate_every_days": 60, "unused_after_days": 7});
    let made = set(&f, &org, own).await;
    assert_eq!((&made["version"], &made["updated_at"]), (&json!(2), &json!(START.to_string())));
    let effective = json!({
        "max_application_lifetime_seconds": null, "max_secret_lifetime_seconds": 90 * DAY, "rotate_every_days": 60,
        "rotation_overlap_seconds": 86_400, "unused_after_days": 7, "on_leak": "quarantine", "static_secrets": "allowed"
    });
    assert_eq!((&made["effective"], &made["max_secret_lifetime_seconds"]), (&effective, &json!(99 * DAY)));
    assert_eq!(f.operator.get(&path).await.expect(200), made);
    let stale = f.operator.request(reqwest::Method::PUT, &path).header("If-Match", "\"1\"").json(&json!({}));
    assert_eq!(crate::fixture::send(stale).await.status, 412);
    let entry = &f.audit(&org).await[0];
    assert_eq!(entry["action"], "credential_policy.updated");
    assert_eq!(entry["details"]["rotate_every_days"], json!({"from": null, "to": 60}));
    let cleared = set(&f, &org, json!({})).await;
    assert_eq!((&cleared["rotate_every_days"], &cleared["version"]), (&Value::Null, &json!(3)));
}

async fn what_no_policy_can_say_is_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/credential-policy");
    for (member, values) in [
        ("max_application_lifetime_seconds", [json!(59), json!(315_360_001)]),
        ("max_secret_lifetime_seconds", [json!(0), json!("1d")]),
        ("rotate_every_days", [json!(0), json!(3_651)]),
        ("rotation_overlap_seconds", [json!(0), json!(2_592_001)]),
        ("unused_after_days", [json!(-1), json!(1.5)]),
        ("on_leak", [json!("ignore"), json!(1)]),
        ("max_age", [json!(1), json!(null)]),
    ] {
        for value in values {
            let refused = put(&f.operator, &path, &json!({member: value})).await.expect(422);
            assert_eq!(refused["errors"][0]["pointer"], format!("/{member}"), "{refused}");
        }
    }
    let both = put(&f.operator, &path, &json!({"rotate_every_days": 0, "unused_after_days": 0})).await.expect(422);
    assert_eq!(both["errors"].as_array().unwrap().len(), 2, "all that is wrong at once");
    f.app.clock().advance(DAY);
    let own = format!("/v1/tenants/{}/credential-policy", f.root);
    let refused = put(&f.operator, &own, &json!({"max_secret_lifetime_seconds": DAY})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/confirm");
    assert_eq!(f.operator.get("/v1/whoami").await.status, 200);
}

async fn ceilings_bound_what_is_made_and_changed(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    set(&f, &org, json!({"max_application_lifetime_seconds": 10 * DAY, "max_secret_lifetime_seconds": 5 * DAY})).await;
    let applications = format!("/v1/tenants/{org}/applications");
    for (member, days) in [("expires_at", 11), ("secret_expires_at", 6)] {
        let body = json!({"name": "Late", "grants": {}, member: day(days)});
        let refused = f.operator.post(&applications, &body).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], format!("/{member}"));
        assert!(refused["errors"][0]["message"].as_str().unwrap().contains(&day(days - 1)), "{refused}");
    }
    let body = json!({"name": "SIEM", "grants": {"org.audits": ["READ"]}});
    let made = f.operator.post(&applications, &body).await.expect(201);
    let (application, secret) = (&made["application"], &made["secret"]);
    assert_eq!((&application["expires_at"], &application["effective_expires_at"]), (&json!(day(10)), &json!(day(10))));
    assert_eq!((&secret["expires_at"], &secret["effective_expires_at"]), (&Value::Null, &json!(day(5))));
    let path = format!("{applications}/{}", application["id"].as_str().unwrap());
    let beyond = f.operator.patch(&path, &json!({"expires_at": day(11)})).await.expect(422);
    assert_eq!(beyond["errors"][0]["pointer"], "/expires_at");
    let earlier = f.operator.patch(&path, &json!({"expires_at": day(9)})).await.expect(200);
    assert_eq!(earlier["effective_expires_at"], day(9));
    let cleared = f.operator.patch(&path, &json!({"expires_at": null})).await.expect(200);
    assert_eq!(cleared["expires_at"], day(10), "no end of its own is the ceiling");
    let renamed = f.operator.patch(&path, &json!({"name": "Renamed"})).await.expect(200);
    assert_eq!(renamed["expires_at"], day(10));
    f.app.clock().advance(2 * DAY);
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({"expires_at": day(8)})).await;
    assert_eq!(rotated.status, 422, "a secret made now may live until the seventh day");
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    assert_eq!(rotated["secret"]["effective_expires_at"], day(7));
    assert_eq!(rotated["previous"]["effective_expires_at"], day(3));
    let made = f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(made["secret"]["effective_expires_at"], day(7));
    let listed = f.operator.get(&format!("{path}/secrets")).await.expect(200);
    assert_eq!(listed["items"][0]["effective_expires_at"], day(7));
}

async fn a_lowered_ceiling_stops_what_is_older(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (path, client) = start(&f, &org).await;
    f.app.clock().advance(DAY);
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    set(&f, &org, json!({"max_secret_lifetime_seconds": DAY})).await;
    assert_eq!(client.verify("org.audits:READ").await.code(401), "credential_expired");
    assert_eq!(client.get("/v1/whoami").await.code(401), "credential_expired");
    let body = json!({"application_id": path.rsplit('/').next().unwrap(), "permission": "org.audits:READ"});
    let simulated = f.operator.post(&format!("/v1/tenants/{org}/simulate"), &body).await.expect(200);
    assert_eq!(simulated["obstacles"][0]["code"], "no_live_secret", "{simulated}");
    let application = f.operator.get(&path).await.expect(200);
    assert_eq!(application["secrets"], json!([]), "what has stopped is not live");
    set(&f, &org, json!({"max_application_lifetime_seconds": DAY})).await;
    assert_eq!(client.get("/v1/whoami").await.code(401), "credential_expired");
    let application = f.operator.get(&path).await.expect(200);
    assert_eq!((&application["expires_at"], &application["effective_expires_at"]), (&Value::Null, &json!(day(1))));
    let simulated = f.operator.post(&format!("/v1/tenants/{org}/simulate"), &body).await.expect(200);
    assert_eq!(simulated["obstacles"][0]["code"], "credential_expired", "{simulated}");
    set(&f, &org, json!({})).await;
    assert_eq!(client.get("/v1/whoami").await.status, 200);
}

async fn secrets_have_ends_of_their_own(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {}, "secret_expires_at": day(50)});
    let (id, client) = f.application_with(&org, body).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let whoami = client.get("/v1/whoami").await.expect(200);
    assert_eq!((&whoami["expires_at"], &whoami["credential_expires_at"]), (&Value::Null, &json!(day(50))));
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    assert_eq!(rotated["secret"]["expires_at"], day(50), "the end is inherited");
    assert_eq!(rotated["previous"]["expires_at"], day(1));
    let own = format!("{path}/secrets/{}", rotated["secret"]["id"].as_str().unwrap());
    for (bad, pointer) in [(json!({}), "/expires_at"), (json!({"expires_at": day(-1)}), "/expires_at")] {
        assert_eq!(f.operator.patch(&own, &bad).await.expect(422)["errors"][0]["pointer"], pointer);
    }
    assert_eq!(f.operator.patch(&own, &json!({"expires_at": day(2)})).await.expect(200)["expires_at"], day(2));
    let second = f.client(&client.client_id, rotated["secret"]["text"].as_str().unwrap());
    f.app.clock().advance(DAY);
    assert_eq!(client.get("/v1/whoami").await.code(401), "credential_expired");
    assert_eq!(second.get("/v1/whoami").await.status, 200);
    let third = f.operator.post(&format!("{path}/rotate"), &json!({"expires_at": null})).await.expect(200);
    assert_eq!(third["secret"]["expires_at"], Value::Null);
    f.app.clock().advance(DAY);
    assert_eq!(second.get("/v1/whoami").await.code(401), "credential_expired");
    assert_eq!(f.operator.patch(&own, &json!({"expires_at": null})).await.status, 404, "it is gone");
    let actions: Vec<_> = f.audit(&org).await.iter().map(|entry| entry["action"].clone()).collect();
    assert!(actions.contains(&json!("secret.updated")), "{actions:?}");
}

async fn owners_are_told_thirty_fourteen_three_and_one_days_ahead(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "owner": "ops@example.com", "grants": {}, "secret_expires_at": day(100)});
    let (id, _) = f.application_with(&org, body).await;
    f.application_with(&org, json!({"name": "Ends", "grants": {}, "expires_at": day(300)})).await;
    f.application_with(&org, json!({"name": "Stays", "grants": {}})).await;
    let mut seen = Vec::new();
    for (at, count) in [(69, 0), (70, 1), (85, 1), (86, 2), (97, 3), (98, 3), (99, 4), (100, 4), (101, 4)] {
        f.app.clock().advance(at * DAY - (f.app.clock().now().seconds() - START.seconds()));
        seen = told(&f, &org).await;
        assert_eq!(told(&f, &org).await, seen, "once");
        assert_eq!(seen.len(), count, "on day {at}: {seen:?}");
    }
    let first = &seen[3];
    assert_eq!((&first["kind"], &first["application_id"]), (&json!("secret.expiring"), &json!(id)));
    assert_eq!((&first["owner"], &first["due_at"]), (&json!("ops@example.com"), &json!(day(100))));
    assert_eq!(first["created_at"], day(70));
    // Down over a step: the nearest alone is told.
    f.app.clock().advance((296 - 101) * DAY);
    let late = told(&f, &org).await;
    assert_eq!((late.len(), &late[0]["kind"]), (5, &json!("application.expiring")), "what has ended is not warned of");
    assert_eq!((&late[0]["secret_id"], &late[0]["owner"]), (&Value::Null, &Value::Null));
    let tenant = claviger_domain::id::TenantId::parse(&org).unwrap();
    let journal = f.app.store().read_journal(tenant, 0, 1_000).await.unwrap();
    let told: Vec<_> = journal.iter().filter(|entry| entry.2 == "secret.expiring").collect();
    assert_eq!(told.len(), 4);
    assert_eq!(told[0].3["details"]["owner"], "ops@example.com");
    assert_eq!(told[0].3["target"]["id"], id);
}

async fn answers_say_that_the_credential_ends(f: Arc<Fixture>) {
    let (org, org_key) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {"org.audits": ["READ"]}, "expires_at": day(40)});
    let (_, client) = f.application_with(&org, body).await;
    let (_, endless) = start_named(&f, &org, "Endless").await;
    let queue = format!("/audit_log/v1/orgs/{org_key}/logs/_queue");
    let paths = ["/v1/whoami", "/v1/tenants/nonsense", &queue, "/integrationServices/v3/auditlogs"];
    let asked = async |client: &Client| {
        let mut found = Vec::new();
        for path in paths {
            found.push(client.get(path).await.header(EXPIRES).map(str::to_owned));
        }
        for right in ["org.audits:READ", "org.feeds:READ"] {
            found.push(client.verify(right).await.header(EXPIRES).map(str::to_owned));
        }
        found
    };
    f.app.clock().advance(10 * DAY - 1);
    assert_eq!(asked(&client).await, vec![None; 6]);
    f.app.clock().advance(1);
    assert_eq!(asked(&client).await, vec![Some(day(40)); 6], "on admissions and on refusals");
    assert_eq!(asked(&endless).await, vec![None; 6]);
    f.app.clock().advance(30 * DAY);
    let over = client.verify("org.audits:READ").await;
    assert_eq!((over.header(EXPIRES), over.status.as_u16()), (None, 401));
}

async fn a_secret_that_is_not_rotated_retires(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (path, old) = start(&f, &org).await;
    let (lazy_path, lazy) = start_named(&f, &org, "Lazy").await;
    set(&f, &org, json!({"rotate_every_days": 90, "rotation_overlap_seconds": 3_600})).await;
    f.app.clock().advance(88 * DAY);
    let due = told(&f, &org).await;
    assert_eq!(due.len(), 2);
    assert_eq!((&due[0]["kind"], &due[0]["due_at"]), (&json!("secret.rotation_due"), &json!(day(90))));
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 7_200})).await.expect(200);
    let new = f.client(&old.client_id, rotated["secret"]["text"].as_str().unwrap());
    f.app.clock().advance(7_200);
    assert_eq!(old.verify("org.audits:READ").await.code(401), "credential_expired", "by the end of its overlap");
    f.app.clock().advance(2 * DAY - 7_200);
    assert_eq!(told(&f, &org).await.len(), 3, "whoever rotated is not told again");
    f.app.clock().advance(3_599);
    assert_eq!(lazy.verify("org.audits:READ").await.status, 204);
    f.app.clock().advance(1);
    assert_eq!(lazy.verify("org.audits:READ").await.code(401), "credential_expired");
    assert_eq!(new.verify("org.audits:READ").await.status, 204);
    let retired = told(&f, &org).await;
    assert_eq!((&retired[0]["kind"], &retired[0]["application_name"]), (&json!("secret.retired"), &json!("Lazy")));
    let record = f.operator.get(&format!("/v1/tenants/{org}/audit?action=secret.retired")).await.expect(200);
    let entries = record["items"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["actor"]["kind"], &entries[0]["target"]["name"]), (&json!("system"), &json!("Lazy")));
    let at = Timestamp::from_micros(START.micros()).plus_seconds(90 * DAY + 3_600).to_string();
    assert_eq!(entries[0]["details"]["expires_at"]["to"], at);
    assert_eq!(f.operator.post(&format!("{lazy_path}/rotate"), &json!({})).await.status, 200);
}

async fn start_named(f: &Fixture, org: &str, name: &str) -> (String, Client) {
    let (id, client) = f.application(org, name, json!({"org.audits": ["READ"]})).await;
    (format!("/v1/tenants/{org}/applications/{id}"), client)
}

async fn a_leak_is_told_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (path, _) = start(&f, &org).await;
    let request = || {
        let request = f.operator.request(reqwest::Method::POST, &format!("{path}/rotate"));
        request.header("Idempotency-Key", "leak-1").json(&json!({"leak": true}))
    };
    for _ in 0..2 {
        assert_eq!(crate::fixture::send(request()).await.status, 200);
    }
    let found = told(&f, &org).await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["kind"], &found[0]["due_at"]), (&json!("secret.leaked"), &Value::Null));
}

async fn notices_are_put_away(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (path, _) = start(&f, &org).await;
    let (other, _) = start_named(&f, &org, "Other").await;
    for path in [&path, &other] {
        f.operator.post(&format!("{path}/rotate"), &json!({"leak": true})).await.expect(200);
    }
    let notices = format!("/v1/tenants/{org}/notices");
    let list = async |query: &str| f.operator.get(&format!("{notices}{query}")).await.expect(200);
    let ids = |page: &Value| page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let all = ids(&list("").await);
    assert_eq!(all.len(), 2);
    let first = list("?limit=1").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&list(&format!("?limit=1&cursor={cursor}")).await), all[1..]);
    let away = format!("{notices}/{}/dismiss", all[0].as_str().unwrap());
    let put_away = f.operator.post(&away, &json!({})).await.expect(200);
    assert_eq!(put_away["dismissed_by"], f.operator.client_id.as_str());
    assert_eq!(ids(&list("").await), all[1..]);
    assert_eq!(ids(&list("?dismissed=true").await), all);
    f.app.clock().advance(5);
    assert_eq!(f.operator.post(&away, &json!({})).await.expect(200), put_away, "once");
    let application = path.rsplit('/').next().unwrap();
    assert_eq!(ids(&list(&format!("?dismissed=true&application_id={application}")).await).len(), 1);
    assert_eq!(ids(&list("?kind=secret.expiring").await).len(), 0);
    for bad in ["?kind=secret.lost", "?application_id=x", "?dismissed=maybe", "?since=now"] {
        assert_eq!(f.operator.get(&format!("{notices}{bad}")).await.status, 422, "{bad}");
    }
    assert_eq!(f.audit(&org).await[0]["action"], "notice.dismissed");
}
