//! The exchange: what is asked, what is answered, what is noted.

use super::{encode, exchange, form, token, verify, whoami, with_token};
use crate::fixture::{Fixture, START, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_credential_is_exchanged_for_a_token,
    a_token_is_taken_wherever_a_secret_is,
    requests_that_are_none_are_refused,
    strangers_learn_nothing,
    lives_end_to_the_second_and_only_get_shorter,
    accesses_are_recorded_and_metered,
    rate_limits_hold_for_exchanges_and_tokens,
    a_copied_client_may_encode_its_credential,
];

async fn a_credential_is_exchanged_for_a_token(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"], "applications": ["READ"]})).await;
    let answer = exchange(&client, &[]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let issued = answer.expect(200);
    assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(900)));
    let scope: Vec<_> = issued["scope"].as_str().unwrap().split(' ').collect();
    assert!(scope.len() == 2 && scope.contains(&"org.audits:READ"), "{issued}");
    let text = issued["access_token"].as_str().unwrap();
    assert!(text.len() < 1_200, "{}", text.len());
    let me = whoami(&client, text).await.expect(200);
    assert_eq!((&me["application_id"], &me["tenant_id"]), (&json!(id), &json!(org)));
    // The same by parameters of the form, with blanks of all kinds around.
    let body = encode(&[
        ("grant_type", "client_credentials"),
        ("client_id", &client.client_id),
        ("client_secret", &client.secret),
        ("unknown", "ignored"),
        ("scope", ""),
    ]);
    let request = client
        .bare(Method::POST, "/oauth2/token")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let issued = send(request.body(body)).await.expect(200);
    assert_ne!(issued["access_token"], text, "each is its own");
}

async fn a_token_is_taken_wherever_a_secret_is(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let text = token(&client, &[]).await;
    for value in [format!("Bearer {text}"), format!("access_token {text}  "), format!("BEARER  {text}")] {
        let request = client.bare(Method::GET, "/v1/verify?permission=org.audits:READ&tenant=any");
        let answer = send(request.header("authorization", &value)).await;
        assert_eq!(answer.status, 204, "{value}");
        assert_eq!(answer.header("x-claviger-tenant"), Some(org.as_str()));
    }
    assert_eq!(verify(&client, "org.alerts:READ", &text).await, 403);
    let path = format!("/audit_log/v1/orgs/{key}/logs/_queue");
    assert_eq!(with_token(&client, Method::GET, &path, &text, None).await.status, 200, "the Carbon Black face");
    let path = format!("/v1/tenants/{org}/audit");
    assert_eq!(with_token(&client, Method::GET, &path, &text, None).await.code(403), "permission_missing");
    // C13: a token that stands elsewhere is none.
    for (name, value) in [("cookie", format!("access_token={text}")), ("x-auth-token", text.clone())] {
        assert_eq!(send(client.bare(Method::GET, "/v1/whoami").header(name, value)).await.status, 401, "{name}");
    }
    let both = client.request(Method::GET, "/v1/whoami").bearer_auth(&text);
    assert_eq!(send(both).await.code(400), "credential_ambiguous");
}

async fn requests_that_are_none_are_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let (id, secret) = (client.client_id.as_str(), client.secret.as_str());
    for (parameters, expected) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "client_credentials"), ("grant_type", "client_credentials")], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("client_secret", secret)], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("client_id", "another")], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("expires_in", "0")], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("expires_in", "many")], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("resource", "https://other.example")], "invalid_target"),
    ] {
        let refused = form(&client, "/oauth2/token", &parameters).await;
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        assert_eq!(refused.expect(400)["error"], expected, "{parameters:?}");
    }
    assert_eq!(exchange(&client, &[("client_id", id)]).await.status, 200, "naming oneself is not authenticating");
    let basic = || client.bare(Method::POST, "/oauth2/token").basic_auth(id, Some(secret));
    assert_eq!(send(basic().json(&json!({"grant_type": "client_credentials"}))).await.status, 415);
    assert_eq!(send(client.bare(Method::GET, "/oauth2/token")).await.status, 405);
    let long = format!("grant_type=client_credentials&x={}", "y".repeat(70_000));
    let long = send(basic().header("content-type", "application/x-www-form-urlencoded").body(long)).await;
    assert!(long.status.is_client_error(), "{}", long.status);
    // A token gets no other token.
    let text = token(&client, &[]).await;
    let request = client.bare(Method::POST, "/oauth2/token").bearer_auth(&text);
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
    assert_eq!(send(request).await.expect(403)["error"], "unauthorized_client");
}

