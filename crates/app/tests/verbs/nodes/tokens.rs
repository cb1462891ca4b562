//! Session tokens on several nodes: each accepts what another has signed, and none what another has ended.

use super::{Three, operator_on, refused, three, until};
use crate::fixture::{Fixture, HERE, done, open_as, token_settings, verify};
use claviger_app::App;
use claviger_app::caller::{Caller, RequestLine};
use claviger_app::nodes::{AcknowledgedSlot, Identity};
use claviger_app::sessions::Wish;
use claviger_app::verify::Proof;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::lifetime::DAY;
use claviger_domain::signing::Stage;
use claviger_domain::token::LIFETIME_DEFAULT;
use claviger_domain::{Refusal, Result};
use claviger_store::testing::{execute, open_fresh};
use claviger_store::{Engine, Options, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const WISH: Wish<'static> =
    Wish { door: "test", scope: None, lifetime: None, usual: LIFETIME_DEFAULT, user_agent: "", source: "" };

async fn present(node: &App, text: &str) -> Result<Caller> {
    node.authenticate(Proof::Token(text), HERE, "test").await
}

/// Why each node refuses a token; nothing where it accepts it.
async fn refusals(nodes: &[Arc<App>], text: &str) -> Vec<Option<Refusal>> {
    let mut found = Vec::new();
    for node in nodes {
        let answer = present(node, text).await;
        found.push(answer.err().map(|error| match error {
            claviger_domain::Error::Unauthenticated(refusal) => refusal,
            other => panic!("{other:?}"),
        }));
    }
    found
}

struct Known {
    tenant: TenantId,
    application: ApplicationId,
    client_id: String,
    secret: String,
}

impl Known {
    async fn make(f: &Fixture) -> Self {
        let tenant = f.organization("Acme").await.id;
        let (made, client_id) = f.application(tenant, "SIEM", &[("org.audits", &["READ"])]).await;
        Self { tenant, application: made.application.id, client_id, secret: made.secret.text.reveal() }
    }

    /// A token that a node has signed.
    async fn token(&self, node: &App) -> String {
        let caller = verify(node, &self.client_id, &self.secret).await.unwrap();
        node.issue_token(&caller, &WISH).unwrap().text
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_signs_every_node_accepts() {
    let Some(Three { f, nodes }) = three().await else { return };
    let known = Known::make(&f).await;
    for node in &nodes {
        assert_eq!(refusals(&nodes, &known.token(node).await).await, [None; 3]);
    }
}

/// D1 with tokens: calls without pause on all nodes while one ends them; none that begins after that call has returned
/// succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_a_token_that_one_node_ends_no_node_accepts() {
    let Some(Three { f, nodes }) = three().await else { return };
    let known = Known::make(&f).await;
    let rounds = super::rounds() / 5;
    for round in 0..rounds {
        let text: Arc<str> = known.token(&nodes[round % 3]).await.into();
        let (ended, succeeded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = nodes
            .iter()
            .map(|node| {
                let (node, text) = (Arc::clone(node), Arc::clone(&text));
                let (ended, succeeded) = (Arc::clone(&ended), Arc::clone(&succeeded));
                tokio::spawn(async move {
                    let mut after = 0;
                    while after < 20 {
                        let began_after = ended.load(Ordering::SeqCst);
                        let answer = present(&node, &text).await;
                        if began_after {
                            assert!(refused(&answer), "accepted after it was ended, round {round}: {answer:?}");
                            after += 1;
                        } else if answer.is_ok() {
                            succeeded.fetch_add(1, Ordering::Relaxed);
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        until("a call on each node", || async { succeeded.load(Ordering::Relaxed) >= 3 }).await;
        let node = &nodes[(round + 1) % 3];
        let acknowledged = Arc::<AcknowledgedSlot>::default();
        let line = RequestLine { acknowledged: Arc::clone(&acknowledged), ..RequestLine::default() };
        let operator = operator_on(&f, node).await.with_request(line);
        match round % 4 {
            0 => node.revoke_token(&operator, &text).await.unwrap(),
            1 => drop(node.invalidate_tokens(&operator, known.tenant, None, None, None).await.unwrap()),
            2 => {
                let application = Some(known.application);
                drop(node.invalidate_tokens(&operator, known.tenant, application, None, None).await.unwrap());
            }
            _ => {
                let keys = node.list_signing_keys(&operator).await.unwrap();
                let signing = keys.iter().find(|key| key.stage == Stage::Signing).unwrap();
                drop(node.revoke_signing_key(&operator, signing.kid.clone(), None).await.unwrap());
            }
        }
        ended.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        for other in &nodes {
            let fresh = known.token(other).await;
            assert_eq!(refusals(&nodes, &fresh).await, [None; 3], "a new one, round {round}");
        }
        let acknowledged = acknowledged.lock().take().unwrap();
        assert_eq!((acknowledged.confirmed.len(), acknowledged.lapsed.len()), (3, 0), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_tokens_live_holds_on_every_node() {
    let Some(Three { f, nodes }) = three().await else { return };
    let known = Known::make(&f).await;
    f.app.set_token_lifetime(&f.operator, known.tenant, Some(60)).await.unwrap();
    for node in &nodes {
        let caller = verify(node, &known.client_id, &known.secret).await.unwrap();
        assert_eq!(node.issue_token(&caller, &WISH).unwrap().expires_in, 60);
    }
}

/// A key that another node has made is read when its first token comes, however far the feed has been followed; the key that
/// is due is made by one node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_node_is_read_on_sight() {
    let Some(Three { f, nodes }) = three().await else { return };
    let known = Known::make(&f).await;
    let keys = async || f.app.store().begin().await.unwrap().list_signing_keys().await.unwrap().len();
    assert_eq!(keys().await, 1);
    nodes.iter().for_each(|node| node.clock().advance(30 * DAY - 1_800));
    nodes[1].tend_signing_keys().await.unwrap();
    assert_eq!(keys().await, 1, "the next one is due, and made by who is in charge");
    f.app.tend_signing_keys().await.unwrap();
    assert_eq!(keys().await, 2);
    nodes.iter().for_each(|node| node.clock().advance(60 * DAY));
    nodes[2].tend_signing_keys().await.unwrap();
    assert_eq!(keys().await, 3, "without one that signs nobody waits for who is in charge");
    let text = known.token(&nodes[2]).await;
    assert_eq!(refusals(&nodes, &text).await, [None; 3]);
}

/// Invalidating ends what a node has signed whose clock is ahead, also once more in the same moment; and both sign on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_save_no_token() {
    let Some(Three { f, nodes }) = three().await else { return };
    let known = Known::make(&f).await;
    for (node, seconds) in [(1, 25), (2, -25)] {
        nodes[node].clock().advance(seconds);
        nodes[node].clock().skew(seconds);
    }
    let compared = async || {
        let listed = f.app.list_nodes(&f.operator).await.unwrap();
        listed.iter().map(|view| view.node.clock_offset / 1_000_000).collect::<Vec<_>>().iter().sum::<i64>() == 0
            && listed.iter().filter(|view| view.node.clock_offset != 0).count() == 2
    };
    until("they have compared", &compared).await;
    for round in 0..9 {
        let mut texts = Vec::new();
        for node in &nodes {
            texts.push(known.token(node).await);
        }
        for text in &texts {
            assert_eq!(refusals(&nodes, text).await, [None; 3], "round {round}");
        }
        let node = &nodes[round % 3];
        let operator = operator_on(&f, node).await;
        let application = (round >= 3).then_some(known.application);
        drop(node.invalidate_tokens(&operator, known.tenant, application, None, None).await.unwrap());
        for text in &texts {
            assert_eq!(refusals(&nodes, text).await, [Some(Refusal::TokenRevoked); 3], "round {round}");
        }
    }
}

/// Nothing but the first server's revision told of these: a node that has missed too much reads tokens again, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_the_feed_ends_tokens_as_well() {
    let Some(Three { f, nodes }) = three().await else { return };
    let known = Known::make(&f).await;
    let text = known.token(&nodes[0]).await;
    assert_eq!(refusals(&nodes, &text).await, [None; 3]);
    let now = f.app.clock().now();
    let mut tx = f.app.store().begin().await.unwrap();
    tx.cut_off_tokens(known.tenant, None, now, now).await.unwrap();
    execute(&mut tx, "update revisions set revision = revision + 3").await.unwrap();
    tx.commit().await.unwrap();
    until("all have read again", || async { refusals(&nodes, &text).await == [Some(Refusal::TokenRevoked); 3] }).await;
}

/// Two servers set an empty store up at the same moment: one of them does, and both sign with keys that both know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_first_starts_end_with_keys_that_both_know() {
    let Some((store, guard)) = open_fresh(Engine::Postgres).await else { return };
    let start = async |name: &'static str, seed, store| {
        let identity = Identity { name: name.into(), ..Identity::default() };
        let app: Arc<App> = open_as(store, 7, seed, identity).await.unwrap();
        let made = app.set_up().await.unwrap();
        if made.is_some() {
            app.load_tree().await.unwrap();
        }
        app.open_tokens(token_settings()).await.unwrap();
        app.load_keyring().await.unwrap();
        (app, made)
    };
    let other = Store::open(Options { location: guard.location(), accept_data_loss: false }).await.unwrap();
    let ((one, first), (two, second)) = tokio::join!(start("one", 1_000_000, store), start("two", 2_000_000, other));
    assert!(first.is_some() != second.is_some(), "one of them has set it up");
    let made = first.or(second).unwrap();
    let (id, secret) = (made.client_id.to_string(), made.secret.text.reveal());
    let nodes = [one, two];
    for node in &nodes {
        until("it knows the operator", || async { verify(node, &id, &secret).await.is_ok() }).await;
        until("it has a key", || async { node.published_keys().len() == 1 }).await;
    }
    for node in &nodes {
        let caller = verify(node, &id, &secret).await.unwrap();
        let text = node.issue_token(&caller, &WISH).unwrap().text;
        assert_eq!(refusals(&nodes, &text).await, [None; 2]);
    }
    let operator = verify(&nodes[0], &id, &secret).await.unwrap();
    let next = done(nodes[0].rotate_signing_key(&operator, None).await.unwrap());
    assert_eq!(nodes[1].published_keys().len(), 2, "{next:?}");
}
