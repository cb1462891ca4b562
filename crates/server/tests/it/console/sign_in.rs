//! Signing in and out by the pages.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in};
use std::sync::Arc;

const PASSWORD: &str = "several words that mean nothing";

on_both!(
    the_first_person_comes_in_and_out,
    strangers_get_one_answer,
    k8_nobody_is_sent_elsewhere,
    a_forgotten_password_says_nothing,
    single_sign_on_is_asked_for_by_address,
);

async fn come_in(f: &Fixture, email: &str) -> Browser {
    let link = f.app.create_first_person_link(600).await.unwrap().unwrap();
    let browser = Browser::new(f);
    let values = [("token", link.token.reveal()), ("email", email.to_owned()), ("password", PASSWORD.to_owned())];
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = browser.post("/console/first-person", &values).await;
    assert_eq!(leads_to(&answer), "/console");
    assert!(browser.page(&format!("/console/tenants/{}", f.root)).await.contains(email), "and is signed in");
    browser
}

async fn the_first_person_comes_in_and_out(f: Arc<Fixture>) {
    let browser = Browser::new(&f);
    assert!(browser.page("/console/first-person").await.contains("data-from-fragment"));
    let refused = browser.post("/console/first-person", &[("token", "x"), ("email", "nobody"), ("password", "")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"email-told\""), "{}", refused.text);
    assert_eq!(field(&refused.text, "email"), "nobody");
    let browser = come_in(&f, "ada@example.com").await;
    let values = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "/console/switch")];
    let answer = browser.post("/console/sign-in", &values).await;
    assert_eq!(leads_to(&answer), "/console/switch");
    let first = browser.cookie("__Host-claviger_session").unwrap();
    // K1: another session each time, and the one before is dead.
    browser.post("/console/sign-in", &values).await;
    assert_ne!(browser.cookie("__Host-claviger_session").unwrap(), first);
    let page = browser.page(&format!("/console/tenants/{}", f.root)).await;
    assert!(page.contains("ada@example.com"), "{page}");
    assert_eq!(leads_to(&browser.get("/console/sign-in?next=/console/switch").await), "/console/switch");
    let answer = browser.post("/console/sign-out", &[]).await;
    assert_eq!(leads_to(&answer), "/console/sign-in?told=signed-out");
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\""));
    assert!(browser.cookie("__Host-claviger_session").is_none());
    assert!(leads_to(&browser.get("/console").await).starts_with("/console/sign-in"));
}

async fn strangers_get_one_answer(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    crate::people::user(&f, &f.root, "bob@example.com", &[&owner]).await;
    let browser = Browser::new(&f);
    let mut texts = Vec::new();
    for (email, password) in [("bob@example.com", "wrong"), ("nobody@example.com", "wrong")] {
        let answer = browser.post("/console/sign-in", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, 401);
        texts.push(answer.text.replace(email, ""));
    }
    assert_eq!(texts[0], texts[1]);
    assert!(!texts[0].contains("wrong\""), "a password is never sent back");
}

async fn k8_nobody_is_sent_elsewhere(f: Arc<Fixture>) {
    let browser = come_in(&f, "ada@example.com").await;
    for next in ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/v1/me"] {
        let values = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let answer = browser.post("/console/sign-in", &values).await;
        assert_eq!(leads_to(&answer), "/console", "{next}");
    }
    let page = Browser::new(&f).page("/console/sign-in?next=//evil.example").await;
    assert_eq!(field(&page, "next"), "/console");
}

async fn a_forgotten_password_says_nothing(f: Arc<Fixture>) {
    come_in(&f, "ada@example.com").await;
    let mut texts = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        let answer = Browser::new(&f).post("/console/sign-in/forgotten", &[("email", email)]).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        texts.push(answer.text.replace(email, ""));
    }
    assert_eq!(texts[0], texts[1]);
}

async fn single_sign_on_is_asked_for_by_address(f: Arc<Fixture>) {
    let browser = Browser::new(&f);
    assert!(browser.page("/console/sign-in").await.contains("/console/sign-in/sso?next="));
    assert_eq!(field(&browser.page("/console/sign-in/sso?next=/console/switch").await, "next"), "/console/switch");
    for email in ["nobody@example.com", "\"><b>@example.com"] {
        let answer = browser.post("/console/sign-in/sso", &[("email", email), ("next", "//evil.example")]).await;
        assert!(answer.status.as_u16() < 500, "{}", answer.text);
        assert!(!answer.text.contains("<b>") && answer.header("refresh").is_none(), "{}", answer.text);
    }
}
