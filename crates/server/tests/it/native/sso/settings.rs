//! Identity providers as they are administered.

use super::Scene;
use crate::fixture::{Fixture, on_both_outgoing};
use crate::people::{SUPER_ADMIN, built_in, person, stepped_up, user};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    providers_are_made_read_changed_and_deleted,
    a_domain_is_the_first_ones_until_it_is_given_up,
    nobody_gives_more_than_they_have,
    nobody_becomes_somebody_who_may_do_more,
    what_cannot_work_is_refused,
    a_level_that_a_provider_gives_stays,
    another_tenants_provider_is_not_there,
    a_new_issuer_forgets_who_people_were,
];

fn body(name: &str, domain: &str) -> Value {
    json!({
        "name": name, "issuer": "https://idp.example", "client_id": "claviger", "client_secret": "hush-hush",
        "domains": [domain],
    })
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn providers_are_made_read_changed_and_deleted(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let all = format!("/v1/tenants/{org}/identity-providers");
    let key = uuid_like();
    let request = f.operator.request(reqwest::Method::POST, &all).header("idempotency-key", &key);
    let made = crate::fixture::send(request.json(&body("Acme", "Acme.example"))).await;
    let place = made.header("location").unwrap().to_owned();
    let made = made.expect(201);
    assert_eq!(place, format!("{all}/{}", made["id"].as_str().unwrap()));
    let expected = json!({
        "name": "Acme", "issuer": "https://idp.example", "client_id": "claviger", "has_client_secret": true,
        "scopes": ["openid", "email", "profile"], "domains": ["acme.example"], "create_users": false, "role_mapping": [],
        "default_access_level_ids": [], "enabled": true, "required": false, "version": 1,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    let request = f.operator.request(reqwest::Method::POST, &all).header("idempotency-key", &key);
    let again = crate::fixture::send(request.json(&body("Acme", "Acme.example"))).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201), made);
    assert_eq!(f.operator.get(&place).await.expect(200), made);
    assert_eq!(f.operator.get(&all).await.expect(200)["items"], json!([made]));
    let patch = json!({"client_secret": "another secret", "scopes": ["email"], "required": true});
    let changed = f.operator.patch(&place, &patch).await.expect(200);
    assert_eq!(
        (&changed["scopes"], &changed["required"], &changed["version"]),
        (&json!(["openid", "email"]), &json!(true), &json!(2))
    );
    let request = f.operator.request(reqwest::Method::PATCH, &place).header("if-match", "\"1\"");
    assert_eq!(crate::fixture::send(request.json(&json!({"name": "Late"}))).await.status, 412);
    let without = f.operator.patch(&place, &json!({"client_secret": null})).await.expect(200);
    assert_eq!(without["has_client_secret"], false);
    assert_eq!(f.operator.delete(&place).await.status, 204);
    assert_eq!(f.operator.get(&place).await.status, 404);
    let audit = f.audit(&org).await;
    let actions: Vec<_> = audit.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(
        &actions[..4],
        [
            "identity_provider.deleted",
            "identity_provider.updated",
            "identity_provider.updated",
            "identity_provider.created"
        ]
    );
    let told = format!("{audit:?}");
    assert!(!told.contains("hush-hush") && !told.contains("another secret"), "secrets are in no record");
}

fn uuid_like() -> String {
    "0190f3c2-a8d1-7b3e-9f00-000000000042".to_owned()
}

async fn a_domain_is_the_first_ones_until_it_is_given_up(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let (other, _) = f.organization("Other").await;
    let all = format!("/v1/tenants/{other}/identity-providers");
    let (_, admin) = f.application(&other, "Admin", json!({"sso": ["CREATE", "READ", "UPDATE", "DELETE"]})).await;
    let claimed = admin.post(&all, &body("Other", "ACME.example")).await.expect(409);
    assert_eq!(claimed["code"], "domain_claimed");
    assert!(!claimed.to_string().contains(&scene.org), "whose it is is not said");
    // Who administers the tenants above moves it.
    scene.change(&f, json!({"domains": ["acme.test"]})).await;
    admin.post(&all, &body("Other", "acme.example")).await.expect(201);
    let taken = f.operator.patch(&scene.path(), &json!({"domains": ["acme.example"]})).await;
    assert_eq!(taken.code(409), "domain_claimed");
    assert_eq!(admin.post(&all, &body("other", "other.example")).await.code(409), "identity_provider_taken");
}

/// G5.
async fn nobody_gives_more_than_they_have(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let all = format!("/v1/tenants/{org}/identity-providers");
    let owner = built_in(&f, SUPER_ADMIN).await;
    let rights = json!({"sso": ["CREATE", "UPDATE", "DELETE"]});
    let (_, admin) = f.application_with(&org, json!({"name": "Admin", "grants": rights, "reach": "beneath"})).await;
    for more in [
        json!({"default_access_level_ids": [owner]}),
        json!({"role_mapping": [{"claim": "groups", "value": "x", "access_level_ids": [owner]}]}),
    ] {
        let refused = admin.post(&all, &with(body("Acme", "acme.example"), more.clone())).await;
        assert_eq!(refused.status, 403, "{more}");
    }
    let made = admin.post(&all, &body("Acme", "acme.example")).await.expect(201);
    let path = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.patch(&path, &json!({"default_access_level_ids": [owner]})).await.status, 403);
    f.operator.patch(&path, &json!({"default_access_level_ids": [owner]})).await.expect(200);
    assert_eq!(admin.patch(&path, &json!({"name": "Mine"})).await.status, 403, "it stays above the caller's rights");
}

