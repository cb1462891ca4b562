//! The switch that forbids secrets that are stored somewhere.

use super::{Scene, binding};
use crate::fixture::{Answer, Fixture, on_both_outgoing, send};
use crate::keys;
use crate::oauth::{exchange, token, verify, whoami};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    secrets_stop_and_bindings_go_on,
    no_secret_is_made,
    findings_say_who_calls_with_one,
    the_operator_stays_in
];

fn policy(tenant: &str) -> String {
    format!("/v1/tenants/{tenant}/credential-policy")
}

async fn secrets_stop_and_bindings_go_on(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let by_secret = token(&scene.client, &[]).await;
    let by_binding = scene.session(&f).await;
    let put =
        async |said: Value| f.operator.put(&policy(&scene.org), &json!({ "static_secrets": said })).await.expect(200);
    let set = put(json!("forbidden")).await;
    assert_eq!(
        (&set["static_secrets"], &set["effective"]["static_secrets"]),
        (&json!("forbidden"), &json!("forbidden"))
    );
    assert_eq!(scene.client.get("/v1/whoami").await.code(401), "static_secrets_forbidden");
    assert_eq!(scene.client.verify("org.audits:READ").await.status, 401);
    assert_eq!(whoami(&scene.client, &by_secret).await.code(401), "static_secrets_forbidden");
    let refused = exchange(&scene.client, &[]).await.expect(401);
    assert!(refused["error_description"].as_str().unwrap().contains("static_secrets_forbidden"), "{refused}");
    let wrong = f.client(&scene.client.client_id, &format!("{}x", scene.client.secret));
    assert_ne!(wrong.get("/v1/whoami").await.code(401), "static_secrets_forbidden", "strangers are not told");
    assert_eq!(verify(&scene.client, "org.audits:READ", &by_binding).await, 204);
    scene.assert(&scene.token(&f)).await.expect(200);
    put(json!("allowed")).await;
    assert_eq!(scene.client.verify("org.audits:READ").await.status, 204, "as before");
    // What stands above forbids beneath, whatever is said there.
    let (partner, _) = f.organization("Other").await;
    f.operator.put(&policy(&partner), &json!({"static_secrets": "forbidden"})).await.expect(200);
    assert_eq!(scene.client.verify("org.audits:READ").await.status, 204, "elsewhere");
    for bad in [json!("no"), json!(true)] {
        assert_eq!(f.operator.put(&policy(&scene.org), &json!({ "static_secrets": bad })).await.status, 422);
    }
}

async fn no_secret_is_made(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    f.operator.put(&policy(&scene.org), &json!({"static_secrets": "forbidden"})).await.expect(200);
    let list = format!("/v1/tenants/{}/applications", scene.org);
    let made = f.operator.post(&list, &json!({"name": "New", "grants": {"org.audits": ["READ"]}})).await.expect(201);
    assert_eq!(made["secret"], Value::Null);
    let id = made["application"]["id"].as_str().unwrap();
    let read = f.operator.get(&format!("{list}/{id}")).await.expect(200);
    assert_eq!(read["secrets"], json!([]));
    for call in ["regenerate", "rotate"] {
        let refused = f.operator.post(&format!("{list}/{}/{call}", scene.application), &json!({})).await;
        assert_eq!(refused.code(409), "static_secrets_forbidden", "{call}");
    }
    let bindings = json!([binding(&scene.application, "repo:acme/app:*"), binding(id, "repo:acme/new:*")]);
    f.operator.patch(&scene.path(), &json!({ "bindings": bindings })).await.expect(200);
    let mut claims = scene.claims(&f);
    claims["sub"] = json!("repo:acme/new:main");
    scene.present(&scene.signed(&claims), &[("client_id", id)]).await.expect(200);
}

async fn findings_say_who_calls_with_one(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let (idle, _) = f.application(&scene.org, "Idle", json!({})).await;
    scene.client.get("/v1/whoami").await.expect(200);
    f.app.flush_usage().await.unwrap();
    let path = format!("/v1/tenants/{}/findings", scene.org);
    let found = f.operator.get(&format!("{path}?kind=static_secret")).await.expect(200);
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let of = |id: &str| items.iter().find(|item| item["application"]["id"] == id).unwrap();
    assert!(of(&scene.application)["detail"].as_str().unwrap().contains("somebody calls"), "{found}");
    assert!(of(&idle)["detail"].as_str().unwrap().contains("nobody has called"), "{found}");
    let remedy = &of(&idle)["remedy"];
    assert_eq!((&remedy["method"], &remedy["body"]["bindings"][0]["application_id"]), (&json!("POST"), &json!(idle)));
    let all = f.operator.get(&path).await.expect(200).to_string();
    assert!(!all.contains("static_secret"), "only where it is asked for");
}

