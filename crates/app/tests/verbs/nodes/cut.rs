//! A node whose connections to the database are cut without a word.

use super::{Three, refused, run, three, unavailable, until};
use crate::fixture::{Fixture, open_as, verify};
use claviger_app::caller::RequestLine;
use claviger_app::nodes::Identity;
use claviger_store::{Engine, Location, Options, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// D3: a node is cut off without a word. Whoever revokes waits no longer than a lease; the node refuses by then, recovers by
/// itself and has missed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_a_silent_cut_ends_in_refusal() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let org = f.organization("Acme").await;
    let (kept, kept_id) = f.application(org.id, "Kept", &[]).await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let (kept, secret) = (kept.secret.text.reveal(), made.secret.text.reveal());
    let Location::Postgres { url } = f.guard.location() else { panic!() };
    let (address, flowing) = proxy(&url).await;
    let (scheme, rest) = url.split_once("//").unwrap();
    let (role, rest) = rest.split_once('@').unwrap();
    let database = rest.rsplit_once('/').unwrap().1;
    let location = Location::Postgres { url: format!("{scheme}//{role}@{address}/{database}") };
    let store = Store::open(Options { location, accept_data_loss: false }).await.unwrap();
    let identity = Identity { name: "cut".into(), ..Identity::default() };
    let two = open_as(store, 7, 99, identity).await.unwrap();
    two.load_keyring().await.unwrap();
    for (id, secret) in [(&id, &secret), (&kept_id, &kept)] {
        verify(&two, id, secret).await.unwrap();
    }
    flowing.store(false, Ordering::Release);
    let began = Instant::now();
    let request = RequestLine::default();
    let acknowledged = Arc::clone(&request.acknowledged);
    let operator = f.operator.clone().with_request(request);
    f.app.delete_application(&operator, org.id, made.application.id, None).await.unwrap();
    let took = began.elapsed();
    assert!(unavailable(&verify(&two, &id, &secret).await), "revoked on the other side, {took:?} after the cut");
    assert!(unavailable(&verify(&two, &kept_id, &kept).await));
    assert!(took > Duration::from_secs(3), "its lease was still running: {took:?}");
    assert!(took < Duration::from_millis(5_500) + SLACK, "{took:?}");
    assert_eq!(acknowledged.lock().as_ref().unwrap().lapsed, ["cut"]);
    until("the row is gone", || async { f.app.list_nodes(&f.operator).await.unwrap().len() == 1 }).await;
    let began = Instant::now();
    f.organization("Nobody waits any more").await;
    assert!(began.elapsed() < Duration::from_secs(3));
    flowing.store(true, Ordering::Release);
    until("it recovers by itself", || async { verify(&two, &kept_id, &kept).await.is_ok() }).await;
    assert!(refused(&verify(&two, &id, &secret).await));
}

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// Hints only save time: without any, everything holds all the same, and they are heard again by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_what_is_not_heard_is_found_by_looking() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    for round in 0..3 {
        let (made, id) = f.application(org.id, &format!("SIEM {round}"), &[]).await;
        let secret = made.secret.text.reveal();
        for node in &nodes {
            assert!(verify(node, &id, &secret).await.is_ok());
        }
        run(
            f.app.store(),
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and query ilike 'listen%'",
        )
        .await;
        f.app.delete_application(&f.operator, org.id, made.application.id, None).await.unwrap();
        for node in &nodes {
            assert!(refused(&verify(node, &id, &secret).await));
        }
    }
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
