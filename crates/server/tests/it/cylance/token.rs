//! The exchange of an assertion for an access token, and what that is good for.

use crate::fixture::{Answer, Client, Fixture, START, on_both, send};
use crate::keys::{Key, sign_with_secret};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

on_both![
    an_assertion_gets_a_token_and_nothing_else,
    requests_are_read_by_content,
    whatever_does_not_fit_is_refused_alike,
    scopes_narrow_and_are_never_widened,
    an_assertion_is_accepted_once,
    lives_are_those_of_the_family_and_of_the_tenant,
    both_secrets_sign_while_a_rotation_lasts,
    an_imported_secret_cannot_sign_and_nobody_is_told,
    application_scopes_drive_the_native_calls,
    calls_take_the_scope_of_their_family,
    tokens_end_with_their_secret_and_at_their_networks,
];

static JTI: AtomicU64 = AtomicU64::new(0);

fn now(f: &Fixture) -> i64 {
    f.app.clock().now().seconds()
}

fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

fn claims(f: &Fixture, tenant: &str, client: &Client) -> Value {
    let jti = format!("{}+{}", client.client_id, JTI.fetch_add(1, Ordering::Relaxed));
    let iat = now(f);
    json!({
        "exp": iat + 1_800, "iat": iat, "iss": "http://cylance.com", "sub": client.client_id, "tid": tenant, "jti": jti,
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => {
            claims.as_object_mut().unwrap().remove(name);
        }
        value => claims[name] = value,
    }
    claims
}

async fn present(client: &Client, auth_token: &str) -> Answer {
    let request = client.bare(Method::POST, "/auth/v2/token").header("content-type", "application/json; charset=utf-8");
    send(request.body(json!({ "auth_token": auth_token }).to_string())).await
}

async fn exchange(client: &Client, claims: &Value) -> Answer {
    present(client, &sign_with_secret(&client.secret, &header(), claims)).await
}

async fn token(client: &Client, claims: &Value) -> String {
    exchange(client, claims).await.expect(200)["access_token"].as_str().unwrap().to_owned()
}

async fn call(client: &Client, method: Method, path: &str, token: &str) -> Answer {
    send(client.bare(method, path).header("authorization", format!("bearer {token} "))).await
}

async fn an_assertion_gets_a_token_and_nothing_else(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SOAR", json!({"org.audits": ["READ"]})).await;
    let claims = with(claims(&f, &org, &client), "src", json!("<b>SOAR 7</b>"));
    let answer = exchange(&client, &claims).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.expect(200);
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    let text = body["access_token"].as_str().unwrap();
    let me = call(&client, Method::GET, "/v1/whoami", text).await.expect(200);
    assert_eq!((&me["application_id"], &me["tenant_id"]), (&json!(id), &json!(org)));
    f.app.flush_accesses().await.unwrap();
    let record = f.operator.get(&format!("/v1/tenants/{org}/access-record")).await.expect(200);
    let entry = &record["items"][0];
    assert_eq!((&entry["door"], &entry["source"]), (&json!("assertion"), &json!("bSOAR 7b")), "{entry}");
    assert!(f.audit(&org).await.iter().all(|entry| entry["action"] != "token.issued"));
}

async fn requests_are_read_by_content(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SOAR", json!({})).await;
    for media in [None, Some("application/json"), Some("application/x-www-form-urlencoded"), Some("text/plain")] {
        let text = sign_with_secret(&client.secret, &header(), &claims(&f, &org, &client));
        let mut request = client.bare(Method::POST, "/auth/v2/token").body(json!({"auth_token": text}).to_string());
        if let Some(media) = media {
            request = request.header("content-type", media);
        }
        send(request).await.expect(200);
    }
    let long = "x".repeat(5_000);
    for bad in ["", "{}", "[]", "{\"auth_token\":", "{\"auth_token\":7}", &json!({ "auth_token": long }).to_string()] {
        let refused = send(client.bare(Method::POST, "/auth/v2/token").body(bad.to_owned())).await;
        assert!(refused.expect(400)["message"].is_string(), "{bad}");
    }
    let huge = json!({"auth_token": "x".repeat(2 << 20)}).to_string();
    assert_eq!(send(client.bare(Method::POST, "/auth/v2/token").body(huge)).await.status, 413);
    assert_eq!(send(client.bare(Method::GET, "/auth/v2/token")).await.status, 405);
    assert!(send(client.bare(Method::GET, "/auth/v2/other")).await.expect(404)["message"].is_string());
}

async fn whatever_does_not_fit_is_refused_alike(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let (id, client) = f.application(&org, "SOAR", json!({})).await;
    let (_, them) = f.application(&other, "SOAR", json!({})).await;
    let good = || claims(&f, &org, &client);
    let t = now(&f);
    let mut refused = Vec::new();
    for (name, value) in [
        ("iss", json!("http://cylance.com/")),
        ("sub", Value::Null),
        ("sub", json!("01890000-0000-7000-8000-000000000000")),
        ("sub", json!(them.client_id)),
        ("tid", json!(other)),
        ("tid", Value::Null),
        ("jti", Value::Null),
        ("iat", json!(t + 31)),
        ("iat", json!(t.to_string())),
        ("exp", json!(t - 31)),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("exp", json!(t * 1_000)),
        ("scp", json!(["device:list"])),
    ] {
        let mut claims = with(good(), name, value.clone());
        if value == json!(t - 31) {
            claims["iat"] = json!(t - 60);
        }
        refused.push((format!("{name} {value}"), exchange(&client, &claims).await));
    }
    for header in [json!({"alg": "none"}), json!({"alg": "HS512"}), json!({"alg": "HS256", "jku": "https://x.example"})]
    {
        let text = sign_with_secret(&client.secret, &header, &good());
        refused.push((header.to_string(), present(&client, &text).await));
    }
    let signed = sign_with_secret(&client.secret, &header(), &good());
    let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
    let key = Key::edwards().sign(&json!({"alg": "EdDSA"}), &good());
    for text in
        [&unsigned, &format!("{signed}A"), &format!("{signed}.x"), &signed[..signed.len() - 1], &key, "", "a.b.c"]
    {
        refused.push((text.to_owned(), present(&client, text).await));
    }
    let wrong = f.client(&client.client_id, &them.secret);
    refused.push(("a secret of another".into(), exchange(&wrong, &good()).await));
    f.operator
        .patch(&format!("/v1/tenants/{org}/applications/{id}"), &json!({"allowed_networks": ["203.0.113.0/24"]}))
        .await
        .expect(200);
    refused.push(("a wrong address".into(), exchange(&client, &good()).await));
    for (what, answer) in refused {
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{what}");
        assert_eq!(answer.expect(401), json!({"message": "Invalid JWT payload"}), "{what}");
    }
    let reasons = f.audit(&org).await;
    for reason in ["assertion_invalid", "address_not_allowed"] {
        assert!(reasons.iter().any(|entry| entry["details"]["reason"] == reason), "{reason}");
    }
    let long = exchange(&client, &with(good(), "exp", json!(t + 1_801))).await.expect(400);
    assert!(long["message"].as_str().unwrap().contains("30 minutes"), "{long}");
}

async fn scopes_narrow_and_are_never_widened(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants = json!({"cylance.devices": ["READ", "UPDATE"], "cylance.zones": ["READ"], "org.audits": ["READ"]});
    let (_, client) = f.application(&org, "SOAR", grants).await;
    let scoped = |scopes: &str| with(claims(&f, &org, &client), "scp", json!(scopes));
    let devices = token(&client, &scoped("Device:list, device:READ ,device:update")).await;
    let status = async |path: &str| call(&client, Method::GET, path, &devices).await.status.as_u16();
    assert_eq!((status("/devices/v2").await, status("/zones/v2").await), (501, 403));
    assert_eq!(status("/v1/verify?permission=cylance.devices:UPDATE&tenant=any").await, 204);
    assert_eq!(status("/v1/verify?permission=org.audits:READ&tenant=any").await, 403);
    for wider in ["device:delete", "device:list,user:list", "nothing:at-all", "", ","] {
        let refused = exchange(&client, &scoped(wider)).await;
        assert!(refused.expect(403)["message"].is_string(), "{wider}");
    }
    let all = token(&client, &claims(&f, &org, &client)).await;
    assert_eq!(call(&client, Method::GET, "/zones/v2", &all).await.status, 501);
    // One without a scope of the family gets a token, too.
    let (_, plain) = f.application(&org, "Plain", json!({})).await;
    let text = token(&plain, &claims(&f, &org, &plain)).await;
    assert_eq!(call(&plain, Method::GET, "/devices/v2", &text).await.status, 403);
}

async fn an_assertion_is_accepted_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SOAR", json!({})).await;
    let claims = claims(&f, &org, &client);
    let text = sign_with_secret(&client.secret, &header(), &claims);
    let tries = futures_util::future::join_all((0..6).map(|_| present(&client, &text))).await;
    assert_eq!(tries.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(present(&client, &text).await.expect(401), json!({"message": "Invalid JWT payload"}));
    let again = with(claims, "exp", json!(now(&f) + 60));
    assert_eq!(exchange(&client, &again).await.status, 401, "the same jti with another end");
    let reasons = f.audit(&org).await;
    assert!(reasons.iter().any(|entry| entry["details"]["reason"] == "assertion_replayed"));
}

async fn lives_are_those_of_the_family_and_of_the_tenant(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SOAR", json!({"org.audits": ["READ"]})).await;
    let works = async |text: &str| call(&client, Method::GET, "/v1/whoami", text).await.status == 200;
    let long = token(&client, &claims(&f, &org, &client)).await;
    f.app.clock().advance(1_799);
    assert!(works(&long).await);
    f.app.clock().advance(1);
    assert!(!works(&long).await);
    f.operator.put(&format!("/v1/tenants/{org}/token-settings"), &json!({"lifetime_seconds": 60})).await.expect(200);
    let short = token(&client, &claims(&f, &org, &client)).await;
    f.app.clock().advance(59);
    assert!(works(&short).await);
    f.app.clock().advance(1);
    assert!(!works(&short).await);
    assert!(f.app.clock().now() > START);
}

async fn both_secrets_sign_while_a_rotation_lasts(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, old) = f.application(&org, "SOAR", json!({})).await;
    let before = token(&old, &claims(&f, &org, &old)).await;
    let rotate = format!("/v1/tenants/{org}/applications/{id}/rotate");
    let rotated = f.operator.post(&rotate, &json!({"overlap_seconds": 60})).await.expect(200);
    let new = f.client(&old.client_id, rotated["secret"]["text"].as_str().unwrap());
    token(&new, &claims(&f, &org, &new)).await;
    token(&old, &claims(&f, &org, &old)).await;
    f.app.clock().advance(61);
    let refused = exchange(&old, &claims(&f, &org, &old)).await.expect(401);
    assert!(refused["message"].as_str().unwrap().contains("credential_expired"), "{refused}");
    assert_eq!(call(&old, Method::GET, "/v1/whoami", &before).await.status, 401, "what it had got ends with it");
    token(&new, &claims(&f, &org, &new)).await;
}

