//! Rates, for whoever asks: `cargo test --release -p claviger-store -- --ignored --nocapture --test-threads 1 rates`.

#![expect(clippy::print_stdout, reason = "printing is what they are for")]

use crate::fixtures::*;
use claviger_domain::id::TenantId;
use claviger_store::changes::{Change, ChangeKind};
use claviger_store::testing::open_fresh;
use claviger_store::{Engine, Options, Store, Tx};
use std::time::Instant;

const TASKS: u128 = 64;
const TENANTS: u128 = 64;

/// What the verb that creates an application does.
async fn create(tx: &mut Tx, tenant: TenantId, number: u128) {
    let application = application(tenant, number);
    tx.lock_tenant(tenant).await.unwrap();
    tx.count_applications(tenant).await.unwrap();
    insert_application(tx, &application).await;
    tx.insert_secret(tenant, &secret(application.id, number)).await.unwrap();
    tx.append_audit(tenant, &entry(1)).await.unwrap();
    let change = Change { kind: ChangeKind::Application, subject: application.id.to_string() };
    tx.bump_revision(tenant, &[change]).await.unwrap();
}

async fn small(tx: &mut Tx, number: u128) {
    tx.insert_setting(&format!("{number:09}"), &[1; 32]).await.unwrap();
}

async fn by_many_tasks(store: &Store, first: u128, count: u128, whole: bool) -> f64 {
    let before = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (0..count).filter(|number| number % TASKS == task) {
                    let mut tx = store.begin().await.unwrap();
                    if whole {
                        create(&mut tx, tenant_id(number % TENANTS + 1), first + number).await;
                    } else {
                        small(&mut tx, first + number).await;
                    }
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    rate(count, before)
}

async fn by_hand(store: &Store, first: u128, count: u128, whole: bool) -> f64 {
    let before = Instant::now();
    for batch in 0..count / TASKS {
        let mut tx = store.begin().await.unwrap();
        for number in batch * TASKS..(batch + 1) * TASKS {
            if whole {
                create(&mut tx, tenant_id(number % TENANTS + 1), first + number).await;
            } else {
                small(&mut tx, first + number).await;
            }
        }
        tx.commit().await.unwrap();
    }
    rate(count, before)
}

#[expect(clippy::cast_precision_loss, reason = "a rate that is printed")]
fn rate(count: u128, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

async fn compare(engine: Engine) {
    let Some((store, _guard)) = open_fresh(engine).await else { return };
    insert_tenants(&store, TENANTS).await;
    for whole in [false, true] {
        for round in 0..3 {
            let count = if whole { 3_200 } else { 12_800 };
            let first = round * 1_000_000;
            let commits = store.commits();
            let shared = by_many_tasks(&store, first, count, whole).await;
            let commits = store.commits() - commits;
            let by_hand = by_hand(&store, first + 100_000, count, whole).await;
            let unit = if whole { "create" } else { "small" };
            println!(
                "{engine:?} {unit}: {shared:.0}/s by {TASKS} tasks in {commits} commits, {by_hand:.0}/s in batches of \
                 {TASKS} by hand, ratio {:.2}",
                shared / by_hand
            );
        }
    }
    let before = Instant::now();
    for number in 0..200 {
        let mut tx = store.begin().await.unwrap();
        small(&mut tx, 900_000_000 + number).await;
        tx.commit().await.unwrap();
    }
    println!("{engine:?} small: {:.0}/s by one task", rate(200, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints rates"]
async fn sqlite_group_commit() {
    compare(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints rates"]
async fn postgres_commit() {
    compare(Engine::Postgres).await;
}

async fn load(engine: Engine, count: u128) {
    let Some((store, guard)) = open_fresh(engine).await else { return };
    insert_tenants(&store, 100).await;
    let before = Instant::now();
    for batch in 0..count / 1_000 {
        let mut tx = store.begin().await.unwrap();
        for number in batch * 1_000..(batch + 1) * 1_000 {
            let tenant = tenant_id(number % 100 + 1);
            let application = application(tenant, number);
            insert_application(&mut tx, &application).await;
            tx.insert_secret(tenant, &secret(application.id, number)).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    println!("{engine:?}: {count} applications stored in {:?}", before.elapsed());
    store.close().await;
    let store = Store::open(Options { location: guard.location(), accept_data_loss: false }).await.unwrap();
    for limit in [1_000, 10_000] {
        let (before, cpu) = (Instant::now(), cpu_seconds());
        let (mut loaded, mut after) = (0, None);
        loop {
            let found = store.load_credentials(after, limit).await.unwrap();
            let Some(last) = found.last() else { break };
            after = Some((last.application.tenant_id, last.application.id));
            loaded += found.iter().map(|one| one.secrets.len()).sum::<usize>();
        }
        println!(
            "{engine:?}: {loaded} credentials loaded in {:?} with {:.1} s of CPU, {limit} at a time",
            before.elapsed(),
            cpu_seconds() - cpu
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn sqlite_loading_a_million() {
    load(Engine::Sqlite, 1_000_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn postgres_loading_a_million() {
    load(Engine::Postgres, 1_000_000).await;
}

/// CPU time of this process so far: on a busy machine it says more than the clock.
#[expect(clippy::cast_precision_loss, reason = "a figure that is printed")]
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Ticks of a hundredth of a second, user and system: the 12th and 13th field after the name in brackets.
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    ticks.sum::<u64>() as f64 / 100.0
}
