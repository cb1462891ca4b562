//! Endpoints by day.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::endpoints::{Count, CountGrain, Day, PeriodCount, Span};
use claviger_domain::tenant::{Kind, Tenant};
use claviger_store::Store;
use claviger_store::endpoints::{Depth, count_position};

facts!(
    the_latest_of_a_day_counts,
    periods_add_up_what_is_beneath,
    sums_follow_what_is_reported_again,
    what_goes_is_added_up_no_more,
    what_is_billed_is_paged,
    a_tenant_must_be_there,
);

const DAY: i64 = 86_400;

async fn report(store: &Store, number: u128, count: i64, seconds: i64) {
    let mut tx = store.begin().await.unwrap();
    tx.put_endpoint_count(tenant_id(number), Count { count, at: at(seconds) }).await.unwrap();
    tx.commit().await.unwrap();
}

fn span(from: &str, to: &str, grain: CountGrain) -> Span {
    Span::parse(Some(from), Some(to), grain, NOW).unwrap()
}

async fn family(store: &Store) {
    insert_tenants(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for (number, parent) in [(3, 1), (4, 1), (5, 2)] {
        let name = format!("Instance {number}");
        let instance = Tenant { kind: Kind::Instance, parent_id: Some(tenant_id(parent)), ..tenant(number, &name) };
        tx.insert_tenant(&instance, &key(&name)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn the_latest_of_a_day_counts(store: Store) {
    insert_tenants(&store, 1).await;
    assert_eq!(store.last_endpoint_count(tenant_id(1)).await.unwrap(), None);
    report(&store, 1, 5, 100).await;
    report(&store, 1, 3, 200).await;
    report(&store, 1, 9, 150).await;
    let last = store.last_endpoint_count(tenant_id(1)).await.unwrap();
    assert_eq!(last, Some(Count { count: 3, at: at(200) }), "what was counted later, not what came later");
    report(&store, 1, 4, DAY + 1).await;
    report(&store, 1, 8, -DAY).await;
    assert_eq!(store.last_endpoint_count(tenant_id(1)).await.unwrap().unwrap().count, 4);
    let days =
        store.endpoint_periods(tenant_id(1), span("2025-12-31", "2026-01-02", CountGrain::Day), Depth::Own).await;
    let days: Vec<_> = days.unwrap().into_iter().map(|day| (day.from.to_string(), day.own, day.total)).collect();
    let day = |text: &str, count| (text.to_owned(), Some(count), count);
    assert_eq!(days, [day("2025-12-31", 8), day("2026-01-01", 3), day("2026-01-02", 4)]);
}

async fn periods_add_up_what_is_beneath(store: Store) {
    family(&store).await;
    for (number, count, day) in [(1, 1, 0), (3, 10, 0), (4, 100, 0), (3, 30, 1), (4, 50, 1), (5, 7_000, 1), (3, 20, 31)]
    {
        report(&store, number, count, day * DAY).await;
    }
    let days = span("2026-01-01", "2026-02-28", CountGrain::Day);
    let of = async |number, span, depth| store.endpoint_periods(tenant_id(number), span, depth).await.unwrap();
    let period = |from: &str, own, total| PeriodCount { from: Day::parse("", from).unwrap(), own, total };
    let expected = [period("2026-01-01", Some(1), 111), period("2026-01-02", None, 80), period("2026-02-01", None, 20)];
    assert_eq!(of(1, days, Depth::Beneath).await, expected);
    assert_eq!(of(1, days, Depth::Own).await, [period("2026-01-01", Some(1), 1)]);
    let months = span("2026-01-01", "2026-02-28", CountGrain::Month);
    let expected = [period("2026-01-01", Some(1), 131), period("2026-02-01", None, 20)];
    assert_eq!(of(1, months, Depth::Beneath).await, expected, "the peaks of each");
    assert_eq!(store.sum_endpoints(tenant_id(1), Depth::Beneath).await.unwrap(), 71, "what was said last");
    assert_eq!(store.sum_endpoints(tenant_id(1), Depth::Own).await.unwrap(), 1);
    assert_eq!(store.sum_endpoints(tenant_id(0), Depth::Beneath).await.unwrap(), 7_071);
    assert_eq!(store.sum_endpoints(tenant_id(2), Depth::Own).await.unwrap(), 0);
}

/// What the tenant came to with all beneath it: last, on the days and in the months of January and February.
async fn sums(store: &Store, number: u128) -> (i64, Vec<i64>, Vec<i64>) {
    let of = async |grain| {
        let span = span("2026-01-01", "2026-02-28", grain);
        let found = store.endpoint_periods(tenant_id(number), span, Depth::Beneath).await.unwrap();
        found.into_iter().map(|period| period.total).collect()
    };
    let last = store.sum_endpoints(tenant_id(number), Depth::Beneath).await.unwrap();
    (last, of(CountGrain::Day).await, of(CountGrain::Month).await)
}

async fn sums_follow_what_is_reported_again(store: Store) {
    family(&store).await;
    report(&store, 3, 10, 0).await;
    report(&store, 4, 100, 0).await;
    assert_eq!(sums(&store, 1).await, (110, vec![110], vec![110]));
    report(&store, 3, 4, 60).await;
    assert_eq!(sums(&store, 1).await, (104, vec![104], vec![104]), "the latest of a day");
    report(&store, 3, 9, 30).await;
    assert_eq!(sums(&store, 1).await, (104, vec![104], vec![104]), "what comes late and is older");
    report(&store, 3, 2, 2 * DAY).await;
    assert_eq!(sums(&store, 1).await, (102, vec![104, 2], vec![104]), "the most of the month stays");
    report(&store, 3, 50, DAY).await;
    assert_eq!(sums(&store, 1).await, (102, vec![104, 50, 2], vec![150]), "a day between");
    report(&store, 5, 0, DAY).await;
    assert_eq!(sums(&store, 2).await, (0, vec![0], vec![0]), "none is a count, too");
    assert_eq!(sums(&store, 0).await, (102, vec![104, 50, 2], vec![150]));
    assert_eq!(sums(&store, 4).await, (100, vec![100], vec![100]));
}

async fn what_goes_is_added_up_no_more(store: Store) {
    family(&store).await;
    for (number, count, day) in [(3, 10, 0), (3, 30, 1), (4, 100, 0), (4, 50, 31), (5, 7, 0)] {
        report(&store, number, count, day * DAY).await;
    }
    assert_eq!(sums(&store, 0).await, (87, vec![117, 30, 50], vec![137, 50]));
    let mut tx = store.begin().await.unwrap();
    let removed = tx.purge_rows(tenant_id(3), 1_000).await.unwrap();
    assert_eq!(removed.iter().filter(|(name, _)| *name == "endpoint_counts").map(|(_, rows)| rows).sum::<i64>(), 2);
    tx.commit().await.unwrap();
    assert_eq!(sums(&store, 0).await, (57, vec![107, 0, 50], vec![107, 50]));
    assert_eq!(sums(&store, 1).await, (50, vec![100, 0, 50], vec![100, 50]));
    assert_eq!(sums(&store, 3).await, (0, vec![], vec![]));
}

async fn what_is_billed_is_paged(store: Store) {
    family(&store).await;
    for (number, count, day) in [(3, 10, 0), (3, 30, 1), (4, 50, 1), (5, 7_000, 1), (3, 20, 31)] {
        report(&store, number, count, day * DAY).await;
    }
    for (grain, expected) in [
        (
            CountGrain::Day,
            vec![(3, "2026-01-01", 10), (3, "2026-01-02", 30), (3, "2026-02-01", 20), (4, "2026-01-02", 50)],
        ),
        (CountGrain::Month, vec![(3, "2026-01-01", 30), (3, "2026-02-01", 20), (4, "2026-01-01", 50)]),
    ] {
        let span = span("2026-01-01", "2026-02-28", grain);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let rows = store.tenant_counts(tenant_id(1), span, Depth::Beneath, &page(1, after)).await.unwrap();
            let Some(first) = rows.first() else { break };
            after = Some(count_position(first));
            found.push((first.tenant_id, span.start_of(first.period).to_string(), first.count));
        }
        let expected: Vec<_> =
            expected.into_iter().map(|(number, from, count)| (tenant_id(number), from.to_owned(), count)).collect();
        assert_eq!(found, expected, "{grain:?}");
        let own = store.tenant_counts(tenant_id(1), span, Depth::Own, &page(9, None)).await.unwrap();
        assert_eq!(own, []);
    }
}

async fn a_tenant_must_be_there(store: Store) {
    insert_tenants(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    let refused = tx.put_endpoint_count(tenant_id(7), Count { count: 1, at: NOW }).await;
    assert!(matches!(refused, Err(Error::NotFound("tenant"))), "{refused:?}");
}
