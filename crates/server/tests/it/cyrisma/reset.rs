//! Reset: a temporary secret that can only be changed, and what a change ends.

use super::{REGEN, call, form, login, text, try_login, whoami};
use crate::fixture::{Client, Fixture, on_both, send};
use crate::oauth;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_reset_gives_another_secret_once,
    a_temporary_secret_does_nothing_but_be_changed,
    temporary_secrets_end,
    whoever_issues_one_needs_the_right,
    refusals_have_both_shapes,
];

async fn regenerate(client: &Client) -> crate::fixture::Answer {
    form(client, REGEN, &[("username", &client.client_id), ("password", &client.secret)]).await
}

async fn temporary(f: &Fixture, path: &str, client: &Client, body: Value) -> Client {
    let made = f.operator.post(&format!("{path}/temporary-secret"), &body).await.expect(200);
    assert_eq!(made["secret"]["temporary"], true);
    f.client(&client.client_id, &text(&made["secret"], "text"))
}

async fn a_reset_gives_another_secret_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({"org.audits": ["READ"]})).await;
    let by_login = text(&login(&client).await, "access_token");
    let by_oauth = oauth::token(&client, &[]).await;
    let answer = regenerate(&client).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let shown = answer.text.clone();
    let body = answer.expect(200);
    assert_eq!((&body["success"], &body["message"]), (&json!("1"), &json!("")));
    assert!(shown.starts_with(r#"{"success":"1","message":"","newPass":"clv_a_"#), "{shown}");
    let new = f.client(&client.client_id, &text(&body, "newPass"));
    for token in [&by_login, &by_oauth] {
        assert_eq!(whoami(&new, token).await, 401, "every session has ended");
    }
    assert_eq!(try_login(&client, &[]).await.expect(400)["error"], "invalid_grant");
    assert_eq!(regenerate(&client).await.expect(400)["error"], "invalid_grant");
    assert_eq!(whoami(&new, &text(&login(&new).await, "access_token")).await, 200);
    assert_eq!(whoami(&new, &oauth::token(&new, &[]).await).await, 200);
    let listed = f.operator.get(&format!("/v1/tenants/{org}/applications/{id}/secrets")).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(&new.secret));
    let audit = f.audit(&org).await;
    let changes: Vec<_> = audit.iter().filter(|entry| entry["action"] == "secret.changed").collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&changes[0]["actor"]["id"], &changes[0]["details"]["was_temporary"]),
        (&json!(client.client_id), &json!(false))
    );
    assert!(!audit.iter().any(|entry| entry.to_string().contains(&new.secret)));
}

