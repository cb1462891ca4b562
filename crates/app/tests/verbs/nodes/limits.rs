//! Rate limits that several nodes share.

use super::{Three, three};
use crate::fixture::{Fixture, done, new, verify};
use claviger_app::App;
use claviger_domain::Error;
use claviger_domain::rate::RateLimit;
use std::time::{Duration, Instant};

async fn admitted(node: &App, id: &str, secret: &str, calls: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..calls {
        match verify(node, id, secret).await {
            Ok(_) => admitted += 1,
            Err(Error::Limited { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    admitted
}

async fn limited(f: &Fixture, requests: u32) -> (String, String) {
    let org = f.organization("Acme").await;
    let rate_limit = Some(RateLimit { requests, window_seconds: 3_600 });
    let new = claviger_domain::application::NewApplication { rate_limit, ..new("Limited", &[]) };
    let made = done(f.app.create_application(&f.operator, org.id, new, None).await.unwrap());
    (made.application.client_id.to_string(), made.secret.text.reveal())
}

/// The clock stands still, so that nothing comes back: what is let through is exactly what the limit has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_holds_for_all_nodes_together() {
    let Some(Three { f, nodes }) = three().await else { return };
    let (id, secret) = limited(&f, 300).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut sum = 0;
    for _ in 0..10 {
        for node in &nodes {
            sum += admitted(node, &id, &secret, 60).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!((270..=330).contains(&sum), "{sum} of 300");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_one_node_alone_gets_the_whole_limit_and_no_more_elsewhere() {
    let Some(Three { f, nodes }) = three().await else { return };
    let (id, secret) = limited(&f, 300).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut sum = admitted(&nodes[1], &id, &secret, 400).await;
    assert!((90..=100).contains(&sum), "an equal part at first: {sum}");
    let began = Instant::now();
    while sum < 290 && began.elapsed() < Duration::from_secs(60) {
        sum += admitted(&nodes[1], &id, &secret, 400).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((290..=300).contains(&sum), "{sum}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let elsewhere = admitted(&nodes[2], &id, &secret, 400).await;
    assert!(sum + elsewhere <= 330, "{sum} and {elsewhere}");
}
