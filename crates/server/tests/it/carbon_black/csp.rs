//! The sign-in of organisations on the vendor's cloud-services platform. The real SDK has tests of its own (`tests/wire`).

use crate::fixture::{Fixture, on_both, send};
use crate::oauth::{encode, form, with_token};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![an_app_gets_a_token, an_api_token_gets_a_token, refusals_have_a_message];

const BY_APP: &str = "/csp/gateway/am/api/auth/token";
const BY_API_TOKEN: &str = "/csp/gateway/am/api/auth/api-tokens/authorize";

async fn an_app_gets_a_token(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let answer = form(&client, BY_APP, &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.expect(200);
    assert_eq!(
        (&body["token_type"], &body["expires_in"], &body["scope"]),
        (&json!("bearer"), &json!(900), &json!("org.audits:READ"))
    );
    let token = body["access_token"].as_str().unwrap();
    for path in [format!("/audit_log/v1/orgs/{key}/logs/_queue"), "/integrationServices/v3/auditlogs".to_owned()] {
        assert_eq!(with_token(&client, Method::GET, &path, token, None).await.status, 200, "{path}");
    }
    let path = format!("/jobs/v1/orgs/{key}/jobs");
    assert_eq!(with_token(&client, Method::GET, &path, token, None).await.status, 403, "what the application lacks");
    // One that may do nothing has a scope all the same: clients ask whether there is one.
    let (_, idle) = f.application(&org, "Idle", json!({})).await;
    assert_eq!(form(&idle, BY_APP, &[("grant_type", "client_credentials")]).await.expect(200)["scope"], "");
}

async fn an_api_token_gets_a_token(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let text = format!("{}/{}", client.secret, client.client_id);
    let path = format!("/audit_log/v1/orgs/{key}/logs/_queue");
    let mut last = String::new();
    for name in ["api_token", "refresh_token"] {
        let request =
            client.bare(Method::POST, BY_API_TOKEN).header("content-type", "application/x-www-form-urlencoded");
        let body = send(request.body(encode(&[(name, &text)]))).await.expect(200);
        last = body["access_token"].as_str().unwrap().to_owned();
        assert_eq!(with_token(&client, Method::GET, &path, &last, None).await.status, 200, "{name}");
    }
    f.operator.post(&format!("/v1/tenants/{org}/applications/{id}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(with_token(&client, Method::GET, &path, &last, None).await.status, 401);
}

async fn refusals_have_a_message(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({})).await;
    let wrong = f.client(&client.client_id, &format!("{}x", client.secret));
    let unknown = f.client("01890000-0000-7000-8000-000000000000", &client.secret);
    let credentials = [("grant_type", "client_credentials")];
    let first = form(&wrong, BY_APP, &credentials).await.expect(401);
    assert_eq!(first, form(&unknown, BY_APP, &credentials).await.expect(401));
    assert!(first["message"].as_str().unwrap().contains("not valid") && first["statusCode"] == 401);
    let by_token = async |text: &str| {
        let request =
            client.bare(Method::POST, BY_API_TOKEN).header("content-type", "application/x-www-form-urlencoded");
        send(request.body(encode(&[("api_token", text)]))).await
    };
    for bad in ["nonsense", &format!("{}/{}", wrong.secret, client.client_id), &client.secret] {
        assert_eq!(by_token(bad).await.expect(401), first, "{bad}");
    }
    assert_eq!(by_token("").await.status, 400);
    assert_eq!(form(&client, BY_APP, &[("grant_type", "password")]).await.status, 400);
    assert!(send(client.bare(Method::GET, BY_APP)).await.expect(405)["message"].is_string());
    assert_eq!(send(client.bare(Method::POST, "/csp/gateway/nothing")).await.status, 404);
    for _ in 0..60 {
        by_token("nonsense/x").await;
    }
    assert_eq!(by_token("nonsense/x").await.status, 429);
    form(&client, BY_APP, &credentials).await.expect(200);
}