async fn a_temporary_secret_does_nothing_but_be_changed(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({"org.audits": ["READ"], "applications": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let token = oauth::token(&client, &[]).await;
    let temporary = temporary(&f, &path, &client, json!({})).await;
    assert_eq!(client.get("/v1/whoami").await.status, 401, "the secret before is dead");
    assert_eq!(whoami(&client, &token).await, 401);
    // Every other door is closed, and says why: it is the right secret.
    assert_eq!(temporary.get("/v1/whoami").await.code(401), "secret_temporary");
    assert_eq!(temporary.verify("org.audits:READ").await.status, 401);
    assert_eq!(temporary.get(&format!("/audit_log/v1/orgs/{key}/logs/_queue")).await.status, 401);
    assert_eq!(oauth::exchange(&temporary, &[]).await.expect(401)["error"], "invalid_client");
    assert_eq!(try_login(&temporary, &[]).await.expect(400)["error"], "password_reset_required");
    let csp = [("api_token", format!("{}/{}", temporary.secret, temporary.client_id))];
    let csp: Vec<_> = csp.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(form(&temporary, "/csp/gateway/am/api/auth/api-tokens/authorize", &csp).await.status, 401);
    let listed = f.operator.get(&format!("{path}/secrets")).await.expect(200);
    let secret = &listed["items"][0];
    assert_eq!((&secret["temporary"], listed["items"].as_array().unwrap().len()), (&json!(true), 1));
    let one = format!("{path}/secrets/{}", text(secret, "id"));
    assert_eq!(f.operator.patch(&one, &json!({"expires_at": null})).await.code(409), "secret_is_temporary");
    let question = json!({"application_id": id, "permission": "org.audits:READ"});
    let imagined = f.operator.post(&format!("/v1/tenants/{org}/simulate"), &question).await.expect(200);
    assert!(imagined.to_string().contains("no_live_secret"), "{imagined}");
    let new = regenerate(&temporary).await.expect(200);
    let new = f.client(&client.client_id, &text(&new, "newPass"));
    assert_eq!(new.get("/v1/whoami").await.status, 200);
    assert_eq!(regenerate(&temporary).await.status, 400);
    let listed = f.operator.get(&format!("{path}/secrets")).await.expect(200);
    assert_eq!((&listed["items"][0]["temporary"], &listed["items"][0]["expires_at"]), (&json!(false), &Value::Null));
    let audit = f.audit(&org).await;
    assert!(audit.iter().any(|entry| entry["details"]["was_temporary"] == true));
    assert!(audit.iter().any(|entry| entry["action"] == "secret.temporary_issued"));
}

async fn temporary_secrets_end(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let issue = format!("{path}/temporary-secret");
    for bad in ["2026-01-01T00:00:00Z", "2027-02-15T00:00:00Z", "2030-01-01T00:00:00Z"] {
        let refused = f.operator.post(&issue, &json!({"expires_at": bad})).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/expires_at", "{bad}");
    }
    assert_eq!(client.get("/v1/whoami").await.status, 200, "nothing has changed");
    let short = temporary(&f, &path, &client, json!({"expires_at": "2027-01-15T09:00:00Z"})).await;
    f.app.clock().advance(3_600);
    assert!(text(&regenerate(&short).await.expect(400), "error_description").contains("credential_expired"));
    let usual = temporary(&f, &path, &client, json!({})).await;
    f.app.clock().advance(7 * 86_400 - 1);
    let usual_still = regenerate(&usual).await.expect(200);
    assert_eq!(usual_still["success"], "1");
    // Under one key there is one.
    let once = |body: Value| f.operator.request(Method::POST, &issue).header("Idempotency-Key", "k1").json(&body);
    let first = send(once(json!({}))).await.expect(200);
    let again = send(once(json!({}))).await.expect(200);
    assert!(first["secret"]["text"].is_string() && again["secret"]["text"].is_null());
    assert_eq!(first["secret"]["id"], again["secret"]["id"]);
}

async fn whoever_issues_one_needs_the_right(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({"org.audits": ["READ"]})).await;
    let (other, _) = f.organization("Other").await;
    let all = json!({"applications": ["READ", "UPDATE"], "org.audits": ["READ"]});
    let (_, foreign) = f.application(&other, "Foreign", all).await;
    let (_, weak) = f.application(&org, "Weak", json!({"applications": ["UPDATE"]})).await;
    let (_, blind) = f.application(&org, "Blind", json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}/temporary-secret");
    assert_eq!(foreign.post(&path, &json!({})).await.status, 404);
    assert_eq!(weak.post(&path, &json!({})).await.code(403), "permission_missing");
    assert_eq!(blind.post(&path, &json!({})).await.code(403), "permission_missing");
    assert_eq!(f.operator.post(&path, &json!({"days": 3})).await.status, 422);
    assert_eq!(client.get("/v1/whoami").await.status, 200);
}

async fn refusals_have_both_shapes(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let wrong = f.client(&client.client_id, &format!("{}x", client.secret));
    let unknown = f.client("01890000-0000-7000-8000-000000000000", &client.secret);
    let bodies = [regenerate(&wrong).await.expect(400), regenerate(&unknown).await.expect(400)];
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!((&bodies[0]["success"], &bodies[0]["newPass"]), (&json!("0"), &json!("")));
    assert_eq!(bodies[0]["message"], bodies[0]["error_description"]);
    assert_eq!(bodies[0]["error"], "invalid_grant");
    let missing = form(&client, &format!("{REGEN}/"), &[("UserName", &client.client_id)]).await.expect(400);
    assert_eq!((&missing["error"], &missing["success"]), (&json!("invalid_request"), &json!("0")));
    // Not by a token, wherever it stands.
    let token = text(&login(&client).await, "access_token");
    assert_eq!(call(&client, Method::POST, REGEN, &token, None).await.expect(400)["error"], "invalid_request");
}
