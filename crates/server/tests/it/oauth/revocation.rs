//! D1, D2, D4, D7, D8, E12, E13: what was revoked, narrowed or suspended is refused in every request that begins afterwards.

use super::{form, token, verify, whoami, with_token};
use crate::fixture::{Client, Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

on_both![
    d1_no_call_passes_that_begins_after_the_revocation,
    d2_whatever_ends_a_right_ends_it_for_tokens,
    d4_the_latest_cut_off_wins_everywhere,
    d7_a_token_is_revoked_by_its_own,
    d8_introspection_tells_each_tenant_of_its_own,
    e12_e13_networks_hold_for_each_use,
    a_token_waits_for_no_rule_of_yesterday,
];

/// The rounds of D1.
fn rounds() -> usize {
    if std::env::var_os("CLAVIGER_TEST_LONG").is_some() { 2_000 } else { 100 }
}

async fn start(f: &Fixture) -> (String, String, Client) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    (org.clone(), format!("/v1/tenants/{org}/applications/{id}"), client)
}

async fn allowed(client: &Client, text: &str) -> bool {
    verify(client, "org.audits:READ", text).await == 204
}

async fn d1_no_call_passes_that_begins_after_the_revocation(f: Arc<Fixture>) {
    let (_, _, client) = start(&f).await;
    for round in 0..rounds() {
        let text = token(&client, &[]).await;
        let (revoked, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let (client, text) = (client.clone(), text.clone());
                let (revoked, calls) = (Arc::clone(&revoked), Arc::clone(&calls));
                tokio::spawn(async move {
                    loop {
                        let late = revoked.load(Ordering::SeqCst);
                        let passed = allowed(&client, &text).await;
                        calls.fetch_add(1, Ordering::SeqCst);
                        assert!(!(late && passed), "a call that began after the revocation passed");
                        if late {
                            return;
                        }
                    }
                })
            })
            .collect();
        while calls.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        let answer = form(&client, "/oauth2/revoke", &[("token", &text)]).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"), "round {round}");
        revoked.store(true, Ordering::SeqCst);
        assert!(!allowed(&client, &text).await, "round {round}");
        for caller in callers {
            caller.await.unwrap();
        }
    }
}

async fn d2_whatever_ends_a_right_ends_it_for_tokens(f: Arc<Fixture>) {
    let (org, path, client) = start(&f).await;
    let tenant = format!("/v1/tenants/{org}");
    for (what, off, on) in [
        ("disabled", json!({"enabled": false}), json!({"enabled": true})),
        ("networks", json!({"allowed_networks": []}), json!({"allowed_networks": null})),
        ("grants", json!({"grants": {}}), json!({"grants": {"org.audits": ["READ"]}})),
    ] {
        let text = token(&client, &[]).await;
        assert!(allowed(&client, &text).await, "{what}");
        f.operator.patch(&path, &off).await.expect(200);
        assert!(!allowed(&client, &text).await, "{what}");
        f.operator.patch(&path, &on).await.expect(200);
        assert!(allowed(&client, &text).await, "{what}: and back");
    }
    let text = token(&client, &[]).await;
    f.operator.patch(&tenant, &json!({"status": "suspended"})).await.expect(200);
    assert_eq!(whoami(&client, &text).await.code(401), "tenant_suspended");
    f.operator.patch(&tenant, &json!({"status": "active"})).await.expect(200);
    assert!(allowed(&client, &text).await);
    // A12: with its application it expires.
    let end = f.app.clock().now().plus_seconds(60).to_string();
    f.operator.patch(&path, &json!({"expires_at": end})).await.expect(200);
    f.app.clock().advance(59);
    assert!(allowed(&client, &text).await);
    f.app.clock().advance(1);
    assert_eq!(whoami(&client, &text).await.code(401), "credential_expired");
    f.operator.patch(&path, &json!({"expires_at": null})).await.expect(200);
    // A7: with the secret it was got with it ends.
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({"overlap_seconds": 60})).await.expect(200);
    let renewed = f.client(&client.client_id, rotated["secret"]["text"].as_str().unwrap());
    let new = token(&renewed, &[]).await;
    f.app.clock().advance(59);
    assert!(allowed(&client, &text).await && allowed(&client, &new).await);
    f.app.clock().advance(1);
    assert!(!allowed(&client, &text).await && allowed(&client, &new).await);
    f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(whoami(&client, &new).await.code(401), "token_revoked");
}

