//! Usage added up.

use crate::fixtures::*;
use claviger_domain::usage::{Grain, Outcome, UsageDelta};
use claviger_store::Store;
use claviger_store::usage_sums::Span;

facts!(sums_are_those_of_the_span, the_whole_is_one_period);

const ALL: Span = Span { application: None, since: NOW, until: at_most() };

const fn at_most() -> claviger_domain::time::Timestamp {
    NOW.plus_seconds(400_000)
}

async fn fill(store: &Store) {
    seed(store).await;
    let delta = |application, seconds, right: &str, outcome, count| UsageDelta {
        tenant_id: tenant_id(1),
        application_id: application_id(application),
        hour: at(seconds).hour(),
        right: right.into(),
        outcome,
        count,
        last_at: at(seconds),
    };
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant_id(1), 2)).await;
    tx.add_usage(&[
        delta(1, 10, "a:READ", Outcome::Allowed, 1),
        delta(1, 3_700, "a:READ", Outcome::Denied, 2),
        delta(1, 86_400, "", Outcome::Limited, 4),
        delta(2, 20, "b:READ", Outcome::Allowed, 64),
        delta(2, 500_000, "b:READ", Outcome::Allowed, 1_000),
    ])
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn sums_are_those_of_the_span(store: Store) {
    fill(&store).await;
    let days = store.usage_by_period(tenant_id(1), &ALL, Grain::Day).await.unwrap();
    let days: Vec<_> = days.iter().map(|sum| (sum.period, sum.outcome, sum.count)).collect();
    let expected = [(NOW, Outcome::Allowed, 65), (NOW, Outcome::Denied, 2), (at(86_400), Outcome::Limited, 4)];
    assert_eq!(days, expected);
    let found = store.usage_by_application(tenant_id(1), &ALL, 9).await.unwrap();
    let short: Vec<_> = found.iter().map(|sum| (sum.application_id, sum.allowed, sum.denied, sum.limited)).collect();
    assert_eq!(short, [(application_id(2), 64, 0, 0), (application_id(1), 1, 2, 4)]);
    assert_eq!((found[0].name.as_deref(), found[1].last_at), (Some("Application 2"), at(86_400)));
    assert_eq!(store.usage_by_application(tenant_id(1), &ALL, 1).await.unwrap().len(), 1);
    let rights = store.usage_by_right(tenant_id(1), &ALL, 9).await.unwrap();
    let rights: Vec<_> = rights.iter().map(|sum| (sum.right.as_str(), sum.allowed, sum.denied)).collect();
    assert_eq!(rights, [("b:READ", 64, 0), ("a:READ", 1, 2)]);
    let one = Span { application: Some(application_id(1)), ..ALL };
    assert_eq!(store.usage_by_application(tenant_id(1), &one, 9).await.unwrap().len(), 1);
    assert_eq!(store.usage_by_right(tenant_id(1), &one, 9).await.unwrap().len(), 1);
    assert_eq!(store.usage_by_period(tenant_id(2), &ALL, Grain::Hour).await.unwrap(), []);
}

async fn the_whole_is_one_period(store: Store) {
    fill(&store).await;
    let rows = store.usage(tenant_id(1), None, NOW, at_most(), Grain::Whole, &page(2, None)).await.unwrap();
    let short: Vec<_> = rows.iter().map(|row| (row.period.micros(), row.right.as_str(), row.count)).collect();
    assert_eq!(short, [(0, "", 4), (0, "a:READ", 1), (0, "a:READ", 2)]);
    let after = claviger_store::usage::usage_position(&rows[2]);
    let rest = store.usage(tenant_id(1), None, NOW, at_most(), Grain::Whole, &page(2, Some(after))).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.count).collect::<Vec<_>>(), [64]);
}
