//! What people cost: pages of very many users, and what a storm of sign-ins leaves of verification.

use crate::api::{Client, exchange};
use crate::child::Server;
use crate::load::{Door, Fleet, Question, Tokens};
use crate::measure::{ROUNDS, all_cores};
use crate::stores::{self, Credential, PER_TENANT};
use crate::table::{Table, median, quantile};
use crate::{Outcome, say};
use claviger_app::passwords::Passwords;
use claviger_app::random::Random;
use claviger_domain::application::Reach;
use claviger_domain::id::UserId;
use claviger_domain::page::Page;
use claviger_domain::password::Password;
use claviger_domain::user::{Status, User};
use claviger_store::testing::bulk::insert_users;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const MANY: usize = 1_000_000;
const FEW: usize = 1_000;
const AT_ONCE: usize = 10_000;
/// Pages that are read in a round.
const PAGES: usize = 100;
/// People who sign in at once.
const STORM: usize = 500;
/// Verifications of a round.
const REQUESTS: usize = 50_000;
const PASSWORD: &str = "a long and quiet river";

/// Measures both.
pub(crate) fn measure(table: &mut Table, directory: &Path) -> Outcome<()> {
    pages(table, directory)?;
    storm(table, &directory.join("storm"))
}

/// A page of the users of one tenant: the first, one from the middle, and one of those that a word finds.
fn pages(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("pages of users");
    let runtime = all_cores()?;
    let (few, many) = (directory.join("few-users"), directory.join("many-users"));
    let few_operator = runtime.block_on(make(&few, FEW, None))?;
    let many_operator = runtime.block_on(make(&many, MANY, None))?;
    let (few, many) = (Server::start(&few)?, Server::start(&many)?);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let few = runtime.block_on(read_pages(&few, &few_operator, FEW))?;
        let many = runtime.block_on(read_pages(&many, &many_operator, MANY))?;
        ratios.push(many.iter().zip(few).map(|(many, few)| many / few).fold(0.0, f64::max));
    }
    few.stop()?;
    many.stop()?;
    table.at_most("page of users with 1,000,000 ÷ with 1,000, the worst of three kinds", median(ratios), 3.0, "");
    Ok(())
}

/// Seconds of each kind of page, in the middle.
async fn read_pages(server: &Server, operator: &Credential, users: usize) -> Outcome<[f64; 3]> {
    let mut client = Client::connect(&server.door, operator).await?;
    let path = format!("/v1/tenants/{}/users?limit=50", stores::tenant_id(0));
    // Where somebody in the middle stands, as a cursor says it.
    let middle = client.call("GET", &format!("{path}&q=u{}@", users / 2), &Value::Null).await?;
    let id = middle.pointer("/items/0/id").and_then(Value::as_str).ok_or("nobody in the middle")?.to_owned();
    let cursor = Page::<()>::gathered(Vec::new(), Some(&id)).next.ok_or("no cursor")?;
    let kinds = [path.clone(), format!("{path}&cursor={cursor}"), format!("{path}&q=lovelace{}", users / 3)];
    let mut took = [0.0; 3];
    for (took, path) in took.iter_mut().zip(&kinds) {
        let mut times = Vec::with_capacity(PAGES);
        for _ in 0..PAGES {
            let start = Instant::now();
            client.call("GET", path, &Value::Null).await?;
            times.push(start.elapsed().as_secs_f64());
        }
        *took = median(times);
    }
    Ok(took)
}

