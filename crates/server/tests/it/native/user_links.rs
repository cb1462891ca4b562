//! Links by mail: invitations, new passwords, another address.

use crate::fixture::{Answer, Fixture, on_both, run, send};
use crate::mails::{Mail, mails, mails_to, newest};
use crate::people::{Person, person, user};
use claviger_store::Engine;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(
    invitations_set_the_first_password,
    an_invitation_can_be_sent_again_and_taken_back,
    f6_invitations_of_others_are_missing,
    j1_links_begin_with_the_configured_url,
    j2_one_mail_goes_to_the_stored_address,
    j3_an_unknown_address_is_answered_alike,
    j4_a_link_is_used_once,
    j4_a_link_dies_with_what_it_was_for,
    j5_the_page_of_a_link_tells_nobody,
    j6_opening_a_link_uses_nothing_up,
    j8_another_address_counts_once_it_is_confirmed,
    j9_the_store_holds_no_token,
    j10_resets_are_capped,
    h1_h2_passwords_are_judged_with_a_reason,
    h8_a_disabled_user_is_refused_by_every_link,
);

const PASSWORD: &str = "correct horse battery staple";

/// A POST without a credential.
async fn post(f: &Fixture, path: &str, body: &Value) -> Answer {
    send(f.operator.bare(Method::POST, path).json(body)).await
}

async fn ask(f: &Fixture, email: &str) -> Answer {
    post(f, "/v1/password-resets", &json!({ "email": email })).await
}

async fn complete(f: &Fixture, token: &str, password: &str) -> Answer {
    post(f, "/v1/password-resets/complete", &json!({ "token": token, "password": password })).await
}

/// The links to set a new password that were sent.
async fn resets(f: &Fixture) -> Vec<Mail> {
    mails(f).await.into_iter().filter(|mail| mail.subject == "Set a new password").collect()
}

async fn invitation(f: &Fixture, org: &str, id: &str) -> Answer {
    f.operator.post(&format!("/v1/tenants/{org}/users/{id}/invitation"), &json!({})).await
}

async fn status(f: &Fixture, org: &str, id: &str) -> String {
    let user = f.operator.get(&format!("/v1/tenants/{org}/users/{id}")).await.expect(200);
    user["status"].as_str().unwrap().to_owned()
}

async fn ada(f: &Fixture) -> Person {
    let (org, _) = f.organization("Acme").await;
    let ada = person(f, &org, "ada@example.com", &[]).await;
    // Mails lie in the order of their times.
    f.app.clock().advance(1);
    ada
}

async fn invitations_set_the_first_password(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let id = user(&f, &org, "ada@example.com", &[]).await;
    let mail = newest(&f, "ada@example.com").await;
    assert!(mail.link().contains("/people/invitation#clv_l_"), "{}", mail.link());
    let read = f.operator.get(&format!("/v1/tenants/{org}/users/{id}/invitation")).await.expect(200);
    assert_eq!(read["email"], "ada@example.com");
    let body = json!({ "token": mail.token(), "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace" });
    let answer = post(&f, "/v1/invitations/accept", &body).await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (204, None));
    assert_eq!(status(&f, &org, &id).await, "active");
    assert_eq!(post(&f, "/v1/invitations/accept", &body).await.code(409), "link_invalid");
    assert_eq!(invitation(&f, &org, &id).await.code(409), "user_not_invited");
    let read = f.operator.get(&format!("/v1/tenants/{org}/users/{id}")).await.expect(200);
    assert_eq!((read["first_name"].as_str(), read["last_name"].as_str()), (Some("Ada"), Some("Lovelace")));
    let audit = f.audit(&org).await;
    let accepted: Vec<_> = audit.iter().filter(|entry| entry["action"] == "user.invitation_accepted").collect();
    assert_eq!(accepted.len(), 1);
    assert_eq!((&accepted[0]["actor"]["kind"], &accepted[0]["actor"]["id"]), (&json!("user"), &json!(id)));
    assert!(!serde_json::to_string(&audit).unwrap().contains("clv_l_"));
}

