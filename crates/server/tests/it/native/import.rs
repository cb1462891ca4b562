//! Import: keys in the field go on working, and nothing is taken over by halves.

use crate::fixture::{Client, Fixture, on_both, send};
use claviger_domain::secret::SecretHash;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_key_from_elsewhere_goes_on_working,
    both_secrets_of_a_rotation_come_along,
    all_of_a_list_or_none,
    a_dry_run_makes_nothing,
    a_repetition_makes_no_second_one,
    nobody_imports_above_their_own_rights,
    ceilings_hold_for_what_is_imported,
    strangers_with_foreign_secrets_stay_strangers,
    legacy_types_come_along_with_the_operators_leave,
];

fn sha256(text: &str) -> String {
    SecretHash::of(text).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body(name: &str, client_id: &str, secret: &str) -> Value {
    json!({
        "name": name, "client_id": client_id, "grants": {"org.audits": ["READ"]},
        "secrets": [{"sha256": sha256(secret), "hint": "…last"}]
    })
}

async fn start(f: &Fixture) -> (String, String) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/applications");
    (path.clone(), format!("{path}/import"))
}

async fn basic(client: &Client) -> u16 {
    let path = "/v1/verify?permission=org.audits:READ&tenant=any";
    let request = client.bare(Method::GET, path).basic_auth(&client.client_id, Some(&client.secret));
    send(request).await.status.as_u16()
}

async fn legacy_types_come_along_with_the_operators_leave(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/applications");
    let (client_id, secret) = ("ABCDE12345", "R7T9YQ2XK0PLM4VB6NWZ8C3D");
    let old =
        json!([{"name": "Old", "client_id": client_id, "key_type": "api", "secrets": [{"sha256": sha256(secret)}]}]);
    let refused = f.operator.post(&format!("{path}/import"), &old).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/0/key_type", "{refused}");
    let rule = json!({"api": {"allowed": true, "sunset": "2037-01-01"}});
    f.operator.put(&format!("/v1/tenants/{org}/legacy-key-types"), &rule).await.expect(200);
    f.operator.post(&format!("{path}/import"), &old).await.expect(201);
    let answer = f.client(client_id, secret).verify("org.alerts:READ").await;
    assert_eq!(answer.status, 204);
    assert!(answer.headers.contains_key("sunset"));
    let notices = f.operator.get(&format!("/v1/tenants/{org}/notices?kind=key_type.sunset")).await.expect(200);
    assert_eq!(notices["items"].as_array().unwrap().len(), 1);
    let exported = f.operator.get(&format!("/v1/tenants/{org}/export")).await.expect(200);
    assert_eq!(exported["applications"][0]["key_type"], "api");
}

async fn a_key_from_elsewhere_goes_on_working(f: Arc<Fixture>) {
    let (path, import) = start(&f).await;
    let (client_id, secret) = ("ABCDE12345", "R7T9YQ2XK0PLM4VB6NWZ8C3D");
    let client = f.client(client_id, secret);
    assert_eq!(basic(&client).await, 401);
    let made = f.operator.post(&import, &body("SIEM", client_id, secret)).await.expect(201);
    assert_eq!((&made["dry_run"], &made["count"]), (&json!(false), &json!(1)));
    assert_eq!(made["items"][0]["client_id"], client_id);
    assert_eq!((basic(&client).await, client.verify("org.audits:READ").await.status.as_u16()), (204, 204));
    for wrong in ["R7T9YQ2XK0PLM4VB6NWZ8C3E", "", &sha256(secret)] {
        assert_eq!(basic(&f.client(client_id, wrong)).await, 401, "{wrong:?}");
    }
    let slashed = f.client("with/slash", "se/cret+of==base64");
    f.operator.post(&import, &body("Slashed", "with/slash", "se/cret+of==base64")).await.expect(201);
    assert_eq!(basic(&slashed).await, 204);
    assert_eq!(slashed.verify("org.audits:READ").await.status, 401, "the token parts at the first slash");

    let id = made["items"][0]["id"].as_str().unwrap();
    f.app.flush_usage().await.unwrap();
    let read = f.operator.get(&format!("{path}/{id}")).await.expect(200);
    assert_eq!((&read["client_id"], &read["secrets"][0]["hint"]), (&json!(client_id), &json!("…last")));
    assert_eq!(read["secrets"][0]["last_use"]["address"], "127.0.0.1");
    let rotated = f.operator.post(&format!("{path}/{id}/rotate"), &json!({})).await.expect(200);
    let renewed = f.client(client_id, rotated["secret"]["text"].as_str().unwrap());
    assert_eq!((basic(&renewed).await, basic(&client).await), (204, 204), "an imported key is rotated like any other");
    let old = rotated["previous"]["id"].as_str().unwrap();
    assert_eq!(f.operator.delete(&format!("{path}/{id}/secrets/{old}?force=true")).await.status, 204);
    assert_eq!((basic(&renewed).await, basic(&client).await), (204, 401));
}

