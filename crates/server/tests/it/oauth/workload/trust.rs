//! What trusted issuers give, and what takes it away.

use super::issuer::Key;
use super::{JWT, Scene, TOKEN_EXCHANGE, bare, binding, present, reasons};
use crate::fixture::{Fixture, on_both_outgoing, send};
use crate::oauth::{verify, whoami};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    a_build_job_needs_no_secret,
    every_algorithm_that_is_allowed_works,
    tokens_are_exchanged_in_the_words_of_rfc_8693,
    tokens_of_one_use_are_used_once,
    one_application_or_the_named_one,
    a_tenant_is_named_or_told_by_the_audience,
    what_is_taken_away_ends_at_once,
    an_application_stands_as_it_does_for_secrets,
    issuers_are_kept_like_other_things,
    nobody_binds_what_is_above_them,
];

async fn a_build_job_needs_no_secret(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let answer =
        scene.present(&scene.token(&f), &[("client_id", &scene.application), ("scope", "org.audits:READ")]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let issued = answer.expect(200);
    assert_eq!(
        (&issued["token_type"], &issued["expires_in"]),
        (&json!("Bearer"), &json!(300)),
        "no longer than the other's"
    );
    assert_eq!((&issued["scope"], &issued["issued_token_type"]), (&json!("org.audits:READ"), &Value::Null));
    let token = issued["access_token"].as_str().unwrap();
    let me = whoami(&scene.client, token).await.expect(200);
    assert_eq!((&me["application_id"], &me["tenant_id"]), (&json!(scene.application), &json!(scene.org)));
    assert_eq!(verify(&scene.client, "org.audits:READ", token).await, 204);
    let shorter = [("client_id", scene.application.as_str()), ("expires_in", "60")];
    assert_eq!(scene.present(&scene.token(&f), &shorter).await.expect(200)["expires_in"], 60);
    let wider = [("client_id", scene.application.as_str()), ("scope", "org.audits:READ org.alerts:READ")];
    assert_eq!(scene.present(&scene.token(&f), &wider).await.expect(400)["error"], "invalid_scope");
    let settings = format!("/v1/tenants/{}/token-settings", scene.org);
    send(f.operator.request(Method::PUT, &settings).json(&json!({"lifetime_seconds": 120}))).await.expect(200);
    assert_eq!(scene.assert(&scene.token(&f)).await.expect(200)["expires_in"], 120, "nor than the tenant's");
    let record = f.operator.get(&format!("/v1/tenants/{}/access-record", scene.org)).await.expect(200);
    let entry = &record["items"][0];
    assert_eq!((&entry["door"], &entry["application_id"]), (&json!("jwt_bearer"), &json!(scene.application)));
    assert_eq!(entry["source"], format!("{} repo:acme/app:main", scene.issuer.url));
    let again = format!("Bearer {token}");
    let request = scene.client.bare(Method::POST, "/oauth2/token").header("authorization", again);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(request.body("grant_type=client_credentials")).await.status, 403, "and nothing more");
}

async fn every_algorithm_that_is_allowed_works(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let (rsa, p256) = (Key::rsa(), Key::p256());
    *scene.issuer.keys.lock() = vec![rsa.jwk("rsa"), p256.jwk("p256"), scene.key.jwk("ed")];
    let all = [(&rsa, "RS256", "rsa"), (&rsa, "PS256", "rsa"), (&p256, "ES256", "p256"), (&scene.key, "EdDSA", "ed")];
    f.operator.patch(&scene.path(), &json!({"algorithms": ["RS256", "PS256", "ES256", "EdDSA"]})).await.expect(200);
    for (key, alg, kid) in all {
        scene.assert(&key.token(&json!({"alg": alg, "kid": kid, "typ": "JWT"}), &scene.claims(&f))).await.expect(200);
    }
    for (_, alg, _) in all {
        f.operator.patch(&scene.path(), &json!({ "algorithms": [alg] })).await.expect(200);
        for (key, other, kid) in all {
            let token = key.token(&json!({"alg": other, "kid": kid}), &scene.claims(&f));
            assert_eq!(scene.assert(&token).await.status == 200, other == alg, "{other} where {alg} is allowed");
        }
    }
}

