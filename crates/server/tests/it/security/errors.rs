//! Q: errors tell nothing of the inside and nothing of each other; no route but the documented ones.

use crate::fixture::{Fixture, on_both, send};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![q1_errors_tell_nothing_of_the_inside, q3_no_detail_crosses_requests, q5_what_is_not_documented_is_not_there];

async fn q1_errors_tell_nothing_of_the_inside(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/applications");
    f.application(&org, "Taken", json!({})).await;
    let post = |body: &'static str| {
        send(f.operator.request(Method::POST, &path).header("content-type", "application/json").body(body))
    };
    let answers = [
        post("{").await,
        post(r#"{"name":"Taken","grants":{}}"#).await,
        post(r#"{"name":"'; drop table applications; --","grants":{"x":["READ"]}}"#).await,
        f.operator.get(&format!("{path}/%27%20or%201=1")).await,
        f.operator.get(&format!("{path}?cursor=%00")).await,
        f.operator.get("/v1/../etc/passwd").await,
        send(f.operator.bare(Method::GET, &path)).await,
    ];
    for answer in answers {
        assert!(answer.status.is_client_error(), "{answer:?}");
        assert!(answer.json()["code"].is_string(), "{}", answer.text);
        let data_dir = f.data_dir.display().to_string();
        for inside in [
            "sqlite",
            "postgres",
            "sqlx",
            "panicked",
            "src/",
            ".rs",
            "claviger_",
            "select ",
            "insert ",
            data_dir.as_str(),
        ] {
            assert!(!answer.text.to_lowercase().contains(inside), "{inside:?} in {}", answer.text);
        }
        assert!(answer.header("server").is_none());
    }
}

async fn q3_no_detail_crosses_requests(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    // As many at once as one address may have connections, and some in reserve.
    let asking: Vec<_> = (0..64)
        .map(|task| {
            let (f, org) = (Arc::clone(&f), org.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for round in 0..32 {
                    ids.push(fail(&f, &org, task * 32 + round).await);
                }
                ids
            })
        })
        .collect();
    let mut ids = Vec::new();
    for one in asking {
        ids.extend(one.await.unwrap());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_048, "each request has an id of its own");
}

/// A request that fails and carries a marker of its own; the answer's request id.
async fn fail(f: &Fixture, org: &str, number: usize) -> String {
    let marker = format!("marker-{number}-end");
    let answer = match number % 3 {
        0 => f.operator.get(&format!("/v1/{marker}")).await,
        1 => {
            let body = json!({"name": "x", "grants": {marker.clone(): ["READ"]}});
            f.operator.post(&format!("/v1/tenants/{org}/applications"), &body).await
        }
        _ => f.client(&marker, "clv_a_wrong").get(&format!("/v1/tenants/{org}?{marker}=1")).await,
    };
    let mut markers = answer.text.match_indices("marker-").map(|(at, _)| &answer.text[at..]);
    assert!(markers.all(|found| found.starts_with(&marker)), "{marker}: {}", answer.text);
    answer.json()["request_id"].as_str().unwrap().to_owned()
}

async fn q5_what_is_not_documented_is_not_there(f: Arc<Fixture>) {
    let guesses = [
        "/",
        "/v1",
        "/v1/",
        "/v2",
        "/metrics",
        "/admin",
        "/administrator",
        "/debug/pprof",
        "/.env",
        "/.git/config",
        "/v1/secrets",
        "/v1/keys",
        "/v1/login",
        "/v1/applications",
        "/v1/audit",
        "/oauth2/authorize",
        "/auth/v1/token",
        "/api/alerts/v7/orgs/x/alerts/_search",
        "/swagger",
        "/openapi.json",
    ];
    for path in guesses {
        for method in [Method::GET, Method::POST] {
            assert_eq!(send(f.operator.request(method.clone(), path)).await.status, 404, "{method} {path}");
        }
    }
    for method in ["TRACE", "CONNECT", "PROPFIND"] {
        let status = send(f.operator.request(method.parse().unwrap(), "/v1/tenants")).await.status.as_u16();
        assert!([400, 404, 405, 501].contains(&status), "{method}: {status}");
    }
}
