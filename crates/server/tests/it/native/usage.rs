//! Usage, catalogue and the audit list.

use crate::fixture::{Fixture, on_both};
use serde_json::json;
use std::sync::Arc;

on_both![usage_is_told_by_hour_and_day, the_catalogue_lists_everything, the_record_is_filtered];

async fn usage_is_told_by_hour_and_day(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    for _ in 0..3 {
        client.verify("org.audits:READ").await;
        client.verify("org.feeds:READ").await;
    }
    f.app.clock().advance(3_600);
    client.verify("org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let count = |body: &serde_json::Value| {
        body["items"].as_array().unwrap().iter().map(|row| row["count"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let range = "since=2027-01-14T00:00:00Z&until=2027-01-17T00:00:00Z";
    for path in
        [format!("/v1/tenants/{org}/usage?application_id={id}&"), format!("/v1/tenants/{org}/applications/{id}/usage?")]
    {
        let hours = f.operator.get(&format!("{path}{range}&grain=hour")).await.expect(200);
        assert_eq!(count(&hours).iter().sum::<i64>(), 7, "{hours}");
        assert_eq!(hours["items"].as_array().unwrap().len(), 3, "{hours}");
        let days = f.operator.get(&format!("{path}{range}&grain=day")).await.expect(200);
        assert_eq!(days["items"].as_array().unwrap().len(), 2, "{days}");
    }
}

async fn the_catalogue_lists_everything(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Nobody", json!({})).await;
    let catalogue = client.get("/v1/catalogue").await.expect(200);
    let names: Vec<_> =
        catalogue["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    for name in ["org.audits", "applications", "cylance.devices", "device.quarantine"] {
        assert!(names.contains(&name), "{name}");
    }
}

async fn the_record_is_filtered(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, _) = f.application(&org, "SIEM", json!({})).await;
    f.app.clock().advance(10);
    f.application(&org, "Other", json!({})).await;
    let path = format!("/v1/tenants/{org}/audit");
    let count = |query: String| {
        let (f, path) = (Arc::clone(&f), path.clone());
        async move { f.operator.get(&format!("{path}?{query}")).await.expect(200)["items"].as_array().unwrap().len() }
    };
    assert_eq!(count(String::new()).await, 3);
    assert_eq!(count("action=application.created".into()).await, 2);
    assert_eq!(count(format!("target={id}")).await, 1);
    assert_eq!(count(format!("actor={}", f.operator.client_id)).await, 3);
    assert_eq!(count("actor=nobody".into()).await, 0);
    let later = crate::fixture::START.plus_seconds(5);
    assert_eq!(count(format!("since={later}")).await, 1);
    assert_eq!(count(format!("until={later}")).await, 2);
    let newest = f.operator.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(newest["items"][0]["target"]["name"], "Other", "{newest}");
    assert!(newest["next_cursor"].is_string());
}
