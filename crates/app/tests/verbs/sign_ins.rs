//! Sign-ins in memory: what their tokens cost, what stays dead after a restart, and what a unit asks the store.

use crate::fixture::{Fixture, HERE, new, on_both, refusal, token_settings, verify};
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_app::sessions::Wish;
use claviger_app::sign_ins::SignedIn;
use claviger_app::unit::Posted;
use claviger_app::verify::Proof;
use claviger_domain::id::{SignInId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::tenant::{Kind, NewTenant};
use claviger_domain::{Error, Refusal, Result};
use std::sync::Arc;

on_both![
    a_hit_costs_no_statement,
    what_is_dead_stays_dead_after_a_restart,
    a_unit_asks_the_store_whether_the_sign_in_goes_on,
    an_open_instance_costs_nothing_to_open_again,
];

const WISH: Wish<'static> =
    Wish { door: "test", scope: None, lifetime: Some(600), usual: 600, user_agent: "", source: "" };

async fn token(app: &App, signed_in: &SignedIn) -> Result<Caller> {
    app.authenticate(Proof::Token(&signed_in.issued.text), HERE, "test").await
}

async fn start(f: &Fixture) -> (TenantId, Caller) {
    let org = f.organization("Acme").await;
    let (made, client_id) = f.application(org.id, "Portal", &[("applications", &["CREATE"])]).await;
    let caller = verify(&f.app, &client_id, &made.secret.text.reveal()).await.unwrap();
    (org.id, caller)
}

/// Signs in and refreshes once: what came first, what came then, and the refresh token that was used.
async fn refreshed(app: &Arc<App>, caller: &Caller) -> (SignedIn, SignedIn, String) {
    let mut first = app.sign_in(caller, &WISH).await.unwrap();
    let placeholder = claviger_domain::sign_in::PlainRefresh::mint([0; 16], [0; 32]);
    let used = std::mem::replace(&mut first.refresh, placeholder).reveal();
    let (caller, refreshing) = app.authenticate_refresh(&used, HERE, "").await.unwrap();
    let second = app.continue_sign_in(&caller, refreshing, &WISH).await.unwrap();
    (first, second, used)
}

async fn a_hit_costs_no_statement(f: Fixture) {
    let (_, caller) = start(&f).await;
    let (first, second, _) = refreshed(&f.app, &caller).await;
    let before = f.app.store().statements();
    for signed_in in [&first, &second, &first] {
        token(&f.app, signed_in).await.unwrap();
    }
    let flipped = second.issued.text.replace("eyJ", "eyK");
    for garbage in ["", "clv_r_", &second.issued.text, &flipped, &"x".repeat(100_000)] {
        let refused = f.app.authenticate_refresh(garbage, HERE, "").await.map(|(caller, _)| caller);
        assert_eq!(refusal(refused), Refusal::TokenInvalid);
    }
    assert_eq!(f.app.store().statements(), before);
}

async fn what_is_dead_stays_dead_after_a_restart(f: Fixture) {
    let (_, caller) = start(&f).await;
    let (first, second, _) = refreshed(&f.app, &caller).await;
    let (third, fourth, used) = refreshed(&f.app, &caller).await;
    let (again, refreshing) = f.app.authenticate_refresh(&used, HERE, "").await.unwrap();
    assert!(f.app.continue_sign_in(&again, refreshing, &WISH).await.is_err(), "used before");
    f.app.clock().advance(40);
    f.app.store().close().await;
    let app = f.reopen(7).await.unwrap();
    app.open_tokens(token_settings()).await.unwrap();
    app.load_keyring().await.unwrap();
    app.clock().advance(40);
    for dead in [&first, &third, &fourth] {
        assert_eq!(refusal(token(&app, dead).await), Refusal::TokenRevoked);
    }
    token(&app, &second).await.unwrap();
    let last = second.refresh.reveal();
    let (caller, refreshing) = app.authenticate_refresh(&last, HERE, "").await.unwrap();
    app.continue_sign_in(&caller, refreshing, &WISH).await.unwrap();
}

async fn a_unit_asks_the_store_whether_the_sign_in_goes_on(f: Fixture) {
    let (org, caller) = start(&f).await;
    let (_, second, _) = refreshed(&f.app, &caller).await;
    let by_token = token(&f.app, &second).await.unwrap();
    f.app.create_application(&by_token, org, new("First", &[]), None).await.unwrap();
    // Ended where this server's memory does not see it.
    let found: Vec<SignInId> = f
        .app
        .store()
        .load_sign_in_standings(f.app.clock().now())
        .await
        .unwrap()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    let mut tx = f.app.store().begin().await.unwrap();
    tx.end_sign_in(org, found[0], f.app.clock().now()).await.unwrap();
    tx.commit().await.unwrap();
    token(&f.app, &second).await.unwrap();
    let late = f.app.create_application(&by_token, org, new("Late", &[]), None).await;
    assert!(matches!(late, Err(Error::Unauthenticated(Refusal::TokenRevoked))), "{late:?}");
}

async fn an_open_instance_costs_nothing_to_open_again(f: Fixture) {
    let org = f.organization("Acme").await;
    let name = Name::parse("/name", "One").unwrap();
    let made = NewTenant::new(name, Kind::Instance, org.id);
    let Posted::Done(instance) = f.app.create_tenant(&f.operator, made, None).await.unwrap() else {
        panic!("replayed")
    };
    let (made, client_id) = f.application(instance.id, "Own", &[]).await;
    let caller = verify(&f.app, &client_id, &made.secret.text.reveal()).await.unwrap();
    let signed_in = f.app.sign_in(&caller, &WISH).await.unwrap();
    let caller = token(&f.app, &signed_in).await.unwrap();
    assert!(f.app.find_reporting_instance(&caller, Some(instance.org_key.as_str())).await.unwrap().is_none());
    let opened = f.app.open_instances(&caller, Some(instance.id)).await.unwrap();
    assert_eq!((opened.opened.len(), opened.suspended.len()), (1, 0));
    let before = f.app.store().statements();
    assert_eq!(f.app.open_instances(&caller, Some(instance.id)).await.unwrap(), opened);
    assert_eq!(f.app.store().statements() - before, 1, "to read its name");
    let found = f.app.find_reporting_instance(&caller, Some(instance.org_key.as_str())).await.unwrap();
    assert_eq!(found.unwrap().id, instance.id);
    assert_eq!(f.app.store().statements() - before, 1, "reports ask memory");
}
