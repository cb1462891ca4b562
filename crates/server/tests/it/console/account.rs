//! My account in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::mails::newest;
use crate::native::factors::code;
use crate::people::{Person, half_way, person, session, stepped_up};
use std::sync::Arc;

on_both!(
    names_and_address_are_changed,
    a_password_is_changed,
    an_authenticator_is_set_up,
    whoever_must_enrol_does_so_at_sign_in,
    a_passkey_that_was_not_made_is_refused,
    recovery_codes_are_made_anew,
    own_sessions_are_ended,
);

const PASSWORD: &str = "several words that mean nothing";

async fn ada(f: &Fixture) -> Person {
    let (acme, _) = f.organization("Acme").await;
    let ada = person(f, &acme, "ada@example.com", &[]).await;
    // Mails lie in the order of their times.
    f.app.clock().advance(1);
    stepped_up(f, &ada).await
}

/// The key on the page, as an authenticator has it, and where its code goes.
pub(super) fn key_and_form(page: &str) -> (String, String) {
    let key = page.split("id=\"key\"").nth(1).unwrap().split("value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = page.split('"').find(|text| text.ends_with("/confirm")).unwrap();
    (key.replace(' ', ""), form.to_owned())
}

async fn names_and_address_are_changed(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let browser = Browser::of(&f, &ada);
    let page = browser.page("/console/account").await;
    assert!(page.contains("ada@example.com") && page.contains("Acme"), "{page}");
    let values = [("first_name", "Augusta"), ("last_name", "King"), ("phone", "1")];
    assert_eq!(leads_to(&browser.post("/console/account", &values).await), "/console/account?told=saved");
    assert!(browser.page("/console/account").await.contains("Augusta King"));
    assert_eq!(browser.post("/console/account", &[("phone", "call me")]).await.status, 422);
    assert_eq!(browser.post("/console/account/email", &[("email", "ada@example.com")]).await.status, 422);
    let asked = browser.post("/console/account/email", &[("email", "ada@other.example")]).await;
    assert_eq!(leads_to(&asked), "/console/account?told=email");
    let link = newest(&f, "ada@other.example").await;
    let path = link.link().split('#').next().unwrap().strip_prefix(&browser.base).unwrap().to_owned();
    let done = Browser::new(&f).post(&path, &[("token", &link.token())]).await;
    assert!(done.status == 200 && done.text.contains("from now on"), "{}", done.text);
    assert!(browser.page("/console/account").await.contains("ada@other.example"));
    f.app.clock().advance(600);
    let to = leads_to(&browser.get("/console/account/email").await);
    assert_eq!(to, "/console/step-up?next=%2Fconsole%2Faccount%2Femail");
}

async fn a_password_is_changed(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    Browser::new(&f).post("/console/sign-in/forgotten", &[("email", "ada@example.com")]).await;
    let link = newest(&f, "ada@example.com").await;
    let values = [("token", link.token()), ("password", PASSWORD.to_owned())];
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let set = Browser::new(&f).post("/people/password-reset", &values).await;
    assert_eq!(leads_to(&set), "/console/sign-in?told=password-set");
    let browser = Browser::new(&f);
    let sign_in = [("email", "ada@example.com"), ("password", PASSWORD)];
    leads_to(&browser.post("/console/sign-in", &sign_in).await);
    let (_, other) = session(&f, &ada.tenant, &ada.id).await;
    let other = Browser::of(&f, &Person { cookie: other, ..ada.clone() });
    let change = async |current: &str, new: &str| {
        let values = [("current_password", current), ("new_password", new)];
        browser.post("/console/account/password", &values).await
    };
    let refused = change("not this one at all", "other words that mean nothing").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"current_password-told\""), "{}", refused.text);
    assert!(!refused.text.contains("mean nothing"), "no password is sent back");
    let refused = change(PASSWORD, "short").await;
    assert!(refused.status == 422 && refused.text.contains("id=\"new_password-told\""), "{}", refused.text);
    let changed = change(PASSWORD, "other words that mean nothing").await;
    assert_eq!(leads_to(&changed), "/console/account/security?told=password");
    assert!(browser.page("/console/account/security").await.contains("Set <time"));
    assert!(leads_to(&other.get("/console/account").await).starts_with("/console/sign-in"));
}

