//! A14, leak reports: what is found is dead at once, its owner is told, and whoever has no reach learns nothing.

use crate::fixture::{Client, Fixture, on_both, send};
use claviger_domain::secret::PlainSecret;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_leaked_secret_is_dead_and_its_owner_told,
    a_repetition_changes_nothing,
    quarantine_disables_the_application,
    who_has_no_reach_learns_and_does_nothing,
    every_shape_is_read_and_bounded,
    a_reporter_may_report_itself,
    an_imported_secret_is_found_where_it_stands_alone,
];

async fn scanner(f: &Fixture) -> Client {
    let body = json!({"name": "Scanner", "grants": {"leaks": ["CREATE"]}, "reach": "beneath"});
    f.application_with(&f.root, body).await.1
}

async fn report(client: &Client, text: &str) -> Value {
    let body = json!({"reports": [{"text": text, "source": "gitleaks", "url": "https://git.example.com/a"}]});
    let answer = client.post("/v1/leaks", &body).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.expect(200);
    let secrets = answer["results"][0]["secrets"].clone();
    assert_eq!(answer["results"][0]["found"], secrets.as_array().unwrap().len());
    secrets
}

async fn works(client: &Client) -> bool {
    client.verify("org.audits:READ").await.status == 204
}

async fn reader(f: &Fixture, tenant: &str, name: &str) -> (String, Client) {
    let body = json!({"name": name, "grants": {"org.audits": ["READ"]}, "owner": "ops@example.com"});
    f.application_with(tenant, body).await
}

async fn a_leaked_secret_is_dead_and_its_owner_told(f: Arc<Fixture>) {
    let scanner = scanner(&f).await;
    let (org, _) = f.organization("Acme").await;
    let (id, client) = reader(&f, &org, "SIEM").await;
    let (_, other) = reader(&f, &org, "Other").await;
    assert!(works(&client).await && works(&other).await);
    let rubbish = PlainSecret::mint([9; 32]).reveal();
    let text = format!("export TOKEN={}\n# {rubbish} and {}\n", client.secret, &other.secret[..54]);
    let found = report(&scanner, &text).await;
    let hint = format!("clv_a_…{}", &client.secret[51..]);
    assert_eq!(found[0], json!({"hint": hint, "outcome": "revoked", "tenant_id": org, "application_id": id}));
    assert_eq!((&found[1]["outcome"], &found[1]["application_id"]), (&json!("unknown"), &Value::Null));
    assert!(!works(&client).await, "dead at once");
    assert!(works(&other).await);
    let record = f.operator.get(&format!("/v1/tenants/{org}/audit?action=secret.leaked")).await.expect(200);
    let entry = &record["items"][0];
    assert_eq!((&entry["details"]["alarm"], &entry["details"]["source"]), (&json!(true), &json!("gitleaks")));
    assert_eq!((&entry["target"]["id"], &entry["actor"]["id"]), (&json!(id), &json!(scanner.client_id)));
    let notices = f.operator.get(&format!("/v1/tenants/{org}/notices?kind=secret.leaked")).await.expect(200);
    assert_eq!(notices["items"].as_array().unwrap().len(), 1, "{notices}");
    assert_eq!(notices["items"][0]["owner"], "ops@example.com");
    for text in [record.to_string(), notices.to_string(), found.to_string()] {
        assert!(!text.contains(&client.secret) && !text.contains(&rubbish));
    }
}

async fn a_repetition_changes_nothing(f: Arc<Fixture>) {
    let scanner = scanner(&f).await;
    let (org, _) = f.organization("Acme").await;
    let (id, client) = reader(&f, &org, "SIEM").await;
    let (both, again) = tokio::join!(report(&scanner, &client.secret), report(&scanner, &client.secret));
    let mut outcomes = [both[0]["outcome"].as_str().unwrap(), again[0]["outcome"].as_str().unwrap()];
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["already_revoked", "revoked"]);
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let renewed = f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    let third = report(&scanner, &client.secret).await;
    assert_eq!((&third[0]["outcome"], &third[0]["application_id"]), (&json!("already_revoked"), &json!(id)));
    let client = f.client(&client.client_id, renewed["secret"]["text"].as_str().unwrap());
    assert!(works(&client).await, "the new secret is another one");
    let record = f.operator.get(&format!("/v1/tenants/{org}/audit?action=secret.leaked")).await.expect(200);
    assert_eq!(record["items"].as_array().unwrap().len(), 1);
}