/// Verification while hundreds of people sign in, and when nobody does.
fn storm(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("a storm of sign-ins");
    let runtime = all_cores()?;
    let hash = runtime.block_on(async {
        let password = Password::presented("", PASSWORD.to_owned())?;
        Outcome::Ok(Passwords::new(Random::System).hash(&password).await?.to_string())
    })?;
    runtime.block_on(make(directory, STORM, Some(&hash)))?;
    let server = Server::start(directory)?;
    server.await_log("all applications are in memory")?;
    let tokens = Tokens::new((0..PER_TENANT).map(stores::credential));
    let (mut ratios, mut slowest, mut entered) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS as u64 {
        let quiet = runtime.block_on(verify(&server, &tokens, round))?;
        let stop = Arc::new(AtomicBool::new(false));
        let signing_in = Arc::new(AtomicUsize::new(0));
        let (busy, probe) = runtime.block_on(async {
            let mut people = JoinSet::new();
            for number in 0..STORM {
                let (door, stop, entered) = (server.door.clone(), Arc::clone(&stop), Arc::clone(&signing_in));
                people.spawn(async move { sign_in_again_and_again(&door, number, &stop, &entered).await });
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let probing = tokio::spawn(probe(server.door.clone(), Arc::clone(&stop)));
            let busy = verify(&server, &tokens, round + 100).await;
            stop.store(true, Ordering::Release);
            let probe = probing.await?;
            people.join_all().await.into_iter().collect::<Outcome<()>>()?;
            Outcome::Ok((busy?, probe?))
        })?;
        ratios.push(quiet / busy);
        slowest.push(probe);
        entered += signing_in.load(Ordering::Acquire);
    }
    server.stop()?;
    table.at_least("verify throughput during a storm of 500 parallel sign-ins ÷ quiet", median(ratios), 0.4);
    table.at_most("  slowest verify meanwhile", quantile(&slowest, 1.0) * 1e3, 50.0, " ms");
    table.note(format!("{} people signed in during each storm", entered / ROUNDS));
    Ok(())
}

/// Seconds that a round of verifications takes.
async fn verify(server: &Server, tokens: &Tokens, round: u64) -> Outcome<f64> {
    let fleet = Fleet::open(&server.door, Question::Verify, tokens, round).await?;
    let start = Instant::now();
    fleet.run(REQUESTS).await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Asks one after the other until it is told to stop; the slowest, in seconds.
async fn probe(door: Door, stop: Arc<AtomicBool>) -> Outcome<f64> {
    let mut client = Client::connect(&door, &stores::credential(0)).await?;
    let mut slowest: f64 = 0.0;
    while !stop.load(Ordering::Acquire) {
        let start = Instant::now();
        client.call("GET", "/v1/verify?permission=org.audits:READ&tenant=any", &Value::Null).await?;
        slowest = slowest.max(start.elapsed().as_secs_f64());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(slowest)
}

/// Signs somebody in on one connection until it is told to stop; whoever is told to come back does, a second later.
async fn sign_in_again_and_again(door: &Door, number: usize, stop: &AtomicBool, entered: &AtomicUsize) -> Outcome<()> {
    let mut stream = door.connect().await?;
    let body = json!({ "email": email(number), "password": PASSWORD }).to_string();
    let request = format!(
        "POST /v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    while !stop.load(Ordering::Acquire) {
        let (head, _) = exchange(&mut stream, &request).await?;
        match head.get(9..12).unwrap_or_default() {
            "200" => {
                entered.fetch_add(1, Ordering::AcqRel);
            }
            "503" => tokio::time::sleep(Duration::from_secs(1)).await,
            other => return Err(format!("a sign-in was answered with {other}").into()),
        }
    }
    Ok(())
}

/// Makes a data directory with one tenant of so many users, and its applications.
async fn make(directory: &Path, users: usize, password: Option<&str>) -> Outcome<Credential> {
    let start = Instant::now();
    std::fs::create_dir_all(directory)?;
    let operator = stores::make(directory, PER_TENANT).await?;
    let app = stores::open(directory).await?;
    for first in (0..users).step_by(AT_ONCE) {
        let some: Vec<_> = (first..users.min(first + AT_ONCE)).map(user).collect();
        let mut tx = app.store().begin().await?;
        insert_users(&mut tx, &some, password).await?;
        tx.commit().await?;
    }
    app.store().close().await;
    say(&format!("made a store of {users} users in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(operator)
}

fn user(index: usize) -> User {
    let made = stores::made(index);
    User {
        id: UserId::new(made, stores::bits(index, 6)),
        tenant_id: stores::tenant_id(0),
        number: i64::try_from(index).unwrap_or(0) + 1,
        email: email(index),
        first_name: "Ada".into(),
        last_name: format!("Lovelace{index}"),
        phone: String::new(),
        status: Status::Active,
        reach: Reach::Beneath,
        roles: Vec::new(),
        password_set_at: Some(made),
        activated_at: Some(made),
        version: 1,
        created_at: made,
        updated_at: made,
    }
}

fn email(index: usize) -> String {
    format!("u{index}@measured.example")
}
