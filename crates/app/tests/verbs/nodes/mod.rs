//! Several servers on one PostgreSQL: what one revokes, none accepts; and who cannot know, refuses.

mod cut;
mod limits;
mod lives;
mod proofs;
mod tenants;
mod tokens;
mod usage;

use crate::fixture::{self, Fixture, START, done, grants, verify};
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_domain::access_level::{AccessLevelPatch, NewAccessLevel};
use claviger_domain::application::{ApplicationPatch, NewApplication, Rights};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::rotation::Rotation;
use claviger_domain::tenant::{Status, TenantPatch};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::testing::execute;
use claviger_store::{Engine, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A fixture with two more nodes.
struct Three {
    f: Fixture,
    nodes: [Arc<App>; 3],
}

async fn three() -> Option<Three> {
    let f = Fixture::new(Engine::Postgres).await?;
    let nodes = [Arc::clone(&f.app), f.node("two").await, f.node("three").await];
    Some(Three { f, nodes })
}

async fn run(store: &Store, sql: &'static str) {
    let mut tx = store.begin().await.unwrap();
    execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
}

/// Waits until something holds.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn refused<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::Unauthenticated(_)))
}

fn unavailable<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::Unavailable(_)))
}

fn rounds() -> usize {
    if std::env::var_os("CLAVIGER_TEST_LONG").is_some() { 2_000 } else { 100 }
}