async fn quarantine_disables_the_application(f: Arc<Fixture>) {
    let scanner = scanner(&f).await;
    let (org, _) = f.organization("Acme").await;
    let (id, client) = reader(&f, &org, "SIEM").await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    let second = f.client(&client.client_id, rotated["secret"]["text"].as_str().unwrap());
    let request = f.operator.request(Method::PUT, &format!("/v1/tenants/{org}/credential-policy"));
    send(request.json(&json!({"on_leak": "quarantine"}))).await.expect(200);
    assert_eq!(report(&scanner, &client.secret).await[0]["outcome"], "quarantined");
    assert_eq!(second.verify("org.audits:READ").await.code(401), "application_disabled");
    assert_eq!(client.verify("org.audits:READ").await.code(401), "unauthenticated");
    let now = f.operator.get(&path).await.expect(200);
    assert_eq!((&now["enabled"], &now["version"]), (&json!(false), &json!(2)));
    f.operator.patch(&path, &json!({"enabled": true})).await.expect(200);
    assert_eq!(report(&scanner, &client.secret).await[0]["outcome"], "already_revoked");
    assert!(works(&second).await && !works(&client).await);
}

async fn who_has_no_reach_learns_and_does_nothing(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let (foreign, _) = f.organization("Foreign").await;
    let (_, theirs) = reader(&f, &foreign, "Theirs").await;
    let (_, reporter) = f.application(&own, "Scanner", json!({"leaks": ["CREATE"]})).await;
    let strange = PlainSecret::mint([8; 32]).reveal();
    let strip = |mut found: Value| {
        found[0]["hint"] = Value::Null;
        found
    };
    let denials = f.audit(&own).await.len();
    assert_eq!(strip(report(&reporter, &theirs.secret).await), strip(report(&reporter, &strange).await));
    assert!(works(&theirs).await);
    assert_eq!(f.audit(&own).await.len(), denials, "nor does its own record tell them apart");
    // Once it has been dealt with by somebody above, they look alike as well.
    let above = scanner(&f).await;
    assert_eq!(report(&above, &theirs.secret).await[0]["outcome"], "revoked");
    assert_eq!(strip(report(&reporter, &theirs.secret).await), strip(report(&reporter, &strange).await));
    let (_, nobody) = f.application(&own, "Nobody", json!({"leaks": ["READ"]})).await;
    let refused = nobody.post("/v1/leaks", &json!([{"text": "x", "source": "y"}])).await.expect(403);
    assert_eq!(refused["missing_permission"], "leaks:CREATE");
    let forged = f.client(&reporter.client_id, &strange);
    assert_eq!(forged.post("/v1/leaks", &json!([{"text": "x", "source": "y"}])).await.status, 401);
}

async fn every_shape_is_read_and_bounded(f: Arc<Fixture>) {
    let scanner = scanner(&f).await;
    let (org, _) = f.organization("Acme").await;
    let shapes: [fn(&str) -> Value; 4] = [
        |text| json!([{"text": text, "source": "a"}]),
        |text| json!([{"token": text, "type": "claviger", "url": "", "source": "content"}]),
        |text| json!({"reports": [{"text": text}], "source": "a"}),
        |text| json!({"texts": [text], "source": "a"}),
    ];
    for (number, shape) in shapes.into_iter().enumerate() {
        let (_, client) = reader(&f, &org, &format!("App {number}")).await;
        let answer = scanner.post("/v1/leaks", &shape(&client.secret)).await.expect(200);
        assert_eq!(answer["results"][0]["secrets"][0]["outcome"], "revoked", "{number}");
        assert!(!works(&client).await);
    }
    let (_, client) = reader(&f, &org, "Kept").await;
    let many: Vec<_> = (0..=100).map(|_| json!({"text": client.secret, "source": "a"})).collect();
    let secrets: Vec<_> =
        (0..=256_u16).map(|n| PlainSecret::mint([n.to_le_bytes(); 16].concat().try_into().unwrap())).collect();
    let secrets: Vec<_> = secrets.into_iter().map(PlainSecret::reveal).collect();
    for (pointer, bad) in [
        ("", json!([])),
        ("", Value::Array(many.clone())),
        ("/reports", json!({"reports": many})),
        ("/reports", json!({})),
        ("/0/source", json!([{"text": client.secret}])),
        ("/reports/1/text", json!({"reports": [{"text": client.secret, "source": "a"}, {"source": "a"}]})),
        ("/0/text", json!([{"text": "a", "token": "a", "source": "a"}])),
        ("/0/token", json!([{"token": "x".repeat(65_537), "source": "a"}])),
        ("/0/txt", json!([{"txt": client.secret, "source": "a"}])),
        ("/texts/0", json!({"texts": [7], "source": "a"})),
        ("", json!([{"text": client.secret, "source": "a"}, {"text": secrets.join(" "), "source": "a"}])),
    ] {
        let refused = scanner.post("/v1/leaks", &bad).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        assert!(!refused.to_string().contains(&client.secret));
    }
    assert!(works(&client).await, "nothing is done by halves");
    let fits = json!([{"text": secrets[..256].join(""), "source": "a"}]);
    assert_eq!(scanner.post("/v1/leaks", &fits).await.expect(200)["results"][0]["found"], 256);
    let long = Value::Array(vec![json!({"text": "x".repeat(60_000), "source": "a"}); 18]);
    assert_eq!(scanner.post("/v1/leaks", &long).await.code(413), "body_too_large");
}

