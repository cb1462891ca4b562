//! Assertions and what is remembered of them: by one server, after a restart of any kind, and by several.

use crate::fixture::{Fixture, HERE, START, grants, on_both, refusal, token_settings, verify};
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_app::sessions::Wish;
use claviger_app::verify::Proof;
use claviger_domain::application::{NewApplication, Rights};
use claviger_domain::assertion::{Assertion, SignedBy};
use claviger_domain::id::ClientId;
use claviger_domain::import::{Import, ImportedApplication, ImportedSecret};
use claviger_domain::jws;
use claviger_domain::rotation::Rotation;
use claviger_domain::secret::{MacStates, SecretHash};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::Engine;
use std::sync::Arc;
use tokio::sync::watch;

on_both![
    an_assertion_is_accepted_once,
    what_is_known_costs_no_statement_on_one_server,
    both_secrets_of_a_rotation_sign,
    an_imported_secret_cannot_sign,
    a_clean_stop_forgets_nothing,
    after_any_other_end_what_may_have_been_accepted_is_refused,
];

/// What a client signs: its id, its secret, and what makes an assertion different from others.
struct Signer {
    client_id: String,
    secret: String,
}

impl Signer {
    async fn new(f: &Fixture, name: &str) -> Self {
        let org = f.organization(name).await;
        let (made, client_id) = f.application(org.id, name, &[("org.audits", &["READ"])]).await;
        Self { client_id, secret: made.secret.text.reveal() }
    }

    /// Presents an assertion that was made `age` seconds ago.
    async fn present(&self, app: &App, jti: &str, age: i64) -> Result<Caller> {
        let signed = format!("header.{jti}");
        let signature = jws::encode(&MacStates::of(self.secret.as_bytes()).sign(signed.as_bytes()));
        let now = app.clock().now();
        let assertion = Assertion {
            client_id: &self.client_id,
            tenant: None,
            jti,
            issued_at: now.plus_seconds(-age),
            expires_at: now.plus_seconds(600 - age),
            by: SignedBy::Secret,
            signed: &signed,
            signature: &signature,
        };
        app.authenticate_assertion(&assertion, HERE, "test").await
    }
}

/// Whether an instance of the same store is opened anew as after a clean stop; the clock is where the old one's stood.
async fn again(f: &Fixture, clean: bool, seconds: i64) -> Arc<App> {
    if clean {
        let (stop, stopping) = watch::channel(true);
        Arc::clone(&f.app).run_background(stopping).await;
        drop(stop);
    }
    f.app.store().close().await;
    let app = f.reopen(7).await.unwrap();
    app.clock().advance(seconds);
    app.open_tokens(token_settings()).await.unwrap();
    app.load_keyring().await.unwrap();
    app
}

async fn an_assertion_is_accepted_once(f: Fixture) {
    let signer = Signer::new(&f, "Acme").await;
    signer.present(&f.app, "a", 0).await.unwrap();
    assert_eq!(refusal(signer.present(&f.app, "a", 0).await), Refusal::AssertionReplayed);
    assert_eq!(refusal(signer.present(&f.app, "a", 5).await), Refusal::AssertionReplayed, "with other times");
    let other = Signer::new(&f, "Other").await;
    other.present(&f.app, "a", 0).await.unwrap();
    let stranger = Signer { client_id: signer.client_id.clone(), secret: other.secret.clone() };
    assert_eq!(refusal(stranger.present(&f.app, "b", 0).await), Refusal::AssertionInvalid);
    signer.present(&f.app, "b", 0).await.unwrap();
    // At once.
    let tries = (0..8).map(|_| signer.present(&f.app, "c", 0));
    let accepted = futures_util::future::join_all(tries).await;
    assert_eq!(accepted.iter().filter(|tried| tried.is_ok()).count(), 1);
    let unknown = Signer { client_id: "01890000-0000-7000-8000-000000000000".into(), secret: other.secret };
    for _ in 0..2 {
        assert_eq!(refusal(unknown.present(&f.app, "d", 0).await), Refusal::UnknownClient);
    }
}

async fn what_is_known_costs_no_statement_on_one_server(f: Fixture) {
    let signer = Signer::new(&f, "Acme").await;
    signer.present(&f.app, "first", 0).await.unwrap();
    let before = f.app.store().statements();
    for number in 0..10 {
        let caller = signer.present(&f.app, &number.to_string(), 0).await.unwrap();
        let wish = Wish { door: "test", scope: None, lifetime: None, usual: 900, user_agent: "", source: "" };
        let issued = f.app.issue_token(&caller, &wish).unwrap();
        f.app.authenticate(Proof::Token(&issued.text), HERE, "").await.unwrap();
    }
    // On PostgreSQL each is a unit of one statement.
    let most = if f.app.store().engine() == Engine::Sqlite { 0 } else { 30 };
    assert!(f.app.store().statements() - before <= most, "{}", f.app.store().statements() - before);
}

