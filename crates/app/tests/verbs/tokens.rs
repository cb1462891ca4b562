//! Session tokens in memory: what a verification costs, what outlives a restart, and what cannot grow.

use crate::fixture::{Fixture, HERE, START, grants, new, on_both, refusal, token_settings, verify};
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_app::sessions::{Issued, Wish};
use claviger_app::verify::{Audience, Proof, Wanted};
use claviger_domain::access::Filter;
use claviger_domain::address::Origin;
use claviger_domain::application::{ApplicationPatch, Rights};
use claviger_domain::grants::Verb;
use claviger_domain::id::{TenantId, TokenId};
use claviger_domain::page::PageRequest;
use claviger_domain::token::LIFETIME_DEFAULT;
use claviger_domain::{Error, Refusal, Result};
use std::sync::Arc;

on_both![
    a_hit_costs_no_statement,
    every_bit_of_a_token_counts,
    what_was_revoked_stays_revoked_after_a_restart,
    every_server_of_the_store_takes_a_token,
    revoked_tokens_cannot_fill_memory,
    accesses_survive_a_clean_stop,
    a_unit_asks_the_store_whether_the_token_still_holds,
];

const WISH: Wish<'static> =
    Wish { door: "test", scope: None, lifetime: None, usual: LIFETIME_DEFAULT, user_agent: "a\nb", source: "here" };

async fn token(app: &App, text: &str) -> Result<Caller> {
    app.authenticate(Proof::Token(text), HERE, "test").await
}

/// An application that may read the audit record, and a token of it.
async fn start(f: &Fixture) -> (TenantId, Caller, Issued) {
    let org = f.organization("Acme").await;
    let rights: &[(&str, &[&str])] = &[("org.audits", &["READ"]), ("applications", &["CREATE", "UPDATE"])];
    let (made, client_id) = f.application(org.id, "SIEM", rights).await;
    let caller = verify(&f.app, &client_id, &made.secret.text.reveal()).await.unwrap();
    let issued = f.app.issue_token(&caller, &WISH).unwrap();
    (org.id, caller, issued)
}

async fn a_hit_costs_no_statement(f: Fixture) {
    let (_, caller, issued) = start(&f).await;
    let before = f.app.store().statements();
    let again = f.app.issue_token(&caller, &WISH).unwrap();
    for text in [&issued.text, &again.text, &issued.text] {
        assert_eq!(token(&f.app, text).await.unwrap().record().unwrap().id, caller.record().unwrap().id);
    }
    let permission = f.app.catalogue().find("org.audits").unwrap();
    let wanted = Wanted { permission, verb: Verb::Read, audience: Audience::Any };
    for origin in [HERE, Origin::Unknown] {
        f.app.admit(Proof::Token(&issued.text), origin, "", wanted).unwrap().unwrap();
    }
    for garbage in ["", "x", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(refusal(token(&f.app, garbage).await), Refusal::TokenInvalid, "{garbage}");
    }
    // A key that nobody knows makes the store be asked, once.
    assert!(f.app.store().statements() - before <= 1);
}

async fn every_bit_of_a_token_counts(f: Fixture) {
    let (_, _, issued) = start(&f).await;
    token(&f.app, &issued.text).await.unwrap();
    for at in 0..issued.text.len() {
        for bit in 0..7 {
            let mut bytes = issued.text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(token(&f.app, &changed).await.is_err(), "byte {at}, bit {bit}: {changed}");
        }
        assert!(token(&f.app, &issued.text[..at]).await.is_err(), "cut at {at}");
    }
    token(&f.app, &issued.text).await.unwrap();
}

async fn what_was_revoked_stays_revoked_after_a_restart(f: Fixture) {
    let (org, caller, revoked) = start(&f).await;
    let kept = f.app.issue_token(&caller, &WISH).unwrap();
    f.app.revoke_token(&caller, &revoked.text).await.unwrap();
    let other = f.organization("Other").await;
    let (made, client_id) = f.application(other.id, "Other", &[]).await;
    let them = verify(&f.app, &client_id, &made.secret.text.reveal()).await.unwrap();
    let cut = f.app.issue_token(&them, &WISH).unwrap();
    f.app.invalidate_tokens(&f.operator, other.id, None, None, None).await.unwrap();
    f.app.store().close().await;
    let app = f.reopen(7).await.unwrap();
    app.open_tokens(token_settings()).await.unwrap();
    assert_eq!(refusal(token(&app, &revoked.text).await), Refusal::TokenRevoked);
    assert_eq!(refusal(token(&app, &cut.text).await), Refusal::TokenRevoked);
    assert_eq!(token(&app, &kept.text).await.unwrap().tenant().id, org, "and the application is looked up for it");
    app.clock().advance(900);
    assert_eq!(refusal(token(&app, &kept.text).await), Refusal::TokenExpired);
}