async fn an_authenticator_is_set_up(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let browser = Browser::of(&f, &ada);
    assert!(browser.page("/console/account/security").await.contains("No second factor yet"));
    let enrol = "/console/account/enrol?next=/console/account/security";
    assert!(browser.page(enrol).await.contains("data-new-passkey"));
    let next = ("next", "/console/account/security");
    let made = browser.post("/console/account/authenticator", &[("name", "Phone"), next]).await;
    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, Some("no-store")));
    assert!(made.text.contains("<svg aria-hidden") && made.text.contains("data-once"), "{}", made.text);
    assert!(!made.text.contains("style=\""), "{}", made.text);
    let (key, form) = key_and_form(&made.text);
    let wrong = browser.post(&form, &[("code", "000000"), next]).await;
    assert_eq!(wrong.status, 401);
    assert!(!wrong.text.contains(&key) && wrong.text.contains("newest code"), "{}", wrong.text);
    assert!(browser.page(&form).await.contains("must show digits"));
    let before = browser.cookie("__Host-claviger_session");
    let confirmed = browser.post(&form, &[("code", &code(&f, &key, 0)), next]).await;
    assert_eq!((confirmed.status.as_u16(), confirmed.header("cache-control")), (200, Some("no-store")));
    assert_ne!(browser.cookie("__Host-claviger_session"), before, "K1");
    let codes = confirmed.text.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
    assert_eq!(codes.trim().lines().count(), 10, "{codes}");
    assert!(confirmed.text.contains("download=\"claviger-recovery-codes.txt\""), "{}", confirmed.text);
    assert!(confirmed.text.contains("href=\"/console/account/security?told=added\""), "{}", confirmed.text);
    let page = browser.page("/console/account/security").await;
    assert!(page.contains("Phone") && page.contains("10 codes are left") && !page.contains(&key), "{page}");
    let rename = page.split('"').find(|text| text.ends_with("/name")).unwrap().to_owned();
    assert_eq!(field(&browser.page(&rename).await, "name"), "Phone");
    assert!(leads_to(&browser.post(&rename, &[("name", "Old phone")]).await).ends_with("told=renamed"));
    assert!(browser.page("/console/account/security").await.contains("Old phone"));
    let remove = rename.replace("/name", "/remove");
    assert!(browser.page(&remove).await.contains("recovery codes go, too"));
    assert!(leads_to(&browser.post(&remove, &[]).await).ends_with("told=removed"));
    assert!(browser.page("/console/account/security").await.contains("No second factor yet"));
    f.app.clock().advance(600);
    let to = leads_to(&browser.get(enrol).await);
    assert!(to.starts_with("/console/step-up?next=%2Fconsole%2Faccount%2Fenrol"), "{to}");
    let to = leads_to(&browser.post("/console/account/authenticator", &[next]).await);
    assert!(to.starts_with("/console/step-up?next=%2Fconsole%2Faccount%2Fenrol"), "{to}");
}

async fn whoever_must_enrol_does_so_at_sign_in(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let policy = serde_json::json!({ "mfa_required": "totp" });
    f.operator.patch(&format!("/v1/tenants/{}", ada.tenant), &policy).await.expect(200);
    let browser = Browser::of(&f, &half_way(&f, &ada).await);
    let goal = format!("/console/tenants/{}", ada.tenant);
    let to = leads_to(&browser.get(&goal).await);
    let page = browser.page(&to).await;
    let enrol = page.split('"').find(|text| text.starts_with("/console/account/enrol?next=")).unwrap().to_owned();
    let page = browser.page(&enrol).await;
    assert!(page.contains("Your organization asks for one"), "{page}");
    assert_eq!(field(&page, "next"), goal);
    let made = browser.post("/console/account/authenticator", &[("next", &goal)]).await;
    let (key, form) = key_and_form(&made.text);
    let done = browser.post(&form, &[("code", &code(&f, &key, 0)), ("next", &goal)]).await;
    assert!(done.status == 200 && done.text.contains(&format!("href=\"{goal}\"")), "{}", done.text);
    browser.page(&goal).await;
    // Whoever has a factor shows it first.
    let half = Browser::of(&f, &half_way(&f, &ada).await);
    assert!(leads_to(&half.get("/console/account/enrol").await).starts_with("/console/sign-in/second-factor"));
    let refused = half.post("/console/account/authenticator", &[]).await;
    assert!(leads_to(&refused).starts_with("/console/sign-in/second-factor"));
    // K8
    let page = browser.page("/console/account/enrol?next=//evil.example").await;
    assert_eq!(field(&page, "next"), "/console/account/security");
}

async fn a_passkey_that_was_not_made_is_refused(f: Arc<Fixture>) {
    let browser = Browser::of(&f, &ada(&f).await);
    for credential in ["", "{}", "[]", "{\"id\":\"x\"}"] {
        let refused = browser.post("/console/account/passkeys", &[("credential", credential)]).await;
        assert_eq!(refused.status, 422, "{credential}: {}", refused.text);
        assert!(refused.text.contains("role=\"alert\""), "{}", refused.text);
    }
}

async fn recovery_codes_are_made_anew(f: Arc<Fixture>) {
    let browser = Browser::of(&f, &ada(&f).await);
    let refused = browser.post("/console/account/recovery-codes", &[]).await;
    assert!(refused.status == 409 && refused.text.contains("set one up first"), "{}", refused.text);
    let made = browser.post("/console/account/authenticator", &[]).await;
    let (key, form) = key_and_form(&made.text);
    let first = browser.post(&form, &[("code", &code(&f, &key, 0))]).await.text;
    assert!(browser.page("/console/account/recovery-codes").await.contains("10 codes are left"));
    let second = browser.post("/console/account/recovery-codes", &[]).await;
    assert_eq!(second.status, 200);
    let codes = |page: &str| page.split("<code>").nth(1).unwrap().split("</code>").next().unwrap().to_owned();
    assert_ne!(codes(&first), codes(&second.text));
}

async fn own_sessions_are_ended(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let browser = Browser::of(&f, &ada);
    let others = [session(&f, &ada.tenant, &ada.id).await, session(&f, &ada.tenant, &ada.id).await];
    let page = browser.page("/console/account/sessions").await;
    assert_eq!(page.matches(">this one<").count(), 1);
    assert!(page.contains(&others[0].0) && page.contains("End all others"), "{page}");
    let end = format!("/console/account/sessions/{}/end", others[0].0);
    for _ in 0..2 {
        assert!(leads_to(&browser.post(&end, &[]).await).ends_with("told=ended"));
    }
    assert!(leads_to(&browser.post("/console/account/sessions/end", &[]).await).ends_with("told=others-ended"));
    for (_, cookie) in others {
        let gone = Browser::of(&f, &Person { cookie, ..ada.clone() });
        assert!(leads_to(&gone.get("/console/account").await).starts_with("/console/sign-in"));
    }
    let page = browser.page("/console/account/sessions").await;
    assert!(!page.contains("End all others"), "{page}");
}
