//! What the claims of a provider give.

use super::Scene;
use crate::fixture::{Fixture, on_both_outgoing};
use crate::people::{SUPER_ADMIN, built_in, person, user};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    claims_say_what_somebody_holds,
    what_a_claim_takes_away_is_gone_at_once,
    the_last_owner_stays_one,
    without_rules_roles_are_left_alone,
];

async fn level(f: &Fixture, tenant: &str, name: &str, grants: Value) -> String {
    let body = json!({"name": name, "description": "", "grants": grants});
    let made = f.operator.post(&format!("/v1/tenants/{tenant}/access-levels"), &body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

fn rule(value: &str, level: &str) -> Value {
    json!({"claim": "groups", "value": value, "access_level_ids": [level]})
}

async fn roles_of(f: &Fixture, scene: &Scene, id: &str) -> Value {
    f.operator.get(&format!("/v1/tenants/{}/users/{id}", scene.org)).await.expect(200)["access_level_ids"].clone()
}

async fn claims_say_what_somebody_holds(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let admin = level(&f, &scene.org, "Admins", json!({"users": ["READ"]})).await;
    let auditor = level(&f, &scene.org, "Auditors", json!({"audit": ["READ"]})).await;
    let mapping = json!({
        "create_users": true,
        "role_mapping": [rule("admins", &admin), {"claim": "/realm/role", "value": "auditor", "access_level_ids": [auditor]}],
    });
    scene.change(&f, mapping).await;
    for (email, claims, expected) in [
        ("a@acme.example", json!({"groups": ["admins"]}), json!([admin])),
        ("b@acme.example", json!({"groups": ["users"], "realm": {"role": "auditor"}}), json!([auditor])),
    ] {
        let id = scene.enter(&f, email, claims).await.id;
        assert_eq!(roles_of(&f, &scene, &id).await, expected, "{email}");
    }
    // Of whom the provider says nothing that counts, nobody is made; whoever was invited holds nothing.
    assert_eq!(scene.sign_in(&f, "c@acme.example", json!({"groups": ["Admins"]})).await.code(401), "sign_in_failed");
    let invited = user(&f, &scene.org, "d@acme.example", &[&admin]).await;
    assert_eq!(scene.enter(&f, "d@acme.example", json!({})).await.id, invited);
    assert_eq!(roles_of(&f, &scene, &invited).await, json!([]));
}

async fn what_a_claim_takes_away_is_gone_at_once(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let reads = level(&f, &scene.org, "Readers", json!({"users": ["READ"]})).await;
    let none = level(&f, &scene.org, "Nothing", json!({})).await;
    let mapping = json!({
        "create_users": true, "role_mapping": [rule("readers", &reads)], "default_access_level_ids": [none],
    });
    scene.change(&f, mapping).await;
    let users = format!("/v1/tenants/{}/users", scene.org);
    let first = scene.enter(&f, "ada@acme.example", json!({"groups": ["readers"]})).await;
    assert_eq!(first.get(&users).await.status, 200);
    let second = scene.enter(&f, "ada@acme.example", json!({"groups": []})).await;
    assert_eq!(first.id, second.id);
    assert_eq!(first.get(&users).await.status, 403, "the session of before, too");
    let audit = f.audit(&scene.org).await;
    let entry = audit.iter().find(|entry| entry["details"]["access_level_ids_before"].is_array()).unwrap();
    assert_eq!(entry["details"]["access_level_ids"], json!([none]));
}

async fn the_last_owner_stays_one(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    let view = built_in(&f, "View All").await;
    let ada = person(&f, &scene.org, "ada@acme.example", &[&owner]).await;
    scene.change(&f, json!({"role_mapping": [rule("viewers", &view)]})).await;
    let claims = || json!({"groups": ["viewers"]});
    scene.enter(&f, "ada@acme.example", claims()).await;
    let held = roles_of(&f, &scene, &ada.id).await;
    assert!(held.as_array().unwrap().contains(&json!(owner)), "{held}");
    person(&f, &scene.org, "bob@elsewhere.example", &[&owner]).await;
    scene.enter(&f, "ada@acme.example", claims()).await;
    assert_eq!(roles_of(&f, &scene, &ada.id).await, json!([view]), "there is another one now");
}

async fn without_rules_roles_are_left_alone(f: Arc<Fixture>) {
    let view = built_in(&f, "View All").await;
    let scene = Scene::set(&f, json!({"default_access_level_ids": [view]})).await;
    let own = level(&f, &scene.org, "Own", json!({})).await;
    let ada = user(&f, &scene.org, "ada@acme.example", &[&own]).await;
    scene.enter(&f, "ada@acme.example", json!({"groups": ["viewers"]})).await;
    assert_eq!(roles_of(&f, &scene, &ada).await, json!([own]));
}
