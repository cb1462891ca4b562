//! What the metrics listener shows of what stands behind the edge.

use crate::fixture::{Fixture, on_both, run};
use crate::oauth;
use claviger_server::app_metrics::render;
use claviger_store::Engine;
use serde_json::json;
use std::sync::Arc;

on_both![exchanges_are_counted_by_family, one_server_is_in_charge_of_itself];

fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

async fn exchanges_are_counted_by_family(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({})).await;
    let wrong = f.client(&client.client_id, "wrong");
    for _ in 0..3 {
        oauth::exchange(&client, &[]).await.expect(200);
    }
    oauth::exchange(&wrong, &[]).await.expect(401);
    oauth::form(&client, "/auth/v2/token", &[]).await.expect(400);
    let text = render(&f.app).await;
    let count = |family: &str, outcome: &str| {
        value(&text, &format!("claviger_token_exchanges_total{{family=\"{family}\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((count("oauth", "issued"), count("oauth", "refused")), (3.0, 1.0));
    assert_eq!((count("cylance", "issued"), count("cylance", "refused")), (0.0, 1.0));
    assert!(!text.contains("cyrisma"), "nobody has called there");
}

async fn one_server_is_in_charge_of_itself(f: Arc<Fixture>) {
    // Answered when what the start has changed is confirmed.
    f.organization("Acme").await;
    let text = render(&f.app).await;
    for (name, expected) in [("claviger_ready", 1.0), ("claviger_in_charge", 1.0), ("claviger_nodes", 1.0)] {
        assert_eq!(value(&text, name), expected, "{name}");
    }
    let lease = value(&text, "claviger_lease_seconds");
    assert!(lease > 0.0 && lease <= 5.0, "{lease}");
    for name in
        ["claviger_node_lag_seconds{node=", "claviger_node_lease_seconds{node=", "claviger_node_in_charge{node="]
    {
        assert_eq!(text.lines().filter(|line| line.starts_with(name)).count(), 1, "{name}");
    }
    // Each family is described once.
    let helps: Vec<_> = text.lines().filter(|line| line.starts_with("# HELP ")).collect();
    let distinct: std::collections::HashSet<_> = helps.iter().collect();
    assert_eq!(helps.len(), distinct.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_tells_of_all() {
    run(Engine::Postgres, &[], |f| async move {
        let node = f.join("two").await;
        f.organization("Acme").await;
        let (here, there) = (render(&f.app).await, render(&node.app).await);
        for text in [&here, &there] {
            assert_eq!(value(text, "claviger_nodes"), 2.0);
            let of = |name: &str| -> Vec<f64> {
                let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{node=")));
                lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
            };
            assert_eq!(of("claviger_node_lag_seconds"), [0.0, 0.0]);
            assert!(of("claviger_node_lease_seconds").iter().all(|left| *left > 0.0), "{text}");
            assert_eq!(of("claviger_node_in_charge").iter().sum::<f64>(), 1.0, "{text}");
        }
        assert_eq!(value(&here, "claviger_in_charge") + value(&there, "claviger_in_charge"), 1.0);
        node.stop().await;
    })
    .await;
}
