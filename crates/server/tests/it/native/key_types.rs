//! Legacy key types: allowed by the operator until a day, advised on every answer, reported, and migrated.

use crate::fixture::{Client, Fixture, START, on_both, send};
use claviger_server::cli::{ApplicationsArgs, ApplicationsCommand, ClientArgs, Output};
use claviger_server::commands::applications;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    legacy_types_need_the_operators_leave,
    what_is_said_above_holds_beneath,
    every_answer_advises_until_the_sunset,
    on_the_day_they_stop,
    a_withdrawn_type_stops_at_once,
    the_type_decides_the_rights,
    a_report_lists_who_still_uses_them,
    migration_keeps_id_and_secret,
    nobody_migrates_above_their_rights,
    the_command_shows_first_and_then_migrates,
];

const DAY: i64 = 86_400;

fn rules(tenant: &str) -> String {
    format!("/v1/tenants/{tenant}/legacy-key-types")
}

/// Allows all types for a tenant until so many days from now.
async fn allow(f: &Fixture, tenant: &str, days: i64) -> Value {
    let sunset = START.plus_seconds(days * DAY).to_string();
    let rule = json!({"allowed": true, "sunset": sunset});
    let body = json!({"siem": rule, "api": rule, "live_response": rule});
    f.operator.put(&rules(tenant), &body).await.expect(200)
}

async fn legacy(f: &Fixture, org: &str, kind: &str) -> (String, Client) {
    let (id, client) = f
        .application_with(org, json!({"name": format!("Old {kind}"), "key_type": kind, "owner": "a@example.com"}))
        .await;
    (format!("/v1/tenants/{org}/applications/{id}"), client)
}