async fn d4_the_latest_cut_off_wins_everywhere(f: Arc<Fixture>) {
    let (partner, _) = {
        let body = json!({"name": "Partner", "kind": "partner", "parent_id": f.root});
        let made = f.operator.post("/v1/tenants", &body).await.expect(201);
        (made["id"].as_str().unwrap().to_owned(), ())
    };
    let body = json!({"name": "Acme", "kind": "organization", "parent_id": partner});
    let org = f.operator.post("/v1/tenants", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let (_, sibling) = f.application(&org, "Other", json!({"org.audits": ["READ"]})).await;
    let paths = [
        format!("/v1/tenants/{}/invalidate-tokens", f.root),
        format!("/v1/tenants/{partner}/invalidate-tokens"),
        format!("/v1/tenants/{org}/invalidate-tokens"),
        format!("/v1/tenants/{org}/applications/{id}/invalidate-tokens"),
    ];
    for path in &paths {
        f.app.clock().advance(10);
        let text = token(&client, &[]).await;
        let other = token(&sibling, &[]).await;
        assert!(allowed(&client, &text).await && allowed(&sibling, &other).await);
        let cut = f.operator.post(path, &json!({})).await.expect(200);
        assert_eq!(cut["before"], f.app.clock().now().to_string());
        assert_eq!(whoami(&client, &text).await.code(401), "token_revoked", "{path}");
        assert_eq!(allowed(&sibling, &other).await, path.contains("/applications/"), "{path}");
        // The secret gets another one, in the same moment.
        let new = token(&client, &[]).await;
        assert!(allowed(&client, &new).await, "{path}");
        // An earlier time changes nothing.
        let earlier = f.app.clock().now().plus_seconds(-5).to_string();
        let again = f.operator.post(path, &json!({"before": earlier})).await.expect(200);
        assert_eq!(again["before"], cut["before"]);
    }
    // All four at once with different times: the latest holds, wherever it was said.
    f.app.clock().advance(100);
    let text = token(&client, &[]).await;
    let base = f.app.clock().now();
    f.app.clock().advance(50);
    let times = [-30, -20, 10, -40];
    let cuts = paths.iter().zip(times).map(|(path, seconds)| {
        let (f, body) = (Arc::clone(&f), json!({"before": base.plus_seconds(seconds).to_string()}));
        async move { f.operator.post(path, &body).await.expect(200) }
    });
    futures_util::future::join_all(cuts).await;
    assert!(!allowed(&client, &text).await);
    assert!(allowed(&client, &token(&client, &[]).await).await);
    let ahead = f.app.clock().now().plus_seconds(1).to_string();
    assert_eq!(f.operator.post(&paths[0], &json!({"before": ahead})).await.status, 422);
}

async fn d7_a_token_is_revoked_by_its_own(f: Arc<Fixture>) {
    let (org, _, client) = start(&f).await;
    let (foreign, _) = f.organization("Foreign").await;
    let (_, stranger) = f.application(&foreign, "Stranger", json!({"sessions": ["DELETE"]})).await;
    let (_, colleague) = f.application(&org, "Colleague", json!({})).await;
    let (_, admin) = f.application(&org, "Admin", json!({"sessions": ["DELETE"]})).await;
    let text = token(&client, &[]).await;
    let revoke = async |by: &Client, text: &str| form(by, "/oauth2/revoke", &[("token", text)]).await;
    assert_eq!(revoke(&stranger, &text).await.expect(200), json!({}), "as if there were no such token");
    assert!(allowed(&client, &text).await, "and its owner goes on");
    assert_eq!(revoke(&colleague, &text).await.expect(403)["error"], "unauthorized_client");
    assert!(allowed(&client, &text).await);
    revoke(&admin, &text).await.expect(200);
    assert_eq!(whoami(&client, &text).await.code(401), "token_revoked");
    for nothing in [text.as_str(), "a.b.c", "x", &client.secret] {
        assert_eq!(revoke(&client, nothing).await.status, 200, "{nothing}");
    }
    assert_eq!(form(&client, "/oauth2/revoke", &[]).await.expect(400)["error"], "invalid_request");
    // By the token itself.
    let own = token(&client, &[]).await;
    let request = client.bare(Method::POST, "/oauth2/revoke").bearer_auth(&own);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(format!("token={own}"));
    send(request).await.expect(200);
    assert!(!allowed(&client, &own).await);
    let entries = f.audit(&org).await;
    let told: Vec<_> = entries.iter().filter(|entry| entry["action"] == "token.revoked").collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(entries.iter().all(|entry| !entry.to_string().contains(&own) && !entry.to_string().contains(&text)));
}

async fn d8_introspection_tells_each_tenant_of_its_own(f: Arc<Fixture>) {
    let (org, path, client) = start(&f).await;
    let (foreign, _) = f.organization("Foreign").await;
    let (_, stranger) = f.application(&foreign, "Stranger", json!({})).await;
    let (_, colleague) = f.application(&org, "Colleague", json!({})).await;
    let text = token(&client, &[("scope", "org.audits:READ"), ("expires_in", "300")]).await;
    let inspect = async |by: &Client| form(by, "/oauth2/introspect", &[("token", &text)]).await;
    let bare =
        client.bare(Method::POST, "/oauth2/introspect").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(bare.body(format!("token={text}"))).await.expect(401)["error"], "invalid_client");
    let inactive = json!({"active": false});
    assert_eq!(inspect(&stranger).await.expect(200), inactive);
    for by in [&client, &colleague, &f.operator] {
        let answer = inspect(by).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let found = answer.expect(200);
        assert_eq!((&found["active"], &found["scope"]), (&json!(true), &json!("org.audits:READ")));
        assert_eq!((&found["client_id"], &found["tid"]), (&json!(client.client_id), &json!(org)));
        assert_eq!(found["exp"].as_i64().unwrap() - found["iat"].as_i64().unwrap(), 300);
    }
    let by_token = client.bare(Method::POST, "/oauth2/introspect").bearer_auth(&text);
    let by_token = by_token.header("content-type", "application/x-www-form-urlencoded").body(format!("token={text}"));
    assert_eq!(send(by_token).await.expect(200)["active"], true);
    f.operator.patch(&path, &json!({"grants": {}})).await.expect(200);
    assert_eq!(inspect(&colleague).await.expect(200)["scope"], "", "what it allows now");
    f.operator.patch(&path, &json!({"enabled": false})).await.expect(200);
    assert_eq!(inspect(&colleague).await.expect(200), inactive);
    f.operator.patch(&path, &json!({"enabled": true})).await.expect(200);
    form(&client, "/oauth2/revoke", &[("token", &text)]).await.expect(200);
    assert_eq!(inspect(&colleague).await.expect(200), inactive);
    f.app.clock().advance(300);
    assert_eq!(inspect(&colleague).await.expect(200), inactive);
}

