//! Login: forms in any spelling, what is answered, and what strangers are told.

use super::{LOGIN, call, form, login, text, try_login, whoami};
use crate::fixture::{Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_login_gives_both_tokens,
    fields_come_in_any_spelling_and_form,
    requests_that_are_none_are_refused,
    strangers_learn_nothing_and_are_told_to_wait,
    owners_are_told_why,
    tokens_live_for_ten_minutes_at_most,
    a_scope_narrows_the_token,
];

async fn a_login_gives_both_tokens(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({"org.audits": ["READ"]})).await;
    let answer = try_login(&client, &[]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.expect(200);
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "client_id", "expires_in", "refresh_token", "token_type"]);
    assert_eq!(
        (&body["token_type"], &body["expires_in"], &body["client_id"]),
        (&json!("access"), &json!(600), &json!(""))
    );
    let token = text(&body, "access_token");
    for scheme in ["access_token", "Access_Token", "Bearer"] {
        let request = client.bare(Method::GET, "/v1/whoami").header("authorization", format!("{scheme} {token}"));
        assert_eq!(send(request).await.expect(200)["application_id"], id.as_str(), "{scheme}");
    }
    let refresh = text(&body, "refresh_token");
    assert!(refresh.starts_with("clv_r_") && refresh.len() == 77, "{refresh}");
    assert_eq!(whoami(&client, &refresh).await, 401, "a refresh token is no token");
    let again = login(&client).await;
    assert!(again["access_token"] != body["access_token"] && again["refresh_token"] != body["refresh_token"]);
    assert_eq!(whoami(&client, &token).await, 200, "each login is its own");
    // Nothing of it is in the audit record, all of it in the access record.
    f.app.flush_accesses().await.unwrap();
    let record = f.operator.get(&format!("/v1/tenants/{org}/access-record")).await.expect(200);
    assert_eq!(record["items"].as_array().unwrap().len(), 2, "{record}");
    assert_eq!(record["items"][0]["door"], "cyrisma_login");
    assert!(f.audit(&org).await.iter().all(|entry| !entry["action"].as_str().unwrap().contains("token")));
    assert_eq!(text(&try_login(&client, &[("ClientId", "portal-7")]).await.expect(200), "client_id"), "portal-7");
}

async fn fields_come_in_any_spelling_and_form(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let (id, secret) = (client.client_id.as_str(), client.secret.as_str());
    for names in [
        ["grant_type", "username", "password"],
        ["GrantType", "Username", "Password"],
        ["granttype", "USERNAME", "pass_word"],
    ] {
        let fields = [(names[0], "password"), (names[1], id), (names[2], secret)];
        for path in [LOGIN, LOGIN.trim_end_matches('/')] {
            assert_eq!(form(&client, path, &fields).await.status, 200, "{names:?} {path}");
        }
    }
    let body = json!({"GrantType": "password", "Username": id, "Password": secret, "Scope": null, "ClientId": null});
    assert_eq!(send(client.bare(Method::POST, LOGIN).json(&body)).await.status, 200);
    let part = |name: &str, value: &str| {
        format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = part("grant_type", "password") + &part("username", id) + &part("password", secret) + "--b0undary--\r\n";
    let request = client.bare(Method::POST, LOGIN).header("content-type", "multipart/form-data; boundary=b0undary");
    assert_eq!(send(request.body(body)).await.status, 200);
}

async fn requests_that_are_none_are_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let (id, secret) = (client.client_id.as_str(), client.secret.as_str());
    let own = || vec![("grant_type", "password"), ("username", id), ("password", secret)];
    let with = |more: (&'static str, &'static str)| own().into_iter().chain([more]).collect::<Vec<_>>();
    for (fields, expected) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "invalid_request"),
        (vec![("grant_type", "password"), ("username", id)], "invalid_request"),
        (vec![("grant_type", "password"), ("username", id), ("password", "")], "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("username", id), ("password", secret)], "unsupported_grant_type"),
        (with(("GrantType", "password")), "invalid_request"),
        (with(("SecondsUntilExpire", "0")), "invalid_request"),
        (with(("SecondsUntilExpire", "soon")), "invalid_request"),
        (with(("Scope", "everything")), "invalid_scope"),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
    ] {
        let refused = form(&client, LOGIN, &fields).await;
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        let body = refused.expect(400);
        assert_eq!(body["error"], expected, "{fields:?}");
        assert!(!text(&body, "error_description").is_empty());
    }
    // A credential is taken from the body and from nowhere else.
    let query = format!("{LOGIN}?grant_type=password&username={id}&password={secret}");
    assert_eq!(form(&client, &query, &[]).await.expect(400)["error"], "invalid_request");
    let basic = client.bare(Method::POST, LOGIN).basic_auth(id, Some(secret));
    assert_eq!(send(basic).await.expect(400)["error"], "invalid_request");
    assert_eq!(send(client.bare(Method::GET, LOGIN)).await.status, 405);
    assert_eq!(send(client.bare(Method::GET, "/app/partner/nothing")).await.expect(404)["error"], "not_found");
    let long = "x".repeat(70_000);
    assert_eq!(form(&client, LOGIN, &[("x", &long)]).await.expect(400)["error"], "invalid_request");
}