async fn legacy_types_need_the_operators_leave(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let applications = format!("/v1/tenants/{org}/applications");
    for kind in ["siem", "api", "live_response"] {
        let refused = f.operator.post(&applications, &json!({"name": "Old", "key_type": kind})).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/key_type", "{refused}");
    }
    let (_, admin) = f.application(&org, "Admin", json!({"tenants": ["READ", "UPDATE"]})).await;
    assert_eq!(admin.put(&rules(&org), &json!({})).await.code(403), "forbidden");
    for (bad, pointer) in [
        (json!({"siem": {"allowed": true}}), "/siem/sunset"),
        (json!({"api": {"allowed": true, "sunset": "2020-01-01"}}), "/api/sunset"),
        (json!({"api": {"allowed": true, "sunset": "soon"}}), "/api/sunset"),
        (json!({"live_response": {"allowed": false, "sunset": "2099-01-01"}}), "/live_response/sunset"),
        (json!({"custom": {"allowed": true}}), "/custom"),
    ] {
        let refused = f.operator.put(&rules(&org), &bad).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let set =
        f.operator.put(&rules(&org), &json!({"siem": {"allowed": true, "sunset": "2028-01-01"}})).await.expect(200);
    let siem = json!({"allowed": true, "sunset": "2028-01-01T00:00:00.000000Z", "deprecated_at": START.to_string()});
    let none = json!({"allowed": false, "sunset": null, "deprecated_at": null});
    assert_eq!(set["own"], json!({"siem": siem, "api": null, "live_response": null}));
    assert_eq!(set["effective"], json!({"siem": siem, "api": none, "live_response": none}));
    assert_eq!(admin.get(&rules(&org)).await.expect(200), set);
    let made = f.operator.post(&applications, &json!({"name": "Old", "key_type": "siem"})).await.expect(201);
    assert_eq!(made["application"]["key_type"], "siem");
    assert_eq!((&made["application"]["access_level_id"], &made["application"]["grants"]), (&Value::Null, &Value::Null));
    assert_eq!(f.operator.post(&applications, &json!({"name": "Older", "key_type": "api"})).await.status, 422);
    for bad in [json!({"name": "X", "key_type": "siem", "grants": {}}), json!({"name": "X", "key_type": "other"})] {
        assert_eq!(f.operator.post(&applications, &bad).await.status, 422, "{bad}");
    }
    let custom = json!({"name": "New", "key_type": "custom", "grants": {}});
    assert_eq!(f.operator.post(&applications, &custom).await.expect(201)["application"]["key_type"], "custom");
    let entries = f.audit(&org).await;
    assert_eq!(entries.iter().filter(|entry| entry["action"] == "legacy_key_types.updated").count(), 1);
    let notices = f.operator.get(&format!("/v1/tenants/{org}/notices?kind=key_type.sunset")).await.expect(200);
    assert_eq!(notices["items"].as_array().unwrap().len(), 1, "{notices}");
}

async fn what_is_said_above_holds_beneath(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    allow(&f, &f.root, 30).await;
    let (_, client) = legacy(&f, &org, "siem").await;
    assert_eq!(client.verify("notifications:READ").await.status, 204);
    let nearer = json!({"siem": {"allowed": false, "sunset": START.plus_seconds(DAY).to_string()}});
    let set = f.operator.put(&rules(&org), &nearer).await.expect(200);
    assert_eq!(set["effective"]["siem"]["allowed"], false);
    assert_eq!(set["effective"]["api"]["allowed"], true, "of what is not said here the tenant above decides");
    assert_eq!(client.verify("notifications:READ").await.status, 204, "no new ones, and old ones until the day");
    f.app.clock().advance(DAY);
    assert_eq!(client.verify("notifications:READ").await.code(401), "key_type_retired");
    f.operator.put(&rules(&org), &json!({})).await.expect(200);
    assert_eq!(client.verify("notifications:READ").await.status, 204, "again what is said above");
}

async fn every_answer_advises_until_the_sunset(f: Arc<Fixture>) {
    let (org, org_key) = f.organization("Acme").await;
    f.operator.put(&rules(&org), &json!({"api": {"allowed": true, "sunset": "2028-01-01"}})).await.expect(200);
    let (_, client) = legacy(&f, &org, "api").await;
    let answers = [
        client.get("/v1/whoami").await,
        client.get("/v1/tenants/none").await,
        client.verify("org.audits:READ").await,
        client.verify("applications:READ").await,
        client.get(&format!("/audit_log/v1/orgs/{org_key}/logs/_queue")).await,
        client.get("/integrationServices/v3/auditlogs").await,
        client.get(&format!("/jobs/v1/orgs/{org_key}/jobs/1")).await,
    ];
    for answer in answers {
        assert_eq!(answer.header("deprecation"), Some(format!("@{}", START.seconds()).as_str()), "{}", answer.text);
        assert_eq!(answer.header("sunset"), Some("Sat, 01 Jan 2028 00:00:00 GMT"));
        let link = answer.header("link").unwrap();
        assert!(link.contains("rel=\"deprecation\"") && link.contains("rel=\"sunset\""), "{link}");
        let page = link.split(['<', '>']).nth(1).unwrap();
        let text = send(client.bare(Method::GET, page)).await;
        assert!(text.status == 200 && text.text.contains("/migrate"), "{}", text.text);
    }
    let (_, custom) = f.application(&org, "New", json!({"org.audits": ["READ"]})).await;
    for answer in [custom.get("/v1/whoami").await, custom.verify("org.audits:READ").await] {
        assert_eq!((answer.header("deprecation"), answer.header("sunset")), (None, None));
    }
}

async fn on_the_day_they_stop(f: Arc<Fixture>) {
    let (org, org_key) = f.organization("Acme").await;
    allow(&f, &org, 30).await;
    let (path, client) = legacy(&f, &org, "api").await;
    f.app.clock().advance(30 * DAY - 1);
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    f.app.clock().advance(1);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "key_type_retired");
    assert_eq!(client.get("/v1/whoami").await.code(401), "key_type_retired");
    let told = client.get(&format!("/audit_log/v1/orgs/{org_key}/logs/_queue")).await.expect(401);
    assert!(told["message"].as_str().unwrap().contains("type"), "{told}");
    let stranger = f.client(&client.client_id, "clv_a_wrong");
    assert_eq!(stranger.verify("org.audits:READ").await.code(401), "unauthenticated", "a stranger is told nothing");
    f.operator.patch(&path, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "unauthenticated", "nor is who calls from elsewhere");
    f.operator.patch(&path, &json!({"allowed_networks": null})).await.expect(200);
    let denied = f.audit(&org).await;
    assert!(denied.iter().any(|entry| entry["details"]["reason"] == "key_type_retired"), "{denied:?}");
    let id = path.rsplit('/').next().unwrap();
    let asked = json!({"application_id": id, "permission": "org.audits:READ"});
    let simulated = f.operator.post(&format!("/v1/tenants/{org}/simulate"), &asked).await.expect(200);
    assert_eq!(simulated["obstacles"][0]["code"], "key_type_retired", "{simulated}");
    assert_eq!(f.operator.post(&format!("{path}/migrate"), &json!({"dry_run": false})).await.status, 200);
    assert_eq!(client.verify("org.audits:READ").await.status, 204, "a custom one works on");
}

