//! The configuration of a tenant as one document.

use crate::fixture::{Fixture, on_both};
use crate::native::provisionings::complete;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![everything_that_was_set_is_there_and_no_secret, an_administrator_is_provisioned];

async fn everything_that_was_set_is_there_and_no_secret(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}");
    f.operator.patch(&path, &json!({"country": "CH", "settings": {"theme": "dark"}})).await.expect(200);
    let level = json!({"name": "Readers", "description": "", "grants": {"org.audits": ["READ"]}});
    let level = f.operator.post(&format!("{path}/access-levels"), &level).await.expect(201);
    let (_, client) = f.application(&org, "Portal", json!({"org.alerts": ["READ"]})).await;
    f.operator.put(&format!("{path}/credential-policy"), &json!({"rotate_every_days": 30})).await.expect(200);
    f.operator.put(&format!("{path}/token-settings"), &json!({"lifetime_seconds": 600})).await.expect(200);
    let issuer = json!({"name": "CI", "issuer": "https://issuer.example"});
    f.operator.post(&format!("{path}/trusted-issuers"), &issuer).await.expect(201);
    let user = json!({"email": "ada@acme.example", "first_name": "Ada", "access_level_ids": [level["id"]]});
    f.operator.post(&format!("{path}/users"), &user).await.expect(201);
    let found = f.operator.get(&format!("{path}/configuration")).await;
    assert!(!found.text.contains(&client.secret));
    let found = found.expect(200);
    assert_eq!((&found["tenant"]["country"], &found["tenant"]["settings"]), (&json!("CH"), &json!({"theme": "dark"})));
    assert_eq!(found["credential_policy"]["rotate_every_days"], 30);
    assert_eq!(found["token_settings"]["lifetime_seconds"], 600);
    let only = |member: &str| -> Value {
        let items = found[member].as_array().unwrap();
        assert_eq!(items.len(), 1, "{member}");
        items[0].clone()
    };
    assert_eq!(only("access_levels")["name"], "Readers");
    assert_eq!(only("applications")["name"], "Portal");
    assert_eq!(only("trusted_issuers")["issuer"], "https://issuer.example");
    assert_eq!(only("users")["email"], "ada@acme.example");
    assert_eq!(f.audit(&org).await[0]["action"], "tenant.configuration_read");
    let (other, _) = f.organization("Other").await;
    let all = json!({"tenants": ["READ"], "access-levels": ["READ"], "applications": ["READ"], "credential-policy": ["READ"],
        "sessions": ["READ"], "sso": ["READ"], "trusted-issuers": ["READ"], "users": ["READ"]});
    let (_, stranger) = f.application(&other, "Stranger", all).await;
    assert_eq!(stranger.get(&format!("{path}/configuration")).await.status, 404);
}

async fn an_administrator_is_provisioned(f: Arc<Fixture>) {
    let path = format!("/v1/tenants/{}/provisionings", f.root);
    let body = json!({
        "tenant": {"name": "Acme", "kind": "organization"},
        "administrator": {"email": "ada@acme.example", "first_name": "Ada", "last_name": "Lovelace"},
    });
    let job = f.operator.post(&path, &body).await.expect(202);
    let job = complete(&f, &format!("{path}/{}", job["id"].as_str().unwrap())).await;
    assert_eq!((&job["status"], &job["steps"][1]["step"]), (&json!("complete"), &json!("administrator")));
    let users = format!("/v1/tenants/{}/users", job["tenant_id"].as_str().unwrap());
    let users = f.operator.get(&users).await.expect(200);
    let ada = &users["items"][0];
    assert_eq!(
        (&ada["id"], &ada["status"], &ada["reach"]),
        (&job["steps"][1]["id"], &json!("invited"), &json!("beneath"))
    );
    let tenant = claviger_domain::id::TenantId::parse(job["tenant_id"].as_str().unwrap()).unwrap();
    let mut tx = f.app.store().begin().await.unwrap();
    let rows: std::collections::BTreeMap<_, _> = tx.purge_rows(tenant, 1_000).await.unwrap().into_iter().collect();
    assert_eq!(rows["user_links"], 1, "an invitation is on its way");
    drop(tx);
    let mut second = body.clone();
    second["tenant"]["name"] = json!("Other");
    assert_eq!(f.operator.post(&path, &second).await.code(409), "email_taken");
    second["administrator"]["email"] = json!("no address");
    let refused = f.operator.post(&path, &second).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/administrator/email");
    second["tenant"]["kind"] = json!("partner");
    second["administrator"] =
        json!({"email": "b@acme.example", "access_level_ids": ["00000000-0000-7000-8000-0000000000ff"]});
    assert_eq!(f.operator.post(&path, &second).await.status, 422);
    let limited =
        json!({"name": "Limited", "grants": {"tenants": ["CREATE"], "users": ["CREATE"]}, "reach": "beneath"});
    let (_, limited) = f.application_with(&f.root, limited).await;
    second["administrator"] = json!({"email": "b@acme.example"});
    assert_eq!(limited.post(&path, &second).await.status, 403, "Super Admin lies above its rights");
}
