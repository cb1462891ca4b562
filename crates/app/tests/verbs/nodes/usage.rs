//! Whoever decides by disuse knows what every node has counted.

use super::{Three, three};
use crate::fixture::{done, verify};
use claviger_domain::bulk::{Filter, Resolve, Revocation};
use claviger_domain::lifetime::DAY;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_has_let_in_a_moment_ago_is_in_use() {
    let Some(Three { f, nodes }) = three().await else { return };
    let tenant = f.organization("Acme").await.id;
    let mut known = Vec::new();
    for name in ["Nobody's", "One's", "Another's"] {
        let (made, client_id) = f.application(tenant, name, &[]).await;
        known.push((client_id, made.secret.text.reveal()));
    }
    nodes.iter().for_each(|node| node.clock().advance(40 * DAY));
    for (node, (client_id, secret)) in nodes.iter().skip(1).zip(&known[1..]) {
        verify(node, client_id, secret).await.unwrap();
    }
    let filter = Filter { unused_days: Some(30), ..Filter::default() };
    let operator = &f.operator;
    for resolve in [Resolve::DryRun, Resolve::Expecting(1)] {
        let revoked =
            f.app.revoke_applications(operator, tenant, filter.clone(), Revocation::Disable, resolve, None).await;
        let names: Vec<_> = done(revoked.unwrap()).applications.into_iter().map(|one| one.application.name).collect();
        assert_eq!(names, ["Nobody's"]);
    }
    for (client_id, secret) in &known[1..] {
        for node in &nodes {
            verify(node, client_id, secret).await.unwrap();
        }
    }
    for node in &nodes {
        assert!(verify(node, &known[0].0, &known[0].1).await.is_err());
    }
}