async fn a_withdrawn_type_stops_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    allow(&f, &org, 30).await;
    let (_, client) = legacy(&f, &org, "siem").await;
    assert_eq!(client.verify("notifications:READ").await.status, 204);
    let set = f.operator.put(&rules(&org), &json!({"siem": {"allowed": false}})).await.expect(200);
    assert_eq!(set["effective"]["siem"]["deprecated_at"], START.to_string());
    assert_eq!(client.verify("notifications:READ").await.code(401), "key_type_retired");
}

async fn the_type_decides_the_rights(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    allow(&f, &org, 30).await;
    let (path, siem) = legacy(&f, &org, "siem").await;
    let (_, api) = legacy(&f, &org, "api").await;
    let (_, live) = legacy(&f, &org, "live_response").await;
    for (right, statuses) in [
        ("notifications:READ", [204, 403, 403]),
        ("org.audits:READ", [403, 204, 204]),
        ("org.liveresponse.session:CREATE", [403, 403, 204]),
        ("applications:READ", [403, 403, 403]),
    ] {
        for (client, status) in [&siem, &api, &live].into_iter().zip(statuses) {
            assert_eq!(client.verify(right).await.status.as_u16(), status, "{right}");
        }
    }
    let refused = f.operator.patch(&path, &json!({"grants": {"org.audits": ["READ"]}})).await.code(409);
    assert_eq!(refused, "key_type_legacy");
    f.operator.patch(&path, &json!({"description": "still"})).await.expect(200);
    let (_, narrow) = f.application(&org, "Narrow", json!({"applications": ["CREATE"]})).await;
    let applications = format!("/v1/tenants/{org}/applications");
    let above = narrow.post(&applications, &json!({"name": "Mine", "key_type": "siem"})).await.expect(403);
    assert_eq!(above["missing_permission"], "notifications:READ", "nobody hands out what they do not hold");
}

async fn a_report_lists_who_still_uses_them(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    allow(&f, &f.root, 30).await;
    let (path, client) = legacy(&f, &org, "siem").await;
    f.app.clock().advance(1);
    legacy(&f, &org, "api").await;
    legacy(&f, &other, "api").await;
    f.application(&org, "New", json!({})).await;
    assert_eq!(client.verify("notifications:READ").await.status, 204);
    f.app.flush_usage().await.unwrap();
    let report = f.operator.get(&format!("{}/report", rules(&org))).await.expect(200);
    let items = report["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{report}");
    let first = &items[0];
    assert_eq!(first["application_id"], path.rsplit('/').next().unwrap());
    assert_eq!((&first["key_type"], &first["owner"]), (&json!("siem"), &json!("a@example.com")));
    assert_eq!((&first["stopped"], &first["last_use"]["address"]), (&json!(false), &json!("127.0.0.1")));
    assert_eq!(items[1]["last_use"], Value::Null);
    let all = f.operator.get(&format!("{}/report?limit=2", rules(&f.root))).await.expect(200);
    let next = format!("{}/report?limit=2&cursor={}", rules(&f.root), all["next_cursor"].as_str().unwrap());
    assert_eq!(f.operator.get(&next).await.expect(200)["items"].as_array().unwrap().len(), 1);
    let (_, own) = f.application(&org, "Reader", json!({"applications": ["READ"]})).await;
    assert_eq!(own.get(&format!("{}/report", rules(&org))).await.expect(200)["items"].as_array().unwrap().len(), 2);
    assert_eq!(own.get(&format!("{}/report", rules(&other))).await.status, 404);
}

