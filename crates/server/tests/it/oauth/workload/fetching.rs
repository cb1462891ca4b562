//! How the keys of issuers are fetched, and from whom not.

use super::issuer::{Issuer, Key};
use super::{Scene, binding, present, reasons};
use crate::fixture::{Fixture, on_both_outgoing, run};
use claviger_store::Engine;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    keys_are_fetched_when_they_are_needed,
    keys_are_kept_for_as_long_as_their_issuer_says,
    what_is_there_is_used_for_a_while,
    one_fetches_for_all_and_nobody_waits_for_others,
    an_issuer_speaks_for_itself_alone,
    given_keys_are_not_fetched,
];

async fn keys_are_fetched_when_they_are_needed(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    assert_eq!(scene.issuer.fetched(), 0, "not before");
    for _ in 0..3 {
        scene.assert(&scene.token(&f)).await.expect(200);
    }
    assert_eq!(scene.issuer.fetched(), 1);
    // A new key is looked for at once, and then once a minute at most, however many come.
    let second = Key::ed25519();
    let signed = |f: &Fixture| second.token(&json!({"alg": "EdDSA", "kid": "k2"}), &scene.claims(f));
    f.app.clock().advance(60);
    for _ in 0..5 {
        assert_eq!(scene.assert(&signed(&f)).await.status, 400);
    }
    assert_eq!(scene.issuer.fetched(), 2);
    *scene.issuer.keys.lock() = vec![scene.key.jwk("k1"), second.jwk("k2")];
    f.app.clock().advance(59);
    assert_eq!(scene.assert(&signed(&f)).await.status, 400);
    f.app.clock().advance(1);
    scene.assert(&signed(&f)).await.expect(200);
    assert_eq!(scene.issuer.fetched(), 3);
}

async fn keys_are_kept_for_as_long_as_their_issuer_says(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    *scene.issuer.cache_control.lock() = Some("public, max-age=600".into());
    scene.assert(&scene.token(&f)).await.expect(200);
    f.app.clock().advance(599);
    scene.assert(&scene.token(&f)).await.expect(200);
    assert_eq!(scene.issuer.fetched(), 1);
    f.app.clock().advance(1);
    *scene.issuer.cache_control.lock() = Some("no-store".into());
    *scene.issuer.keys.lock() = Vec::new();
    assert_eq!(scene.assert(&scene.token(&f)).await.status, 400, "a key that was withdrawn");
    assert_eq!(scene.issuer.fetched(), 2);
}

async fn what_is_there_is_used_for_a_while(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    scene.issuer.set_down(true);
    let cold = scene.assert(&scene.token(&f)).await;
    assert_eq!(cold.expect(503)["error"], "temporarily_unavailable");
    assert!(reasons(&f, &scene.org).await.contains(&"issuer_keys_unavailable".to_owned()));
    assert_eq!(scene.assert(&scene.token(&f)).await.status, 503);
    assert_eq!(scene.issuer.fetched(), 1, "not again at once");
    scene.issuer.set_down(false);
    f.app.clock().advance(10);
    scene.assert(&scene.token(&f)).await.expect(200);
    scene.issuer.set_down(true);
    f.app.clock().advance(3_600);
    scene.assert(&scene.token(&f)).await.expect(200);
    scene.assert(&scene.token(&f)).await.expect(200);
    assert_eq!(scene.issuer.fetched(), 3);
    f.app.clock().advance(3_600);
    assert_eq!(scene.assert(&scene.token(&f)).await.status, 503, "and not for ever");
    scene.issuer.set_down(false);
    f.app.clock().advance(10);
    scene.assert(&scene.token(&f)).await.expect(200);
}