async fn the_operator_stays_in(f: Arc<Fixture>) {
    let scene = Scene::set(&f).await;
    let forbid = json!({"static_secrets": "forbidden", "confirm": true});
    let unconfirmed = f.operator.put(&policy(&f.root), &json!({"static_secrets": "forbidden"})).await.expect(422);
    assert_eq!(unconfirmed["errors"][0]["pointer"], "/confirm");
    assert_eq!(f.operator.put(&policy(&f.root), &forbid).await.code(409), "operator_locked_out");
    let grants = json!({
        "credential-policy": ["READ", "UPDATE"], "trusted-issuers": ["READ", "UPDATE", "DELETE"],
        "applications": ["CREATE", "READ", "UPDATE", "DELETE"], "access-levels": ["CREATE", "READ", "UPDATE"],
    });
    let (weak, _) = f.application(&f.root, "Weak", json!({})).await;
    let (strong, client) = f.application(&f.root, "Strong", grants).await;
    let body = |application: &str| {
        json!({
            "name": application, "issuer": scene.issuer.url, "algorithms": ["EdDSA"],
            "bindings": [binding(application, "repo:acme/app:*")],
        })
    };
    let list = format!("/v1/tenants/{}/trusted-issuers", f.root);
    let made = f.operator.post(&list, &body(&weak)).await.expect(201);
    assert_eq!(
        f.operator.put(&policy(&f.root), &forbid).await.code(409),
        "operator_locked_out",
        "one that could do nothing"
    );
    let path = format!("{list}/{}", made["id"].as_str().unwrap());
    f.operator.patch(&path, &json!({"bindings": [binding(&strong, "repo:acme/app:*")]})).await.expect(200);
    f.operator.put(&policy(&f.root), &forbid).await.expect(200);
    assert_eq!(f.operator.get("/v1/whoami").await.code(401), "static_secrets_forbidden");
    assert_eq!(scene.client.get("/v1/whoami").await.code(401), "static_secrets_forbidden", "and everybody beneath");
    let issued = scene.present(&scene.token(&f), &[("client_id", &strong)]).await.expect(200);
    let session = issued["access_token"].as_str().unwrap();
    let call = async |method: Method, path: &str, body: &Value| {
        send(client.bare(method, path).bearer_auth(session).json(body)).await
    };
    let last = call(Method::DELETE, &path, &json!({})).await;
    assert_eq!(last.code(409), "operator_locked_out");
    assert_eq!(call(Method::PATCH, &path, &json!({"enabled": false})).await.code(409), "operator_locked_out");
    the_last_way_in_stays(&f, &strong, &call).await;
    let back = call(Method::PUT, &policy(&f.root), &json!({"static_secrets": null})).await.expect(200);
    assert_eq!(back["effective"]["static_secrets"], "allowed");
    f.operator.get("/v1/whoami").await.expect(200);
}

/// Nothing narrows the last application of the operator that can take the policy back.
async fn the_last_way_in_stays<F>(f: &Fixture, strong: &str, call: &F)
where
    F: AsyncFn(Method, &str, &Value) -> Answer,
{
    let list = format!("/v1/tenants/{}/applications", f.root);
    let own = format!("{list}/{strong}");
    let refused = async |method: Method, path: &str, body: Value| {
        let answer = call(method, path, &body).await;
        assert_eq!(answer.code(409), "operator_locked_out", "{path} {body}");
    };
    let done = async |method: Method, path: &str, body: Value| -> Value {
        let answer = call(method, path, &body).await;
        assert!(answer.status.is_success(), "{path} {body} {answer:?}");
        answer.json()
    };
    refused(Method::PATCH, &own, json!({"grants": {"applications": ["UPDATE"]}})).await;
    refused(Method::PATCH, &own, json!({"allowed_networks": [], "confirm": true})).await;
    refused(Method::PATCH, &own, json!({"expires_at": "2099-01-01T00:00:00Z"})).await;
    done(Method::PATCH, &own, json!({"description": "The last one"})).await;
    // A second one with a level, and a key of its own.
    let level = json!({"name": "Keepers", "grants": {"credential-policy": ["UPDATE"], "applications": ["DELETE"]}});
    let level = done(Method::POST, &format!("/v1/tenants/{}/access-levels", f.root), level).await;
    let level_id = level["id"].as_str().unwrap();
    let all = json!({"name": "All", "grants": {
        "credential-policy": ["READ", "UPDATE"], "trusted-issuers": ["READ", "UPDATE", "DELETE"],
        "applications": ["CREATE", "READ", "UPDATE", "DELETE"], "access-levels": ["CREATE", "READ", "UPDATE"],
    }});
    let all = done(Method::POST, &format!("/v1/tenants/{}/access-levels", f.root), all).await;
    let all_id = all["id"].as_str().unwrap();
    let made = done(Method::POST, &list, json!({"name": "Second", "access_level_id": level_id})).await;
    let second = format!("{list}/{}", made["application"]["id"].as_str().unwrap());
    refused(Method::PATCH, &own, json!({"expires_at": "2099-01-01T00:00:00Z"})).await;
    done(Method::POST, &format!("{second}/keys"), json!({"name": "k", "jwk": keys::Key::edwards().jwk()})).await;
    done(Method::PATCH, &own, json!({"expires_at": "2099-01-01T00:00:00Z"})).await;
    // Now it is the second that stays: by its own state, its level, and in bulk.
    done(Method::PATCH, &second, json!({"enabled": false})).await;
    done(Method::PATCH, &second, json!({"enabled": true})).await;
    done(Method::PATCH, &own, json!({"expires_at": null})).await;
    done(Method::DELETE, &second, json!({})).await;
    refused(Method::PATCH, &own, json!({"grants": {}})).await;
    done(Method::PATCH, &own, json!({"access_level_id": all_id})).await;
    let level = format!("/v1/tenants/{}/access-levels/{all_id}", f.root);
    refused(Method::PATCH, &level, json!({"grants": {"applications": ["READ"]}})).await;
    done(Method::PATCH, &level, json!({"name": "Renamed"})).await;
}
