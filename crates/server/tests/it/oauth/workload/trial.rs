//! Trying tokens against an issuer, and when bindings were used last.

use super::issuer::Key;
use super::{Scene, binding};
use crate::fixture::{Fixture, on_both_outgoing};
use crate::oauth::verify;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![a_trial_names_the_step_that_fails, a_trial_uses_nothing_up, bindings_show_their_last_use];

async fn attempt(f: &Fixture, scene: &Scene, token: &str) -> Value {
    f.operator.post(&format!("{}/test", scene.path()), &json!({ "token": token })).await.expect(200)
}

/// The step that failed, with its code.
fn failed(trial: &Value) -> Option<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let failed = trial["steps"].as_array().unwrap().iter().find(|step| step["outcome"] == "failed")?;
    assert!(failed["detail"].is_string(), "{trial}");
    Some((text(&failed["step"]), text(&failed["code"])))
}

async fn a_trial_names_the_step_that_fails(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let good = scene.claims(&f);
    let with = |change: Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        scene.signed(&claims)
    };
    let now = f.app.clock().now().seconds();
    let headed = |header: Value| scene.key.token(&header, &good);
    for (token, step, code) in [
        ("x".to_owned(), "form", "token_invalid"),
        (with(json!({"iss": "https://other.example"})), "issuer", "issuer_untrusted"),
        (headed(json!({"alg": "RS256", "kid": "k1"})), "header", "issuer_token_header"),
        (headed(json!({"alg": "EdDSA", "kid": "k1", "jku": "https://x.example"})), "header", "issuer_token_header"),
        (headed(json!({"alg": "EdDSA", "kid": "k2"})), "keys", "issuer_key_unknown"),
        (Key::ed25519().token(&json!({"alg": "EdDSA", "kid": "k1"}), &good), "signature", "issuer_token_signature"),
        (with(json!({"aud": "https://elsewhere.example"})), "claims", "issuer_token_audience"),
        (with(json!({"exp": now - 1})), "claims", "issuer_token_expired"),
        (with(json!({"iat": now + 60})), "claims", "issuer_token_early"),
        (with(json!({"sub": "repo:other/app:main"})), "binding", "issuer_token_unbound"),
    ] {
        let trial = attempt(&f, &scene, &token).await;
        assert_eq!(failed(&trial), Some((step.to_owned(), code.to_owned())), "{trial}");
        assert_eq!(trial["accepted"], false);
        let outcomes: Vec<_> = trial["steps"].as_array().unwrap().iter().map(|step| step["outcome"].clone()).collect();
        let at = outcomes.iter().position(|outcome| outcome == "failed").unwrap();
        assert!(outcomes[..at].iter().all(|outcome| outcome == "passed"), "{trial}");
        assert!(outcomes[at + 1..].iter().all(|outcome| outcome == "not_reached"), "{trial}");
        if step == "binding" {
            assert_eq!(trial["bindings"][0]["failing_claims"], json!(["sub"]));
        }
    }
    let trial = attempt(&f, &scene, &scene.token(&f)).await;
    assert_eq!((&trial["accepted"], &trial["application_id"]), (&json!(true), &json!(scene.application)));
    assert_eq!((&trial["bindings"][0]["fits"], failed(&trial)), (&json!(true), None));
    let application = format!("/v1/tenants/{}/applications/{}", scene.org, scene.application);
    f.operator.patch(&application, &json!({"enabled": false})).await.expect(200);
    let expected = Some(("application".to_owned(), "application_disabled".to_owned()));
    assert_eq!(failed(&attempt(&f, &scene, &scene.token(&f)).await), expected);
    f.operator.patch(&application, &json!({"enabled": true})).await.expect(200);
    f.operator.patch(&scene.path(), &json!({"enabled": false})).await.expect(200);
    assert_eq!(failed(&attempt(&f, &scene, &scene.token(&f)).await).unwrap().0, "enabled");
    // For whoever administers the trust alone, and within reach.
    let (_, reader) = f.application(&scene.org, "Reader", json!({"trusted-issuers": ["READ"]})).await;
    let path = format!("{}/test", scene.path());
    let refused = reader.post(&path, &json!({"token": "x"})).await.expect(403);
    assert_eq!(refused["missing_permission"], "trusted-issuers:UPDATE");
    let (other, _) = f.organization("Other").await;
    let (_, theirs) = f.application(&other, "Theirs", json!({"trusted-issuers": ["READ", "UPDATE"]})).await;
    assert_eq!(theirs.post(&path, &json!({"token": "x"})).await.code(404), "not_found");
    for bad in [String::new(), "x".repeat(8_193)] {
        let refused = f.operator.post(&path, &json!({ "token": bad })).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/token");
    }
}

async fn a_trial_uses_nothing_up(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let token = scene.token(&f);
    let before = f.audit(&scene.org).await.len();
    for _ in 0..40 {
        assert_eq!(attempt(&f, &scene, &token).await["accepted"], true);
        attempt(&f, &scene, "x").await;
    }
    assert_eq!(f.audit(&scene.org).await.len(), before, "nobody is denied anything");
    f.app.flush_accesses().await.unwrap();
    let record = f.operator.get(&format!("/v1/tenants/{}/access-record", scene.org)).await.expect(200);
    assert_eq!(record["items"], json!([]), "nothing was minted");
    scene.assert(&token).await.expect(200);
    assert_eq!(scene.assert(&token).await.status, 400, "once, as always");
}

async fn bindings_show_their_last_use(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let bindings =
        json!([binding(&scene.application, "repo:acme/app:*"), binding(&scene.application, "repo:acme/web:*")]);
    let changed = f.operator.patch(&scene.path(), &json!({ "bindings": bindings })).await.expect(200);
    assert_eq!(
        (&changed["bindings"][0]["last_use"], &changed["bindings"][1]["last_use"]),
        (&Value::Null, &Value::Null)
    );
    f.app.clock().advance(100);
    let session = scene.session(&f).await;
    assert_eq!(verify(&scene.client, "org.audits:READ", &session).await, 204);
    f.app.flush_usage().await.unwrap();
    let list = scene.path().rsplit_once('/').unwrap().0.to_owned();
    let read = f.operator.get(&scene.path()).await.expect(200);
    let listed = f.operator.get(&list).await.expect(200)["items"][0].clone();
    let renamed = f.operator.patch(&scene.path(), &json!({"name": "Renamed"})).await.expect(200);
    for issuer in [&read, &listed, &renamed] {
        let used = &issuer["bindings"][0]["last_use"];
        assert_eq!(used["address"], "127.0.0.1", "{issuer}");
        assert_eq!(used["at"], json!(f.app.clock().now()));
        assert_eq!(issuer["bindings"][1]["last_use"], Value::Null);
    }
}