/// D1: calls without pause on all nodes while one revokes; none that begins after the revoking call has returned succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_what_one_node_revokes_no_node_accepts() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    run(f.app.store(), "update tenants set application_limit = 10000").await;
    let mut slowest = Duration::ZERO;
    for round in 0..rounds() {
        let (made, id) = f.application(org.id, &format!("Round {round}"), &[]).await;
        let secret: Arc<str> = made.secret.text.reveal().into();
        let (revoked, succeeded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = nodes
            .iter()
            .map(|node| {
                let (node, id, secret) = (Arc::clone(node), id.clone(), Arc::clone(&secret));
                let (revoked, succeeded) = (Arc::clone(&revoked), Arc::clone(&succeeded));
                tokio::spawn(async move {
                    let mut after = 0;
                    while after < 20 {
                        let began_after = revoked.load(Ordering::SeqCst);
                        let answer = verify(&node, &id, &secret).await;
                        if began_after {
                            assert!(refused(&answer), "accepted after it was revoked: {answer:?}");
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
        let began = Instant::now();
        match round % 3 {
            0 => f.app.delete_application(&f.operator, org.id, made.application.id, None).await.unwrap(),
            1 => drop(rotate(&f, org.id, made.application.id).await),
            _ => patch(&f, org.id, made.application.id, ApplicationPatch { enabled: Some(false), ..none() }).await,
        }
        revoked.store(true, Ordering::SeqCst);
        slowest = slowest.max(began.elapsed());
        for caller in callers {
            caller.await.unwrap();
        }
    }
    eprintln!("slowest revocation {slowest:?}");
    assert!(slowest < claviger_app::nodes::LEASE, "somebody's lease had to run out: {slowest:?}");
}

async fn rotate(f: &Fixture, tenant: TenantId, id: ApplicationId) -> String {
    let rotation = Rotation::Leak { quarantine: false };
    let rotated = f.app.rotate_secret(&f.operator, tenant, id, rotation, None).await.unwrap();
    done(rotated).secret.text.reveal()
}

async fn patch(f: &Fixture, tenant: TenantId, id: ApplicationId, patch: ApplicationPatch) {
    f.app.update_application(&f.operator, tenant, id, patch, None).await.unwrap();
}

fn none() -> ApplicationPatch {
    ApplicationPatch::default()
}

/// D2: whatever narrows a right bites on every node when the call returns, and so does whatever widens one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_whatever_narrows_bites_everywhere() {
    let Some(Three { f, nodes }) = three().await else { return };
    let (org, beneath) = (f.organization("Acme").await, &f);
    let (made, id) = f.application(org.id, "SIEM", &[("org.audits", &["READ"])]).await;
    let application = made.application.id;
    let mut secret = made.secret.text.reveal();
    let callers = async |secret: &str| {
        let mut answers = Vec::new();
        for node in &nodes {
            answers.push(verify(node, &id, secret).await);
        }
        answers
    };
    let held = |answers: &[Result<Caller>]| -> Vec<bool> {
        let audits = claviger_domain::grants::Verb::Read;
        answers.iter().map(|caller| caller.as_ref().unwrap().allow("org.audits", audits).is_ok()).collect()
    };
    assert_eq!(held(&callers(&secret).await), [true; 3]);
    let rights = |list: &[(&str, &[&str])]| ApplicationPatch { rights: Some(Rights::Inline(grants(list))), ..none() };
    patch(beneath, org.id, application, rights(&[])).await;
    assert_eq!(held(&callers(&secret).await), [false; 3]);
    patch(beneath, org.id, application, rights(&[("org.audits", &["READ"])])).await;
    assert_eq!(held(&callers(&secret).await), [true; 3]);
    let networks = |list| ApplicationPatch { allowed_networks: Some(list), ..none() };
    patch(beneath, org.id, application, networks(Some(Vec::new()))).await;
    assert!(callers(&secret).await.iter().all(refused));
    patch(beneath, org.id, application, networks(None)).await;
    assert!(callers(&secret).await.iter().all(Result::is_ok));
    for (status, served) in [(Status::Suspended, false), (Status::Active, true)] {
        let patch = TenantPatch { status: Some(status), ..TenantPatch::default() };
        f.app.update_tenant(&f.operator, org.id, patch, None).await.unwrap();
        assert!(callers(&secret).await.iter().all(|answer| answer.is_ok() == served), "{status:?}");
    }
    let new_secret = rotate(&f, org.id, application).await;
    assert!(callers(&secret).await.iter().all(refused));
    secret = new_secret;
    assert!(callers(&secret).await.iter().all(Result::is_ok));
}

/// What several nodes change at the same time reaches all of them; and new tenants do, with those beneath them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_revoke_at_the_same_time_on_every_node() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    run(f.app.store(), "update tenants set application_limit = 10000").await;
    let mut made = Vec::new();
    for number in 0..30 {
        let (created, id) = f.application(org.id, &format!("A{number}"), &[]).await;
        made.push((created.application.id, id, created.secret.text.reveal()));
    }
    let mut operators = Vec::new();
    for node in &nodes {
        operators.push((Arc::clone(node), operator_on(&f, node).await));
    }
    let revoking: Vec<_> = made
        .iter()
        .enumerate()
        .map(|(index, (application, ..))| {
            let (node, operator) = operators[index % 3].clone();
            let application = *application;
            tokio::spawn(async move { node.delete_application(&operator, org.id, application, None).await })
        })
        .collect();
    for (revoking, (_, id, secret)) in revoking.into_iter().zip(&made) {
        revoking.await.unwrap().unwrap();
        for node in &nodes {
            assert!(refused(&verify(node, id, secret).await));
        }
    }
}

/// The operator, as another node knows it.
async fn operator_on(f: &Fixture, node: &App) -> Caller {
    verify(node, &f.operator.name(), &f.operator_secret).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_slept_beyond_the_lease_refuses_until_it_has_confirmed() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let two = f.node("two").await;
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    assert!(verify(&two, &id, &secret).await.is_ok());
    two.clock().sleep(6);
    assert!(unavailable(&verify(&two, &id, &secret).await), "at once, whatever the tasks do");
    until("it confirms again", || async { verify(&two, &id, &secret).await.is_ok() }).await;
    assert!(two.ready().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_not_served_by() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let two = f.node("two").await;
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    for (skew, served) in [(29, true), (31, false), (-29, true), (-31, false), (0, true)] {
        two.clock().skew(skew);
        let compared = async || {
            let listed = f.app.list_nodes(&f.operator).await.unwrap();
            listed.iter().any(|view| view.node.name == "two" && view.node.clock_offset == skew * 1_000_000)
        };
        until("it has compared", &compared).await;
        until("it does what follows", || async { two.ready().is_ok() == served }).await;
        assert_eq!(verify(&two, &id, &secret).await.is_ok(), served, "{skew}");
        if !served {
            assert!(two.ready().unwrap_err().contains("clock"));
            let began = Instant::now();
            f.organization(&format!("Beneath {skew}")).await;
            assert!(
                began.elapsed() < Duration::from_secs(4),
                "nobody waits for a node that follows but does not answer"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_shut_out_comes_back_and_misses_nothing() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    run(f.app.store(), "delete from nodes").await;
    f.app.delete_application(&f.operator, org.id, made.application.id, None).await.unwrap();
    until("all are back", || async { f.app.list_nodes(&f.operator).await.unwrap().len() == 3 }).await;
    for node in &nodes {
        until("it has followed", || async { refused(&verify(node, &id, &secret).await) }).await;
    }
}

/// Changes that were swept before a node could follow them: it reads everything again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_the_feed_makes_a_node_read_everything_again() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    let mut tx = f.app.store().begin().await.unwrap();
    for sql in ["update applications set enabled = false", "update revisions set revision = revision + 3"] {
        execute(&mut tx, sql).await.unwrap();
    }
    tx.commit().await.unwrap();
    for node in &nodes {
        until("it has read again", || async {
            matches!(verify(node, &id, &secret).await, Err(Error::Unauthenticated(Refusal::Disabled)))
        })
        .await;
    }
}

/// A level that was narrowed meanwhile is narrow for whoever calls next, also while somebody is being served with the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_the_feed_leaves_no_old_level_behind() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    let level = NewAccessLevel {
        name: Name::parse("/name", "Reader").unwrap(),
        description: String::new(),
        grants: grants(&[("org.audits", &["READ"]), ("org.alerts", &["READ"])]),
    };
    let level = done(f.app.create_access_level(&f.operator, org.id, level, None).await.unwrap());
    let new = NewApplication { rights: Rights::Level(level.id), ..fixture::new("SIEM", &[]) };
    let made = done(f.app.create_application(&f.operator, org.id, new, None).await.unwrap());
    let (id, secret) = (made.application.client_id.to_string(), made.secret.unwrap().text.reveal());
    let mut served = Vec::new();
    for node in &nodes {
        served.push(verify(node, &id, &secret).await.unwrap());
    }
    let mut tx = f.app.store().begin().await.unwrap();
    for sql in [
        r#"update access_levels set grants = '{"org.audits":["READ"]}'"#,
        "update revisions set revision = revision + 3",
    ] {
        execute(&mut tx, sql).await.unwrap();
    }
    tx.commit().await.unwrap();
    let holds = async |node: &App, right| verify(node, &id, &secret).await.unwrap().allow(right, Verb::Read).is_ok();
    for node in &nodes {
        until("it has read again", || async { !holds(node, "org.alerts").await }).await;
    }
    let patch = AccessLevelPatch { grants: Some(grants(&[])), ..AccessLevelPatch::default() };
    f.app.update_access_level(&f.operator, org.id, level.id, patch, None).await.unwrap();
    for node in &nodes {
        assert!(!holds(node, "org.audits").await, "a later edit reaches it");
    }
    drop(served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_is_not_waited_for_and_its_jobs_have_failed() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let two = f.node("two").await;
    let operator = operator_on(&f, &two).await;
    let job = two.start_job(&operator, "test", serde_json::json!({}), std::future::pending()).await.unwrap();
    assert_eq!(f.app.find_job(&f.operator, job.number).await.unwrap().status, "CREATED");
    let third = f.node("three").await;
    assert_eq!(f.app.find_job(&f.operator, job.number).await.unwrap().status, "CREATED", "its node lives");
    two.leave().await;
    assert!(unavailable(&verify(&two, &f.operator.name(), "x").await));
    let began = Instant::now();
    let org = f.organization("Acme").await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    third.leave().await;
    let _fourth = f.node("four").await;
    assert_eq!(f.app.find_job(&f.operator, job.number).await.unwrap().status, "FAILED");
    drop(org);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_of_all_nodes_is_merged() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[("org.audits", &["READ"])]).await;
    let secret = made.secret.text.reveal();
    for (node, calls) in nodes.iter().zip([5, 7, 11]) {
        for _ in 0..calls {
            let caller = verify(node, &id, &secret).await.unwrap();
            caller.allow("org.audits", claviger_domain::grants::Verb::Read).unwrap();
        }
    }
    let (one, two, three) = tokio::join!(nodes[0].flush_usage(), nodes[1].flush_usage(), nodes[2].flush_usage());
    one.and(two).and(three).unwrap();
    let query = claviger_app::usage::UsageQuery {
        application: None,
        since: START.plus_seconds(-86_400),
        until: START.plus_seconds(86_400),
        grain: claviger_domain::usage::Grain::Hour,
    };
    let page = claviger_domain::page::PageRequest::parse(None, None).unwrap();
    let operator = operator_on(&f, &nodes[1]).await;
    let usage = nodes[1].application_usage(&operator, org.id, made.application.id, query, &page).await.unwrap().0;
    let calls: i64 = usage.items.iter().filter(|row| row.right == "org.audits:READ").map(|row| row.count).sum();
    assert_eq!(calls, 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_is_in_charge_and_another_takes_over() {
    let Some(Three { f, nodes }) = three().await else { return };
    let in_charge = || nodes.iter().filter(|node| node.is_in_charge()).count();
    assert_eq!(in_charge(), 1);
    assert!(f.app.is_in_charge(), "the first");
    f.app.sign_heads().await.unwrap();
    f.app.leave().await;
    until("another takes over", || async { nodes[1].is_in_charge() || nodes[2].is_in_charge() }).await;
    let operator = operator_on(&f, &nodes[1]).await;
    let new = claviger_domain::tenant::NewTenant::new(
        claviger_domain::name::Name::parse("/name", "Acme").unwrap(),
        claviger_domain::tenant::Kind::Organization,
        f.operator.tenant().id,
    );
    done(nodes[1].create_tenant(&operator, new, None).await.unwrap());
    let late = f.app.sign_heads().await;
    assert!(unavailable(&late), "{late:?}");
}