/// G6.
async fn nobody_becomes_somebody_who_may_do_more(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let all = format!("/v1/tenants/{org}/identity-providers");
    user(&f, &org, "owner@acme.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let rights = json!({"sso": ["CREATE", "READ", "UPDATE", "DELETE"]});
    let (_, admin) = f.application_with(&org, json!({"name": "Admin", "grants": rights, "reach": "beneath"})).await;
    assert_eq!(admin.post(&all, &body("Acme", "acme.example")).await.status, 403);
    let made = admin.post(&all, &body("Acme", "harmless.example")).await.expect(201);
    let path = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.patch(&path, &json!({"domains": ["acme.example"]})).await.status, 403);
    f.operator.patch(&path, &json!({"domains": ["acme.example"]})).await.expect(200);
    for patch in [
        json!({"issuer": "https://evil.example"}),
        json!({"client_id": "mine"}),
        json!({"domains": ["harmless.example"]}),
    ] {
        assert_eq!(admin.patch(&path, &patch).await.status, 403, "{patch}");
    }
    assert_eq!(admin.delete(&path).await.status, 403);
    let owner = person(&f, &org, "boss@acme.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let rename = json!({"name": "Ours"});
    assert_eq!(owner.send(reqwest::Method::PATCH, &path, &rename).await.code(401), "step_up_needed");
    stepped_up(&f, &owner).await.send(reqwest::Method::PATCH, &path, &rename).await.expect(200);
}

async fn what_cannot_work_is_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let all = format!("/v1/tenants/{org}/identity-providers");
    for (more, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"issuer": "idp.example"}), "/issuer"),
        (json!({"issuer": "http://idp.example"}), "/issuer"),
        (json!({"issuer": "https://10.0.0.1"}), "/issuer"),
        (json!({"issuer": "https://idp.example?tenant=1"}), "/issuer"),
        (json!({"issuer": f.operator.base}), "/issuer"),
        (json!({"client_id": ""}), "/client_id"),
        (json!({"client_id": "a b"}), "/client_id"),
        (json!({"client_secret": ""}), "/client_secret"),
        (json!({"scopes": ["a b"]}), "/scopes/0"),
        (json!({"domains": []}), "/domains"),
        (json!({"domains": ["acme.example", "gmail.com"]}), "/domains/1"),
        (json!({"domains": ["acme"]}), "/domains/0"),
        (json!({"role_mapping": [{"claim": "", "value": "x", "access_level_ids": []}]}), "/role_mapping/0/claim"),
        (json!({"default_access_level_ids": ["00000000-0000-7000-8000-00000000ffff"]}), "/default_access_level_ids/0"),
        (json!({"verified": true}), "verified"),
    ] {
        let refused = f.operator.post(&all, &with(body("Acme", "acme.example"), more.clone())).await.expect(422);
        assert!(refused["errors"].to_string().contains(pointer), "{more}: {refused}");
    }
    let instance = json!({"name": "One", "kind": "instance", "parent_id": org});
    let instance = f.operator.post("/v1/tenants", &instance).await.expect(201);
    let beneath = format!("/v1/tenants/{}/identity-providers", instance["id"].as_str().unwrap());
    assert_eq!(f.operator.post(&beneath, &body("Acme", "acme.example")).await.code(409), "instance_without_users");
    for number in 0..10 {
        f.operator.post(&all, &body(&format!("{number}"), &format!("acme-{number}.example"))).await.expect(201);
    }
    assert_eq!(f.operator.post(&all, &body("One more", "more.example")).await.code(409), "identity_provider_limit");
}

