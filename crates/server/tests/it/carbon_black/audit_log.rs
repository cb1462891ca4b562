//! The audit log in Carbon Black's words. The real SDK has tests of its own (`tests/wire`).

use crate::fixture::{Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    searches_find_and_page,
    exports_become_jobs,
    queues_belong_to_one_application,
    refusals_are_in_the_familys_words
];

const READER: [(&str, &[&str]); 2] = [("org.audits", &["READ"]), ("jobs.status", &["READ"])];

fn reader() -> Value {
    READER.iter().map(|(name, verbs)| ((*name).to_owned(), json!(verbs))).collect::<serde_json::Map<_, _>>().into()
}

async fn searches_find_and_page(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", reader()).await;
    for index in 0..3 {
        f.application(&org, &format!("A{index}"), json!({})).await;
    }
    let path = format!("/audit_log/v1/orgs/{key}/logs/_search");
    let found = client.post(&path, &json!({})).await.expect(200);
    assert_eq!((found["num_found"].as_i64(), found["num_available"].as_i64()), (Some(5), Some(5)));
    let record = &found["results"][0];
    for member in ["org_key", "actor_ip", "actor", "request_url", "description", "flagged", "verbose", "create_time"] {
        assert!(record.get(member).is_some(), "{member} in {record}");
    }
    assert_eq!((record["org_key"].as_str(), record["actor_ip"].as_str()), (Some(key.as_str()), Some("127.0.0.1")));
    let some = client.post(&path, &json!({"query": "description:A1", "rows": 10})).await.expect(200);
    assert_eq!(some["num_found"], 1, "{some}");
    let page = client
        .post(&path, &json!({"rows": 2, "start": 4, "sort": [{"field": "create_time", "order": "ASC"}]}))
        .await
        .expect(200);
    assert_eq!((page["results"].as_array().unwrap().len(), page["num_found"].as_i64()), (1, Some(5)));
    let none = client.post(&path, &json!({"criteria": {"actor": ["nobody"]}})).await.expect(200);
    assert_eq!(none["num_found"], 0);
    let all = client
        .post(&path, &json!({"exclusions": {"flagged": true}, "criteria": {"create_time": {"range": "-3d"}}}))
        .await
        .expect(200);
    assert_eq!(all["num_found"], 5);
    for (bad, code) in [
        (json!({"colour": 1}), "UNEXPECTED_PROPERTY"),
        (json!({"sort": [{"field": "actor", "order": "UP"}]}), "INVALID_ENUM_VALUE"),
    ] {
        assert_eq!(client.post(&path, &bad).await.expect(400)["error_code"], code);
    }
    assert_eq!(client.post(&path, &json!({"query": "((("})).await.status, 400);
    assert_eq!(client.post(&path, &json!({"rows": 10_001})).await.status, 400);
}

async fn exports_become_jobs(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "=SIEM", reader()).await;
    for (format, media) in [("csv", "text/csv"), ("json", "application/json")] {
        let started = client
            .post(&format!("/audit_log/v1/orgs/{key}/logs/_export"), &json!({"format": format}))
            .await
            .expect(200);
        let job = format!("/jobs/v1/orgs/{key}/jobs/{}", started["job_id"]);
        // At once, without having to wait for the job to be seen.
        let mut state = client.get(&job).await.expect(200);
        while state["status"] == "CREATED" {
            tokio::task::yield_now().await;
            state = client.get(&job).await.expect(200);
        }
        assert_eq!(state["status"], "COMPLETED", "{state}");
        assert!(client.get(&format!("{job}/progress")).await.expect(200)["num_total"].is_i64());
        let file = client.get(&format!("{job}/download")).await;
        assert!(file.header("content-type").unwrap().starts_with(media), "{:?}", file.headers);
        assert!(file.text.contains("Created connector") && !file.text.contains("\n="), "{}", file.text);
    }
    assert_eq!(client.get(&format!("/jobs/v1/orgs/{key}/jobs")).await.expect(200)["num_found"], 2);
    let (_, foreign) = f.organization("Foreign").await;
    assert_eq!(client.get(&format!("/jobs/v1/orgs/{foreign}/jobs/1")).await.status, 404);
    assert_eq!(
        f.operator.delete(&format!("/v1/tenants/{org}/applications/{id}")).await.status,
        204,
        "its jobs have ended"
    );
}

async fn queues_belong_to_one_application(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (_, one) = f.application(&org, "One", reader()).await;
    let (_, two) = f.application(&org, "Two", reader()).await;
    let path = format!("/audit_log/v1/orgs/{key}/logs/_queue");
    let count = |body: &Value, member: &str| body[member].as_array().unwrap().len();
    assert_eq!(count(&one.get(&path).await.expect(200), "results"), 3);
    assert_eq!(count(&one.get(&path).await.expect(200), "results"), 0);
    assert_eq!(count(&two.get(&path).await.expect(200), "results"), 3);
    let v3 = one.get("/integrationServices/v3/auditlogs").await.expect(200);
    assert_eq!(
        (count(&v3, "notifications"), v3["success"].as_bool(), v3["message"].as_str()),
        (3, Some(true), Some("Success"))
    );
    for member in
        ["requestUrl", "eventTime", "eventId", "loginName", "orgName", "flagged", "clientIp", "verbose", "description"]
    {
        assert!(v3["notifications"][0].get(member).is_some(), "{member}");
    }
    assert_eq!(count(&one.get("/integrationServices/v3/auditlogs").await.expect(200), "notifications"), 0);
}

async fn refusals_are_in_the_familys_words(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let (_, other) = f.organization("Other").await;
    let (_, client) = f.application(&org, "SIEM", reader()).await;
    let (_, poor) = f.application(&org, "Poor", json!({})).await;
    let path = format!("/audit_log/v1/orgs/{key}/logs/_search");
    let wrong = f.client(&client.client_id, &f.operator.secret).post(&path, &json!({})).await.expect(401);
    assert_eq!(wrong["error_code"], "UNAUTHORIZED");
    let absent = send(f.operator.bare(Method::POST, &path).json(&json!({}))).await.expect(401);
    assert_eq!(absent, wrong);
    let denied = poor.post(&path, &json!({})).await.expect(403);
    assert_eq!(denied["error_code"], "FORBIDDEN");
    assert!(denied["message"].as_str().unwrap().contains("org.audits"), "{denied}");
    assert_eq!(client.post(&format!("/audit_log/v1/orgs/{other}/logs/_search"), &json!({})).await.status, 404);
    assert_eq!(client.post("/audit_log/v1/orgs/NOSUCHORG/logs/_search", &json!({})).await.status, 404);
    let v3 = poor.get("/integrationServices/v3/auditlogs").await.expect(403);
    assert_eq!(v3["success"], false);
}