async fn an_imported_secret_cannot_sign_and_nobody_is_told(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let secret = "4a1c1f0c-8e7a-4c58-9a6e-8b1f0e0e2b11";
    let hash = claviger_domain::secret::SecretHash::of(secret);
    let hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let body = json!({"name": "Old", "grants": {}, "client_id": "OLDCLIENT1", "secrets": [{"sha256": hex}]});
    f.operator.post(&format!("/v1/tenants/{org}/applications/import"), &body).await.expect(201);
    let client = f.client("OLDCLIENT1", secret);
    client.get("/v1/whoami").await.expect(200);
    let refused = exchange(&client, &claims(&f, &org, &client)).await.expect(401);
    assert_eq!(refused, json!({"message": "Invalid JWT payload"}));
    let reasons = f.audit(&org).await;
    assert!(reasons.iter().any(|entry| entry["details"]["reason"] == "secret_cannot_sign"), "its tenant finds out");
}

async fn application_scopes_drive_the_native_calls(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants = json!({"applications": ["CREATE", "READ", "UPDATE", "DELETE"], "org.audits": ["READ"]});
    let (id, client) = f.application(&org, "SOAR", grants).await;
    let scoped = |scope: &str| with(claims(&f, &org, &client), "scp", json!(scope));
    let path = format!("/v1/tenants/{org}/applications");
    let list = token(&client, &scoped("application:list")).await;
    call(&client, Method::GET, &path, &list).await.expect(200);
    let create = async |text: &str| {
        let body = json!({"name": "Made", "grants": {}});
        send(client.bare(Method::POST, &path).bearer_auth(text).json(&body)).await.status.as_u16()
    };
    assert_eq!(create(&list).await, 403);
    assert_eq!(create(&token(&client, &scoped("application:create,application:read")).await).await, 201);
    let regenerate = token(&client, &scoped("application:regenerate")).await;
    let refused = send(client.bare(Method::POST, &format!("{path}/{id}/regenerate")).bearer_auth(&regenerate)).await;
    assert_eq!(refused.status, 403, "its own rights are more than the token's");
}

