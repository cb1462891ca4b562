//! The figures, one after the other.

use crate::api::Client;
use crate::child::Server;
use crate::creates::{CLIENTS, Yard};
use crate::in_process::{Yardstick, draw, verify};
use crate::load::{Fleet, Question, Tokens};
use crate::random::Random;
use crate::stores::{self, Credential};
use crate::table::{Table, median};
use crate::{Outcome, say};
use crate::{console, people, revocations, rotations, tenants, tokens};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Rounds of which the median is taken.
pub(crate) const ROUNDS: usize = 5;
const MANY: usize = 1_000_000;
const FEW: usize = 1_000;
/// Credentials that are called, of those that are loaded.
const CALLED: usize = 100_000;
const HOT: usize = 1_000;
const REQUESTS: usize = 50_000;
/// Verifications of a round without sockets.
const DRAWN: usize = 200_000;
const MIB: f64 = 1_048_576.0;

/// The data directories of a run.
struct Stores {
    many: PathBuf,
    hundred_thousand: PathBuf,
    few: PathBuf,
    none: PathBuf,
    /// The operator's credential of the store without further applications.
    operator: Credential,
}

/// Measures everything.
pub(crate) fn all(scratch: &Path) -> Outcome<Table> {
    let mut table = Table::default();
    if ["start", "tls", "process", "tokens"].into_iter().any(wanted) {
        let stores = prepare(scratch)?;
        if wanted("start") {
            start_and_idle(&mut table, &stores)?;
        }
        if wanted("tls") {
            over_tls(&mut table, &stores)?;
        }
        if wanted("process") {
            without_sockets(&mut table, &stores.many)?;
        }
        if wanted("tokens") {
            tokens::measure(&mut table, &scratch.join("tokens"), &stores.hundred_thousand)?;
        }
    }
    if wanted("creates") {
        creates(&mut table, &scratch.join("creates"))?;
    }
    if wanted("rotations") {
        rotations::measure(&mut table, &scratch.join("rotations"))?;
    }
    if wanted("revocations") {
        revocations::measure(&mut table, &scratch.join("revocations"))?;
    }
    if wanted("tenants") {
        tenants::lists(&mut table, &scratch.join("tenants"))?;
    }
    if wanted("suspend") {
        tenants::suspension(&mut table, &scratch.join("suspend"))?;
    }
    if wanted("people") {
        people::measure(&mut table, &scratch.join("people"))?;
    }
    if wanted("console") {
        console::measure(&mut table, &scratch.join("console"))?;
    }
    Ok(table)
}

/// Whether a part was asked for: all are unless some are named.
fn wanted(part: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|name| name == part)
}

fn prepare(scratch: &Path) -> Outcome<Stores> {
    let runtime = all_cores()?;
    let make = |name: &str, applications| {
        let start = Instant::now();
        let directory = scratch.join(name);
        let operator = runtime.block_on(stores::make(&directory, applications))?;
        say(&format!("made a store of {applications} applications in {:.1} s", start.elapsed().as_secs_f64()));
        Outcome::Ok((directory, operator))
    };
    let (none, operator) = make("none", 0)?;
    Ok(Stores {
        few: make("few", FEW)?.0,
        hundred_thousand: make("hundred-thousand", 100_000)?.0,
        many: make("many", MANY)?.0,
        none,
        operator,
    })
}

/// Start to the first verified request, and memory of a server that has nothing to do.
fn start_and_idle(table: &mut Table, stores: &Stores) -> Outcome<()> {
    say("starts");
    let loaded = Tokens::new(std::iter::once(stores::credential(77_777)));
    let Credential { client_id, secret } = &stores.operator;
    let operator = Credential { client_id: client_id.clone(), secret: secret.clone() };
    let operator = Tokens::new(std::iter::once(operator));
    let (mut with, mut without, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (server, took) = first_verified(&stores.none, &operator)?;
        without.push(took.as_secs_f64());
        std::thread::sleep(Duration::from_secs(1));
        idle.push(server.resident()? as f64 / MIB);
        server.stop()?;
        let (server, took) = first_verified(&stores.hundred_thousand, &loaded)?;
        with.push(took.as_secs_f64());
        server.stop()?;
    }
    let (with, without) = (median(with), median(without));
    table.shown(
        "start to first verified request, 100,000 applications / none",
        format!("{:.0} ms / {:.0} ms", with * 1e3, without * 1e3),
    );
    table.at_most("  difference", with - without, 1.0, " s");
    table.at_most("idle resident memory", median(idle), 40.0, " MiB");
    Ok(())
}