async fn strangers_learn_nothing(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({})).await;
    let wrong = f.client(&client.client_id, &format!("{}x", client.secret));
    let unknown = f.client("01890000-0000-7000-8000-000000000000", &client.secret);
    let mut bodies = Vec::new();
    for stranger in [&wrong, &unknown] {
        let refused = exchange(stranger, &[]).await;
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic "), "{refused:?}");
        bodies.push(refused.expect(401));
    }
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    bodies.push(exchange(&client, &[]).await.expect(401));
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["error"], "invalid_client");
    f.operator.patch(&path, &json!({"allowed_networks": null, "enabled": false})).await.expect(200);
    let owner = exchange(&client, &[]).await.expect(401);
    assert!(owner["error_description"].as_str().unwrap().contains("application_disabled"), "{owner}");
}

async fn lives_end_to_the_second_and_only_get_shorter(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) =
        f.application(&org, "SIEM", json!({"org.audits": ["READ"], "sessions": ["UPDATE", "READ"]})).await;
    let life = async |more: &[(&str, &str)]| exchange(&client, more).await.expect(200)["expires_in"].clone();
    assert_eq!(life(&[("expires_in", "120")]).await, 120);
    for more in ["3600", "86400"] {
        assert_eq!(life(&[("expires_in", more)]).await, 900, "never longer, and not refused");
    }
    let settings = format!("/v1/tenants/{org}/token-settings");
    let read = f.operator.get(&settings).await.expect(200);
    assert_eq!(read, json!({"lifetime_seconds": null, "effective_lifetime_seconds": 900, "invalid_before": null}));
    let put = async |path: &str, seconds: Value| {
        send(f.operator.request(Method::PUT, path).json(&json!({"lifetime_seconds": seconds}))).await
    };
    for bad in [json!(59), json!(3_601), json!("x")] {
        assert_eq!(put(&settings, bad).await.status, 422);
    }
    assert_eq!(send(f.operator.request(Method::PUT, &settings).json(&json!({}))).await.status, 422);
    put(&settings, json!(3_600)).await.expect(200);
    assert_eq!(life(&[]).await, 3_600);
    let above = put(&format!("/v1/tenants/{}/token-settings", f.root), json!(60)).await.expect(200);
    assert_eq!(above["effective_lifetime_seconds"], 60);
    assert_eq!(life(&[]).await, 60, "a tenant above says less");
    let text = token(&client, &[]).await;
    f.app.clock().advance(59);
    assert_eq!(verify(&client, "org.audits:READ", &text).await, 204);
    f.app.clock().advance(1);
    assert_eq!(whoami(&client, &text).await.code(401), "token_expired");
    let entries = f.audit(&org).await;
    assert!(entries.iter().any(|entry| entry["action"] == "tenant.token_lifetime_set"));
}

async fn accesses_are_recorded_and_metered(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let before = f.audit(&org).await.len();
    for _ in 0..3 {
        f.app.clock().advance(1);
        let text = token(&client, &[]).await;
        assert_eq!(verify(&client, "org.audits:READ", &text).await, 204);
    }
    let path = format!("/v1/tenants/{org}/access-record?limit=2");
    let first = f.operator.get(&path).await.expect(200);
    let entry = &first["items"][0];
    assert_eq!((&entry["application_id"], &entry["door"]), (&json!(id), &json!("client_credentials")));
    assert_eq!((&entry["address"], &entry["at"]), (&json!("127.0.0.1"), &json!(START.plus_seconds(3).to_string())));
    let next = first["next_cursor"].as_str().unwrap();
    let rest = f.operator.get(&format!("{path}&cursor={next}")).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    assert_eq!(f.operator.get(&format!("{path}&cursor=zz")).await.status, 422);
    assert_eq!(f.audit(&org).await.len(), before, "not in the audit record");
    f.app.flush_usage().await.unwrap();
    let usage = f.operator.get(&format!("/v1/tenants/{org}/applications/{id}/usage")).await.expect(200).to_string();
    assert!(usage.contains("org.audits:READ"), "{usage}");
    let secrets = f.operator.get(&format!("/v1/tenants/{org}/applications/{id}/secrets")).await.expect(200);
    assert_eq!(secrets["items"][0]["last_use"]["address"], "127.0.0.1", "{secrets}");
}

async fn rate_limits_hold_for_exchanges_and_tokens(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {}, "rate_limit": {"requests": 2, "window_seconds": 60}});
    let (_, client) = f.application_with(&org, body).await;
    let text = token(&client, &[]).await;
    whoami(&client, &text).await.expect(200);
    assert_eq!(whoami(&client, &text).await.code(429), "rate_limited");
    let refused = exchange(&client, &[]).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.expect(429)["error"], "temporarily_unavailable");
}

async fn a_copied_client_may_encode_its_credential(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({})).await;
    let escape = |text: &str| text.replace('-', "%2D").replace('_', "%5F");
    let encoded = f.client(&escape(&client.client_id), &escape(&client.secret));
    exchange(&encoded, &[]).await.expect(200);
    assert_eq!(encoded.get("/v1/whoami").await.status, 401, "on the doors of OAuth alone");
}
