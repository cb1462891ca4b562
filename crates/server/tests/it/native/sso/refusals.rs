//! Who comes back from a provider and does not get in. All of them get one answer; the record of the provider's tenant says why.

use super::{Begun, Scene, come_back};
use crate::fixture::{Answer, Fixture, on_both_outgoing};
use crate::native::sign_in::{cookie, seen};
use crate::oauth::workload::issuer::{Key, encode};
use crate::people::{built_in, user};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    an_id_token_must_say_all_that_it_must,
    an_id_token_must_be_signed_by_the_provider,
    a_sign_in_is_one_browsers_and_counts_once,
    a_sign_in_ends_with_its_time_and_its_provider,
    a_provider_must_speak_for_itself,
    a_provider_that_fails_lets_nobody_in,
    whoever_comes_without_a_state_is_told_so,
    people_see_a_page_and_no_reason,
];

async fn scene(f: &Fixture) -> Scene {
    let scene = Scene::set(f, json!({})).await;
    user(f, &scene.org, "ada@acme.example", &[&built_in(f, "View All").await]).await;
    scene
}

/// Checks that somebody does not get in, as little as anybody else, and what the record says.
async fn refused(f: &Fixture, scene: &Scene, answer: Answer, reason: &str) {
    assert_eq!(cookie(&answer, "session"), None, "{reason}");
    let (status, _, body) = seen(answer);
    assert_eq!((status, &body["code"]), (401, &json!("sign_in_failed")), "{reason}: {body}");
    let reasons = scene.reasons(f).await;
    assert!(reasons.iter().any(|told| told == reason), "{reason} in {reasons:?}");
    // Each reason is told once a minute.
    f.app.clock().advance(60);
}

async fn an_id_token_must_say_all_that_it_must(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    let now = || f.app.clock().now().seconds();
    for (besides, reason) in [
        (json!({"nonce": "another"}), "sso_nonce"),
        (json!({"nonce": null}), "sso_nonce"),
        (json!({"aud": "somebody else"}), "issuer_token_audience"),
        (json!({"aud": ["claviger", "somebody else"]}), "issuer_token_audience"),
        (json!({"azp": "somebody else"}), "issuer_token_audience"),
        (json!({"exp": now() - 31}), "issuer_token_expired"),
        (json!({"iat": now() - 400, "exp": now() - 31}), "issuer_token_expired"),
        (json!({"iat": now() + 3_600, "exp": now() + 7_200}), "issuer_token_early"),
        (json!({"iat": now() - 3_600}), "issuer_token_old"),
        (json!({"sub": null}), "issuer_token_claims"),
        (json!({"iss": "https://other.example"}), "issuer_untrusted"),
        (json!({"email": null}), "sso_email_missing"),
        (json!({"email_verified": null}), "sso_email_unverified"),
        (json!({"email_verified": false}), "sso_email_unverified"),
        (json!({"email_verified": "true"}), "sso_email_unverified"),
        (json!({"email": "ada@elsewhere.example"}), "sso_email_elsewhere"),
        (json!({"email": "ada@sub.acme.example"}), "sso_email_elsewhere"),
    ] {
        let answer = scene.sign_in(&f, "ada@acme.example", besides.clone()).await;
        refused(&f, &scene, answer, reason).await;
    }
    scene.enter(&f, "ada@acme.example", json!({})).await;
}

async fn an_id_token_must_be_signed_by_the_provider(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    let stranger = Key::ed25519();
    let right = json!({"alg": "EdDSA", "kid": "k1"});
    for (header, key, reason) in [
        (right.clone(), &stranger, "issuer_token_signature"),
        (json!({"alg": "EdDSA", "kid": "k2"}), &stranger, "issuer_key_unknown"),
        (json!({"alg": "EdDSA", "kid": "k1", "jwk": stranger.jwk("k1")}), &stranger, "issuer_token_header"),
        (json!({"alg": "ES256", "kid": "k1"}), &scene.idp.key, "issuer_key_unknown"),
        (json!({"alg": "HS256", "kid": "k1"}), &scene.idp.key, "issuer_token_header"),
        (json!({"alg": "none"}), &scene.idp.key, "issuer_token_header"),
    ] {
        let begun = scene.begin(&f, "ada@acme.example").await;
        let token = key.token(&header, &scene.claims(&f, &begun, "ada@acme.example"));
        let answer = scene.back_with(&f, &begun, json!({"id_token": token})).await;
        refused(&f, &scene, answer, reason).await;
    }
    let begun = scene.begin(&f, "ada@acme.example").await;
    let claims = scene.claims(&f, &begun, "ada@acme.example");
    let unsigned = format!("{}.{}.", encode(json!({"alg": "none"}).to_string()), encode(claims.to_string()));
    let answer = scene.back_with(&f, &begun, json!({"id_token": unsigned})).await;
    assert_eq!(answer.code(401), "sign_in_failed");
}

fn good(f: &Fixture, scene: &Scene, begun: &Begun) -> Value {
    json!({"id_token": scene.idp.token(&scene.claims(f, begun, "ada@acme.example"))})
}