async fn an_invitation_can_be_sent_again_and_taken_back(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let id = user(&f, &org, "ada@example.com", &[]).await;
    let path = format!("/v1/tenants/{org}/users/{id}/invitation");
    invitation(&f, &org, &id).await.expect(202);
    let first = newest(&f, "ada@example.com").await;
    f.app.clock().advance(1);
    let key = |request: reqwest::RequestBuilder| request.header("Idempotency-Key", "again").json(&json!({}));
    let again = send(key(f.operator.request(Method::POST, &path))).await.expect(202);
    let repeated = send(key(f.operator.request(Method::POST, &path))).await;
    assert_eq!((repeated.header("idempotency-replayed"), repeated.json()), (Some("true"), again));
    let sent = mails_to(&f, "ada@example.com").await;
    let second = sent.last().unwrap().clone();
    let accept = |token: String| json!({ "token": token, "password": PASSWORD });
    assert_eq!(post(&f, "/v1/invitations/accept", &accept(first.token())).await.code(409), "link_invalid");
    f.operator.delete(&path).await.expect(204);
    assert_eq!(f.operator.delete(&path).await.code(404), "not_found");
    assert_eq!(post(&f, "/v1/invitations/accept", &accept(second.token())).await.code(409), "link_invalid");
    f.app.clock().advance(1);
    invitation(&f, &org, &id).await.expect(202);
    let third = newest(&f, "ada@example.com").await;
    f.app.clock().advance(7 * 86_400);
    assert_eq!(post(&f, "/v1/invitations/accept", &accept(third.token())).await.code(409), "link_invalid");
    assert_eq!(f.operator.get(&path).await.code(404), "not_found");
}

async fn f6_invitations_of_others_are_missing(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let id = user(&f, &org, "ada@example.com", &[]).await;
    invitation(&f, &org, &id).await.expect(202);
    let rights = json!({ "users": ["CREATE", "READ", "UPDATE", "DELETE"] });
    let (_, admin) = f.application(&other, "Admin", rights).await;
    for tenant in [&org, &other] {
        let path = format!("/v1/tenants/{tenant}/users/{id}/invitation");
        for method in [Method::POST, Method::DELETE, Method::GET] {
            let request = admin.request(method.clone(), &path);
            let request = if method == Method::POST { request.json(&json!({})) } else { request };
            assert_eq!(send(request).await.code(404), "not_found", "{method} {path}");
        }
    }
    let token = newest(&f, "ada@example.com").await.token();
    let accepted = post(&f, "/v1/invitations/accept", &json!({ "token": token, "password": PASSWORD })).await;
    accepted.expect(204);
}