fn first_verified(directory: &Path, tokens: &Tokens) -> Outcome<(Server, Duration)> {
    let start = Instant::now();
    let server = Server::start(directory)?;
    one_core()?.block_on(server.door.ask(Question::Verify, tokens))?;
    Ok((server, start.elapsed()))
}

/// What a request costs the server, over TLS on kept connections.
fn over_tls(table: &mut Table, stores: &Stores) -> Outcome<()> {
    say("requests over TLS");
    let many = Server::start(&stores.many)?;
    many.await_log("all applications are in memory")?;
    let few = Server::start(&stores.few)?;
    let none = Server::start(&stores.none)?;
    std::thread::sleep(Duration::from_secs(2));
    let per_application = (many.resident()? as f64 - none.resident()? as f64) / MANY as f64;
    none.stop()?;

    let mut random = Random::new(1);
    let called = Tokens::new(draw(&mut random, MANY, CALLED).into_iter());
    let hot = Tokens::new(draw(&mut random, MANY, HOT).into_iter());
    let all_few = Tokens::new((0..FEW).map(stores::credential));
    let sessions = Tokens::bearer(one_core()?.block_on(session_tokens(&many, draw(&mut random, MANY, HOT)))?);
    let mut costs: [Vec<f64>; 6] = Default::default();
    for round in 0..ROUNDS as u64 {
        let asked = [
            (&many, Question::Health, &called),
            (&many, Question::Verify, &called),
            (&many, Question::Verify, &hot),
            (&few, Question::Verify, &all_few),
            (&many, Question::Health, &sessions),
            (&many, Question::Verify, &sessions),
        ];
        let mut sums = [0.0; 6];
        // There and back, so that a machine that gets slower meanwhile does so for all alike.
        for place in (0..asked.len()).chain((0..asked.len()).rev()) {
            if let (Some(sum), Some((server, question, tokens))) = (sums.get_mut(place), asked.get(place)) {
                *sum += cost(server, *question, tokens, REQUESTS, round)?;
            }
        }
        costs.iter_mut().zip(sums).for_each(|(costs, sum)| costs.push(sum / 2.0));
        say(&format!("{:?}", sums.map(|sum| (sum / 20.0).round() / 100.0)));
    }
    many.stop()?;
    few.stop()?;
    let [bare, verify, hot, few, bare_beside, session] = &costs;
    let ratio =
        |over: &[f64], under: &[f64]| median(over.iter().zip(under).map(|(over, under)| over / under).collect());
    table.at_least(
        "bare 204 ÷ verify by secret, TLS, 1,000,000 applications, 100,000 of them calling",
        ratio(bare, verify),
        0.80,
    );
    table.at_least("  the same, 1,000 of them calling", ratio(bare, hot), 0.80);
    table.at_least(
        "bare 204 ÷ verify by session token, TLS, 1,000 of 1,000,000 calling",
        ratio(bare_beside, session),
        0.78,
    );
    table.at_most("CPU of a verify at 1,000,000 applications ÷ at 1,000, 1,000 calling", ratio(hot, few), 1.15, "");
    table.at_most("resident memory per loaded application, 1,000,000", per_application, 250.0, " B");
    let micros = |costs: &Vec<f64>| format!("{:.1} µs", median(costs.clone()) / 1e3);
    table.note(format!(
        "server CPU per request: bare 204 {}, verify {} (100,000 calling), {} (1,000 of 1,000,000 calling), {} (1,000 of 1,000), \
         by session token {}",
        micros(bare),
        micros(verify),
        micros(hot),
        micros(few),
        micros(session)
    ));
    Ok(())
}