async fn a_reporter_may_report_itself(f: Arc<Fixture>) {
    let scanner = scanner(&f).await;
    let (org, _) = f.organization("Acme").await;
    let (_, client) = reader(&f, &org, "SIEM").await;
    let found = report(&scanner, &format!("{} {}", scanner.secret, client.secret)).await;
    let outcomes: Vec<_> = found.as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["revoked", "revoked"]);
    assert!(!works(&client).await);
    assert_eq!(scanner.get("/v1/whoami").await.status, 401);
}

async fn an_imported_secret_is_found_where_it_stands_alone(f: Arc<Fixture>) {
    let scanner = scanner(&f).await;
    let (org, _) = f.organization("Acme").await;
    let (first, second) = ("R7T9YQ2XK0PLM4VB6NWZ8C3D", "AAE5JS8C4FHG2QW9ER7TY3UI");
    let hashed = |text: &str| -> String {
        let hash = claviger_domain::secret::SecretHash::of(text);
        hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let old = json!({
        "name": "Old", "client_id": "ABCDE12345", "grants": {"org.audits": ["READ"]}, "owner": "ops@example.com",
        "secrets": [{"sha256": hashed(first), "hint": "…8C3D"}, {"sha256": hashed(second)}],
    });
    let path = format!("/v1/tenants/{org}/applications/import");
    let id = f.operator.post(&path, &old).await.expect(201)["items"][0]["id"].clone();
    let (client, other) = (f.client("ABCDE12345", first), f.client("ABCDE12345", second));
    assert!(works(&client).await && works(&other).await);
    let elsewhere = report(&scanner, &format!("TOKEN={first} # {second}")).await;
    assert_eq!(elsewhere, json!([]), "it has no form by which it could be found");
    assert_eq!(report(&scanner, "gitleaks").await, json!([]));
    let found = report(&scanner, &format!("{first}\n")).await;
    let known = |outcome| json!([{"hint": "…8C3D", "outcome": outcome, "tenant_id": org, "application_id": id}]);
    assert_eq!(found, known("revoked"));
    assert!(!works(&client).await && works(&other).await);
    assert_eq!(report(&scanner, first).await, known("already_revoked"));
    let url = format!("https://example.com/?t={second}");
    let token = json!([{"token": second, "type": "vendor", "url": url, "source": "content"}]);
    let answer = scanner.post("/v1/leaks", &token).await.expect(200);
    assert_eq!(answer["results"][0]["secrets"][0]["outcome"], "revoked", "{answer}");
    assert!(!works(&other).await);
    let record = f.operator.get(&format!("/v1/tenants/{org}/audit")).await.expect(200);
    let notices = f.operator.get(&format!("/v1/tenants/{org}/notices?kind=secret.leaked")).await.expect(200);
    assert_eq!(notices["items"].as_array().unwrap().len(), 2, "{notices}");
    for text in [record.to_string(), notices.to_string(), answer.to_string()] {
        assert!(!text.contains(first) && !text.contains(second), "{text}");
    }
}
