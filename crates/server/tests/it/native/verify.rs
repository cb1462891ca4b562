//! Verification for protecting proxies.

use crate::fixture::{Fixture, on_both, send};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![
    a_proxy_is_told_who_and_whether,
    the_audience_is_kept,
    parameters_come_from_the_proxy_and_must_be_right,
    limits_are_told_as_the_proxy_can_pass_on,
    reasons_are_told_to_owners_only,
];

async fn a_proxy_is_told_who_and_whether(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    for method in [Method::GET, Method::POST] {
        let request = client.request(method, "/v1/verify?permission=org.audits:READ&tenant=any").body("not json");
        let answer = send(request).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        assert_eq!(
            (answer.header("x-claviger-tenant"), answer.header("x-claviger-application")),
            (Some(org.as_str()), Some(id.as_str()))
        );
    }
    let denied = client.verify("org.feeds:DELETE").await;
    assert_eq!(denied.header("content-type"), Some("application/problem+json"));
    let denied = denied.expect(403);
    assert_eq!(denied["missing_permission"], "org.feeds:DELETE");
    let absent = send(f.operator.bare(Method::GET, "/v1/verify?permission=org.audits:READ&tenant=any")).await;
    assert!(absent.header("www-authenticate").is_some());
    assert_eq!(absent.code(401), "unauthenticated");
}

async fn the_audience_is_kept(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let ask = |tenant: String| {
        let client = client.clone();
        async move { client.get(&format!("/v1/verify?permission=org.audits:READ&tenant={tenant}")).await.status.as_u16() }
    };
    assert_eq!(ask(org.clone()).await, 204);
    assert_eq!(ask(f.root.clone()).await, 204);
    assert_eq!(ask(other).await, 403);
    assert_eq!(ask("00000000-0000-7000-8000-000000000000".to_owned()).await, 403);
}

async fn parameters_come_from_the_proxy_and_must_be_right(f: Arc<Fixture>) {
    for query in [
        "",
        "?permission=org.audits:READ",
        "?tenant=any",
        "?permission=org.audits&tenant=any",
        "?permission=org.audits:PEEK&tenant=any",
        "?permission=no.such:READ&tenant=any",
        "?permission=org.audits:DELETE&tenant=any",
        "?permission=org.audits:READ&tenant=",
        "?permission=org.audits:READ&tenant=all",
        "?permission=org.audits:READ&tenant=any&tenant=any",
        "?permission=org.audits:READ&tenant=any&x=1",
        "?permission=org.audits:READ&tenant=any&status=loud",
    ] {
        assert_eq!(f.operator.get(&format!("/v1/verify{query}")).await.status, 400, "{query}");
    }
    assert_eq!(f.operator.get("/v1/verify?permission=org%2Eaudits%3AREAD&tenant=any").await.status, 204);
}

async fn limits_are_told_as_the_proxy_can_pass_on(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {"org.audits": ["READ"]}, "rate_limit": {"requests": 2, "window_seconds": 60}});
    let (_, client) = f.application_with(&org, body).await;
    let first = client.verify("org.audits:READ").await;
    assert_eq!(first.header("ratelimit-policy"), Some("\"default\";q=2;w=60"));
    assert_eq!(first.header("ratelimit"), Some("\"default\";r=1;t=30"));
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    for _ in 0..5 {
        let limited = client.verify("org.audits:READ").await;
        assert_eq!(
            (limited.status.as_u16(), limited.header("retry-after"), limited.header("x-claviger-reason")),
            (403, Some("30"), Some("rate_limited"))
        );
    }
    let plain = client.get("/v1/verify?permission=org.audits:READ&tenant=any&status=plain").await;
    assert_eq!((plain.status.as_u16(), plain.header("retry-after")), (429, Some("30")));
    let native = client.get("/v1/whoami").await;
    assert!(native.header("ratelimit").is_some() && native.header("retry-after").is_some());
    assert_eq!(native.code(429), "rate_limited");
    f.app.clock().advance(30);
    assert_eq!(client.verify("org.audits:READ").await.status, 204, "calling during the penalty did not lengthen it");
    let stranger = f.client(&client.client_id, "clv_a_wrong").verify("org.audits:READ").await;
    assert_eq!((stranger.status.as_u16(), stranger.header("ratelimit")), (401, None));
}

async fn reasons_are_told_to_owners_only(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"enabled": false})).await.expect(200);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "application_disabled");
    assert_eq!(
        f.client(&client.client_id, &f.operator.secret).verify("org.audits:READ").await.code(401),
        "unauthenticated"
    );
    f.operator.patch(&path, &json!({"allowed_networks": ["198.51.100.0/24"]})).await.expect(200);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "unauthenticated", "a wrong address learns nothing");
    f.operator.patch(&path, &json!({"enabled": true, "allowed_networks": null})).await.expect(200);
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"status": "suspended"})).await.expect(200);
    assert_eq!(client.verify("org.audits:READ").await.code(401), "tenant_suspended");
}
