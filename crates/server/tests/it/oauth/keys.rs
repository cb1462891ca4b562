//! C7: signing keys follow each other, and are revoked.

use super::{token, verify, whoami};
use crate::fixture::{Client, Fixture, on_both, send};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    anybody_can_verify_a_token_by_the_published_keys,
    c7_keys_follow_each_other_and_no_token_fails,
    a_rotation_is_published_before_it_bites,
    a_stolen_key_takes_its_tokens_with_it,
    the_keys_are_the_operators,
];

const DAY: i64 = 86_400;

async fn start(f: &Fixture) -> Client {
    let (org, _) = f.organization("Acme").await;
    f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await.1
}

/// The name of the key that signed a token.
fn kid(text: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn published(f: &Fixture) -> Vec<String> {
    let keys = send(f.operator.bare(Method::GET, "/.well-known/jwks.json")).await.expect(200);
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn anybody_can_verify_a_token_by_the_published_keys(f: Arc<Fixture>) {
    let client = start(&f).await;
    let text = token(&client, &[]).await;
    let metadata = send(client.bare(Method::GET, "/.well-known/oauth-authorization-server")).await;
    assert_eq!(metadata.header("cache-control"), Some("public, max-age=900"));
    let metadata = metadata.expect(200);
    assert_eq!(metadata["issuer"], client.base);
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth2/token", client.base));
    let keys = send(client.http.get(metadata["jwks_uri"].as_str().unwrap())).await;
    assert_eq!(keys.header("cache-control"), Some("public, max-age=900"));
    let keys = keys.expect(200);
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid(&text)).unwrap();
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(client.base), &json!(client.base)));
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(client.client_id), &json!(client.client_id)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
}

async fn c7_keys_follow_each_other_and_no_token_fails(f: Arc<Fixture>) {
    let client = start(&f).await;
    let root = format!("/v1/tenants/{}/token-settings", f.root);
    send(f.operator.request(Method::PUT, &root).json(&json!({"lifetime_seconds": 3_600}))).await.expect(200);
    let first = kid(&token(&client, &[]).await);
    f.app.clock().advance(30 * DAY - 3_601);
    f.app.tend_signing_keys().await.unwrap();
    assert_eq!(published(&f).await, [first.as_str()], "not yet");
    f.app.clock().advance(1);
    f.app.tend_signing_keys().await.unwrap();
    f.app.tend_signing_keys().await.unwrap();
    let both = published(&f).await;
    assert_eq!(both.len(), 2, "an hour before it signs the next is published");
    assert_eq!(kid(&token(&client, &[]).await), first);
    f.app.clock().advance(3_599);
    let last = token(&client, &[]).await;
    assert_eq!(kid(&last), first, "to the last second");
    f.app.clock().advance(1);
    let next = token(&client, &[]).await;
    assert_eq!(kid(&next), both[1]);
    for text in [&last, &next] {
        assert_eq!(verify(&client, "org.audits:READ", text).await, 204);
    }
    f.app.clock().advance(3_598);
    assert_eq!(verify(&client, "org.audits:READ", &last).await, 204, "accepted as long as it lives");
    f.app.clock().advance(1);
    assert_eq!(whoami(&client, &last).await.code(401), "token_expired");
    assert_eq!(verify(&client, "org.audits:READ", &next).await, 204);
    f.app.clock().advance(30);
    assert_eq!(published(&f).await.len(), 2, "as long as a clock may be behind");
    f.app.clock().advance(1);
    assert_eq!(published(&f).await, [both[1].as_str()]);
    let keys = f.operator.get("/v1/signing-keys").await.expect(200);
    let states: Vec<_> = keys["items"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["retired", "signing"]);
    let entries = f.audit(&f.root).await;
    assert_eq!(entries.iter().filter(|entry| entry["action"] == "signing_key.made").count(), 1);
}

async fn a_rotation_is_published_before_it_bites(f: Arc<Fixture>) {
    let client = start(&f).await;
    let old = token(&client, &[]).await;
    let made = f.operator.post("/v1/signing-keys/rotate", &json!({})).await.expect(200);
    assert_eq!(made["state"], "published");
    assert_eq!(f.operator.post("/v1/signing-keys/rotate", &json!({})).await.code(409), "signing_key_waiting");
    assert_eq!(kid(&token(&client, &[]).await), kid(&old));
    assert_eq!(published(&f).await.len(), 2);
    f.app.clock().advance(3_600);
    assert_eq!(kid(&token(&client, &[]).await), made["kid"].as_str().unwrap());
    f.app.tend_signing_keys().await.unwrap();
    assert_eq!(f.operator.get("/v1/signing-keys").await.expect(200)["items"].as_array().unwrap().len(), 2);
    let refused = f.operator.post("/v1/signing-keys/rotate", &json!({"now": true})).await;
    assert_eq!(refused.status, 422);
}

async fn a_stolen_key_takes_its_tokens_with_it(f: Arc<Fixture>) {
    let client = start(&f).await;
    let (used, fresh) = (token(&client, &[]).await, token(&client, &[]).await);
    assert_eq!(verify(&client, "org.audits:READ", &used).await, 204);
    let path = format!("/v1/signing-keys/{}/revoke", kid(&used));
    let found = f.operator.post(&path, &json!({})).await.expect(200);
    assert_eq!((&found["revoked"]["state"], &found["made"]["state"]), (&json!("revoked"), &json!("signing")));
    assert_eq!(whoami(&client, &used).await.code(401), "token_revoked", "it was seen before");
    assert_eq!(whoami(&client, &fresh).await.status, 401, "and this one never was");
    let new = token(&client, &[]).await;
    assert_eq!(kid(&new), found["made"]["kid"].as_str().unwrap());
    assert_eq!(verify(&client, "org.audits:READ", &new).await, 204);
    assert_eq!(published(&f).await, [kid(&new)]);
    let again = f.operator.post(&path, &json!({})).await.expect(200);
    assert_eq!(again["made"], Value::Null, "one is enough");
    assert_eq!(f.operator.post("/v1/signing-keys/ffff/revoke", &json!({})).await.status, 404);
}

async fn the_keys_are_the_operators(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let rights = json!({"signing-keys": ["CREATE", "READ", "UPDATE", "DELETE"]});
    let (_, tenant) = f.application(&org, "Curious", rights).await;
    assert_eq!(tenant.get("/v1/signing-keys").await.code(403), "forbidden");
    assert_eq!(tenant.post("/v1/signing-keys/rotate", &json!({})).await.code(403), "forbidden");
    let keys = f.operator.get("/v1/signing-keys").await;
    assert!(!keys.text.contains("sealed") && !keys.text.contains("seed"));
    let kid = keys.expect(200)["items"][0]["kid"].as_str().unwrap().to_owned();
    assert_eq!(tenant.post(&format!("/v1/signing-keys/{kid}/revoke"), &json!({})).await.code(403), "forbidden");
}
