//! `private_key_jwt`: clients that sign with a key of their own, and have no secret.

use super::{encode, whoami};
use crate::fixture::{Answer, Client, Fixture, on_both, send};
use crate::keys::{Key, sign_with_secret};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

on_both![
    a_key_takes_the_place_of_a_secret,
    a_token_dies_with_its_key,
    claims_and_signatures_must_fit,
    an_assertion_is_accepted_once_and_alone,
    keys_are_public_few_and_covered,
    keys_end,
];

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
static JTI: AtomicU64 = AtomicU64::new(0);

fn claims(f: &Fixture, client: &Client) -> Value {
    let now = f.app.clock().now().seconds();
    json!({
        "iss": client.client_id, "sub": client.client_id, "aud": format!("{}/oauth2/token", client.base),
        "jti": JTI.fetch_add(1, Ordering::Relaxed).to_string(), "iat": now, "exp": now + 300,
    })
}

fn header(key: &Key) -> Value {
    json!({"alg": key.alg(), "typ": "JWT"})
}

async fn present(client: &Client, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let mut parameters =
        vec![("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
    parameters.extend(more);
    let request = client.bare(Method::POST, "/oauth2/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(request.body(encode(&parameters))).await
}

async fn register(f: &Fixture, org: &str, id: &str, key: &Key) -> Value {
    let body = json!({"name": "CI", "jwk": key.jwk()});
    f.operator.post(&format!("/v1/tenants/{org}/applications/{id}/keys"), &body).await.expect(201)
}

async fn a_key_takes_the_place_of_a_secret(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "CI", json!({"org.audits": ["READ"], "applications": ["READ"]})).await;
    let keys = [Key::edwards(), Key::p256()];
    for key in &keys {
        register(&f, &org, &id, key).await;
    }
    let path = format!("/v1/tenants/{org}/applications/{id}/secrets");
    let secret = f.operator.get(&path).await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(f.operator.delete(&format!("{path}/{secret}?force=true")).await.status, 204);
    assert_eq!(client.get("/v1/whoami").await.status, 401, "it has no secret at all");
    for key in &keys {
        let answer =
            present(&client, &key.sign(&header(key), &claims(&f, &client)), &[("scope", "org.audits:READ")]).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let issued = answer.expect(200);
        assert_eq!((&issued["token_type"], &issued["scope"]), (&json!("Bearer"), &json!("org.audits:READ")));
        let me = whoami(&client, issued["access_token"].as_str().unwrap()).await.expect(200);
        assert_eq!(me["application_id"], json!(id));
        // The issuer is an audience, too, and a time of making may be missing.
        let mut claims = claims(&f, &client);
        claims["aud"] = json!(client.base);
        claims.as_object_mut().unwrap().remove("iat");
        present(&client, &key.sign(&json!({"alg": key.alg()}), &claims), &[("client_id", &client.client_id)])
            .await
            .expect(200);
    }
    let metadata = f.operator.get("/.well-known/oauth-authorization-server").await.expect(200);
    assert!(metadata["token_endpoint_auth_methods_supported"].to_string().contains("private_key_jwt"));
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["EdDSA", "ES256"]));
}

async fn a_token_dies_with_its_key(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "CI", json!({"org.audits": ["READ"]})).await;
    let (one, other) = (Key::edwards(), Key::p256());
    let registered = register(&f, &org, &id, &one).await;
    register(&f, &org, &id, &other).await;
    let mut tokens = Vec::new();
    for key in [&one, &other] {
        let issued = present(&client, &key.sign(&header(key), &claims(&f, &client)), &[]).await.expect(200);
        tokens.push(issued["access_token"].as_str().unwrap().to_owned());
    }
    let path = format!("/v1/tenants/{org}/applications/{id}/keys");
    let key = format!("{path}/{}", registered["id"].as_str().unwrap());
    assert_eq!(f.operator.delete(&key).await.status, 204);
    assert_eq!(whoami(&client, &tokens[0]).await.code(401), "token_revoked");
    whoami(&client, &tokens[1]).await.expect(200);
    let refused = present(&client, &one.sign(&header(&one), &claims(&f, &client)), &[]).await.expect(401);
    assert_eq!(refused["error"], "invalid_client");
    assert_eq!(f.operator.delete(&key).await.status, 404);
    assert_eq!(f.operator.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1);
    // A regenerated secret is another matter.
    f.operator.post(&format!("/v1/tenants/{org}/applications/{id}/regenerate"), &json!({})).await.expect(200);
    whoami(&client, &tokens[1]).await.expect(200);
    let told: Vec<_> = f.audit(&org).await;
    for action in ["public_key.registered", "public_key.deleted"] {
        assert!(
            told.iter().any(|entry| entry["action"] == action && entry["details"]["algorithm"].is_string()),
            "{action}"
        );
    }
}