async fn e12_e13_networks_hold_for_each_use(f: Arc<Fixture>) {
    let (org, path, client) = start(&f).await;
    let text = token(&client, &[]).await;
    // One client, one connection, kept alive.
    assert!(allowed(&client, &text).await);
    f.operator.patch(&path, &json!({"allowed_networks": ["203.0.113.0/24"]})).await.expect(200);
    let refused = whoami(&client, &text).await.expect(401);
    let never = whoami(&client, "a.b.c").await.expect(401);
    let strip = |mut body: Value| {
        body["request_id"] = Value::Null;
        body
    };
    assert_eq!(strip(refused), strip(never), "a right token from a wrong address is a stranger's");
    let entries = f.audit(&org).await;
    assert!(entries.iter().any(|entry| entry["details"]["reason"] == "address_not_allowed"), "{entries:?}");
    f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(whoami(&client, &text).await.code(401), "unauthenticated", "also when it has ended");
}

async fn a_token_waits_for_no_rule_of_yesterday(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Admin", json!({"applications": ["CREATE", "READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications");
    let (mut made, mut refused) = (0, 0);
    for round in 0..10 {
        f.app.clock().advance(1);
        let text = token(&client, &[]).await;
        let body = |number: usize| json!({"name": format!("A {round} {number}"), "grants": {}});
        let bodies: Vec<_> = (0..3).map(body).collect();
        let creating = bodies.iter().map(|body| with_token(&client, Method::POST, &path, &text, Some(body)));
        let parameters = [("token", text.as_str())];
        let revoking = form(&client, "/oauth2/revoke", &parameters);
        let (answers, revoked) = tokio::join!(futures_util::future::join_all(creating), revoking);
        revoked.expect(200);
        for answer in answers {
            match answer.status.as_u16() {
                201 => made += 1,
                // The tenant has as many as it may.
                401 | 409 => refused += 1,
                other => panic!("{other}: {}", answer.text),
            }
        }
        let before = f.operator.get(&format!("{path}?limit=1000")).await.expect(200);
        let late = json!({"name": format!("Late {round}"), "grants": {}});
        assert_eq!(with_token(&client, Method::POST, &path, &text, Some(&late)).await.status, 401);
        assert_eq!(f.operator.get(&format!("{path}?limit=1000")).await.expect(200), before);
    }
    assert_eq!(made + refused, 30);
}
