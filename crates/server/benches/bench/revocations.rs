//! How long a call that revokes takes when three servers must follow before it is answered.

use crate::api::{self, Client};
use crate::child::Server;
use crate::stores;
use crate::table::{Table, quantile};
use crate::{Outcome, say};
use claviger_store::{Engine, Location, testing};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// Applications whose secrets are revoked in turn.
const APPLICATIONS: usize = 50;
/// Revoking calls.
const CALLS: usize = 2_000;
/// Times that a server is cut off.
const CUTS: usize = 3;
/// How long a server may go on without the others.
const LEASE_SECONDS: f64 = 5.0;

/// Measures it on three servers of one PostgreSQL, if there is one.
pub(crate) fn measure(table: &mut Table, directory: &Path) -> Outcome<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let Some(guard) = runtime.block_on(testing::fresh(Engine::Postgres)) else {
        table.note(format!("revocation on three servers was not measured: {} is not set", testing::POSTGRES));
        return Ok(());
    };
    let Location::Postgres { url } = guard.location() else { return Err("not PostgreSQL".into()) };
    say("revocations on three servers");
    let first = directory.join("one");
    std::fs::create_dir_all(&first)?;
    let operator = runtime.block_on(stores::make_on(guard.location(), &first, 0))?;
    let one = Server::start_on(&first, &url)?;
    let mut others = Vec::new();
    for name in ["two", "three"] {
        let directory = directory.join(name);
        std::fs::create_dir_all(&directory)?;
        std::fs::copy(first.join("root.key"), directory.join("root.key"))?;
        others.push(Server::start_on(&directory, &url)?);
    }
    let (calls, cut) = runtime.block_on(async {
        let mut client = Client::connect(&one.door, &operator).await?;
        let made = api::furnish(&mut client, APPLICATIONS).await?;
        let paths: Vec<_> = made.iter().map(|made| format!("{}/regenerate", made.path)).collect();
        let mut calls = Vec::with_capacity(CALLS);
        for path in paths.iter().cycle().take(CALLS) {
            calls.push(timed(&mut client, path).await?);
        }
        let mut cut = Vec::new();
        let last = others.last().ok_or("no other server")?;
        for path in paths.iter().cycle().take(CUTS) {
            last.signal("STOP")?;
            let took = timed(&mut client, path).await;
            last.signal("CONT")?;
            cut.push(took?);
            // It follows again before it is cut off once more.
            while nodes(&mut client).await? < 3 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Outcome::Ok((calls, cut))
    })?;
    one.stop()?;
    others.into_iter().try_for_each(Server::stop)?;
    drop(guard);
    let millis = |seconds: f64| seconds * 1e3;
    table.at_most("revoking call on three servers, median", millis(quantile(&calls, 0.5)), 20.0, " ms");
    table.at_most("  of 1,000, all but one", millis(quantile(&calls, 0.999)), 250.0, " ms");
    table.at_most("  with one of them cut off, at most", quantile(&cut, 1.0), LEASE_SECONDS + 0.5, " s");
    Ok(())
}

async fn timed(client: &mut Client, path: &str) -> Outcome<f64> {
    let start = Instant::now();
    client.call("POST", path, &json!({})).await?;
    Ok(start.elapsed().as_secs_f64())
}

/// How many servers there are that follow.
async fn nodes(client: &mut Client) -> Outcome<usize> {
    let found = client.call("GET", "/v1/nodes", &json!({})).await?;
    let items = found.pointer("/items").and_then(serde_json::Value::as_array).ok_or("no nodes")?;
    Ok(items.iter().filter(|node| node.get("lag") == Some(&json!(0))).count())
}
