//! Applications and their secrets.

use crate::fixture::{Fixture, on_both};
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    an_application_lives,
    the_eleventh_is_refused,
    patches_clear_and_keep,
    secrets_are_listed_and_revoked,
    expiry_bites_at_its_second,
];

async fn an_application_lives(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/applications");
    let body = json!({
        "name": "SIEM", "description": "reads", "owner": "ops@example.com", "grants": {"org.audits": ["READ"]},
        "allowed_networks": ["127.0.0.0/8", "2001:db8::/32"], "rate_limit": {"requests": 100, "window_seconds": 60},
        "expires_at": "2099-01-01T00:00:00Z"
    });
    let answer = f.operator.post(&path, &body).await;
    assert_eq!((answer.header("cache-control"), answer.header("etag")), (Some("no-store"), Some("\"1\"")));
    let location = answer.header("location").unwrap().to_owned();
    let made = answer.expect(201);
    let (application, secret) = (&made["application"], &made["secret"]);
    for member in ["name", "description", "owner", "grants", "allowed_networks", "rate_limit"] {
        assert_eq!(application[member], body[member], "{member}");
    }
    assert_eq!(
        (application["id"].clone(), &application["access_level_id"]),
        (application["client_id"].clone(), &Value::Null)
    );
    let text = secret["text"].as_str().unwrap();
    assert!(text.starts_with("clv_a_") && text.len() == 55, "{text}");
    let read = f.operator.get(&location).await;
    assert!(!read.text.contains(text));
    assert_eq!(read.expect(200)["name"], "SIEM");
    let client = f.client(application["client_id"].as_str().unwrap(), text);
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    let bodiless = f.operator.request(reqwest::Method::POST, &format!("{location}/regenerate"));
    let answer = crate::fixture::send(bodiless).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let next = answer.expect(200);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "unauthenticated");
    let renewed = f.client(&client.client_id, next["secret"]["text"].as_str().unwrap());
    assert_eq!(renewed.verify("org.audits:READ").await.status, 204);
    assert_eq!(f.operator.delete(&location).await.status, 204);
    assert_eq!(renewed.verify("org.audits:READ").await.code(401), "unauthenticated");
    assert_eq!(f.operator.post(&path, &body).await.status, 201, "the name is free again");
}

async fn the_eleventh_is_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    for index in 0..10 {
        f.application(&org, &format!("A{index}"), json!({})).await;
    }
    let refused =
        f.operator.post(&format!("/v1/tenants/{org}/applications"), &json!({"name": "A10", "grants": {}})).await;
    let problem = refused.expect(409);
    assert_eq!(problem["code"], "application_limit_reached");
    assert!(problem["detail"].as_str().unwrap().contains("10"), "{problem}");
}

async fn patches_clear_and_keep(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {"org.audits": ["READ"]}, "owner": "a@b", "allowed_networks": ["10.0.0.0/8"], "rate_limit": 5});
    let (id, client) = f.application_with(&org, body).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let read = f.operator.get(&path).await.expect(200);
    assert_eq!(read["rate_limit"], json!({"requests": 5, "window_seconds": 1}));
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
    let patched = f
        .operator
        .patch(&path, &json!({"owner": null, "allowed_networks": null, "rate_limit": null}))
        .await
        .expect(200);
    assert_eq!(
        (&patched["owner"], &patched["allowed_networks"], &patched["rate_limit"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!((&patched["name"], &patched["grants"]), (&read["name"], &read["grants"]));
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    let none = f.operator.patch(&path, &json!({"allowed_networks": []})).await.expect(200);
    assert_eq!(none["allowed_networks"], json!([]));
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
    for bad in [
        json!({"name": null}),
        json!({"enabled": null}),
        json!({"id": "x"}),
        json!({"created_at": "2020-01-01T00:00:00Z"}),
        json!({"secret": "x"}),
    ] {
        assert_eq!(f.operator.patch(&path, &bad).await.status, 422, "{bad}");
    }
    assert_eq!(f.operator.patch(&path, &json!({"expires_at": "2001-01-01T00:00:00Z"})).await.status, 422);
}

async fn secrets_are_listed_and_revoked(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    f.app.flush_usage().await.unwrap();
    let path = format!("/v1/tenants/{org}/applications/{id}/secrets");
    let list = f.operator.get(&path).await.expect(200);
    let secret = &list["items"][0];
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert!(secret["hint"].as_str().unwrap().ends_with(&client.secret[51..]), "{secret}");
    assert!(secret["last_use"]["at"].is_string() && secret["last_use"]["address"] == "127.0.0.1", "{secret}");
    let own = format!("{path}/{}", secret["id"].as_str().unwrap());
    assert_eq!(f.operator.delete(&own).await.status, 204);
    assert_eq!(f.operator.delete(&own).await.status, 404);
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
}

async fn expiry_bites_at_its_second(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let end = crate::fixture::START.plus_seconds(60).to_string();
    let (_, client) =
        f.application_with(&org, json!({"name": "Short", "grants": {"org.audits": ["READ"]}, "expires_at": end})).await;
    f.app.clock().advance(59);
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    f.app.clock().advance(1);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "credential_expired");
}
