//! The hold on a PostgreSQL store: lost, taken over, cut off without a word.

use crate::fixture::{Fixture, new, refusal, verify};
use claviger_domain::{Error, Refusal};
use claviger_store::testing::execute;
use claviger_store::{Engine, Location, Options, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const CUT: &str = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = \
    (select oid from pg_database where datname = current_database())";

async fn run(store: &Store, sql: &'static str) {
    let mut tx = store.begin().await.unwrap();
    execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_server_changed_is_read_again() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    let (stop, stopping) = watch::channel(false);
    let background = tokio::spawn(Arc::clone(&f.app).run_background(stopping));
    tokio::time::sleep(Duration::from_millis(600)).await;
    verify(&f.app, &id, &secret).await.unwrap();
    // What another server does while it has the hold, and the loss of ours, in one go.
    let mut tx = f.app.store().begin().await.unwrap();
    for sql in
        ["update applications set enabled = false", "update revisions set revision = revision + 1 where shard = 7", CUT]
    {
        execute(&mut tx, sql).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tries = 0;
    while !matches!(verify(&f.app, &id, &secret).await, Err(Error::Unauthenticated(Refusal::Disabled))) {
        tries += 1;
        assert!(tries < 100, "what another server revoked is accepted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send(true).unwrap();
    background.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_taken_over_changes_nothing() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let org = f.organization("Acme").await;
    run(f.app.store(), "update counters set next = next + 1 where name = 'hold'").await;
    let late = f.app.create_application(&f.operator, org.id, new("Late", &[]), None).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    let page = claviger_domain::page::PageRequest::parse(None, None).unwrap();
    assert!(f.app.list_applications(&f.operator, org.id, &page).await.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_cut_ends_in_refusal() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    f.app.store().close().await;
    let Location::Postgres { url } = f.guard.location() else { panic!() };
    let (address, flowing) = proxy(&url).await;
    let (scheme, rest) = url.split_once("//").unwrap();
    let (role, rest) = rest.split_once('@').unwrap();
    let database = rest.rsplit_once('/').unwrap().1;
    let location = Location::Postgres { url: format!("{scheme}//{role}@{address}/{database}") };
    let store = Store::open(Options { location, accept_data_loss: false }).await.unwrap();
    let app = crate::fixture::open(store, 7).await.unwrap();
    app.load_keyring().await.unwrap();
    let (_stop, stopping) = watch::channel(false);
    let background = tokio::spawn(Arc::clone(&app).run_background(stopping));
    tokio::time::sleep(Duration::from_millis(600)).await;
    verify(&app, &id, &secret).await.unwrap();
    flowing.store(false, Ordering::Release);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let answer = verify(&app, &id, &secret).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    assert_eq!(refusal(verify(&f.app, &id, "x").await), Refusal::WrongSecret, "the other one was told to stop");
    flowing.store(true, Ordering::Release);
    let mut tries = 0;
    while verify(&app, &id, &secret).await.is_err() {
        tries += 1;
        assert!(tries < 200, "it does not recover by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    background.abort();
}

/// Passes bytes on for as long as they may flow, and keeps them otherwise.
async fn proxy(url: &str) -> (String, Arc<AtomicBool>) {
    let server = url.rsplit_once('/').unwrap().0.rsplit_once('@').unwrap().1.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let flowing = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&flowing);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&server).await else { continue };
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(pass(from_client, to_server, Arc::clone(&gate)));
            tokio::spawn(pass(from_server, to_client, Arc::clone(&gate)));
        }
    });
    (address, flowing)
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, gate: Arc<AtomicBool>) {
    let mut buffer = vec![0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        while !gate.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