async fn one_fetches_for_all_and_nobody_waits_for_others(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let tokens: Vec<_> = (0..8).map(|_| scene.token(&f)).collect();
    let answers = futures_util::future::join_all(tokens.iter().map(|token| scene.assert(token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(scene.issuer.fetched(), 1);
    // One that takes its connections and never answers.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    let body = json!({
        "name": "Deaf", "issuer": url, "algorithms": ["EdDSA"], "bindings": [binding(&scene.application, "x")],
    });
    f.operator.post(&format!("/v1/tenants/{}/trusted-issuers", scene.org), &body).await.expect(201);
    let mut claims = scene.claims(&f);
    claims["iss"] = json!(url);
    let lost = scene.signed(&claims);
    let waiting = scene.assert(&lost);
    tokio::pin!(waiting);
    let other = async {
        for _ in 0..3 {
            scene.assert(&scene.token(&f)).await.expect(200);
        }
    };
    tokio::select! {
        answer = &mut waiting => panic!("{answer:?}"),
        () = other => {}
    }
}

async fn an_issuer_speaks_for_itself_alone(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    *scene.issuer.claims_to_be.lock() = Some(format!("{}/", scene.issuer.url));
    assert_eq!(scene.assert(&scene.token(&f)).await.status, 503, "another one, to the letter");
    *scene.issuer.claims_to_be.lock() = None;
    for place in [
        "http://10.0.0.1/keys",
        "https://10.0.0.1/keys",
        "https://169.254.169.254/",
        "file:///etc/passwd",
        "http://[::1]:1/",
    ] {
        *scene.issuer.keys_at.lock() = Some(place.into());
        f.app.clock().advance(60);
        assert_eq!(scene.assert(&scene.token(&f)).await.status, 503, "{place}");
    }
    assert_eq!(scene.issuer.fetched(), 0);
    // Another host may hold its keys.
    let other = Issuer::start(vec![scene.key.jwk("k1")]).await;
    *scene.issuer.keys_at.lock() = Some(format!("{}/keys", other.url));
    f.app.clock().advance(60);
    scene.assert(&scene.token(&f)).await.expect(200);
    assert_eq!((scene.issuer.fetched(), other.fetched()), (0, 1));
}

async fn given_keys_are_not_fetched(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let keys = json!({"keys": [scene.key.jwk("k1")]});
    f.operator.patch(&scene.path(), &json!({ "jwks": keys })).await.expect(200);
    scene.assert(&scene.token(&f)).await.expect(200);
    let unknown = Key::ed25519().token(&json!({"alg": "EdDSA", "kid": "x"}), &scene.claims(&f));
    f.app.clock().advance(3_600 * 24 * 10);
    assert_eq!(scene.assert(&unknown).await.status, 400);
    scene.assert(&scene.token(&f)).await.expect(200);
    f.operator.patch(&scene.path(), &json!({ "jwks_uri": format!("{}/keys", scene.issuer.url) })).await.expect(200);
    scene.assert(&scene.token(&f)).await.expect(200);
    assert_eq!(scene.issuer.fetched(), 1);
    f.operator.patch(&scene.path(), &json!({"jwks_uri": Value::Null})).await.expect(200);
    scene.assert(&scene.token(&f)).await.expect(200);
}

/// Without the operator's leave nothing on this machine or inside is called.
async fn nothing_inside_is_called(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (application, client) = f.application(&org, "Build", json!({})).await;
    let key = Key::ed25519();
    let issuer = Issuer::start(vec![key.jwk("k1")]).await;
    let path = format!("/v1/tenants/{org}/trusted-issuers");
    let port = issuer.url.rsplit(':').next().unwrap();
    for url in [
        issuer.url.clone(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        "https://localhost".into(),
        "https://x.localhost".into(),
        "https://[::1]".into(),
        "https://[::ffff:127.0.0.1]".into(),
        "https://0.0.0.0".into(),
        "https://10.0.0.1".into(),
        "https://169.254.169.254".into(),
        "https://[fd00:ec2::254]".into(),
        "https://issuer.example:22".into(),
        "https://2130706433".into(),
        "https://0x7f.1".into(),
        "https://user@issuer.example".into(),
    ] {
        let body = json!({"name": "CI", "issuer": url, "bindings": [binding(&application, "repo:acme/**")]});
        assert_eq!(f.operator.post(&path, &body).await.expect(422)["errors"][0]["pointer"], "/issuer", "{url}");
        let body = json!({"name": "CI", "issuer": "https://issuer.example", "jwks_uri": url});
        assert_eq!(f.operator.post(&path, &body).await.expect(422)["errors"][0]["pointer"], "/jwks_uri", "{url}");
    }
    // Given keys need no call: there the name of the issuer is nothing but a name.
    let body = json!({
        "name": "CI", "issuer": issuer.url, "jwks": {"keys": [key.jwk("k1")]}, "algorithms": ["EdDSA"],
        "bindings": [binding(&application, "repo:acme/**")],
    });
    f.operator.post(&path, &body).await.expect(201);
    let now = f.app.clock().now().seconds();
    let claims =
        json!({"iss": issuer.url, "sub": "repo:acme/app:main", "aud": client.base, "iat": now, "exp": now + 60});
    let token = key.token(&json!({"alg": "EdDSA", "kid": "k1"}), &claims);
    present(&client, &token, &[("client_id", &application)]).await.expect(200);
    assert_eq!(issuer.fetched(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_inside_is_called_on_sqlite() {
    run(Engine::Sqlite, &[], nothing_inside_is_called).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_inside_is_called_on_postgres() {
    run(Engine::Postgres, &[], nothing_inside_is_called).await;
}
