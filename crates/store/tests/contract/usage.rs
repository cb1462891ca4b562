//! Usage.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::usage::{Grain, Outcome, UsageDelta, UsageRow};
use claviger_store::Store;
use claviger_store::usage::usage_position;

facts!(counts_add_up, periods_are_hours_or_days, pages_follow_each_other, last_use_of_rights_is_known);

fn delta(application: u128, seconds: i64, right: &str, outcome: Outcome, count: i64) -> UsageDelta {
    UsageDelta {
        tenant_id: tenant_id(1),
        application_id: application_id(application),
        hour: at(seconds).hour(),
        right: right.into(),
        outcome,
        count,
        last_at: at(seconds),
    }
}

async fn add(store: &Store, deltas: &[UsageDelta]) {
    let mut tx = store.begin().await.unwrap();
    tx.add_usage(deltas).await.unwrap();
    tx.commit().await.unwrap();
}

async fn all(store: &Store, grain: Grain) -> Vec<UsageRow> {
    store.usage(tenant_id(1), None, NOW, at(400_000), grain, &page(1_000, None)).await.unwrap()
}

async fn counts_add_up(store: Store) {
    seed(&store).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let rights = ["", "a:READ", "b:READ", "c:READ"];
                    let deltas: Vec<_> = rights
                        .iter()
                        .rev()
                        .map(|right| delta(1, round * 10 + task, right, Outcome::Allowed, 2))
                        .collect();
                    add(&store, &[deltas.clone(), deltas].concat()).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let found = all(&store, Grain::Hour).await;
    assert_eq!(found.len(), 4);
    for row in found {
        assert_eq!((row.count, row.last_at), (320, at(97)), "{}", row.right);
    }
}

async fn periods_are_hours_or_days(store: Store) {
    seed(&store).await;
    add(
        &store,
        &[
            delta(1, 10, "a:READ", Outcome::Allowed, 1),
            delta(1, 3_700, "a:READ", Outcome::Allowed, 2),
            delta(1, 86_400, "a:READ", Outcome::Allowed, 4),
            delta(1, 86_401, "a:READ", Outcome::Denied, 8),
        ],
    )
    .await;
    let short = |rows: Vec<UsageRow>| rows.iter().map(|row| (row.period, row.outcome, row.count)).collect::<Vec<_>>();
    let (hour, day) = (at(3_600), at(86_400));
    let (allowed, denied) = (Outcome::Allowed, Outcome::Denied);
    assert_eq!(
        short(all(&store, Grain::Hour).await),
        [(NOW, allowed, 1), (hour, allowed, 2), (day, allowed, 4), (day, denied, 8)]
    );
    assert_eq!(short(all(&store, Grain::Day).await), [(NOW, allowed, 3), (day, allowed, 4), (day, denied, 8)]);
    let from = |since, until| store.usage(tenant_id(1), Some(application_id(1)), since, until, Grain::Hour, &PAGE);
    assert_eq!(short(from(at(3_900), day).await.unwrap()), [(hour, allowed, 2)], "since is rounded down to its hour");
    let other = store.usage(tenant_id(1), Some(application_id(2)), NOW, day, Grain::Hour, &PAGE).await.unwrap();
    assert_eq!(other, []);
}

const PAGE: claviger_domain::page::PageRequest = claviger_domain::page::PageRequest { limit: 50, after: None };

async fn pages_follow_each_other(store: Store) {
    seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant_id(1), 2)).await;
    tx.commit().await.unwrap();
    let mut deltas = Vec::new();
    for hour in 0..30 {
        for application in [1, 2] {
            for (right, outcome) in [("a:READ", Outcome::Allowed), ("b:READ", Outcome::Denied), ("", Outcome::Limited)]
            {
                deltas.push(delta(application, hour * 3_600, right, outcome, 1));
            }
        }
    }
    add(&store, &deltas).await;
    for grain in [Grain::Hour, Grain::Day] {
        let whole = all(&store, grain).await;
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let mut found = store.usage(tenant_id(1), None, NOW, at(400_000), grain, &page(7, after)).await.unwrap();
            let more = found.len() > 7;
            found.truncate(7);
            after = found.last().map(usage_position);
            seen.extend(found);
            if !more {
                break;
            }
        }
        assert_eq!(seen, whole);
        assert_eq!(seen.len(), if grain == Grain::Hour { 180 } else { 12 });
    }
    let wrong = store.usage(tenant_id(1), None, NOW, at(1), Grain::Hour, &page(7, Some("x".into()))).await;
    assert!(matches!(wrong, Err(Error::Invalid(_))));
}

async fn last_use_of_rights_is_known(store: Store) {
    seed(&store).await;
    add(
        &store,
        &[
            delta(1, 10, "a:READ", Outcome::Allowed, 1),
            delta(1, 9_000, "a:READ", Outcome::Allowed, 1),
            delta(1, 9_500, "a:READ", Outcome::Denied, 1),
            delta(1, 20, "b:READ", Outcome::Allowed, 1),
            delta(1, 30, "", Outcome::Allowed, 1),
        ],
    )
    .await;
    let found = store.last_use_of_rights(tenant_id(1), application_id(1)).await.unwrap();
    assert_eq!(found, [("a:READ".to_owned(), at(9_000)), ("b:READ".to_owned(), at(20))]);
}
