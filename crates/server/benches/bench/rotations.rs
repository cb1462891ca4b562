//! Rotating everything while everybody calls: no call fails, and calls go on nearly as fast.

use crate::api::{Client, text};
use crate::child::Server;
use crate::load::{Door, Fleet, Question, Tokens};
use crate::stores::{self, Credential, PER_TENANT};
use crate::table::{Table, median};
use crate::{Outcome, say};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// Applications whose secrets are rotated, unless [`ROTATED_BY`] says otherwise.
const ROTATED: usize = 10_000;
/// Environment variable with another number, for a try.
const ROTATED_BY: &str = "CLAVIGER_BENCH_ROTATED";
const ROUNDS: usize = 5;
/// Connections over which an operator's script rotates.
const ROTATORS: usize = 8;
/// Calls of a quiet round.
const QUIET: usize = 50_000;

/// Measures it on a store of its own.
pub(crate) fn measure(table: &mut Table, directory: &Path) -> Outcome<()> {
    let rotated = std::env::var(ROTATED_BY).ok().and_then(|text| text.parse().ok()).unwrap_or(ROTATED);
    say(&format!("{rotated} rotations while calls go on"));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let operator = Arc::new(runtime.block_on(stores::make(directory, rotated))?);
    let server = Server::start(directory)?;
    server.await_log("all applications are in memory")?;
    let old = Tokens::new((0..rotated).map(stores::credential));
    let (mut ratios, mut rates, mut failed, mut renewed) = (Vec::new(), Vec::new(), 0, Vec::new());
    for round in 0..ROUNDS {
        let (first, end) = (rotated * round / ROUNDS, rotated * (round + 1) / ROUNDS);
        let seed = u64::try_from(round)?;
        let (quiet, busy) = runtime.block_on(async {
            let fleet = Fleet::open(&server.door, Question::Verify, &old, seed).await?;
            let start = Instant::now();
            let (fleet, asked) = fleet.run(QUIET.min(rotated * 5)).await?;
            let quiet = asked as f64 / start.elapsed().as_secs_f64();
            let stop = Arc::new(AtomicBool::new(false));
            let calling = tokio::spawn(fleet.run_until(Arc::clone(&stop)));
            let start = Instant::now();
            let credentials = rotate(&server.door, &operator, first..end).await;
            stop.store(true, Ordering::Release);
            let (asked, lost) = calling.await?;
            let took = start.elapsed().as_secs_f64();
            failed += lost;
            let credentials = credentials?;
            rates.push(credentials.len() as f64 / took);
            renewed.extend(credentials);
            Outcome::Ok((quiet, asked as f64 / took))
        })?;
        say(&format!("{quiet:.0} calls/s, {busy:.0} calls/s while rotating {:.0}/s", rates.last().unwrap_or(&0.0)));
        ratios.push(busy / quiet);
        // What was counted is written before the next quiet round.
        std::thread::sleep(Duration::from_millis(1_300));
    }
    // The new secrets work, too.
    let renewed = Tokens::new(renewed.into_iter());
    runtime.block_on(async {
        let fleet = Fleet::open(&server.door, Question::Verify, &renewed, 99).await?;
        fleet.run(rotated).await
    })?;
    server.stop()?;
    let what = format!("verified calls while {rotated} secrets are rotated ÷ quiet, per second");
    table.at_least(&what, median(ratios), 0.40);
    table.at_most("  calls that failed meanwhile", failed as f64, 0.0, "");
    table.note(format!("rotations over {ROTATORS} connections while calls go on: {:.0}/s", median(rates)));
    Ok(())
}

/// Rotates the secrets of these applications, with an overlap; the new credentials.
async fn rotate(
    door: &Door,
    operator: &Arc<Credential>,
    applications: std::ops::Range<usize>,
) -> Outcome<Vec<Credential>> {
    let next = Arc::new(AtomicUsize::new(applications.start));
    let mut running = JoinSet::new();
    for _ in 0..ROTATORS {
        let (door, operator, next) = (door.clone(), Arc::clone(operator), Arc::clone(&next));
        let end = applications.end;
        running.spawn(async move {
            let mut client = Client::connect(&door, &operator).await?;
            let mut renewed = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= end {
                    return Outcome::Ok(renewed);
                }
                renewed.push(rotate_one(&mut client, index).await?);
            }
        });
    }
    let renewed = running.join_all().await.into_iter().collect::<Outcome<Vec<_>>>()?;
    Ok(renewed.into_iter().flatten().collect())
}

async fn rotate_one(client: &mut Client, index: usize) -> Outcome<Credential> {
    let client_id = stores::application_id(index).to_string();
    let tenant = stores::tenant_id(index / PER_TENANT);
    let path = format!("/v1/tenants/{tenant}/applications/{client_id}/rotate");
    let made = client.call("POST", &path, &json!({})).await?;
    Ok(Credential { client_id, secret: text(&made, "/secret/text")?.to_owned() })
}
