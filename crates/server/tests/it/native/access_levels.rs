//! Access levels.

use crate::fixture::{Fixture, on_both};
use serde_json::json;
use std::sync::Arc;

on_both![levels_live_and_move, built_in_levels_stay, levels_in_use_are_not_deleted];

async fn levels_live_and_move(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let path = format!("/v1/tenants/{org}/access-levels");
    let grants = json!({"org.alerts": ["READ"], "org.alerts.notes": ["CREATE", "READ"]});
    let made =
        f.operator.post(&path, &json!({"name": "Reader", "description": "d", "grants": grants})).await.expect(201);
    assert_eq!(made["grants"], grants);
    let own = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(f.operator.get(&own).await.expect(200), made);
    assert_eq!(f.operator.post(&path, &json!({"name": " reader", "description": "", "grants": {}})).await.status, 409);
    let copy = f.operator.post(&format!("{own}/duplicate"), &json!({"name": "Copy"})).await.expect(201);
    assert_eq!(copy["grants"], grants);
    let file = f.operator.get(&format!("{own}/export")).await.expect(200);
    assert_eq!(file["capabilities"][1], json!({"name": "org.alerts.notes", "verbs": ["CREATE", "READ"]}));
    let import = format!("/v1/tenants/{other}/access-levels/import");
    let imported = f.operator.post(&import, &file).await.expect(201);
    assert_eq!((&imported["name"], &imported["grants"]), (&made["name"], &grants));
    let edited = f.operator.patch(&own, &json!({"grants": {"org.alerts": ["READ"]}})).await.expect(200);
    assert_eq!((&edited["grants"], &edited["version"]), (&json!({"org.alerts": ["READ"]}), &json!(2)));
    assert_eq!(f.operator.delete(&own).await.status, 204);
    assert_eq!(f.operator.get(&own).await.status, 404);
}

async fn built_in_levels_stay(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/access-levels");
    let list = f.operator.get(&path).await.expect(200);
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|level| level["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["View All", "Level 1 Analyst", "Level 2 Analyst", "Level 3 Analyst", "System Admin", "Super Admin"]
    );
    let own = format!("{path}/{}", list["items"][0]["id"].as_str().unwrap());
    assert_eq!(f.operator.patch(&own, &json!({"name": "Mine"})).await.code(409), "access_level_built_in");
    assert_eq!(f.operator.delete(&own).await.code(409), "access_level_built_in");
    assert_eq!(f.operator.post(&format!("{own}/duplicate"), &json!({})).await.expect(201)["name"], "View All (copy)");
    for taken in ["view all", "ＶＩＥＷ ALL"] {
        let taken = json!({"name": taken, "grants": {}});
        assert_eq!(f.operator.post(&path, &taken).await.code(409), "access_level_name_taken");
    }
    let level = list["items"][1]["id"].clone();
    f.application_with(&org, json!({"name": "Analyst", "access_level_id": level})).await;
}

/// G8.
async fn levels_in_use_are_not_deleted(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/access-levels");
    let made = f.operator.post(&path, &json!({"name": "L", "description": "", "grants": {}})).await.expect(201);
    let (id, _) = f.application_with(&org, json!({"name": "User", "access_level_id": made["id"]})).await;
    let refused = f.operator.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).await.expect(409);
    assert_eq!(refused["referrers"], json!([{"kind": "application", "id": id, "name": "User"}]));
    assert!(refused["detail"].as_str().unwrap().contains("User"));
}
