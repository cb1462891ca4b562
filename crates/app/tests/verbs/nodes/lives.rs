//! What tenants say about the lives of credentials bites on every node; retained texts stay with one server.

use super::{Three, refused, three};
use crate::fixture::{Fixture, START, done, new, open_as, verify};
use claviger_app::App;
use claviger_app::key_types::NewRule;
use claviger_app::nodes::Identity;
use claviger_domain::application::{NewApplication, Rights};
use claviger_domain::credential_policy::CredentialPolicy;
use claviger_domain::key_type::LegacyType;
use claviger_domain::lifetime::DAY;
use claviger_domain::{Error, Result};
use claviger_store::{Engine, Options, Store};
use std::sync::Arc;

fn texts_need_one_node<T>(answer: Result<T>) -> bool {
    matches!(answer, Err(Error::Conflict { code: "texts_need_one_node", .. }))
}

/// Whether each node lets somebody in.
async fn accepted(nodes: &[Arc<App>], (id, secret): &(String, String)) -> Vec<bool> {
    let mut answers = Vec::new();
    for node in nodes {
        let answer = verify(node, id, secret).await;
        assert!(answer.is_ok() || refused(&answer), "{answer:?}");
        answers.push(answer.is_ok());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_bites_on_every_node() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await.id;
    let (made, id) = f.application(org, "SIEM", &[]).await;
    let known = (id, made.secret.text.reveal());
    nodes.iter().for_each(|node| node.clock().advance(10 * DAY));
    assert_eq!(accepted(&nodes, &known).await, [true; 3]);
    let (old, old_id) = f.application(org, "Newer", &[]).await;
    let newer = (old_id, old.secret.text.reveal());
    for (days, works) in [(10, false), (11, true), (10, false)] {
        let policy = CredentialPolicy { max_secret_lifetime_seconds: Some(days * DAY), ..CredentialPolicy::default() };
        f.app.put_credential_policy(&f.operator, org, policy, true, None).await.unwrap();
        assert_eq!(accepted(&nodes, &known).await, [works; 3], "{days} days");
        assert_eq!(accepted(&nodes, &newer).await, [true; 3]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_retired_comes_back_on_no_node() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await.id;
    let rotation = |days, overlap| CredentialPolicy {
        rotate_every_days: Some(days),
        rotation_overlap_seconds: Some(overlap),
        ..CredentialPolicy::default()
    };
    f.app.put_credential_policy(&f.operator, org, rotation(1, 3_600), true, None).await.unwrap();
    let (made, id) = f.application(org, "SIEM", &[]).await;
    let known = (id, made.secret.text.reveal());
    nodes.iter().for_each(|node| node.clock().advance(3 * DAY));
    assert_eq!(accepted(&nodes, &known).await, [false; 3]);
    // One that is not in charge writes nothing for all; the caller's own change does not wait for who is.
    let operator = verify(&nodes[1], &f.operator.name(), &f.operator_secret).await.unwrap();
    nodes[1].put_credential_policy(&operator, org, rotation(30, 3_600), true, None).await.unwrap();
    assert_eq!(accepted(&nodes, &known).await, [false; 3], "no policy brings it back");
    f.app.tell_lifetimes().await.unwrap();
    assert_eq!(accepted(&nodes, &known).await, [false; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_a_key_type_bites_on_every_node() {
    let Some(Three { f, nodes }) = three().await else { return };
    let org = f.organization("Acme").await.id;
    let rule = |seconds| {
        let sunset = Some(START.plus_seconds(seconds).to_string());
        vec![(LegacyType::Siem, NewRule { allowed: seconds > 0, sunset })]
    };
    f.app.put_legacy_rules(&f.operator, org, rule(600)).await.unwrap();
    let old = NewApplication { rights: Rights::Legacy(LegacyType::Siem), ..new("Old", &[]) };
    let made = done(f.app.create_application(&f.operator, org, old, None).await.unwrap());
    let known = (made.application.client_id.to_string(), made.secret.unwrap().text.reveal());
    assert_eq!(accepted(&nodes, &known).await, [true; 3]);
    f.app.put_legacy_rules(&f.operator, org, rule(-1)).await.unwrap();
    assert_eq!(accepted(&nodes, &known).await, [false; 3]);
}

async fn second(f: &Fixture) -> Result<Arc<App>> {
    let store = Store::open(Options { location: f.guard.location(), accept_data_loss: false }).await?;
    open_as(store, 7, 99, Identity { name: "second".into(), ..Identity::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retained_texts_stay_with_one_server() {
    let Some(f) = Fixture::new(Engine::Postgres).await else { return };
    let org = f.organization("Acme").await.id;
    let two = second(&f).await.unwrap();
    assert!(texts_need_one_node(f.app.retain_secrets(&f.operator, org).await));
    two.leave().await;
    f.app.retain_secrets(&f.operator, org).await.unwrap();
    assert!(texts_need_one_node(second(&f).await), "a second one does not start beside it");
    f.app.remove_secrets(&f.operator, org, true).await.unwrap();
    second(&f).await.unwrap();
}