async fn calls_take_the_scope_of_their_family(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SOAR", json!({"cylance.devices": ["READ"]})).await;
    let text = token(&client, &claims(&f, &org, &client)).await;
    for (method, path, status) in [
        (Method::GET, "/devices/v2?page=1&page_size=200", 501),
        (Method::GET, "/devices/v2/", 501),
        (Method::DELETE, "/devices/v2/", 403),
        (Method::GET, "/users/v2/", 403),
        (Method::PUT, "/devicecommands/v2/1/lockdown", 403),
        (Method::GET, "/opticspolicies/v2/configurations", 403),
    ] {
        let answer = call(&client, method, path, &text).await;
        assert!(answer.expect(status)["message"].is_string(), "{path}");
    }
    for authorization in ["", "Bearer", "Bearer x", "Bearer a.b.c"] {
        let answer = send(client.bare(Method::GET, "/devices/v2").header("authorization", authorization)).await;
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{authorization}");
        assert!(answer.expect(401)["message"].is_string());
    }
}

async fn tokens_end_with_their_secret_and_at_their_networks(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SOAR", json!({"cylance.devices": ["READ"]})).await;
    let text = token(&client, &claims(&f, &org, &client)).await;
    let status = async || call(&client, Method::GET, "/devices/v2", &text).await.status.as_u16();
    assert_eq!(status().await, 501);
    // E12, E13: on a connection that is open already.
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    assert_eq!(status().await, 401);
    f.operator.patch(&path, &json!({"allowed_networks": null})).await.expect(200);
    assert_eq!(status().await, 501);
    f.operator.patch(&path, &json!({"grants": {}})).await.expect(200);
    assert_eq!(status().await, 403);
    f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(status().await, 401);
}
