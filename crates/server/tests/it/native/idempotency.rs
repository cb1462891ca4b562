//! Idempotency keys.

use crate::fixture::{Answer, Client, Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![a_repeated_create_shows_no_secret, another_body_is_refused, keys_belong_to_their_owner];

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    send(client.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

async fn a_repeated_create_shows_no_secret(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (path, body) = (format!("/v1/tenants/{org}/applications"), json!({"name": "SIEM", "grants": {}}));
    let first = post(&f.operator, &path, "k1", &body).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let mut first = first.expect(201);
    assert!(first["secret"]["text"].is_string());
    let again = post(&f.operator, &path, "k1", &body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let again = again.expect(201);
    first["secret"]["text"] = Value::Null;
    assert_eq!(again, first);
    let (regenerate, empty) =
        (format!("{path}/{}/regenerate", first["application"]["id"].as_str().unwrap()), json!({}));
    let one = post(&f.operator, &regenerate, "k2", &empty).await.expect(200);
    let two = post(&f.operator, &regenerate, "k2", &empty).await.expect(200);
    assert_eq!((two["secret"]["id"].clone(), &two["secret"]["text"]), (one["secret"]["id"].clone(), &Value::Null));
    assert_eq!(f.operator.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1);
}

async fn another_body_is_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/applications");
    post(&f.operator, &path, "k", &json!({"name": "One", "grants": {}})).await.expect(201);
    let refused = post(&f.operator, &path, "k", &json!({"name": "Two", "grants": {}})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(post(&f.operator, &path, bad, &json!({"name": "Three", "grants": {}})).await.status, 422);
    }
    // A failed call leaves the key free.
    assert_eq!(post(&f.operator, &path, "free", &json!({"name": "one", "grants": {}})).await.status, 409);
    post(&f.operator, &path, "free", &json!({"name": "Four", "grants": {}})).await.expect(201);
}

/// F2.
async fn keys_belong_to_their_owner(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, editor) = f.application(&org, "Editor", json!({"applications": ["CREATE"]})).await;
    let path = format!("/v1/tenants/{org}/applications");
    let body = json!({"name": "One", "grants": {}});
    post(&f.operator, &path, "k", &body).await.expect(201);
    assert_eq!(post(&editor, &path, "k", &body).await.status, 409, "done, not replayed: the name is taken");
}