async fn strangers_learn_nothing_and_are_told_to_wait(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let elsewhere = || json!({"allowed_networks": ["203.0.113.0/24"]});
    let anywhere = || json!({"allowed_networks": null});
    let wrong = f.client(&client.client_id, &format!("{}x", client.secret));
    let unknown = f.client("01890000-0000-7000-8000-000000000000", &client.secret);
    f.operator.patch(&path, &elsewhere()).await.expect(200);
    let mut answers = Vec::new();
    for stranger in [&wrong, &unknown, &client] {
        let refused = try_login(stranger, &[]).await;
        let mut names: Vec<_> = refused.headers.keys().map(ToString::to_string).collect();
        names.sort();
        answers.push((names, refused.expect(400)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].1["error"], "invalid_grant");
    let reasons: Vec<Value> = f.audit(&org).await.iter().map(|entry| entry["details"]["reason"].clone()).collect();
    assert!(reasons.contains(&json!("secret_wrong")) && reasons.contains(&json!("address_not_allowed")), "{reasons:?}");
    f.operator.patch(&path, &anywhere()).await.expect(200);
    // B11: whoever goes on guessing has to wait, and the one who knows the secret has not.
    let mut limited = 0;
    for _ in 0..60 {
        let refused = try_login(&wrong, &[]).await;
        if refused.status == 429 {
            assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
            assert_eq!(refused.json()["error"], "rate_limited");
            limited += 1;
        }
    }
    assert!((30..60).contains(&limited), "{limited}");
    assert_eq!(try_login(&unknown, &[]).await.status, 429, "whether there is such a name or not");
    login(&client).await;
    f.app.clock().advance(61);
    assert_eq!(try_login(&wrong, &[]).await.status, 400);
}

async fn owners_are_told_why(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({})).await;
    let token = text(&login(&client).await, "access_token");
    let path = format!("/v1/tenants/{org}/applications/{id}");
    f.operator.patch(&path, &json!({"enabled": false})).await.expect(200);
    let refused = try_login(&client, &[]).await.expect(400);
    assert_eq!(refused["error"], "invalid_grant");
    assert!(text(&refused, "error_description").contains("application_disabled"), "{refused}");
    let refused = call(&client, Method::POST, "/app/partner/instances/login", &token, None).await;
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"), "{refused:?}");
    assert_eq!(refused.expect(401)["error"], "invalid_token");
}

async fn tokens_live_for_ten_minutes_at_most(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let settings = format!("/v1/tenants/{org}/token-settings");
    let put = async |seconds: i64| {
        let request = f.operator.request(Method::PUT, &settings).json(&json!({"lifetime_seconds": seconds}));
        send(request).await.expect(200);
    };
    put(3_600).await;
    let token = text(&login(&client).await, "access_token");
    for (asked, expected) in [("60", 60), ("600", 600), ("86400", 600)] {
        let body = try_login(&client, &[("SecondsUntilExpire", asked)]).await.expect(200);
        assert_eq!(body["expires_in"], expected, "{asked}");
    }
    f.app.clock().advance(599);
    assert_eq!(whoami(&client, &token).await, 200);
    f.app.clock().advance(1);
    assert_eq!(whoami(&client, &token).await, 401);
    put(120).await;
    assert_eq!(login(&client).await["expires_in"], 120, "as the tenant has it");
}

async fn a_scope_narrows_the_token(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({"org.audits": ["READ"], "applications": ["READ"]})).await;
    let signed_in = try_login(&client, &[("Scope", "org.audits:READ")]).await.expect(200);
    let refreshed = super::refresh(&client, &text(&signed_in, "refresh_token")).await.expect(200);
    for body in [signed_in, refreshed] {
        let token = text(&body, "access_token");
        let status = |right: &str| {
            let path = format!("/v1/verify?permission={right}&tenant=any");
            let (client, token) = (client.clone(), token.clone());
            async move { call(&client, Method::GET, &path, &token, None).await.status.as_u16() }
        };
        assert_eq!((status("org.audits:READ").await, status("applications:READ").await), (204, 403));
    }
}