async fn both_secrets_of_a_rotation_come_along(f: Arc<Fixture>) {
    let (_, import) = start(&f).await;
    let end = crate::fixture::START.plus_seconds(60).to_string();
    let upper = "0190AAAA-0000-7000-8000-00000000ABCD";
    let two = json!([{"sha256": sha256("old"), "expires_at": end}, {"sha256": sha256("new").to_uppercase()}]);
    let mut wanted = body("Two", upper, "x");
    wanted["secrets"] = two;
    let made = f.operator.post(&import, &wanted).await.expect(201);
    assert_eq!(made["items"][0]["client_id"], upper.to_lowercase());
    assert_eq!(made["items"][0]["secret_ids"].as_array().unwrap().len(), 2);
    let (old, new) = (f.client(upper, "old"), f.client(&upper.to_lowercase(), "new"));
    assert_eq!((basic(&old).await, basic(&new).await), (204, 204));
    f.app.clock().advance(60);
    assert_eq!((basic(&old).await, basic(&new).await), (401, 204));
}

async fn all_of_a_list_or_none(f: Arc<Fixture>) {
    let (path, import) = start(&f).await;
    f.operator.post(&import, &body("Taken", "TAKEN", "one")).await.expect(201);
    let list = json!([body("Fresh", "FRESH", "two"), body("taken", "OTHER", "three"), body("More", "TAKEN", "four")]);
    let refused = f.operator.post(&import, &list).await.expect(422);
    let pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/1/name", "/2/client_id"], "{refused}");
    assert_eq!(f.operator.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(basic(&f.client("FRESH", "two")).await, 401);
    let (other, _) = f.organization("Other").await;
    let elsewhere = format!("/v1/tenants/{other}/applications/import");
    assert_eq!(f.operator.post(&elsewhere, &body("A", "TAKEN", "five")).await.status, 422, "unique in the whole store");

    let many: Vec<_> = (0..9).map(|n| body(&format!("A{n}"), &format!("ID{n}"), &format!("secret {n}"))).collect();
    assert_eq!(f.operator.post(&import, &json!(many)).await.expect(201)["count"], 9);
    assert_eq!(basic(&f.client("ID8", "secret 8")).await, 204);
    let more = f.operator.post(&import, &body("Eleventh", "ELEVEN", "six")).await;
    assert_eq!(more.code(409), "application_limit_reached");
    let too_many: Vec<_> = (0..1_001).map(|n| body(&format!("B{n}"), &format!("IB{n}"), &format!("s {n}"))).collect();
    assert_eq!(f.operator.post(&import, &json!(too_many)).await.status, 422);
    assert_eq!(f.operator.post(&import, &json!([])).await.status, 422);
    let tenant = path.rsplit_once('/').unwrap().0;
    let record = f.operator.get(&format!("{tenant}/audit?action=applications.imported")).await.expect(200);
    let entries = record["items"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "one entry for each import that was done");
    assert_eq!(entries[0]["details"]["applications"].as_array().unwrap().len(), 9);
    assert!(!record.to_string().contains(&sha256("secret 8")), "no hash stands in the record");
}

async fn a_dry_run_makes_nothing(f: Arc<Fixture>) {
    let (path, import) = start(&f).await;
    let wanted = body("SIEM", "DRY", "secret");
    let dry = f.operator.post(&format!("{import}?dry_run=true"), &wanted).await.expect(200);
    assert_eq!(
        dry,
        json!({"dry_run": true, "count": 1, "items": [
            {"id": null, "client_id": "DRY", "name": "SIEM", "secret_ids": []}
        ]})
    );
    assert_eq!(f.operator.get(&path).await.expect(200)["items"], json!([]));
    assert_eq!(basic(&f.client("DRY", "secret")).await, 401);
    let tenant = path.rsplit_once('/').unwrap().0.rsplit('/').next().unwrap();
    assert!(f.audit(tenant).await.iter().all(|entry| entry["action"] != "applications.imported"));
    f.operator.post(&import, &wanted).await.expect(201);
    assert_eq!(f.operator.post(&format!("{import}?dry_run=true"), &wanted).await.status, 422);
}

async fn a_repetition_makes_no_second_one(f: Arc<Fixture>) {
    let (path, import) = start(&f).await;
    let post = || {
        let request = f.operator.request(Method::POST, &import).header("idempotency-key", "k");
        send(request.json(&body("SIEM", "ONCE", "secret")))
    };
    let first = post().await.expect(201);
    let again = post().await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    assert_eq!(f.operator.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1);
}

async fn nobody_imports_above_their_own_rights(f: Arc<Fixture>) {
    let (path, import) = start(&f).await;
    let org = path.split('/').nth(3).unwrap();
    let (_, maker) = f.application(org, "Maker", json!({"applications": ["CREATE"]})).await;
    let refused = maker.post(&import, &body("SIEM", "ABOVE", "secret")).await.expect(403);
    assert_eq!(refused["missing_permission"], "org.audits:READ");
    assert!(refused["detail"].as_str().unwrap().starts_with("SIEM: "), "{refused}");
    let mut beneath = body("SIEM", "ABOVE", "secret");
    (beneath["grants"], beneath["reach"]) = (json!({}), json!("beneath"));
    assert_eq!(maker.post(&import, &beneath).await.code(403), "forbidden");
    beneath["reach"] = json!("own");
    assert_eq!(maker.post(&import, &beneath).await.status, 201);
}

async fn ceilings_hold_for_what_is_imported(f: Arc<Fixture>) {
    let (path, import) = start(&f).await;
    let policy = format!("{}/credential-policy", path.rsplit_once('/').unwrap().0);
    let ceiling = json!({"max_secret_lifetime_seconds": 3_600});
    send(f.operator.request(Method::PUT, &policy).json(&ceiling)).await.expect(200);
    let mut wanted = body("SIEM", "BOUND", "secret");
    wanted["secrets"][0]["expires_at"] = json!(crate::fixture::START.plus_seconds(4_000).to_string());
    let refused = f.operator.post(&import, &json!([wanted])).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/0/secrets/0/expires_at", "{refused}");
    f.operator.post(&import, &body("SIEM", "BOUND", "secret")).await.expect(201);
    let client = f.client("BOUND", "secret");
    f.app.clock().advance(3_599);
    assert_eq!(basic(&client).await, 204);
    f.app.clock().advance(2);
    assert_eq!(basic(&client).await, 401);
}

async fn strangers_with_foreign_secrets_stay_strangers(f: Arc<Fixture>) {
    let (_, import) = start(&f).await;
    f.operator.post(&import, &body("SIEM", "KNOWN", "secret")).await.expect(201);
    let before = f.app.store().statements();
    for number in 0..200 {
        assert_eq!(basic(&f.client(&format!("NOBODY{number}"), "garbage")).await, 401);
        assert_eq!(basic(&f.client("KNOWN", &format!("garbage {number}"))).await, 401);
    }
    // What goes on in the background is not theirs.
    assert!(f.app.store().statements() - before < 100, "strangers cause no look-ups");
    let (wrong, unknown) = (f.client("KNOWN", "garbage"), f.client("NOBODY", "garbage"));
    let strip = |text: String| text.split("\"request_id\"").next().unwrap().to_owned();
    let (wrong, unknown) = (wrong.verify("org.audits:READ").await, unknown.verify("org.audits:READ").await);
    assert_eq!(strip(wrong.text), strip(unknown.text));
}
