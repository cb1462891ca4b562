//! Tokens that are none, and what whoever presents them learns.

use super::issuer::{Key, encode};
use super::{Scene, reasons};
use crate::fixture::{Fixture, on_both_outgoing};
use crate::oauth::token as session_token;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    b11_bad_tokens_are_limited_and_good_ones_pass,
    strangers_learn_nothing_and_the_tenant_everything,
    algorithms_come_from_the_key,
    keys_are_named_once
];

async fn strangers_learn_nothing_and_the_tenant_everything(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    scene.assert(&scene.token(&f)).await.expect(200);
    let (foreign, now) = (Key::ed25519(), f.app.clock().now().seconds());
    let good = scene.claims(&f);
    let with = |change: Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        scene.signed(&claims)
    };
    let headed = |header: Value| scene.key.token(&header, &good);
    let whole = scene.token(&f);
    let (signed, signature) = whole.rsplit_once('.').unwrap();
    let ours = session_token(&scene.client, &[]).await;
    let mut bodies = Vec::new();
    for (token, reason) in [
        (String::new() + "x", None),
        ("a.b.c".to_owned(), None),
        (format!("{whole}.x"), None),
        (format!("{whole}\n"), Some("issuer_token_signature")),
        (format!("{signed}.{}", &signature[1..]), Some("issuer_token_signature")),
        (format!("{signed}."), None),
        ("x".repeat(9_000), None),
        (foreign.token(&json!({"alg": "EdDSA", "kid": "k1"}), &good), Some("issuer_token_signature")),
        (headed(json!({"alg": "EdDSA", "kid": "k2"})), Some("issuer_key_unknown")),
        (headed(json!({"alg": "none", "kid": "k1"})), Some("issuer_token_header")),
        (headed(json!({"alg": "EdDSA", "kid": "k1", "jku": "http://127.0.0.1/"})), Some("issuer_token_header")),
        (headed(json!({"alg": "EdDSA", "kid": "k1", "jwk": foreign.jwk("k1")})), Some("issuer_token_header")),
        (headed(json!({"alg": "EdDSA", "kid": "k1", "crit": ["x"]})), Some("issuer_token_header")),
        (headed(json!({"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"})), Some("issuer_token_header")),
        (with(json!({"iss": "https://other.example"})), Some("issuer_untrusted")),
        (with(json!({"iss": format!("{}/", scene.issuer.url)})), Some("issuer_untrusted")),
        (with(json!({"aud": "https://other.example"})), Some("issuer_token_audience")),
        (with(json!({"aud": [scene.client.base, "https://other.example"]})), Some("issuer_token_audience")),
        (with(json!({"aud": null})), Some("issuer_token_claims")),
        (with(json!({"exp": now})), Some("issuer_token_expired")),
        (with(json!({"exp": "soon"})), Some("issuer_token_claims")),
        (with(json!({"nbf": now + 31})), Some("issuer_token_early")),
        (with(json!({"iat": now - 3_601})), Some("issuer_token_old")),
        (with(json!({"sub": "repo:acme/app2:main"})), Some("issuer_token_unbound")),
        (with(json!({"sub": "repo:acme/app:x:main"})), Some("issuer_token_unbound")),
        (with(json!({"sub": null})), Some("issuer_token_claims")),
        (ours, Some("issuer_untrusted")),
    ] {
        let refused = scene.assert(&token).await;
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        bodies.push(refused.expect(400));
        if let Some(reason) = reason {
            assert!(reasons(&f, &scene.org).await.contains(&reason.to_owned()), "{reason}");
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["error"], "invalid_grant");
    // Nor does who is named make a difference.
    for named in
        [("client_id", "01890000-0000-7000-8000-000000000000"), ("tenant_id", "01890000-0000-7000-8000-000000000000")]
    {
        assert_eq!(scene.present(&scene.token(&f), &[named]).await.expect(400), bodies[0], "{named:?}");
    }
    let (_, other) = f.application(&scene.org, "Other", json!({})).await;
    assert_eq!(scene.present(&scene.token(&f), &[("client_id", &other.client_id)]).await.expect(400), bodies[0]);
    scene.assert(&scene.token(&f)).await.expect(200);
}

async fn algorithms_come_from_the_key(f: Arc<Fixture>) {
    let rsa = Key::rsa();
    let jwk = rsa.jwk("k1");
    let scene = Scene::with(&f, rsa, "RS256").await;
    let claims = scene.claims(&f);
    let rs256 = scene.key.token(&json!({"alg": "RS256", "kid": "k1"}), &claims);
    // Signed with what everybody knows, as if it were a secret.
    for alg in ["HS256", "none", "None", "RS512", "rs256", ""] {
        let text = format!("{}.{}", encode(json!({"alg": alg, "kid": "k1"}).to_string()), encode(claims.to_string()));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, jwk.to_string().as_bytes());
        let token = format!("{text}.{}", encode(aws_lc_rs::hmac::sign(&key, text.as_bytes())));
        assert_eq!(scene.assert(&token).await.status, 400, "{alg}");
    }
    let relabelled = rs256.replacen(
        &encode(json!({"alg": "RS256", "kid": "k1"}).to_string()),
        &encode(json!({"alg": "EdDSA", "kid": "k1"}).to_string()),
        1,
    );
    assert_eq!(scene.assert(&relabelled).await.status, 400);
    scene.assert(&rs256).await.expect(200);
}

async fn keys_are_named_once(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let second = Key::ed25519();
    let unnamed = |key: &Key, f: &Fixture| key.token(&json!({"alg": "EdDSA"}), &scene.claims(f));
    scene.assert(&unnamed(&scene.key, &f)).await.expect(200);
    *scene.issuer.keys.lock() = vec![scene.key.jwk("k1"), second.jwk("k2")];
    f.app.clock().advance(3_600);
    scene.assert(&second.token(&json!({"alg": "EdDSA", "kid": "k2"}), &scene.claims(&f))).await.expect(200);
    assert_eq!(scene.assert(&unnamed(&scene.key, &f)).await.status, 400, "which of the two?");
    assert_eq!(
        scene.assert(&scene.key.token(&json!({"alg": "EdDSA", "kid": "k2"}), &scene.claims(&f))).await.status,
        400
    );
    // The same name twice: each is tried.
    *scene.issuer.keys.lock() = vec![scene.key.jwk("k"), second.jwk("k")];
    f.app.clock().advance(3_600);
    for key in [&scene.key, &second] {
        scene.assert(&key.token(&json!({"alg": "EdDSA", "kid": "k"}), &scene.claims(&f))).await.expect(200);
    }
}

async fn b11_bad_tokens_are_limited_and_good_ones_pass(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let forged = Key::ed25519();
    let bad = || forged.token(&json!({"alg": "EdDSA", "kid": "k1"}), &scene.claims(&f));
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(scene.assert(&bad()).await.status.as_u16());
    }
    assert_eq!((&statuses[..30], &statuses[30..]), (&[400; 30][..], &[429; 70][..]));
    let refused = scene.assert(&bad()).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.expect(429)["error"], "temporarily_unavailable");
    scene.assert(&scene.token(&f)).await.expect(200);
    f.app.clock().advance(61);
    let unknown = "01890000-0000-7000-8000-000000000000";
    for expected in statuses {
        assert_eq!(scene.present(&bad(), &[("client_id", unknown)]).await.status, expected, "known or not");
    }
}