async fn j1_links_begin_with_the_configured_url(f: Arc<Fixture>) {
    ada(&f).await;
    let base = f.operator.base.clone();
    for (name, value) in
        [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"), ("host", "evil.example")]
    {
        let request = f.operator.bare(Method::POST, "/v1/password-resets").header(name, value);
        send(request.json(&json!({ "email": "ada@example.com" }))).await.expect(202);
        let link = newest(&f, "ada@example.com").await.link().to_owned();
        assert!(link.starts_with(&format!("{base}/people/password-reset#")), "{name}: {link}");
        f.app.clock().advance(1);
    }
}

async fn j2_one_mail_goes_to_the_stored_address(f: Arc<Fixture>) {
    ada(&f).await;
    for bad in [
        json!(["ada@example.com", "eve@example.com"]),
        json!({ "a": "ada@example.com" }),
        json!("ada@example.com,eve@example.com"),
        json!("ada@example.com\r\nBcc: eve@example.com"),
        json!("ada@example.com%0abcc:eve@example.com"),
        json!("ada@example.com\u{0}b@example.com"),
        json!("\u{430}da@example.com"),
        json!(null),
    ] {
        let answer = post(&f, "/v1/password-resets", &json!({ "email": bad })).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{bad}: {}", answer.text);
    }
    let twice = f.operator.bare(Method::POST, "/v1/password-resets").header("content-type", "application/json");
    let twice = twice.body(r#"{"email": "ada@example.com", "email": "eve@example.com"}"#);
    assert_eq!(send(twice).await.status, 400);
    assert!(resets(&f).await.is_empty());
    ask(&f, " ADA@Example.COM ").await.expect(202);
    let sent = resets(&f).await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, "ada@example.com", "to the address that is stored");
}

async fn j3_an_unknown_address_is_answered_alike(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let known = ask(&f, "ada@example.com").await;
    let unknown = ask(&f, "eve@example.com").await;
    let seen = |answer: &Answer| {
        let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        (answer.status, answer.text.clone(), names)
    };
    assert_eq!(seen(&known), seen(&unknown));
    assert_eq!((known.status.as_u16(), known.header("cache-control")), (202, Some("no-store")));
    assert_eq!(resets(&f).await.len(), 1);
    let path = format!("/v1/tenants/{}/users/{}/disable", ada.tenant, ada.id);
    f.operator.post(&path, &json!({})).await.expect(200);
    assert_eq!(seen(&ask(&f, "ada@example.com").await), seen(&unknown));
    assert_eq!(resets(&f).await.len(), 1, "nobody can use it, so nobody gets one");
}

async fn j4_a_link_is_used_once(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    ask(&f, "ada@example.com").await.expect(202);
    let token = newest(&f, "ada@example.com").await.token();
    f.app.clock().advance(1);
    let uses = (0..6).map(|_| {
        let (f, token) = (Arc::clone(&f), token.clone());
        tokio::spawn(async move { complete(&f, &token, PASSWORD).await.status.as_u16() })
    });
    let mut statuses = Vec::new();
    for one in uses.collect::<Vec<_>>() {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409, 409, 409, 409, 409]);
    assert_eq!(ada.get("/v1/me").await.code(401), "session_ended", "all sessions have ended");
    let told = newest(&f, "ada@example.com").await;
    assert_eq!(told.subject, "Your password was changed");
    assert_eq!(f.audit(&ada.tenant).await.iter().filter(|entry| entry["action"] == "user.password_reset").count(), 1);
    for bad in [&token[..20], "", "clv_l_", &token.to_uppercase()] {
        assert_eq!(complete(&f, bad, PASSWORD).await.code(409), "link_invalid");
    }
}

/// J4 on three nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j4_nodes_take_a_link_once_between_them() {
    run(Engine::Postgres, &[], async |f: Arc<Fixture>| {
        let ada = ada(&f).await;
        ask(&f, "ada@example.com").await.expect(202);
        let token = newest(&f, "ada@example.com").await.token();
        let nodes = [f.join("two").await, f.join("three").await];
        let clients = [ada.client.clone(), nodes[0].client(&ada.client), nodes[1].client(&ada.client)];
        let uses = clients.iter().cycle().take(6).map(|client| {
            let body = json!({ "token": token, "password": PASSWORD });
            let request = client.bare(Method::POST, "/v1/password-resets/complete").json(&body);
            tokio::spawn(async move { send(request).await.status.as_u16() })
        });
        let statuses = futures_util::future::join_all(uses.collect::<Vec<_>>()).await;
        let mut statuses: Vec<_> = statuses.into_iter().map(Result::unwrap).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409, 409, 409, 409, 409]);
        for client in clients {
            let here = Person { client, ..ada.clone() };
            assert_eq!(here.get("/v1/me").await.code(401), "session_ended", "on each node");
        }
        for node in nodes {
            node.stop().await;
        }
    })
    .await;
}