/// A session token for each credential.
async fn session_tokens(server: &Server, credentials: Vec<Credential>) -> Outcome<Vec<String>> {
    let first = credentials.first().ok_or("no credential")?;
    let mut client = Client::connect(&server.door, first).await?;
    let mut texts = Vec::with_capacity(credentials.len());
    for credential in &credentials {
        client.speak_for(credential);
        texts.push(client.token().await?);
    }
    Ok(texts)
}

/// Nanoseconds of CPU that the server spends on a request, the writing of what it has counted included.
pub(crate) fn cost(server: &Server, question: Question, tokens: &Tokens, requests: usize, round: u64) -> Outcome<f64> {
    one_core()?.block_on(async {
        let fleet = Fleet::open(&server.door, question, tokens, round).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = server.cpu()?;
        let (_fleet, asked) = fleet.run(requests).await?;
        // The meter writes each second: the round is over when that is quiet.
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        let mut after = server.cpu()?;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let last = std::mem::replace(&mut after, server.cpu()?);
            if last.until(&after) < Duration::from_millis(10) {
                break;
            }
        }
        Ok(before.until(&after).as_nanos() as f64 / asked as f64)
    })
}

/// What a verification costs in the process.
fn without_sockets(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("verifications without sockets");
    let runtime = all_cores()?;
    runtime.block_on(async {
        let app = stores::open(directory).await?;
        let start = Instant::now();
        app.load_keyring().await?;
        say(&format!("loaded {} applications in {:.1} s", app.applications_loaded(), start.elapsed().as_secs_f64()));
        let mut random = Random::new(2);
        let yardstick = Yardstick::new(&mut random, MANY);
        // The yardstick before and after, since the machine's speed changes.
        let mut round = |drawn: &[Credential]| {
            let before = yardstick.measure(&mut random, DRAWN)?;
            let took = verify(&app, drawn)?;
            let stick = f64::midpoint(before, yardstick.measure(&mut random, DRAWN)?);
            say(&format!("{took:.0} ns, stick {stick:.0}"));
            Outcome::Ok(took / stick)
        };
        let mut others = Random::new(3);
        let mut drawn = || draw(&mut others, MANY, DRAWN);
        let first = (0..ROUNDS).map(|_| round(&drawn())).collect::<Outcome<_>>()?;
        // From here on each application has called before, as in a server that has run for a while.
        for start in (0..MANY).step_by(DRAWN) {
            verify(&app, &(start..start + DRAWN).map(stores::credential).collect::<Vec<_>>())?;
        }
        let mut steady = Vec::new();
        for _ in 0..ROUNDS {
            // As each second does: a call is its application's first since then.
            app.flush_usage().await?;
            steady.push(round(&drawn())?);
        }
        table.at_most(
            "one verification in process, at random of 1,000,000 ÷ (SHA-256 + look-up)",
            median(steady),
            4.0,
            "",
        );
        table.shown("  the same, where each application calls for the first time", format!("{:.2}", median(first)));
        app.store().close().await;
        Ok(())
    })
}

/// Durable creates per second on SQLite.
fn creates(table: &mut Table, directory: &Path) -> Outcome<()> {
    say("durable creates");
    std::fs::create_dir_all(directory)?;
    let runtime = all_cores()?;
    runtime.block_on(async {
        let mut yard = Yard::open(directory).await?;
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let (together, by_hand) = (yard.together(25).await?, yard.by_hand(25).await?);
            say(&format!("{together:.0}/s together, {by_hand:.0}/s by hand"));
            ratios.push(together / by_hand);
        }
        yard.close().await;
        let what = format!("durable creates, {CLIENTS} clients ÷ the same statements by hand, {CLIENTS} to a commit");
        table.at_least(&what, median(ratios), 0.60);
        Ok(())
    })
}

fn one_core() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub(crate) fn all_cores() -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}
