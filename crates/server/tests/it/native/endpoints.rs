//! Endpoints and what is billed by them.

use crate::fixture::{Fixture, on_both};
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    counts_are_kept_by_day_and_added_up,
    a_limit_is_told_and_not_enforced,
    reports_and_spans_are_bounded,
    what_is_billed_is_listed_tenant_by_tenant,
    whoever_reaches_their_own_learns_of_nobody_else
];

async fn child(f: &Fixture, parent: &str, name: &str, kind: &str) -> String {
    let body = json!({"name": name, "kind": kind, "parent_id": parent, "external_id": name});
    f.operator.post("/v1/tenants", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn report(f: &Fixture, tenant: &str, count: i64, at: &str) -> Value {
    f.operator.put(&format!("/v1/tenants/{tenant}/endpoints"), &json!({"count": count, "at": at})).await.expect(200)
}

async fn counts_are_kept_by_day_and_added_up(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (west, east) = (child(&f, &org, "West", "instance").await, child(&f, &org, "East", "instance").await);
    report(&f, &west, 10, "2027-01-14T08:00:00Z").await;
    report(&f, &west, 12, "2027-01-14T09:00:00Z").await;
    report(&f, &east, 5, "2027-01-14T23:59:59Z").await;
    report(&f, &east, 7, "2027-01-15T00:00:00Z").await;
    let path = format!("/v1/tenants/{org}/endpoints");
    let found = f.operator.get(&format!("{path}?from=2027-01-01")).await.expect(200);
    assert_eq!((&found["count"], &found["total"]), (&Value::Null, &json!(19)));
    let day = |from: &str, total: i64| json!({"from": from, "count": null, "total": total});
    assert_eq!(found["periods"], json!([day("2027-01-14", 17), day("2027-01-15", 7)]));
    let months = f.operator.get(&format!("{path}?grain=month")).await.expect(200);
    assert_eq!(months["periods"], json!([day("2027-01-01", 19)]));
    let own = f.operator.get(&format!("/v1/tenants/{west}/endpoints")).await.expect(200);
    assert_eq!((&own["count"], &own["at"]), (&json!(12), &json!("2027-01-14T09:00:00.000000Z")));
    let entries = f.audit(&west).await;
    assert_eq!(entries.iter().filter(|entry| entry["action"] == "endpoints.reported").count(), 2);
}

async fn a_limit_is_told_and_not_enforced(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"endpoint_limit": 10})).await.expect(200);
    let within = report(&f, &org, 10, "2027-01-15T00:00:00Z").await;
    assert_eq!((&within["over_limit"], &within["endpoint_limit"]), (&json!(false), &json!(10)));
    let over = report(&f, &org, 11, "2027-01-15T01:00:00Z").await;
    assert_eq!((&over["over_limit"], &over["total"]), (&json!(true), &json!(11)));
}

async fn reports_and_spans_are_bounded(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/endpoints");
    for body in [
        json!({"count": -1}),
        json!({"count": 1_000_000_001_i64}),
        json!({"count": 1, "at": "2027-02-01T00:00:00Z"}),
        json!({"count": 1, "at": "2020-01-01T00:00:00Z"}),
        json!({"count": "1"}),
        json!({}),
    ] {
        assert_eq!(f.operator.put(&path, &body).await.status, 422, "{body}");
    }
    for query in [
        "from=2027-01-16&to=2027-01-15",
        "from=2020-01-01",
        "from=yesterday",
        "grain=hour",
        "grain=month&from=2000-01-01",
    ] {
        assert_eq!(f.operator.get(&format!("{path}?{query}")).await.status, 422, "{query}");
    }
}

async fn what_is_billed_is_listed_tenant_by_tenant(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (west, east) = (child(&f, &org, "West", "instance").await, child(&f, &org, "East", "instance").await);
    let (beside, _) = f.organization("Beside").await;
    for (tenant, count, at) in [
        (&west, 10, "2026-12-31T00:00:00Z"),
        (&west, 12, "2027-01-14T00:00:00Z"),
        (&east, 5, "2027-01-14T00:00:00Z"),
        (&beside, 9, "2027-01-14T00:00:00Z"),
    ] {
        report(&f, tenant, count, at).await;
    }
    let path = format!("/v1/tenants/{org}/utilization?from=2026-12-01&grain=month");
    let whole = f.operator.get(&path).await.expect(200);
    let mut rows: Vec<_> = whole["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (item["external_id"].as_str().unwrap(), item["from"].as_str().unwrap(), item["endpoints"].as_i64().unwrap())
        })
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, [("East", "2027-01-01", 5), ("West", "2026-12-01", 10), ("West", "2027-01-01", 12)]);
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = f.operator.get(&format!("{path}&limit=1{cursor}")).await.expect(200);
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(paged), whole["items"]);
}

async fn whoever_reaches_their_own_learns_of_nobody_else(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let west = child(&f, &org, "West", "instance").await;
    report(&f, &west, 10, "2027-01-14T00:00:00Z").await;
    let (_, own) = f.application(&org, "Own", json!({"endpoints": ["READ"]})).await;
    let found = own.get(&format!("/v1/tenants/{org}/endpoints")).await.expect(200);
    assert_eq!((&found["total"], &found["periods"]), (&json!(0), &json!([])));
    let billed = own.get(&format!("/v1/tenants/{org}/utilization")).await.expect(200);
    assert_eq!(billed["items"], json!([]));
    assert_eq!(own.get(&format!("/v1/tenants/{west}/endpoints")).await.status, 404);
    assert_eq!(own.put(&format!("/v1/tenants/{org}/endpoints"), &json!({"count": 1})).await.status, 403);
}