async fn every_server_of_the_store_takes_a_token(f: Fixture) {
    let (_, _, issued) = start(&f).await;
    f.app.store().close().await;
    let app = f.reopen(7).await.unwrap();
    assert!(matches!(token(&app, &issued.text).await, Err(Error::Unavailable(_))), "not open yet");
    let mut settings = token_settings();
    settings.issuer = "https://other.example".into();
    app.open_tokens(settings).await.unwrap();
    app.load_keyring().await.unwrap();
    token(&app, &issued.text).await.unwrap();
}

async fn revoked_tokens_cannot_fill_memory(f: Fixture) {
    let (org, caller, kept) = start(&f).await;
    // As if a thousand had been revoked before.
    let mut tx = f.app.store().begin().await.unwrap();
    for number in 0..1_000 {
        let dead = (TokenId::from_u128(number), START.plus_seconds(900));
        tx.revoke_token(org, caller.record().unwrap().id, dead, START, 1).await.unwrap();
    }
    tx.commit().await.unwrap();
    token(&f.app, &kept.text).await.unwrap();
    let last = f.app.issue_token(&caller, &WISH).unwrap().text;
    f.app.revoke_token(&caller, &last).await.unwrap();
    assert_eq!(refusal(token(&f.app, &last).await), Refusal::TokenRevoked);
    assert_eq!(refusal(token(&f.app, &kept.text).await), Refusal::TokenRevoked, "beyond that all of them end");
    let new = f.app.issue_token(&caller, &WISH).unwrap();
    token(&f.app, &new.text).await.unwrap();
    let rules = f.app.store().list_token_rules(org).await.unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(f.app.store().load_revoked_tokens(START).await.unwrap(), []);
}

async fn accesses_survive_a_clean_stop(f: Fixture) {
    let (org, caller, issued) = start(&f).await;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let background = tokio::spawn(Arc::clone(&f.app).run_background(stopping));
    let last = f.app.issue_token(&caller, &WISH).unwrap();
    stop.send(true).unwrap();
    background.await.unwrap();
    let page = PageRequest::parse(None, None).unwrap();
    let found = f.app.store().list_accesses(org, &Filter::default(), &page).await.unwrap();
    let mut ids: Vec<_> = found.iter().map(|entry| entry.token_id).collect();
    ids.sort();
    let mut expected = [issued.id, last.id];
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!((found[0].user_agent.as_str(), found[0].source.as_str()), ("ab", "here"));
    assert_eq!(found[0].address, HERE.address());
}

async fn a_unit_asks_the_store_whether_the_token_still_holds(f: Fixture) {
    let (org, caller, issued) = start(&f).await;
    let by_token = token(&f.app, &issued.text).await.unwrap();
    f.app.create_application(&by_token, org, new("First", &[]), None).await.unwrap();
    // Its caller was verified before the token was revoked; its turn comes afterwards.
    f.app.revoke_token(&caller, &issued.text).await.unwrap();
    let late = f.app.create_application(&by_token, org, new("Late", &[]), None).await;
    assert!(matches!(late, Err(Error::Unauthenticated(Refusal::TokenRevoked))), "{late:?}");
    let narrowed = f.app.issue_token(&caller, &Wish { scope: Some("applications:CREATE"), ..WISH }).unwrap();
    let narrowed = token(&f.app, &narrowed.text).await.unwrap();
    let wide = new("Wide", &[("org.audits", &["READ"])]);
    assert!(f.app.create_application(&narrowed, org, wide, None).await.is_err());
    let patch = ApplicationPatch { rights: Some(Rights::Inline(grants(&[]))), ..ApplicationPatch::default() };
    let changed = f.app.update_application(&narrowed, org, caller.record().unwrap().id, patch, None).await;
    assert!(matches!(changed, Err(Error::Forbidden { .. })), "{changed:?}");
}