async fn tokens_are_exchanged_in_the_words_of_rfc_8693(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let token = scene.token(&f);
    let id = scene.application.as_str();
    let good =
        [("grant_type", TOKEN_EXCHANGE), ("subject_token", &token), ("subject_token_type", JWT), ("client_id", id)];
    let with = |more: &[(&'static str, &'static str)], without: &str| -> Vec<(&str, &str)> {
        let kept = good.iter().copied().filter(|(name, _)| *name != without);
        kept.chain(more.iter().copied()).collect()
    };
    for (parameters, expected) in [
        (with(&[], "subject_token"), "invalid_request"),
        (with(&[], "subject_token_type"), "invalid_request"),
        (
            with(&[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")], "subject_token_type"),
            "invalid_request",
        ),
        (with(&[("requested_token_type", "urn:ietf:params:oauth:token-type:jwt")], ""), "invalid_request"),
        (with(&[("actor_token", "x")], ""), "invalid_request"),
        (with(&[("client_secret", "x")], ""), "invalid_request"),
        (with(&[("client_assertion", "x")], ""), "invalid_request"),
        (with(&[("audience", "https://other.example")], ""), "invalid_target"),
        (with(&[("expires_in", "0")], ""), "invalid_request"),
        (with(&[("tenant_id", "x")], ""), "invalid_request"),
        (with(&[("tenant_id", "01890000-0000-7000-8000-000000000000")], ""), "invalid_grant"),
    ] {
        assert_eq!(bare(&scene.client, &parameters).await.expect(400)["error"], expected, "{parameters:?}");
    }
    let basic = scene.client.bare(Method::POST, "/oauth2/token").basic_auth(id, Some(&scene.client.secret));
    let basic = basic.header("content-type", "application/x-www-form-urlencoded").body(super::encode(&good));
    assert_eq!(send(basic).await.expect(400)["error"], "invalid_request");
    let access = "urn:ietf:params:oauth:token-type:access_token";
    let issued =
        bare(&scene.client, &with(&[("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")], ""))
            .await;
    assert_eq!(issued.expect(200)["issued_token_type"], access);
    let id_token = [("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")];
    let token = scene.token(&f);
    let parameters = [("grant_type", TOKEN_EXCHANGE), ("subject_token", &token), id_token[0], ("client_id", id)];
    bare(&scene.client, &parameters).await.expect(200);
    let metadata = f.operator.get("/.well-known/oauth-authorization-server").await.expect(200);
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(TOKEN_EXCHANGE)));
}

async fn tokens_of_one_use_are_used_once(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let token = scene.token(&f);
    let both = tokio::join!(scene.assert(&token), scene.assert(&token));
    let statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    assert!(statuses.contains(&200) && statuses.contains(&400), "{statuses:?}");
    assert_eq!(scene.assert(&token).await.expect(400)["error"], "invalid_grant");
    assert!(reasons(&f, &scene.org).await.contains(&"issuer_token_used".to_owned()));
    f.operator.patch(&scene.path(), &json!({"single_use": false})).await.expect(200);
    let token = scene.token(&f);
    for _ in 0..2 {
        scene.assert(&token).await.expect(200);
    }
    f.operator.patch(&scene.path(), &json!({"single_use": true})).await.expect(200);
    let mut claims = scene.claims(&f);
    claims.as_object_mut().unwrap().remove("jti");
    for _ in 0..2 {
        scene.assert(&scene.signed(&claims)).await.expect(200);
    }
}

async fn one_application_or_the_named_one(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let (other, _) = f.application(&scene.org, "Deploy", json!({"org.alerts": ["READ"]})).await;
    let bindings = json!([binding(&scene.application, "repo:acme/app:*"), binding(&other, "repo:acme/*:main")]);
    f.operator.patch(&scene.path(), &json!({ "bindings": bindings })).await.expect(200);
    let named = |id: &str| vec![("client_id".to_owned(), id.to_owned())];
    let scope = async |sub: &str, more: Vec<(String, String)>| {
        let mut claims = scene.claims(&f);
        claims["sub"] = json!(sub);
        let more: Vec<_> = more.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = scene.present(&scene.signed(&claims), &more).await;
        let status = answer.status.as_u16();
        let body = answer.json();
        (status, body["scope"].as_str().or(body["error_description"].as_str()).unwrap().to_owned())
    };
    let tenant = || vec![("tenant_id".to_owned(), scene.org.clone())];
    assert_eq!(scope("repo:acme/app:dev", tenant()).await, (200, "org.audits:READ".into()));
    assert_eq!(scope("repo:acme/web:main", tenant()).await, (200, "org.alerts:READ".into()));
    let (status, told) = scope("repo:acme/app:main", tenant()).await;
    assert!(status == 400 && told.contains("client_id"), "{told}");
    assert_eq!(scope("repo:acme/app:main", named(&scene.application)).await, (200, "org.audits:READ".into()));
    assert_eq!(scope("repo:acme/app:main", named(&other)).await, (200, "org.alerts:READ".into()));
    assert_eq!(scope("repo:acme/app:dev", named(&other)).await.0, 400, "named, and not bound");
}

