//! Refresh: tokens follow each other, each refresh token is used once, and who uses one twice ends the sign-in.

use super::{LOGIN, call, form, login, refresh, text, whoami};
use crate::fixture::{Fixture, on_both};
use crate::oauth;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![
    a_refresh_gives_the_next_tokens,
    a_refresh_token_that_is_used_twice_ends_everything,
    of_many_at_once_one_wins,
    whatever_ends_the_credential_ends_refreshing,
    a_revoked_token_takes_its_refresh_token_along,
    garbage_is_refused,
];

async fn a_refresh_gives_the_next_tokens(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let first = login(&client).await;
    f.app.clock().advance(590);
    let second = refresh(&client, &text(&first, "refresh_token")).await.expect(200);
    assert_eq!((&second["token_type"], &second["expires_in"]), (&json!("access"), &json!(600)));
    let (old, new) = (text(&first, "access_token"), text(&second, "access_token"));
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!((whoami(&client, &old).await, whoami(&client, &new).await), (200, 200), "calls may be under way");
    f.app.clock().advance(591);
    assert_eq!((whoami(&client, &old).await, whoami(&client, &new).await), (401, 200));
    f.app.clock().advance(9);
    assert_eq!(whoami(&client, &new).await, 401);
    // What is replaced early ends after 30 seconds.
    let third = refresh(&client, &text(&second, "refresh_token")).await.expect(200);
    let fourth = refresh(&client, &text(&third, "refresh_token")).await.expect(200);
    let (old, new) = (text(&third, "access_token"), text(&fourth, "access_token"));
    f.app.clock().advance(29);
    assert_eq!((whoami(&client, &old).await, whoami(&client, &new).await), (200, 200));
    f.app.clock().advance(1);
    assert_eq!((whoami(&client, &old).await, whoami(&client, &new).await), (401, 200));
    // After a day without a refresh it is over; the secret goes on working.
    f.app.clock().advance(86_400);
    assert_eq!(refresh(&client, &text(&fourth, "refresh_token")).await.expect(400)["error"], "invalid_grant");
    login(&client).await;
    f.app.flush_accesses().await.unwrap();
    let record = f.operator.get(&format!("/v1/tenants/{org}/access-record")).await.expect(200);
    let doors: Vec<_> = record["items"].as_array().unwrap().iter().map(|item| text(item, "door")).collect();
    assert_eq!(doors.iter().filter(|door| *door == "cyrisma_refresh").count(), 3, "{doors:?}");
}

async fn a_refresh_token_that_is_used_twice_ends_everything(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({})).await;
    let (first, other) = (login(&client).await, login(&client).await);
    let second = refresh(&client, &text(&first, "refresh_token")).await.expect(200);
    let refused = refresh(&client, &text(&first, "refresh_token")).await.expect(400);
    assert_eq!(refused["error"], "invalid_grant");
    for body in [&first, &second] {
        assert_eq!(whoami(&client, &text(body, "access_token")).await, 401);
        assert_eq!(refresh(&client, &text(body, "refresh_token")).await.status, 400);
    }
    assert_eq!(whoami(&client, &text(&other, "access_token")).await, 200, "another sign-in goes on");
    refresh(&client, &text(&other, "refresh_token")).await.expect(200);
    let audit = f.audit(&org).await;
    let alarms: Vec<_> = audit.iter().filter(|entry| entry["action"] == "token.refresh_reused").collect();
    assert_eq!(alarms.len(), 1, "once, whoever goes on trying");
    assert_eq!((&alarms[0]["details"]["alarm"], &alarms[0]["target"]["id"]), (&json!(true), &json!(id)));
}

async fn of_many_at_once_one_wins(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let first = login(&client).await;
    let token = text(&first, "refresh_token");
    let tries = (0..8).map(|_| {
        let (client, token) = (client.clone(), token.clone());
        tokio::spawn(async move { refresh(&client, &token).await })
    });
    let mut won = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        let answer = one.await.unwrap();
        if answer.status == 200 {
            won.push(answer.json());
        }
    }
    assert_eq!(won.len(), 1, "first wins");
    for body in [&first, &won[0]] {
        assert_eq!(whoami(&client, &text(body, "access_token")).await, 401, "and the others have ended it");
    }
    assert_eq!(refresh(&client, &text(&won[0], "refresh_token")).await.status, 400);
}

async fn whatever_ends_the_credential_ends_refreshing(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "Portal", json!({})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let signed_in = login(&client).await;
    let token = text(&signed_in, "refresh_token");
    let refused = async || refresh(&client, &token).await.expect(400);
    for (bad, good) in [
        (json!({"enabled": false}), json!({"enabled": true})),
        (json!({"allowed_networks": ["203.0.113.0/24"]}), json!({"allowed_networks": null})),
    ] {
        f.operator.patch(&path, &bad).await.expect(200);
        assert_eq!(refused().await["error"], "invalid_grant", "{bad}");
        f.operator.patch(&path, &good).await.expect(200);
    }
    let suspended = format!("/v1/tenants/{org}");
    f.operator.patch(&suspended, &json!({"status": "suspended"})).await.expect(200);
    refused().await;
    f.operator.patch(&suspended, &json!({"status": "active"})).await.expect(200);
    let token = text(&refresh(&client, &token).await.expect(200), "refresh_token");
    // Cut-offs end what was made before them, whoever they are about.
    for path in [format!("{path}/invalidate-tokens"), format!("/v1/tenants/{org}/invalidate-tokens")] {
        f.app.clock().advance(1);
        let before = login(&client).await;
        f.app.clock().advance(1);
        f.operator.post(&path, &json!({})).await.expect(200);
        assert_eq!(refresh(&client, &text(&before, "refresh_token")).await.status, 400, "{path}");
        let after = login(&client).await;
        refresh(&client, &text(&after, "refresh_token")).await.expect(200);
    }
    assert_eq!(refresh(&client, &token).await.status, 400);
    let last = login(&client).await;
    f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(refresh(&client, &text(&last, "refresh_token")).await.status, 400);
}

async fn a_revoked_token_takes_its_refresh_token_along(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let first = login(&client).await;
    let second = refresh(&client, &text(&first, "refresh_token")).await.expect(200);
    let token = text(&first, "access_token");
    assert_eq!(oauth::form(&client, "/oauth2/revoke", &[("token", &token)]).await.status, 200);
    for body in [&first, &second] {
        assert_eq!(whoami(&client, &text(body, "access_token")).await, 401);
    }
    assert_eq!(refresh(&client, &text(&second, "refresh_token")).await.status, 400);
    let found = oauth::form(&client, "/oauth2/introspect", &[("token", &text(&second, "access_token"))]).await;
    assert_eq!(found.expect(200), json!({"active": false}));
}

async fn garbage_is_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Portal", json!({})).await;
    let signed_in = login(&client).await;
    let token = text(&signed_in, "refresh_token");
    let access = text(&signed_in, "access_token");
    let flipped = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    for bad in [&flipped, &token[..token.len() - 1], &format!("{token} "), "clv_r_", &access, &client.secret] {
        let refused = refresh(&client, bad).await;
        assert!(matches!(refused.status.as_u16(), 400), "{bad}");
        assert_eq!(refused.json()["error"], "invalid_grant");
    }
    let scoped = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "org.audits:READ")];
    assert_eq!(form(&client, LOGIN, &scoped).await.expect(400)["error"], "invalid_request");
    assert_eq!(call(&client, Method::GET, "/v1/whoami", &token, None).await.status, 401);
    refresh(&client, &token).await.expect(200);
}