/// G8.
async fn a_level_that_a_provider_gives_stays(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{org}/access-levels");
    let made = f.operator.post(&levels, &json!({"name": "Own", "description": "", "grants": {}})).await.expect(201);
    let level = format!("{levels}/{}", made["id"].as_str().unwrap());
    let rule = json!({"role_mapping": [{"claim": "groups", "value": "x", "access_level_ids": [made["id"]]}]});
    let all = format!("/v1/tenants/{org}/identity-providers");
    let provider = f.operator.post(&all, &with(body("Acme", "acme.example"), rule)).await.expect(201);
    let refused = f.operator.delete(&level).await.expect(409);
    assert_eq!(refused["code"], "access_level_in_use");
    assert!(refused["detail"].as_str().unwrap().contains("1 identity provider"), "{refused}");
    assert_eq!(f.operator.delete(&format!("{all}/{}", provider["id"].as_str().unwrap())).await.status, 204);
    assert_eq!(f.operator.delete(&level).await.status, 204);
}

async fn another_tenants_provider_is_not_there(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let (other, _) = f.organization("Other").await;
    let (_, admin) = f.application(&other, "Admin", json!({"sso": ["CREATE", "READ", "UPDATE", "DELETE"]})).await;
    let missing = format!("/v1/tenants/{other}/identity-providers/{}", "00000000-0000-7000-8000-00000000ffff");
    let missing = admin.get(&missing).await;
    let id = scene.provider["id"].as_str().unwrap();
    for path in [scene.path(), format!("/v1/tenants/{other}/identity-providers/{id}")] {
        let answer = admin.get(&path).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (missing.status, json!("not_found")), "{path}");
        assert_eq!(admin.patch(&path, &json!({"name": "Mine"})).await.status, 404, "{path}");
        assert_eq!(admin.delete(&path).await.status, 404, "{path}");
    }
}

async fn a_new_issuer_forgets_who_people_were(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    user(&f, &scene.org, "ada@acme.example", &[]).await;
    scene.enter(&f, "ada@acme.example", json!({"sub": "one"})).await;
    let other = super::Idp::start().await;
    let url = other.url.clone();
    scene.change(&f, json!({"issuer": url})).await;
    let moved = Scene { idp: other, ..scene };
    moved.enter(&f, "ada@acme.example", json!({"sub": "two"})).await;
    let audit = f.audit(&moved.org).await;
    assert!(audit.iter().any(|entry| entry["details"]["identities_forgotten"] == 1), "{audit:?}");
}