async fn a_tenant_is_named_or_told_by_the_audience(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    // Somebody else trusts the same issuer, whatever it says.
    let (evil, _) = f.organization("Evil").await;
    let (trap, _) = f.application(&evil, "Trap", json!({})).await;
    let body = json!({
        "name": "CI", "issuer": scene.issuer.url, "algorithms": ["EdDSA"], "bindings": [binding(&trap, "repo:**")],
    });
    f.operator.post(&format!("/v1/tenants/{evil}/trusted-issuers"), &body).await.expect(201);
    let unnamed = scene.present(&scene.token(&f), &[]).await.expect(400);
    assert_eq!(unnamed["error"], "invalid_request", "never a guess");
    scene.present(&scene.token(&f), &[("tenant_id", &scene.org)]).await.expect(200);
    let mut claims = scene.claims(&f);
    claims["aud"] = json!([format!("{}/tenants/{}", scene.client.base, scene.org)]);
    let issued = scene.present(&scene.signed(&claims), &[]).await.expect(200);
    let me = whoami(&scene.client, issued["access_token"].as_str().unwrap()).await.expect(200);
    assert_eq!(me["tenant_id"], scene.org);
    let other = scene.present(&scene.signed(&claims), &[("tenant_id", &evil)]).await;
    assert_eq!(other.expect(400)["error"], "invalid_grant", "meant for one tenant, presented to another");
    let crossed = [("tenant_id", evil.as_str()), ("client_id", scene.application.as_str())];
    assert_eq!(scene.present(&scene.token(&f), &crossed).await.expect(400)["error"], "invalid_grant");
    f.operator.patch(&scene.path(), &json!({"audience": "https://acme.example"})).await.expect(200);
    assert_eq!(scene.assert(&scene.token(&f)).await.status, 400);
    claims["aud"] = json!("https://acme.example");
    claims["jti"] = json!("another");
    scene.assert(&scene.signed(&claims)).await.expect(200);
}

async fn what_is_taken_away_ends_at_once(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let works = async |token: &str| verify(&scene.client, "org.audits:READ", token).await == 204;
    let patch = async |body: Value| f.operator.patch(&scene.path(), &body).await.expect(200);
    let token = scene.session(&f).await;
    let renamed = patch(json!({"name": "Builds"})).await;
    assert!(works(&token).await && renamed["bindings"][0]["id"] == scene.trusted["bindings"][0]["id"]);
    let same = patch(json!({"bindings": [binding(&scene.application, "repo:acme/app:*")]})).await;
    assert!(works(&token).await && same["bindings"] == renamed["bindings"], "said again");
    for change in [
        json!({"bindings": [binding(&scene.application, "repo:acme/*:main")]}),
        json!({"max_token_age_seconds": 600}),
        json!({"algorithms": ["EdDSA", "ES256"]}),
        json!({"enabled": false}),
        json!({"bindings": []}),
    ] {
        if change["bindings"] == json!([]) {
            patch(json!({"enabled": true})).await;
        }
        let token = scene.session(&f).await;
        assert!(works(&token).await);
        patch(change.clone()).await;
        assert_eq!(whoami(&scene.client, &token).await.code(401), "token_revoked", "{change}");
        assert!(!works(&token).await, "{change}");
    }
    patch(json!({"bindings": [binding(&scene.application, "repo:acme/app:*")]})).await;
    assert!(!works(&token).await, "what comes back is another one");
    let token = scene.session(&f).await;
    let in_use = f.operator.delete(&format!("/v1/tenants/{}/applications/{}", scene.org, scene.application)).await;
    let in_use = in_use.expect(409);
    assert_eq!(
        (&in_use["code"], &in_use["referrers"][0]["kind"]),
        (&json!("application_in_use"), &json!("trusted_issuer"))
    );
    assert_eq!(f.operator.delete(&scene.path()).await.status, 204);
    assert_eq!(whoami(&scene.client, &token).await.code(401), "token_revoked");
    assert_eq!(scene.assert(&scene.token(&f)).await.expect(400)["error"], "invalid_grant");
    assert_eq!(
        f.operator.delete(&format!("/v1/tenants/{}/applications/{}", scene.org, scene.application)).await.status,
        204
    );
    let actions: Vec<_> =
        f.audit(&scene.org).await.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    for action in ["trusted_issuer.created", "trusted_issuer.updated", "trusted_issuer.deleted"] {
        assert!(actions.contains(&action.to_owned()), "{action}");
    }
}