async fn claims_and_signatures_must_fit(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "CI", json!({})).await;
    let (other, them) = f.application(&org, "Other", json!({})).await;
    let (key, theirs) = (Key::edwards(), Key::edwards());
    register(&f, &org, &id, &key).await;
    register(&f, &org, &other, &theirs).await;
    let now = f.app.clock().now().seconds();
    let mut refused = Vec::new();
    for (name, value) in [
        ("iss", json!(them.client_id)),
        ("sub", json!(them.client_id)),
        ("aud", json!([format!("{}/oauth2/token", client.base), "https://other.example"])),
        ("aud", json!("https://other.example")),
        ("aud", Value::Null),
        ("jti", Value::Null),
        ("exp", json!(now + 631)),
        ("exp", json!(now - 31)),
        ("exp", json!((now + 300).to_string())),
        ("exp", Value::Null),
        ("nbf", json!(now + 60)),
    ] {
        let mut claims = claims(&f, &client);
        claims[name] = value;
        refused.push(key.sign(&header(&key), &claims));
    }
    let good = || claims(&f, &client);
    refused.push(theirs.sign(&header(&theirs), &good()));
    // A key that the header brings along, HMAC by the public key, no signature at all.
    let stranger = Key::edwards();
    refused.push(stranger.sign(&json!({"alg": "EdDSA", "jwk": stranger.jwk()}), &good()));
    refused.push(key.sign(&json!({"alg": "EdDSA", "jku": "https://attacker.example/keys"}), &good()));
    refused.push(sign_with_secret(key.jwk()["x"].as_str().unwrap(), &json!({"alg": "HS256"}), &good()));
    refused.push(sign_with_secret(&client.secret, &json!({"alg": "HS256"}), &good()));
    refused.push(key.sign(&json!({"alg": "ES256"}), &good()));
    refused.push(key.sign(&json!({"alg": "none"}), &good()));
    refused.push(key.sign(&json!({"alg": "EdDSA", "kid": "another"}), &good()));
    refused.push(key.sign(&json!({"alg": "EdDSA", "typ": "at+jwt"}), &good()));
    let text = key.sign(&header(&key), &good());
    refused.extend([format!("{text}="), format!("{text}\n"), text[..text.len() - 2].to_owned(), "a.b.c".into()]);
    let mut unknown = good();
    (unknown["iss"], unknown["sub"]) =
        (json!("01890000-0000-7000-8000-000000000000"), json!("01890000-0000-7000-8000-000000000000"));
    refused.push(key.sign(&header(&key), &unknown));
    let mut bodies = Vec::new();
    for text in refused {
        bodies.push((present(&client, &text, &[]).await.expect(401), text));
    }
    assert!(bodies.iter().all(|(body, _)| *body == bodies[0].0), "{bodies:?}");
    assert_eq!(bodies[0].0["error"], "invalid_client");
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    let outside = present(&client, &key.sign(&header(&key), &good()), &[]).await.expect(401);
    assert_eq!(outside, bodies[0].0, "from a wrong address");
}