async fn both_secrets_of_a_rotation_sign(f: Fixture) {
    let old = Signer::new(&f, "Acme").await;
    let caller = old.present(&f.app, "a", 0).await.unwrap();
    let (tenant, id) = (caller.tenant().id, caller.record().unwrap().id);
    let rotation = Rotation::Routine { overlap_seconds: 60 };
    let rotated = crate::fixture::done(f.app.rotate_secret(&f.operator, tenant, id, rotation, None).await.unwrap());
    let new = Signer { client_id: old.client_id.clone(), secret: rotated.secret.text.reveal() };
    new.present(&f.app, "b", 0).await.unwrap();
    old.present(&f.app, "c", 0).await.unwrap();
    f.app.clock().advance(61);
    assert_eq!(refusal(old.present(&f.app, "d", 0).await), Refusal::Expired);
    new.present(&f.app, "e", 0).await.unwrap();
    f.app.regenerate_secret(&f.operator, tenant, id, None).await.unwrap();
    assert_eq!(refusal(new.present(&f.app, "f", 0).await), Refusal::AssertionInvalid);
}

async fn an_imported_secret_cannot_sign(f: Fixture) {
    let org = f.organization("Acme").await;
    let text = "4a1c1f0c-8e7a-4c58-9a6e-8b1f0e0e2b11";
    let secret = ImportedSecret { hash: SecretHash::of(text), hint: "2b11".into(), expires_at: None };
    let new = NewApplication { rights: Rights::Inline(grants(&[])), ..crate::fixture::new("Old", &[]) };
    let client_id = ClientId::stored("OLDCLIENT1".into());
    let import = Import {
        applications: vec![ImportedApplication { client_id, new, secrets: vec![secret] }],
        listed: false,
        dry_run: false,
    };
    f.app.import_applications(&f.operator, org.id, import, None).await.unwrap();
    verify(&f.app, "OLDCLIENT1", text).await.unwrap();
    let signer = Signer { client_id: "OLDCLIENT1".into(), secret: text.into() };
    assert_eq!(refusal(signer.present(&f.app, "a", 0).await), Refusal::SecretCannotSign);
}

async fn a_clean_stop_forgets_nothing(f: Fixture) {
    let signer = Signer::new(&f, "Acme").await;
    signer.present(&f.app, "a", 0).await.unwrap();
    let app = again(&f, true, 5).await;
    assert_eq!(refusal(signer.present(&app, "a", 5).await), Refusal::AssertionReplayed);
    signer.present(&app, "b", 5).await.unwrap();
    assert_eq!(refusal(signer.present(&app, "b", 5).await), Refusal::AssertionReplayed);
}

async fn after_any_other_end_what_may_have_been_accepted_is_refused(f: Fixture) {
    let signer = Signer::new(&f, "Acme").await;
    signer.present(&f.app, "a", 0).await.unwrap();
    let shared = f.app.store().engine() == Engine::Postgres;
    if shared {
        // As a crash of the database leaves it.
        let mut tx = f.app.store().begin().await.unwrap();
        tx.forget_replay().await.unwrap();
        tx.commit().await.unwrap();
    }
    let app = again(&f, false, 0).await;
    for (jti, age) in [("a", 0), ("b", 0), ("c", 10)] {
        assert_eq!(refusal(signer.present(&app, jti, age).await), Refusal::AssertionReplayed, "{jti}");
    }
    app.clock().advance(31);
    assert_eq!(refusal(signer.present(&app, "d", 2).await), Refusal::AssertionReplayed, "made too near to the end");
    signer.present(&app, "e", 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_store_has_no_past() {
    let Some(f) = Fixture::new(Engine::Sqlite).await else { return };
    let signer = Signer::new(&f, "Acme").await;
    signer.present(&f.app, "a", 599).await.unwrap();
    // A server that has accepted nothing leaves nothing behind, however it ends.
    let other = Fixture::new(Engine::Sqlite).await.unwrap();
    let them = Signer::new(&other, "Acme").await;
    let app = again(&other, false, 0).await;
    them.present(&app, "a", 10).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_accept_an_assertion_once_among_them() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let signer = Signer::new(&f, "Acme").await;
    let (two, three) = (f.node("two").await, f.node("three").await);
    assert_eq!(two.clock().now(), START);
    for round in 0..20 {
        let jti = round.to_string();
        let (a, b, c) = tokio::join!(
            signer.present(&f.app, &jti, 0),
            signer.present(&two, &jti, 0),
            signer.present(&three, &jti, 0)
        );
        let accepted = [a, b, c].iter().filter(|tried| tried.is_ok()).count();
        assert_eq!(accepted, 1, "round {round}");
    }
    let refused = signer.present(&three, "0", 0).await;
    assert!(matches!(refused, Err(Error::Unauthenticated(Refusal::AssertionReplayed))));
}