async fn an_application_stands_as_it_does_for_secrets(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let application = format!("/v1/tenants/{}/applications/{}", scene.org, scene.application);
    let token = scene.session(&f).await;
    // The secret is another proof: what becomes of it is nothing to this one.
    let path = format!("{application}/regenerate");
    let regenerated = f.operator.post(&path, &json!({})).await;
    assert!(regenerated.status.is_success(), "{regenerated:?}");
    assert_eq!(verify(&scene.client, "org.audits:READ", &token).await, 204);
    f.operator.patch(&application, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    assert_eq!(verify(&scene.client, "org.audits:READ", &token).await, 401, "asked on use");
    let elsewhere = scene.assert(&scene.token(&f)).await.expect(400);
    let stranger = scene.assert("x.y.z").await.expect(400);
    assert_eq!(elsewhere, stranger, "from a wrong address it is a stranger's");
    assert!(reasons(&f, &scene.org).await.contains(&"address_not_allowed".to_owned()));
    f.operator.patch(&application, &json!({"allowed_networks": null, "enabled": false})).await.expect(200);
    let disabled = scene.assert(&scene.token(&f)).await.expect(400);
    assert!(disabled["error_description"].as_str().unwrap().contains("application_disabled"), "{disabled}");
    assert_eq!(whoami(&scene.client, &token).await.code(401), "application_disabled");
    f.operator.patch(&application, &json!({"enabled": true, "grants": {"org.alerts": ["READ"]}})).await.expect(200);
    assert_eq!(verify(&scene.client, "org.alerts:READ", &token).await, 204, "as it is now");
    f.app.clock().advance(300);
    assert_eq!(whoami(&scene.client, &token).await.code(401), "token_expired");
}

async fn issuers_are_kept_like_other_things(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let list = format!("/v1/tenants/{}/trusted-issuers", scene.org);
    let read = f.operator.get(&scene.path()).await;
    assert_eq!(read.header("etag"), Some("\"1\""));
    let read = read.expect(200);
    assert_eq!(
        (&read, &read["max_token_age_seconds"], &read["single_use"]),
        (&scene.trusted, &json!(3_600), &json!(true))
    );
    assert_eq!(f.operator.get(&list).await.expect(200)["items"], json!([read]));
    let body = |change: Value| {
        let mut body = json!({"name": "B", "issuer": "https://b.example", "bindings": []});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (change, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"issuer": "b.example"}), "/issuer"),
        (json!({"issuer": "http://b.example"}), "/issuer"),
        (json!({"issuer": "https://b.example?x"}), "/issuer"),
        (json!({"issuer": f.operator.base}), "/issuer"),
        (json!({"audience": "a b"}), "/audience"),
        (json!({"jwks_uri": "ftp://b.example"}), "/jwks_uri"),
        (json!({"jwks_uri": "https://10.0.0.1/"}), "/jwks_uri"),
        (json!({"jwks": {"keys": []}}), "/jwks/keys"),
        (json!({"jwks": {"keys": [{"kty": "oct", "k": "AQAB"}]}}), "/jwks/keys/0"),
        (json!({"jwks_uri": "https://b.example", "jwks": {"keys": [scene.key.jwk("a")]}}), "/jwks"),
        (json!({"algorithms": ["HS256"]}), "/algorithms/0"),
        (json!({"algorithms": []}), "/algorithms"),
        (json!({"max_token_age_seconds": 59}), "/max_token_age_seconds"),
        (json!({"bindings": vec![binding(&scene.application, "a"); 51]}), "/bindings"),
        (json!({"bindings": [{"application_id": scene.application, "conditions": []}]}), "/bindings/0/conditions"),
        (json!({"bindings": [binding(&scene.application, "**")]}), "/bindings/0/conditions/0/matches"),
        (json!({"bindings": [binding("01890000-0000-7000-8000-000000000000", "a")]}), "/bindings"),
    ] {
        let refused = f.operator.post(&list, &body(change.clone())).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{change} {refused}");
    }
    for unknown in [json!({"x": 1}), json!({"bindings": [{"x": 1}]})] {
        assert_eq!(f.operator.post(&list, &body(unknown)).await.status, 422);
    }
    let taken = f.operator.post(&list, &body(json!({"issuer": scene.issuer.url}))).await;
    assert_eq!(taken.code(409), "trusted_issuer_taken");
    let keyed = || f.operator.request(Method::POST, &list).header("Idempotency-Key", "k").json(&body(json!({})));
    let (first, second) = (send(keyed()).await.expect(201), send(keyed()).await.expect(201));
    assert_eq!(first, second);
    let path = format!("{list}/{}", first["id"].as_str().unwrap());
    let changed = f.operator.patch(&path, &json!({"jwks_uri": "https://c.example/keys"})).await.expect(200);
    assert_eq!((&changed["jwks_uri"], &changed["version"]), (&json!("https://c.example/keys"), &json!(2)));
    let pinned = json!({"keys": [scene.key.jwk("a")]});
    let changed = f.operator.patch(&path, &json!({ "jwks": pinned })).await.expect(200);
    assert_eq!((&changed["jwks_uri"], &changed["jwks"]), (&Value::Null, &pinned));
    let late = f.operator.request(Method::PATCH, &path).header("If-Match", "\"1\"").json(&json!({"name": "C"}));
    assert_eq!(send(late).await.status, 412);
    for number in 0..18 {
        let more = json!({"name": format!("I{number}"), "issuer": format!("https://i{number}.example")});
        f.operator.post(&list, &body(more)).await.expect(201);
    }
    let more = f.operator.post(&list, &body(json!({"name": "More", "issuer": "https://more.example"}))).await;
    assert_eq!(more.code(409), "trusted_issuer_limit");
    // Of another tenant it is as one that is not there.
    let (other, _) = f.organization("Other").await;
    let (_, stranger) = f.application(&other, "X", json!({"trusted-issuers": ["READ", "UPDATE", "DELETE"]})).await;
    let id = scene.trusted["id"].as_str().unwrap();
    assert_eq!(stranger.get(&scene.path()).await.status, 404);
    assert_eq!(f.operator.get(&format!("/v1/tenants/{other}/trusted-issuers/{id}")).await.status, 404);
    assert_eq!(f.operator.delete(&format!("/v1/tenants/{other}/trusted-issuers/{id}")).await.status, 404);
    let bound = body(json!({"bindings": [binding(&scene.application, "a")]}));
    let elsewhere = f.operator.post(&format!("/v1/tenants/{other}/trusted-issuers"), &bound).await;
    assert_eq!(elsewhere.expect(422)["errors"][0]["pointer"], "/bindings", "an application of another tenant");
}

