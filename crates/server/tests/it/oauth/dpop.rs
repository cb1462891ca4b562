//! Proofs of possession: tokens that nobody but the holder of a key can use.

use super::{encode, form, whoami};
use crate::fixture::{Answer, Client, Fixture, on_both, send};
use crate::keys::Key;
use claviger_domain::dpop::token_hash;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

on_both![
    a_bound_token_works_with_its_key_alone,
    proofs_are_for_one_request,
    the_tick_binds_every_token_at_once,
    proofs_for_a_token_are_looked_at,
];

static JTI: AtomicU64 = AtomicU64::new(0);

/// A proof for a request; without a token for one that asks for it.
fn claims(f: &Fixture, client: &Client, method: &str, path: &str, token: Option<&str>) -> Value {
    let now = f.app.clock().now().seconds();
    let jti = JTI.fetch_add(1, Ordering::Relaxed).to_string();
    let mut claims = json!({"jti": jti, "htm": method, "htu": format!("{}{path}", client.base), "iat": now});
    if let Some(token) = token {
        claims["ath"] = json!(token_hash(token));
    }
    claims
}

fn prove(key: &Key, claims: &Value) -> String {
    key.sign(&json!({"typ": "dpop+jwt", "alg": key.alg(), "jwk": key.jwk()}), claims)
}

async fn exchange(client: &Client, proof: Option<&str>) -> Answer {
    let request = client.bare(Method::POST, "/oauth2/token").basic_auth(&client.client_id, Some(&client.secret));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(encode(&[("grant_type", "client_credentials")]));
    send(match proof {
        Some(proof) => request.header("dpop", proof),
        None => request,
    })
    .await
}

async fn bound(f: &Fixture, client: &Client, key: &Key) -> String {
    let issued =
        exchange(client, Some(&prove(key, &claims(f, client, "POST", "/oauth2/token", None)))).await.expect(200);
    assert_eq!(issued["token_type"], "DPoP");
    issued["access_token"].as_str().unwrap().to_owned()
}

async fn present(client: &Client, scheme: &str, token: &str, proof: Option<&str>) -> Answer {
    let request = client.bare(Method::GET, "/v1/whoami?x=1").header("authorization", format!("{scheme} {token}"));
    send(match proof {
        Some(proof) => request.header("dpop", proof),
        None => request,
    })
    .await
}

async fn a_bound_token_works_with_its_key_alone(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "CI", json!({"org.audits": ["READ"]})).await;
    for key in [Key::edwards(), Key::p256()] {
        let token = bound(&f, &client, &key).await;
        let proof = |key: &Key| prove(key, &claims(&f, &client, "GET", "/v1/whoami", Some(&token)));
        let me = present(&client, "DPoP", &token, Some(&proof(&key))).await.expect(200);
        assert_eq!(me["application_id"], json!(id));
        let missing = whoami(&client, &token).await;
        assert!(missing.header("www-authenticate").unwrap().starts_with("DPoP "), "{missing:?}");
        assert!(missing.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
        assert_eq!(missing.code(401), "dpop_proof_missing");
        assert_eq!(present(&client, "Bearer", &token, Some(&proof(&key))).await.code(401), "dpop_proof_missing");
        for refused in [None, Some(proof(&Key::edwards())), Some("a.b.c".to_owned())] {
            let refused = present(&client, "DPoP", &token, refused.as_deref()).await;
            let challenge = refused.header("www-authenticate").unwrap();
            assert!(
                challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_dpop_proof\""),
                "{challenge}"
            );
            assert_eq!(refused.code(401), "dpop_proof_invalid");
        }
        let verify = "/v1/verify?permission=org.audits:READ&tenant=any";
        assert_eq!(send(client.bare(Method::GET, verify).bearer_auth(&token)).await.status, 401);
        let introspected = super::form(&client, "/oauth2/introspect", &[("token", &token)]).await.expect(200);
        assert_eq!((&introspected["token_type"], introspected["cnf"]["jkt"].is_string()), (&json!("DPoP"), true));
    }
    // One that is not bound is no bound one.
    let free = exchange(&client, None).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    let proof = prove(&Key::edwards(), &claims(&f, &client, "GET", "/v1/whoami", Some(&free)));
    assert_eq!(present(&client, "DPoP", &free, Some(&proof)).await.code(401), "dpop_proof_invalid");
    whoami(&client, &free).await.expect(200);
    // From another network nobody is told anything.
    let token = bound(&f, &client, &Key::edwards()).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    let outside = whoami(&client, &token).await;
    assert!(outside.header("www-authenticate").unwrap().starts_with("Basic "));
    assert_eq!(outside.code(401), "unauthenticated");
}

