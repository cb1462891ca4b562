//! Tenants whose people must sign in at the provider: nothing leads past it.

use super::Scene;
use crate::fixture::{Answer, Fixture, on_both_outgoing, send};
use crate::mails::{mails, newest};
use crate::native::sign_in::{PASSWORD, give_password, seen, sign_in};
use crate::people::{Person, built_in, session_as, stepped_up, user};
use claviger_domain::user_session::{Method as Proof, UserSession};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    nobody_gets_a_password_who_must_sign_in_at_the_provider,
    links_of_before_lead_nowhere,
    an_old_password_proves_nothing,
    another_address_does_not_lead_past_the_provider,
    a_provider_counts_as_a_second_factor,
];

const NEW: &str = "an entirely different phrase";

async fn post(f: &Fixture, path: &str, body: &Value) -> Answer {
    send(f.operator.bare(Method::POST, path).json(body)).await
}

async fn resets_to(f: &Fixture, email: &str) -> usize {
    mails(f).await.iter().filter(|mail| mail.subject == "Set a new password" && mail.to == email).count()
}

async fn ask_for_a_password(f: &Fixture, email: &str) {
    post(f, "/v1/password-resets", &json!({"email": email})).await.expect(202);
    f.app.finish_afterwards().await;
    f.app.clock().advance(1);
}

/// An organisation with somebody who has a password, and whose provider is required.
async fn required(f: &Fixture) -> (Scene, Person) {
    let scene = Scene::set(f, json!({})).await;
    let id = user(f, &scene.org, "ada@acme.example", &[]).await;
    give_password(f, &scene.org, &id, PASSWORD).await;
    scene.change(f, json!({"required": true})).await;
    let ada = scene.enter(f, "ada@acme.example", json!({})).await;
    (scene, ada)
}

async fn nobody_gets_a_password_who_must_sign_in_at_the_provider(f: Arc<Fixture>) {
    let (scene, ada) = required(&f).await;
    let asked = post(&f, "/v1/password-resets", &json!({"email": "ada@acme.example"})).await;
    let stranger = post(&f, "/v1/password-resets", &json!({"email": "nobody@acme.example"})).await;
    assert_eq!(seen(asked), seen(stranger), "told like a stranger");
    f.app.finish_afterwards().await;
    assert_eq!(resets_to(&f, "ada@acme.example").await, 0, "no link is sent");
    assert!(scene.reasons(&f).await.contains(&"sso_required".to_owned()));
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    assert_eq!(ada.send(Method::PUT, "/v1/me/password", &body).await.code(409), "sso_required");
    // Of another tenant, an address of that domain is nobody's business here.
    let (other, _) = f.organization("Other").await;
    user(&f, &other, "eve@acme.example", &[]).await;
    ask_for_a_password(&f, "eve@acme.example").await;
    assert_eq!(resets_to(&f, "eve@acme.example").await, 1);
    scene.change(&f, json!({"required": false})).await;
    ask_for_a_password(&f, "ada@acme.example").await;
    assert_eq!(resets_to(&f, "ada@acme.example").await, 1, "where both ways are open, both are");
}

async fn links_of_before_lead_nowhere(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let ada = user(&f, &scene.org, "ada@acme.example", &[]).await;
    give_password(&f, &scene.org, &ada, PASSWORD).await;
    f.app.clock().advance(1);
    ask_for_a_password(&f, "ada@acme.example").await;
    let reset = newest(&f, "ada@acme.example").await.token();
    user(&f, &scene.org, "bob@acme.example", &[]).await;
    let invitation = newest(&f, "bob@acme.example").await.token();
    scene.change(&f, json!({"required": true})).await;
    for (path, token) in [("/v1/password-resets/complete", &reset), ("/v1/invitations/accept", &invitation)] {
        let refused = post(&f, path, &json!({"token": token, "password": NEW})).await;
        assert_eq!(refused.code(409), "sso_required", "{path}");
    }
    assert_eq!(scene.enter(&f, "bob@acme.example", json!({})).await.get("/v1/me").await.status, 200, "invited");
    scene.change(&f, json!({"required": false})).await;
    let late = post(&f, "/v1/invitations/accept", &json!({"token": invitation, "password": NEW})).await;
    assert_eq!(late.code(409), "link_invalid", "he has come another way");
    assert_eq!(sign_in(&f.operator, "ada@acme.example", NEW).await.code(401), "sign_in_failed");
}

async fn an_old_password_proves_nothing(f: Arc<Fixture>) {
    let (scene, ada) = required(&f).await;
    let proof = json!({"kind": "password", "password": PASSWORD});
    assert_eq!(ada.post("/v1/me/step-up", &proof).await.code(409), "sso_required");
    scene.change(&f, json!({"required": false})).await;
    assert_eq!(ada.post("/v1/me/step-up", &proof).await.status, 200);
}

async fn another_address_does_not_lead_past_the_provider(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({"domains": ["acme.example", "acme.test"]})).await;
    user(&f, &scene.org, "ada@acme.example", &[]).await;
    let ada = stepped_up(&f, &scene.enter(&f, "ada@acme.example", json!({})).await).await;
    let away = json!({"email": "ada@elsewhere.example"});
    f.app.clock().advance(1);
    ada.post("/v1/me/email", &away).await.expect(202);
    let token = newest(&f, "ada@elsewhere.example").await.token();
    scene.change(&f, json!({"required": true})).await;
    assert_eq!(ada.post("/v1/me/email", &away).await.code(409), "sso_required");
    let late = post(&f, "/v1/email-changes/confirm", &json!({"token": token})).await;
    assert_eq!(late.code(409), "sso_required", "asked for before");
    f.app.clock().advance(1);
    ada.post("/v1/me/email", &json!({"email": "ada@acme.test"})).await.expect(202);
    let token = newest(&f, "ada@acme.test").await.token();
    post(&f, "/v1/email-changes/confirm", &json!({"token": token})).await.expect(204);
    assert_eq!(ada.get("/v1/me").await.expect(200)["user"]["email"], "ada@acme.test");
}

async fn a_provider_counts_as_a_second_factor(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let id = user(&f, &scene.org, "ada@acme.example", &[&built_in(&f, "View All").await]).await;
    let ada = scene.enter(&f, "ada@acme.example", json!({})).await;
    let by_password = |session| UserSession { methods: vec![Proof::Password], ..session };
    let (_, cookie) = session_as(&f, &scene.org, &id, by_password).await;
    let password = Person { cookie, ..ada.clone() };
    let users = format!("/v1/tenants/{}/users", scene.org);
    f.operator.patch(&format!("/v1/tenants/{}", scene.org), &json!({"mfa_required": "totp"})).await.expect(200);
    assert_eq!(ada.get(&users).await.status, 200, "that is asked for at the provider");
    assert_eq!(password.get(&users).await.code(401), "second_factor_needed");
}
