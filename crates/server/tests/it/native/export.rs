//! Export: everything but secrets, and the record tells of it.

use crate::fixture::{Fixture, on_both, send};
use serde_json::{Value, json};
use std::sync::Arc;

on_both![everything_but_secrets_is_exported, tenants_beneath_come_with_their_paths, only_what_is_within_reach];

async fn everything_but_secrets_is_exported(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let level = json!({"name": "Readers", "description": "read", "grants": {"org.audits": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
    let body = json!({
        "name": "SIEM", "owner": "a@example.com", "access_level_id": level["id"], "allowed_networks": ["10.0.0.0/8"],
        "expires_at": "2099-01-01T00:00:00Z", "rate_limit": 5, "reach": "own"
    });
    let (siem_id, client) = f.application_with(&org, body).await;
    let policy = json!({"rotate_every_days": 90, "on_leak": "quarantine"});
    let put = f.operator.request(reqwest::Method::PUT, &format!("/v1/tenants/{org}/credential-policy")).json(&policy);
    send(put).await.expect(200);
    let view_all = f.operator.get(&format!("/v1/tenants/{org}/access-levels")).await.expect(200);
    let built_in = json!({"name": "Viewer", "access_level_id": view_all["items"][0]["id"], "enabled": false});
    f.application_with(&org, built_in).await;
    f.operator.put(&format!("/v1/tenants/{org}/token-settings"), &json!({"lifetime_seconds": 300})).await.expect(200);
    let issuer = json!({"name": "CI", "issuer": "https://ci.example", "bindings": [
        {"application_id": siem_id, "conditions": [{"claim": "sub", "equals": "x"}]}]});
    f.operator.post(&format!("/v1/tenants/{org}/trusted-issuers"), &issuer).await.expect(201);
    let answer = f.operator.get(&format!("/v1/tenants/{org}/export")).await;
    assert!(!answer.text.contains(&client.secret) && !answer.text.contains("clv_a_"), "{}", answer.text);
    let exported = answer.expect(200);
    assert_eq!((&exported["tenants"], exported["access_levels"].as_array().unwrap().len()), (&json!([]), 1));
    let siem = json!({
        "tenant": [], "client_id": client.client_id, "name": "SIEM", "description": "", "owner": "a@example.com",
        "access_level": "Readers", "reach": "own", "allowed_networks": ["10.0.0.0/8"],
        "expires_at": "2099-01-01T00:00:00.000000Z", "enabled": true, "dpop_bound": false,
        "rate_limit": {"requests": 5, "window_seconds": 1}
    });
    let applications = exported["applications"].as_array().unwrap();
    let named = |name: &str| applications.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(*named("SIEM"), siem);
    assert_eq!(named("Viewer")["access_level"], "View All");
    let policy = &exported["credential_policies"][0];
    assert_eq!((&policy["rotate_every_days"], &policy["on_leak"]), (&json!(90), &json!("quarantine")));
    assert_eq!((&policy["tenant"], &policy["unused_after_days"]), (&json!([]), &Value::Null));
    assert_eq!(exported["token_settings"], json!([{"tenant": [], "lifetime_seconds": 300}]));
    let expected = json!([{
        "tenant": [], "name": "CI", "issuer": "https://ci.example", "audience": null, "jwks_uri": null, "jwks": null,
        "algorithms": ["RS256", "ES256"], "max_token_age_seconds": 3_600, "single_use": true, "enabled": true,
        "bindings": [{"application": "SIEM", "description": "", "conditions": [{"claim": "sub", "equals": "x"}]}],
    }]);
    assert_eq!(exported["trusted_issuers"], expected);
    let record = f.audit(&org).await;
    assert_eq!(record[0]["action"], "tenant.exported");
    assert_eq!(record[0]["details"], json!({"beneath": false, "tenants": 1, "access_levels": 1, "applications": 2}));
}

async fn tenants_beneath_come_with_their_paths(f: Arc<Fixture>) {
    let partner = json!({"name": "Partner", "kind": "partner", "parent_id": f.root});
    let partner = f.operator.post("/v1/tenants", &partner).await.expect(201);
    let org = json!({"name": "Customer", "kind": "organization", "parent_id": partner["id"]});
    let org = f.operator.post("/v1/tenants", &org).await.expect(201);
    f.application(org["id"].as_str().unwrap(), "SIEM", json!({})).await;
    let exported = f.operator.get(&format!("/v1/tenants/{}/export?beneath=true", f.root)).await.expect(200);
    assert_eq!(
        exported["tenants"],
        json!([
            {"parent": [], "name": "Partner", "kind": "partner", "status": "active", "application_limit": 10},
            {"parent": ["Partner"], "name": "Customer", "kind": "organization", "status": "active", "application_limit": 10}
        ])
    );
    let applications = exported["applications"].as_array().unwrap();
    let siem = applications.iter().find(|one| one["name"] == "SIEM").unwrap();
    assert_eq!(siem["tenant"], json!(["Partner", "Customer"]));
    let part = format!("/v1/tenants/{}/export?beneath=true", partner["id"].as_str().unwrap());
    let part = f.operator.get(&part).await.expect(200);
    assert_eq!(part["applications"][0]["tenant"], json!(["Customer"]));
}

async fn only_what_is_within_reach(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let below = json!({"name": "Below", "kind": "instance", "parent_id": org});
    f.operator.post("/v1/tenants", &below).await.expect(201);
    let reads = json!({"applications": ["READ"], "access-levels": ["READ"], "credential-policy": ["READ"], "tenants": ["READ"]});
    let (_, own) = f.application(&org, "Own", reads.clone()).await;
    let exported = own.get(&format!("/v1/tenants/{org}/export?beneath=true")).await.expect(200);
    assert_eq!(exported["tenants"], json!([]), "its reach ends at its own tenant");
    assert!(exported.get("trusted_issuers").is_none() && exported.get("token_settings").is_none(), "{exported}");
    let (_, wide) = f.application_with(&org, json!({"name": "Wide", "grants": reads, "reach": "beneath"})).await;
    let exported = wide.get(&format!("/v1/tenants/{org}/export?beneath=true")).await.expect(200);
    assert_eq!(exported["tenants"][0]["name"], "Below");
    let (other, _) = f.organization("Other").await;
    assert_eq!(wide.get(&format!("/v1/tenants/{other}/export")).await.code(404), "not_found");
}