async fn nobody_binds_what_is_above_them(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let list = format!("/v1/tenants/{}/trusted-issuers", scene.org);
    let grants = json!({"trusted-issuers": ["CREATE", "READ", "UPDATE", "DELETE"]});
    let (own, small) = f.application(&scene.org, "Small", grants).await;
    let body = |application: &str| json!({"name": "B", "issuer": "https://b.example", "bindings": [binding(application, "a")]});
    let above = small.post(&list, &body(&scene.application)).await.expect(403);
    assert_eq!(above["missing_permission"], "org.audits:READ");
    // Whoever could set the keys would be the application.
    assert_eq!(small.patch(&scene.path(), &json!({"jwks": {"keys": [scene.key.jwk("x")]}})).await.status, 403);
    assert_eq!(small.patch(&scene.path(), &json!({"bindings": []})).await.status, 403);
    assert_eq!(small.delete(&scene.path()).await.status, 403);
    let made = small.post(&list, &body(&own)).await.expect(201);
    let path = format!("{list}/{}", made["id"].as_str().unwrap());
    assert_eq!(small.patch(&path, &json!({"bindings": [binding(&scene.application, "a")]})).await.status, 403);
    assert_eq!(small.delete(&path).await.status, 204);
    let outside = present(&scene.client, &scene.token(&f), &[("client_id", &own)]).await;
    assert_eq!(outside.expect(400)["error"], "invalid_grant", "an application that is not bound");
}