async fn an_assertion_is_accepted_once_and_alone(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "CI", json!({})).await;
    let key = Key::p256();
    register(&f, &org, &id, &key).await;
    let fresh = || key.sign(&header(&key), &claims(&f, &client));
    let text = fresh();
    let tries = futures_util::future::join_all((0..6).map(|_| present(&client, &text, &[]))).await;
    assert_eq!(tries.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(present(&client, &text, &[]).await.expect(401)["error"], "invalid_client");
    for more in [("client_secret", client.secret.as_str()), ("client_id", "another")] {
        assert_eq!(present(&client, &fresh(), &[more]).await.expect(400)["error"], "invalid_request", "{more:?}");
    }
    let body = encode(&[
        ("grant_type", "client_credentials"),
        ("client_assertion_type", TYPE),
        ("client_assertion", &fresh()),
    ]);
    let both =
        client.request(Method::POST, "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(both.body(body)).await.expect(400)["error"], "invalid_request");
    let body =
        encode(&[("grant_type", "client_credentials"), ("client_assertion_type", "x"), ("client_assertion", &fresh())]);
    let request =
        client.bare(Method::POST, "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(request.body(body)).await.expect(400)["error"], "invalid_request");
}

async fn keys_are_public_few_and_covered(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, _) = f.application(&org, "CI", json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}/keys");
    let with = |name: &str, value: Value| {
        let mut jwk = Key::edwards().jwk();
        jwk[name] = value;
        json!({"name": "CI", "jwk": jwk})
    };
    let beside = json!({"kty": "EC", "crv": "P-256", "x": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "y": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"});
    for (body, pointer) in [
        (with("d", json!("x")), "/jwk/d"),
        (with("kty", json!("RSA")), "/jwk/kty"),
        (with("kid", json!("a b")), "/jwk/kid"),
        (with("x", json!("A".repeat(43))), "/jwk/x"),
        (json!({"name": "CI", "jwk": beside}), "/jwk"),
        (json!({"name": "", "jwk": Key::edwards().jwk()}), "/name"),
        (json!({"name": "CI", "jwk": Key::edwards().jwk(), "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
    ] {
        let refused = f.operator.post(&path, &body).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let first = Key::edwards();
    let body = json!({"name": "First", "jwk": first.jwk()});
    let request = || f.operator.request(Method::POST, &path).header("Idempotency-Key", "k").json(&body);
    let made = send(request()).await.expect(201);
    assert_eq!(send(request()).await.expect(201), made, "repeated");
    assert_eq!((&made["algorithm"], &made["jwk"]), (&json!("EdDSA"), &first.jwk()));
    assert_eq!(f.operator.post(&path, &body).await.code(409), "key_exists");
    for _ in 0..4 {
        f.operator.post(&path, &json!({"name": "More", "jwk": Key::p256().jwk()})).await.expect(201);
    }
    assert_eq!(f.operator.post(&path, &with("use", json!("sig"))).await.code(409), "key_limit_reached");
    let listed = f.operator.get(&path).await.expect(200);
    let listed = listed["items"].as_array().unwrap();
    assert!(listed.len() == 5 && listed.contains(&made), "{listed:?}");
    // Whoever holds less cannot make a credential that holds more.
    let (_, lesser) = f.application(&org, "Lesser", json!({"applications": ["READ", "UPDATE"]})).await;
    let refused = lesser.post(&path, &json!({"name": "CI", "jwk": Key::p256().jwk()})).await;
    assert_eq!(refused.expect(403)["missing_permission"], "org.audits:READ");
    let key = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(lesser.delete(&key).await.status, 403);
    let (other, _) = f.organization("Other").await;
    let (_, stranger) =
        f.application(&other, "X", json!({"applications": ["READ", "UPDATE"], "org.audits": ["READ"]})).await;
    for answer in [stranger.get(&path).await, stranger.post(&path, &body).await, stranger.delete(&key).await] {
        assert_eq!(answer.status, 404);
    }
    assert_eq!(f.operator.delete(&format!("/v1/tenants/{org}/applications/{id}")).await.status, 204, "with its keys");
}

async fn keys_end(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "CI", json!({})).await;
    let key = Key::edwards();
    let end = f.app.clock().now().plus_seconds(60);
    let body = json!({"name": "CI", "jwk": key.jwk(), "expires_at": end.to_string()});
    let path = format!("/v1/tenants/{org}/applications/{id}/keys");
    f.operator.post(&path, &body).await.expect(201);
    let issued = present(&client, &key.sign(&header(&key), &claims(&f, &client)), &[]).await.expect(200);
    f.app.clock().advance(60);
    assert_eq!(whoami(&client, issued["access_token"].as_str().unwrap()).await.code(401), "credential_expired");
    assert_eq!(present(&client, &key.sign(&header(&key), &claims(&f, &client)), &[]).await.status, 401);
    assert_eq!(f.operator.get(&path).await.expect(200)["items"], json!([]));
    f.operator.post(&path, &json!({"name": "CI", "jwk": key.jwk()})).await.expect(201);
}
