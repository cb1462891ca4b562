//! Tenants.

use crate::fixture::{Fixture, on_both};
use serde_json::json;
use std::sync::Arc;

on_both![tenants_are_made_changed_and_listed, names_and_kinds_are_checked, limits_come_from_above];

async fn tenants_are_made_changed_and_listed(f: Arc<Fixture>) {
    let body = json!({"name": " Acme ", "kind": "organization", "parent_id": f.root});
    let answer = f.operator.post("/v1/tenants", &body).await;
    let location = answer.header("location").unwrap().to_owned();
    let made = answer.expect(201);
    assert_eq!(
        (made["name"].as_str(), made["kind"].as_str(), made["status"].as_str()),
        (Some("Acme"), Some("organization"), Some("active"))
    );
    assert_eq!(made["org_key"].as_str().unwrap().len(), 8);
    assert_eq!(f.operator.get(&location).await.expect(200), made);
    let changed = f.operator.patch(&location, &json!({"name": "Acme Corp", "status": "suspended"})).await.expect(200);
    assert_eq!((changed["name"].as_str(), changed["status"].as_str()), (Some("Acme Corp"), Some("suspended")));
    let list = f.operator.get("/v1/tenants").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

async fn names_and_kinds_are_checked(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let root = f.root.clone();
    let cases = [
        (json!({"name": "ＡＣＭＥ", "kind": "organization", "parent_id": root}), 409),
        (json!({"name": "X", "kind": "operator", "parent_id": root}), 422),
        (json!({"name": "X", "kind": "instance", "parent_id": root}), 422),
        (json!({"name": "X", "kind": "galaxy", "parent_id": root}), 422),
        (json!({"name": "X", "kind": "instance", "parent_id": org}), 201),
        (json!({"name": "X", "kind": "organization", "parent_id": "00000000-0000-7000-8000-000000000000"}), 422),
        (json!({"name": "X", "kind": "organization"}), 422),
    ];
    let f = &f;
    let post = |body: serde_json::Value| async move { f.operator.post("/v1/tenants", &body).await.status.as_u16() };
    for (body, status) in cases {
        assert_eq!(post(body.clone()).await, status, "{body}");
    }
}

async fn limits_come_from_above(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, admin) = f.application(&org, "Admin", json!({"tenants": ["READ", "UPDATE"]})).await;
    let path = format!("/v1/tenants/{org}");
    assert_eq!(admin.patch(&path, &json!({"application_limit": 99})).await.status, 403);
    assert_eq!(admin.patch(&path, &json!({"status": "suspended"})).await.status, 403);
    assert_eq!(admin.patch(&path, &json!({"name": "Renamed"})).await.status, 200);
    assert_eq!(f.operator.patch(&path, &json!({"application_limit": 2})).await.expect(200)["application_limit"], 2);
    f.application(&org, "Second", json!({})).await;
    let third = f.operator.post(&format!("{path}/applications"), &json!({"name": "Third", "grants": {}})).await;
    let problem = third.expect(409);
    assert_eq!(problem["code"], "application_limit_reached");
    assert!(problem["detail"].as_str().unwrap().contains("may have 2"), "{problem}");
}
