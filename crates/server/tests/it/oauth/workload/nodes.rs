//! Trusted issuers on several servers of one store.

use super::issuer::Key;
use super::{binding, present};
use crate::fixture::{Fixture, run};
use crate::oauth::{verify, whoami};
use claviger_store::Engine;
use serde_json::json;
use std::sync::Arc;

async fn what_is_taken_away_ends_everywhere(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (application, client) = f.application(&org, "Build", json!({"org.audits": ["READ"]})).await;
    let (key, node) = (Key::ed25519(), f.join("second").await);
    let there = node.client(&client);
    let issuer = "https://issuer.example";
    let list = format!("/v1/tenants/{org}/trusted-issuers");
    let body = json!({
        "name": "CI", "issuer": issuer, "audience": "claviger", "jwks": {"keys": [key.jwk("k")]}, "algorithms": ["EdDSA"],
        "bindings": [binding(&application, "repo:acme/**")],
    });
    let path = format!("{list}/{}", f.operator.post(&list, &body).await.expect(201)["id"].as_str().unwrap());
    let now = f.app.clock().now().seconds();
    let signed = |jti: usize| {
        let claims = json!({
            "iss": issuer, "sub": "repo:acme/app:main", "aud": "claviger", "iat": now, "exp": now + 600, "jti": jti.to_string(),
        });
        key.token(&json!({"alg": "EdDSA", "kid": "k"}), &claims)
    };
    let named = [("client_id", application.as_str())];
    // Known everywhere when the call returns, and each token is taken by one of them.
    for round in 0..10 {
        let token = signed(round);
        let (here, beside) = tokio::join!(present(&client, &token, &named), present(&there, &token, &named));
        let mut statuses = [here.status.as_u16(), beside.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{here:?} {beside:?}");
    }
    for round in 10..20 {
        let issued = present(&there, &signed(round), &named).await.expect(200);
        let session = issued["access_token"].as_str().unwrap();
        assert_eq!(verify(&client, "org.audits:READ", session).await, 204);
        assert_eq!(verify(&there, "org.audits:READ", session).await, 204);
        let changed = json!({"max_token_age_seconds": 600 + round});
        f.operator.patch(&path, &changed).await.expect(200);
        assert_eq!(whoami(&there, session).await.code(401), "token_revoked", "round {round}");
        assert_eq!(whoami(&client, session).await.code(401), "token_revoked", "round {round}");
    }
    let issued = present(&client, &signed(20), &named).await.expect(200);
    assert_eq!(node.operator.delete(&path).await.status, 204);
    assert_eq!(whoami(&client, issued["access_token"].as_str().unwrap()).await.code(401), "token_revoked");
    assert_eq!(present(&client, &signed(21), &named).await.status, 400);
    let policy = format!("/v1/tenants/{org}/credential-policy");
    f.operator.put(&policy, &json!({"static_secrets": "forbidden"})).await.expect(200);
    assert_eq!(there.get("/v1/whoami").await.code(401), "static_secrets_forbidden");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_away_ends_on_every_node() {
    run(Engine::Postgres, &[], what_is_taken_away_ends_everywhere).await;
}