async fn migration_keeps_id_and_secret(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    allow(&f, &org, 30).await;
    let (path, client) = legacy(&f, &org, "siem").await;
    let before = f.operator.get(&path).await.expect(200);
    let entries = f.audit(&org).await.len();
    let plan = f.operator.post(&format!("{path}/migrate"), &json!({})).await.expect(200);
    assert_eq!((&plan["dry_run"], &plan["migrated"]), (&json!(true), &json!(false)));
    assert_eq!(plan["access_level"], json!({"id": null, "name": "SIEM key", "grants": {"notifications": ["READ"]}}));
    assert_eq!(plan["application"]["key_type"], "siem");
    assert_eq!(f.operator.get(&path).await.expect(200), before, "a dry run changes nothing");
    assert_eq!(f.audit(&org).await.len(), entries);

    let request = || f.operator.request(Method::POST, &format!("{path}/migrate")).json(&json!({"dry_run": false}));
    let done = send(request().header("Idempotency-Key", "once")).await.expect(200);
    assert_eq!((&done["migrated"], &done["application"]["key_type"]), (&json!(true), &json!("custom")));
    assert_eq!(done["application"]["access_level_id"], done["access_level"]["id"]);
    let again = send(request().header("Idempotency-Key", "once")).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(200), done);
    let after = f.operator.get(&path).await.expect(200);
    for member in ["id", "client_id", "name", "allowed_networks", "secrets", "owner", "reach"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(f.audit(&org).await.len(), entries + 1, "one entry");
    let verified = client.verify("notifications:READ").await;
    assert_eq!((verified.status.as_u16(), verified.header("sunset")), (204, None), "same id, same secret, no advice");
    let custom = send(request()).await.expect(200);
    assert_eq!((&custom["migrated"], &custom["access_level"]), (&json!(false), &Value::Null));
    let keyed = send(request().header("Idempotency-Key", "another")).await.expect(200);
    assert_eq!(keyed["migrated"], false);
    f.app.clock().advance(31 * DAY);
    assert_eq!(client.verify("notifications:READ").await.status, 204, "the sunset does not touch it");

    // The level is found again, or made under another name where somebody has changed it.
    allow(&f, &org, 60).await;
    let made = async |name: &str| {
        let (id, _) = f.application_with(&org, json!({"name": name, "key_type": "siem"})).await;
        let path = format!("/v1/tenants/{org}/applications/{id}/migrate");
        f.operator.post(&path, &json!({"dry_run": false})).await.expect(200)["access_level"].clone()
    };
    assert_eq!(made("Second").await, done["access_level"]);
    let level = format!("/v1/tenants/{org}/access-levels/{}", done["access_level"]["id"].as_str().unwrap());
    f.operator.patch(&level, &json!({"grants": {}})).await.expect(200);
    assert_eq!(made("Third").await["name"], "SIEM key (2)");
}

async fn nobody_migrates_above_their_rights(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    allow(&f, &org, 30).await;
    let (path, _) = legacy(&f, &org, "siem").await;
    let (_, narrow) =
        f.application(&org, "Narrow", json!({"applications": ["UPDATE"], "access-levels": ["CREATE"]})).await;
    for dry_run in [true, false] {
        let refused = narrow.post(&format!("{path}/migrate"), &json!({"dry_run": dry_run})).await.expect(403);
        assert_eq!(refused["missing_permission"], "notifications:READ");
    }
    let stale = f.operator.request(Method::POST, &format!("{path}/migrate")).header("If-Match", "\"9\"");
    assert_eq!(send(stale.json(&json!({"dry_run": false}))).await.status, 412);
    assert_eq!(f.operator.get(&path).await.expect(200)["key_type"], "siem");
}

async fn the_command_shows_first_and_then_migrates(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    allow(&f, &org, 30).await;
    let (siem, _) = legacy(&f, &org, "siem").await;
    let (api, _) = legacy(&f, &org, "api").await;
    let run = async |id: Option<String>, apply: bool| {
        let client = ClientArgs {
            url: Some(f.operator.base.clone()),
            tenant: Some(org.clone()),
            output: Output::Json,
            ..ClientArgs::default()
        };
        let args = ApplicationsArgs { client, command: ApplicationsCommand::Migrate { id, apply } };
        let (client_id, secret) = (f.operator.client_id.clone(), f.operator.secret.clone());
        let env = move |name: &str| match name {
            "CLAVIGER_CLIENT_ID" => Some(client_id.clone()),
            "CLAVIGER_SECRET" => Some(secret.clone()),
            _ => None,
        };
        applications::run(args, env).await.unwrap();
    };
    let types = async || {
        let of = async |path: &str| f.operator.get(path).await.expect(200)["key_type"].clone();
        [of(&siem).await, of(&api).await]
    };
    run(None, false).await;
    assert_eq!(types().await, ["siem", "api"]);
    run(Some(siem.rsplit('/').next().unwrap().to_owned()), true).await;
    assert_eq!(types().await, ["custom", "api"]);
    run(None, true).await;
    assert_eq!(types().await, ["custom", "custom"]);
}
