//! B10: a scope narrows a token, and never widens it.

use super::{exchange, token, verify, whoami, with_token};
use crate::fixture::{Fixture, on_both};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![
    b10_a_scope_is_granted_or_refused_and_never_widened,
    a_narrowed_token_can_do_and_hand_out_no_more,
    a11_a_token_follows_its_applications_rights,
];

async fn b10_a_scope_is_granted_or_refused_and_never_widened(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants = json!({"org.audits": ["READ"], "cylance.devices": ["READ"], "applications": ["READ", "UPDATE"]});
    let (_, client) = f.application(&org, "SIEM", grants).await;
    for scope in ["org.audits:READ", "device:read", "Device:Read org.audits:READ", "application:list"] {
        let issued = exchange(&client, &[("scope", scope)]).await.expect(200);
        assert_eq!(issued["scope"], scope, "the answer names what was granted");
    }
    let text = token(&client, &[("scope", "device:read")]).await;
    let me = whoami(&client, &text).await.expect(200);
    assert_eq!(me["grants"], json!({"cylance.devices": ["READ"]}));
    assert_eq!(verify(&client, "cylance.devices:READ", &text).await, 204);
    assert_eq!(verify(&client, "org.audits:READ", &text).await, 403);
    for wider in ["applications:CREATE", "device:update", "org.audits:READ users:READ", "*", "everything", "org.audits"]
    {
        let refused = exchange(&client, &[("scope", wider)]).await.expect(400);
        assert_eq!(refused["error"], "invalid_scope", "{wider}");
    }
    let long = "org.audits:READ ".repeat(100);
    assert_eq!(exchange(&client, &[("scope", &long)]).await.expect(400)["error"], "invalid_scope");
    let (_, none) = f.application(&org, "None", json!({})).await;
    let issued = exchange(&none, &[]).await.expect(200);
    assert_eq!(issued["scope"], "", "a token that allows nothing is still a token");
}

async fn a_narrowed_token_can_do_and_hand_out_no_more(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants =
        json!({"applications": ["CREATE", "READ", "UPDATE"], "access-levels": ["CREATE"], "org.audits": ["READ"]});
    let (id, client) = f.application(&org, "Admin", grants.clone()).await;
    let text = token(&client, &[("scope", "applications:CREATE applications:UPDATE")]).await;
    let path = format!("/v1/tenants/{org}/applications");
    let post = async |path: &str, body| with_token(&client, Method::POST, path, &text, Some(&body)).await;
    let above = post(&path, json!({"name": "Above", "grants": {"org.audits": ["READ"]}})).await;
    assert_eq!(above.expect(403)["missing_permission"], "org.audits:READ");
    let within = post(&path, json!({"name": "Within", "grants": {"applications": ["CREATE"]}})).await;
    within.expect(201);
    assert_eq!(with_token(&client, Method::GET, &path, &text, None).await.status, 403, "READ is not in its scope");
    let own = format!("{path}/{id}");
    let change = json!({"grants": {"applications": ["CREATE"], "org.audits": ["READ"]}});
    let raised = with_token(&client, Method::PATCH, &own, &text, Some(&change)).await;
    assert!(raised.status.is_client_error(), "{}", raised.text);
    let regenerated = post(&format!("{own}/regenerate"), json!({})).await;
    assert_eq!(regenerated.status, 403, "its application's secret holds more than the token");
    let level =
        post(&format!("/v1/tenants/{org}/access-levels"), json!({"name": "L", "description": "", "grants": {}})).await;
    assert_eq!(level.expect(403)["missing_permission"], "access-levels:CREATE");
}

async fn a11_a_token_follows_its_applications_rights(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let level = json!({"name": "L", "description": "", "grants": {"org.audits": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
    let level = level["id"].as_str().unwrap().to_owned();
    let (_, client) = f.application_with(&org, json!({"name": "SIEM", "access_level_id": level})).await;
    let (all, narrowed) = (token(&client, &[]).await, token(&client, &[("scope", "org.audits:READ")]).await);
    let path = format!("/v1/tenants/{org}/access-levels/{level}");
    f.operator.patch(&path, &json!({"grants": {"org.alerts": ["READ"]}})).await.expect(200);
    assert_eq!(verify(&client, "org.audits:READ", &all).await, 403, "lower at once");
    assert_eq!(verify(&client, "org.audits:READ", &narrowed).await, 403);
    assert_eq!(verify(&client, "org.alerts:READ", &all).await, 204, "and higher");
    assert_eq!(verify(&client, "org.alerts:READ", &narrowed).await, 403, "but not above its scope");
}