async fn a_sign_in_is_one_browsers_and_counts_once(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    let (mine, other) = (scene.begin(&f, "ada@acme.example").await, scene.begin(&f, "ada@acme.example").await);
    let code = scene.code(&mine, good(&f, &scene, &mine));
    let query = [("state", mine.query["state"].as_str()), ("code", code.as_str())];
    for stranger in [other.cookie.as_str(), "", mine.query["state"].as_str(), "clv_o_"] {
        assert_eq!(come_back(&f, stranger, &query).await.code(401), "sign_in_failed", "{stranger}");
    }
    assert!(scene.idp.asked.lock().is_empty(), "nobody was asked on their behalf");
    assert_eq!(come_back(&f, &mine.cookie, &query).await.status, 200, "others have not used it up");
    let again = scene.code(&mine, good(&f, &scene, &mine));
    let query = [("state", mine.query["state"].as_str()), ("code", again.as_str())];
    assert_eq!(come_back(&f, &mine.cookie, &query).await.code(401), "sign_in_failed", "once");
    // A code of another sign-in does not fit the verifier.
    let stolen = scene.code(&mine, good(&f, &scene, &other));
    let query = [("state", other.query["state"].as_str()), ("code", stolen.as_str())];
    refused(&f, &scene, come_back(&f, &other.cookie, &query).await, "sso_code_refused").await;
}

async fn a_sign_in_ends_with_its_time_and_its_provider(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    let begun = scene.begin(&f, "ada@acme.example").await;
    f.app.clock().advance(600);
    refused(&f, &scene, scene.back_with(&f, &begun, good(&f, &scene, &begun)).await, "sso_too_late").await;
    let begun = scene.begin(&f, "ada@acme.example").await;
    scene.change(&f, json!({"name": "Renamed"})).await;
    refused(&f, &scene, scene.back_with(&f, &begun, good(&f, &scene, &begun)).await, "sso_provider_changed").await;
    let begun = scene.begin(&f, "ada@acme.example").await;
    f.operator.patch(&format!("/v1/tenants/{}", scene.org), &json!({"status": "suspended"})).await.expect(200);
    refused(&f, &scene, scene.back_with(&f, &begun, good(&f, &scene, &begun)).await, "tenant_suspended").await;
    f.operator.patch(&format!("/v1/tenants/{}", scene.org), &json!({"status": "active"})).await.expect(200);
    let begun = scene.begin(&f, "ada@acme.example").await;
    assert_eq!(f.operator.delete(&scene.path()).await.status, 204);
    assert_eq!(scene.back_with(&f, &begun, good(&f, &scene, &begun)).await.code(401), "sign_in_failed");
}

async fn a_provider_must_speak_for_itself(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    let with = async |issuer: Option<&str>| {
        let begun = scene.begin(&f, "ada@acme.example").await;
        let code = scene.code(&begun, good(&f, &scene, &begun));
        let mut query = vec![("state", begun.query["state"].as_str()), ("code", code.as_str())];
        query.extend(issuer.map(|issuer| ("iss", issuer)));
        come_back(&f, &begun.cookie, &query).await
    };
    refused(&f, &scene, with(Some("https://other.example")).await, "sso_other_provider").await;
    assert_eq!(with(Some(&scene.idp.url)).await.status, 200);
    assert_eq!(with(None).await.status, 200, "it has not said that it would name itself");
    let begun = scene.begin(&f, "ada@acme.example").await;
    let query = [("state", begun.query["state"].as_str()), ("error", "access_denied")];
    refused(&f, &scene, come_back(&f, &begun.cookie, &query).await, "sso_refused_by_provider").await;
    let strict = Scene::set(&f, json!({"domains": ["strict.example"]})).await;
    strict.idp.says.lock().insert("authorization_response_iss_parameter_supported".into(), json!(true));
    let answer = strict.sign_in(&f, "ada@strict.example", json!({})).await;
    refused(&f, &strict, answer, "sso_other_provider").await;
}

async fn a_provider_that_fails_lets_nobody_in(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    let begun = scene.begin(&f, "ada@acme.example").await;
    let query = [("state", begun.query["state"].as_str()), ("code", "unknown")];
    refused(&f, &scene, come_back(&f, &begun.cookie, &query).await, "sso_code_refused").await;
    let begun = scene.begin(&f, "ada@acme.example").await;
    refused(&f, &scene, scene.back_with(&f, &begun, json!({"access_token": "a"})).await, "sso_no_id_token").await;
    let begun = scene.begin(&f, "ada@acme.example").await;
    refused(&f, &scene, scene.back_with(&f, &begun, json!({"id_token": "nonsense"})).await, "issuer_token_claims")
        .await;
    // A provider that was never reached.
    let other = Scene::set(&f, json!({"issuer": "http://127.0.0.1:1", "domains": ["other.example"]})).await;
    let answer = super::ask(&f, &json!({"email": "ada@other.example"})).await;
    assert_eq!(answer.status, 503, "{} {}", answer.text, other.org);
}

async fn whoever_comes_without_a_state_is_told_so(f: Arc<Fixture>) {
    let scene = scene(&f).await;
    assert_eq!(come_back(&f, "", &[]).await.status, 422);
    assert_eq!(come_back(&f, "", &[("state", "a"), ("state", "b")]).await.status, 422);
    let begun = scene.begin(&f, "ada@acme.example").await;
    let twice = [("state", begun.query["state"].as_str()), ("code", "a"), ("code", "b")];
    assert_eq!(come_back(&f, &begun.cookie, &twice).await.status, 422);
}

async fn people_see_a_page_and_no_reason(f: Arc<Fixture>) {
    let request = f.operator.bare(reqwest::Method::GET, "/v1/sign-in/sso/callback?state=x&error=%3Cscript%3E");
    let answer = crate::fixture::send(request.header("accept", "text/html,*/*;q=0.8")).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(answer.text.contains("could not be signed in") && !answer.text.contains("script"), "{}", answer.text);
}