async fn j4_a_link_dies_with_what_it_was_for(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    ask(&f, "ada@example.com").await.expect(202);
    let first = newest(&f, "ada@example.com").await.token();
    f.app.clock().advance(1);
    ask(&f, "ada@example.com").await.expect(202);
    let second = newest(&f, "ada@example.com").await.token();
    assert_eq!(complete(&f, &first, PASSWORD).await.code(409), "link_invalid", "a newer one took its place");
    f.app.clock().advance(900);
    assert_eq!(complete(&f, &second, PASSWORD).await.code(409), "link_invalid", "it is too old");
    ask(&f, "ada@example.com").await.expect(202);
    let third = newest(&f, "ada@example.com").await.token();
    // It was sent for an address that is none of the user's any more.
    let (tenant, id) = ids(&ada);
    let mut tx = f.app.store().begin().await.unwrap();
    let user = tx.find_user(tenant, id).await.unwrap().unwrap();
    let version = user.version + 1;
    let moved = claviger_domain::user::User { email: "ada@other.example".into(), version, ..user };
    tx.update_user(tenant, &moved).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(complete(&f, &third, PASSWORD).await.code(409), "link_invalid");
}

fn ids(person: &Person) -> (claviger_domain::id::TenantId, claviger_domain::id::UserId) {
    use claviger_domain::id::{TenantId, UserId};
    (TenantId::parse(&person.tenant).unwrap(), UserId::parse(&person.id).unwrap())
}

async fn j5_the_page_of_a_link_tells_nobody(f: Arc<Fixture>) {
    for path in ["/people/invitation", "/people/password-reset", "/people/email-change"] {
        let answer = send(f.operator.bare(Method::GET, path)).await;
        // The token stands behind `#`, which no `Referer` has; forms of a page that names none would name no origin either.
        assert_eq!((answer.status.as_u16(), answer.header("referrer-policy")), (200, Some("same-origin")), "{path}");
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self'"));
        assert_eq!((answer.header("cache-control"), answer.header("set-cookie")), (Some("no-store"), None));
        assert!(!answer.text.contains("<script>") && !answer.text.contains("style="), "nothing inline");
        assert!(answer.text.contains("data-from-fragment"), "the token leaves the address bar");
        assert_eq!(send(f.operator.bare(Method::POST, path)).await.status, 403, "a form of another site");
    }
}

async fn j6_opening_a_link_uses_nothing_up(f: Arc<Fixture>) {
    ada(&f).await;
    ask(&f, "ada@example.com").await.expect(202);
    let mail = newest(&f, "ada@example.com").await;
    let page = mail.link().strip_prefix(&f.operator.base).unwrap();
    for method in [Method::GET, Method::HEAD] {
        send(f.operator.bare(method, page)).await;
    }
    for path in ["/v1/password-resets/complete", "/v1/invitations/accept", "/v1/email-changes/confirm"] {
        assert_eq!(send(f.operator.bare(Method::GET, path)).await.status, 405, "{path}");
    }
    complete(&f, &mail.token(), PASSWORD).await.expect(204);
}

async fn j8_another_address_counts_once_it_is_confirmed(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let body = json!({ "email": "ada@other.example" });
    assert_eq!(ada.post("/v1/me/email", &body).await.code(401), "step_up_needed");
    let ada = crate::people::stepped_up(&f, &ada).await;
    assert_eq!(ada.post("/v1/me/email", &json!({ "email": "ada@example.com" })).await.status, 422);
    ada.post("/v1/me/email", &body).await.expect(202);
    assert_eq!(newest(&f, "ada@example.com").await.subject, "Another address was asked for");
    let token = newest(&f, "ada@other.example").await.token();
    ask(&f, "ada@other.example").await.expect(202);
    assert!(resets(&f).await.is_empty(), "it is nobody's until it is confirmed");
    f.app.clock().advance(1);
    post(&f, "/v1/email-changes/confirm", &json!({ "token": token })).await.expect(204);
    assert_eq!(post(&f, "/v1/email-changes/confirm", &json!({ "token": token })).await.code(409), "link_invalid");
    assert_eq!(ada.get("/v1/me").await.expect(200)["user"]["email"], "ada@other.example");
    for email in ["ada@example.com", "ada@other.example"] {
        assert_eq!(newest(&f, email).await.subject, "Your address was changed");
    }
    // An address that is somebody else's by then.
    user(&f, &ada.tenant, "eve@example.com", &[]).await;
    f.app.clock().advance(1);
    ada.post("/v1/me/email", &json!({ "email": "eve@example.com" })).await.expect(202);
    let token = newest(&f, "eve@example.com").await.token();
    assert_eq!(post(&f, "/v1/email-changes/confirm", &json!({ "token": token })).await.code(409), "email_taken");
}