async fn proofs_are_for_one_request(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "CI", json!({})).await;
    let key = Key::p256();
    let token = bound(&f, &client, &key).await;
    let good = || claims(&f, &client, "GET", "/v1/whoami", Some(&token));
    let now = f.app.clock().now().seconds();
    for (name, value) in [
        ("htm", json!("POST")),
        ("htu", json!(format!("{}/v1/tenants", client.base))),
        ("htu", json!("https://other.example/v1/whoami")),
        ("ath", json!(token_hash("another"))),
        ("ath", Value::Null),
        ("iat", json!(now - 61)),
        ("iat", json!(now + 61)),
        ("jti", Value::Null),
    ] {
        let mut claims = good();
        claims[name] = value.clone();
        let refused = present(&client, "DPoP", &token, Some(&prove(&key, &claims))).await;
        assert_eq!(refused.code(401), "dpop_proof_invalid", "{name} {value}");
    }
    for header in
        [json!({"typ": "JWT"}), json!({"alg": "none"}), json!({"jwk": Key::p256().jwk()}), json!({"crit": ["x"]})]
    {
        let mut full = json!({"typ": "dpop+jwt", "alg": key.alg(), "jwk": key.jwk()});
        full.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let refused = present(&client, "DPoP", &token, Some(&key.sign(&full, &good()))).await;
        assert_eq!(refused.code(401), "dpop_proof_invalid", "{header}");
    }
    let once = prove(&key, &good());
    let tries = futures_util::future::join_all((0..5).map(|_| present(&client, "DPoP", &token, Some(&once)))).await;
    assert_eq!(tries.iter().filter(|answer| answer.status == 200).count(), 1);
    let reasons = f.audit(&org).await;
    assert!(reasons.iter().any(|entry| entry["details"]["reason"] == "dpop_proof_invalid"));
}

async fn the_tick_binds_every_token_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "CI", "grants": {"org.audits": ["READ"]}, "dpop_bound": true});
    let (id, client) = f.application_with(&org, body).await;
    let refused = exchange(&client, None).await.expect(400);
    assert_eq!(refused["error"], "invalid_dpop_proof");
    let (path, key) = (format!("/v1/tenants/{org}/applications/{id}"), Key::edwards());
    assert_eq!(f.operator.get(&path).await.expect(200)["dpop_bound"], true);
    bound(&f, &client, &key).await;
    f.operator.patch(&path, &json!({"dpop_bound": false})).await.expect(200);
    let free = exchange(&client, None).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    whoami(&client, &free).await.expect(200);
    f.operator.patch(&path, &json!({"dpop_bound": true})).await.expect(200);
    assert_eq!(whoami(&client, &free).await.code(401), "dpop_proof_missing", "the old one, at once");
    let inspected = form(&f.operator, "/oauth2/introspect", &[("token", &free)]).await.expect(200);
    assert_eq!(inspected, json!({"active": false}), "for whoever asks, too");
    let told = f.audit(&org).await;
    assert!(told.iter().any(|entry| entry["details"]["dpop_bound"] == json!({"from": false, "to": true})), "{told:?}");
    let exported = f.operator.get(&format!("/v1/tenants/{org}/export")).await.expect(200);
    assert_eq!(exported["applications"][0]["dpop_bound"], true);
}

async fn proofs_for_a_token_are_looked_at(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "CI", json!({})).await;
    let key = Key::edwards();
    let good = || claims(&f, &client, "POST", "/oauth2/token", None);
    let once = prove(&key, &good());
    exchange(&client, Some(&once)).await.expect(200);
    let mut other = good();
    other["htm"] = json!("GET");
    let mut elsewhere = good();
    elsewhere["htu"] = json!(format!("{}/oauth2/revoke", client.base));
    for bad in [once, prove(&key, &other), prove(&key, &elsewhere), "x".into(), String::new()] {
        let refused = exchange(&client, Some(&bad)).await.expect(400);
        assert_eq!(refused["error"], "invalid_dpop_proof", "{bad}");
    }
    let wrong = f.client(&client.client_id, "clv_a_wrong");
    let refused = exchange(&wrong, Some(&prove(&key, &good()))).await.expect(401);
    assert_eq!(refused["error"], "invalid_client", "the credential comes first");
}