async fn j9_the_store_holds_no_token(f: Arc<Fixture>) {
    ada(&f).await;
    ask(&f, "ada@example.com").await.expect(202);
    let token = newest(&f, "ada@example.com").await.token();
    assert!(!f.files_hold(&token));
}

async fn j10_resets_are_capped(f: Arc<Fixture>) {
    ada(&f).await;
    for _ in 0..10 {
        ask(&f, "ada@example.com").await.expect(202);
    }
    assert_eq!(resets(&f).await.len(), 3, "three for a mailbox");
    f.app.clock().advance(900);
    for number in 0..60 {
        let (org, _) = if number == 0 { f.organization("Many").await } else { (String::new(), String::new()) };
        if number == 0 {
            user(&f, &org, "last@example.com", &[]).await;
        }
        ask(&f, &format!("user{number}@example.com")).await.expect(202);
    }
    ask(&f, "last@example.com").await.expect(202);
    assert!(resets(&f).await.iter().all(|mail| mail.to != "last@example.com"), "thirty from an address");
}

async fn h1_h2_passwords_are_judged_with_a_reason(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    ask(&f, "ada@example.com").await.expect(202);
    let token = newest(&f, "ada@example.com").await.token();
    for (password, told) in [
        ("7 chars", "7 characters"),
        ("fourteen chars", "14 characters"),
        (&"x".repeat(4_096), "too long"),
        ("passwordpassword", "used often"),
        ("abcdefghijklmnopq", "alphabet"),
        ("Acme Acme Acme 24", "names"),
        ("ada@example.com", "names"),
    ] {
        let answer = complete(&f, &token, password).await.expect(422);
        let error = &answer["errors"][0];
        assert_eq!(error["pointer"], "/password");
        assert!(error["message"].as_str().unwrap().contains(told), "{password}: {error}");
    }
    // With a second factor eight characters are enough, and the link has not been used up.
    let policy = json!({ "mfa_required": "totp" });
    f.operator.patch(&format!("/v1/tenants/{}", ada.tenant), &policy).await.expect(200);
    assert_eq!(complete(&f, &token, "7 chars").await.status, 422);
    complete(&f, &token, "Cafe\u{301} Q9z").await.expect(204);
}

async fn h8_a_disabled_user_is_refused_by_every_link(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let ada = crate::people::stepped_up(&f, &ada).await;
    ada.post("/v1/me/email", &json!({ "email": "ada@other.example" })).await.expect(202);
    ask(&f, "ada@example.com").await.expect(202);
    let reset = resets(&f).await.pop().unwrap();
    let change = newest(&f, "ada@other.example").await;
    f.operator.post(&format!("{}/disable", ada.path()), &json!({})).await.expect(200);
    assert_eq!(complete(&f, &reset.token(), PASSWORD).await.code(409), "link_invalid");
    let confirm = json!({ "token": change.token() });
    assert_eq!(post(&f, "/v1/email-changes/confirm", &confirm).await.code(409), "link_invalid");
    assert_eq!(status(&f, &ada.tenant, &ada.id).await, "disabled");
}
