//! What holds on every route: errors, paging, bodies, versions.

use crate::fixture::{Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    problems_are_complete_and_dereferenceable,
    bodies_are_read_strictly,
    lists_are_paged,
    versions_are_compared,
    three_spellings_are_one_credential,
    openapi_needs_no_credential,
];

async fn problems_are_complete_and_dereferenceable(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let answer = f.operator.get(&format!("/v1/tenants/{org}/applications/no-id")).await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.expect(404);
    assert_eq!((problem["status"].as_i64(), problem["code"].as_str()), (Some(404), Some("not_found")));
    for member in ["type", "title", "detail", "request_id"] {
        assert!(problem[member].is_string(), "{member} in {problem}");
    }
    let page = send(f.operator.bare(Method::GET, problem["type"].as_str().unwrap())).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(f.operator.get("/v1/no-such-route").await.code(404), "not_found");
    let answer = send(f.operator.request(Method::DELETE, "/v1/tenants")).await;
    assert!(answer.header("allow").is_some());
    assert_eq!(answer.code(405), "method_not_allowed");
}

async fn bodies_are_read_strictly(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let path = format!("/v1/tenants/{org}/applications");
    let post = |body: &'static str| {
        send(f.operator.request(Method::POST, &path).header("content-type", "application/json").body(body))
    };
    assert_eq!(post("{").await.status, 400);
    assert_eq!(post("").await.status, 422, "an absent body lacks every member");
    assert_eq!(post("\u{feff}{}").await.status, 400);
    assert_eq!(post(r#"{"name":"a","name":"b","grants":{}}"#).await.status, 400);
    let deep: &'static str = Box::leak(format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)).into_boxed_str());
    assert_eq!(post(deep).await.status, 400);
    let unknown = post(r#"{"name":"a","grants":{},"tenant_id":"x"}"#).await.expect(422);
    assert!(
        unknown["errors"][0]["message"].as_str().unwrap().contains("tenant_id")
            || unknown["errors"][0]["pointer"] == "/tenant_id",
        "{unknown}"
    );
    let wrong = post(r#"{"name":7,"grants":{}}"#).await.expect(422);
    assert_eq!(wrong["errors"][0]["pointer"], "/name", "{wrong}");
    assert_eq!(post(r#"{"name":"a"}"#).await.status, 422, "neither level nor grants");
    let text = send(f.operator.request(Method::POST, &path).header("content-type", "text/plain").body("{}")).await;
    assert_eq!(text.status, 415);
    let big = format!(r#"{{"name":"{}","grants":{{}}}}"#, "x".repeat(2_000_000));
    let big = send(f.operator.request(Method::POST, &path).header("content-type", "application/json").body(big)).await;
    assert_eq!(big.status, 413);
    let long = f.operator.post(&path, &json!({"name": "x".repeat(129), "grants": {}})).await.expect(422);
    assert_eq!(long["errors"][0]["fix"], "give at most 128 characters");
    let host_bits = json!({"name": "a", "grants": {}, "allowed_networks": ["203.0.113.9/24"]});
    let host_bits = f.operator.post(&path, &host_bits).await.expect(422);
    assert!(host_bits["errors"][0]["fix"].as_str().unwrap().contains("203.0.113.0/24"), "{host_bits}");
    let unknown = json!({"name": "a", "grants": {"org.nothing": ["READ"], "org.audits": ["DELETE"]}});
    let unknown = f.operator.post(&path, &unknown).await.expect(422);
    assert_eq!(unknown["errors"].as_array().unwrap().len(), 2, "{unknown}");
    let list = f.operator.get(&path).await.expect(200);
    assert_eq!(list, json!({"items": [], "next_cursor": null}), "nothing was made");
}

async fn lists_are_paged(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    for index in 0..5 {
        f.app.clock().advance(1);
        f.application(&org, &format!("A{index}"), json!({})).await;
    }
    let path = format!("/v1/tenants/{org}/applications");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = f.operator.get(&format!("{path}?limit=2{cursor}")).await;
        let link = answer.header("link").map(str::to_owned);
        let page = answer.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert!(link.unwrap().contains("rel=\"next\""));
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["A0", "A1", "A2", "A3", "A4"]);
    for bad in ["limit=0", "limit=1001", "limit=x", "cursor=zz", "unknown=1"] {
        let status = f.operator.get(&format!("{path}?{bad}")).await.status.as_u16();
        assert!(status == 422 || status == 400, "{bad}: {status}");
    }
}

async fn versions_are_compared(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, _) = f.application(&org, "SIEM", json!({})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let answer = f.operator.get(&path).await;
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let patch = |version: &'static str, body: Value| {
        send(f.operator.request(Method::PATCH, &path).header("if-match", version).json(&body))
    };
    assert_eq!(patch("\"1\"", json!({"description": "one"})).await.header("etag"), Some("\"2\""));
    assert_eq!(patch("\"1\"", json!({"description": "two"})).await.status, 412);
    assert_eq!(patch("*", json!({"description": "three"})).await.status, 200);
    assert_eq!(f.operator.patch(&path, &json!({"description": "four"})).await.status, 200);
    let delete = |version: &'static str| send(f.operator.request(Method::DELETE, &path).header("if-match", version));
    assert_eq!(delete("\"2\"").await.status, 412);
    assert_eq!(delete("\"4\"").await.status, 204);
    assert_eq!(f.operator.get(&path).await.status, 404);
}

async fn three_spellings_are_one_credential(f: Arc<Fixture>) {
    let who = f.operator.get("/v1/whoami").await.expect(200);
    assert_eq!(
        (who["tenant_id"].as_str(), who["client_id"].as_str()),
        (Some(f.root.as_str()), Some(f.operator.client_id.as_str()))
    );
    assert!(who["application_id"].is_string() && who["grants"]["applications"].is_array(), "{who}");
    let basic = f.operator.bare(Method::GET, "/v1/whoami").basic_auth(&f.operator.client_id, Some(&f.operator.secret));
    assert_eq!(send(basic).await.expect(200), who);
    let both =
        f.operator.request(Method::GET, "/v1/whoami").basic_auth(&f.operator.client_id, Some(&f.operator.secret));
    assert_eq!(send(both).await.status, 400);
    let absent = send(f.operator.bare(Method::GET, "/v1/whoami")).await;
    assert!(absent.header("www-authenticate").is_some());
    assert_eq!(absent.code(401), "unauthenticated");
}

async fn openapi_needs_no_credential(f: Arc<Fixture>) {
    let served = send(f.operator.bare(Method::GET, "/v1/openapi.json")).await.expect(200);
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    let committed: Value = serde_json::from_str(include_str!("../../../../../docs/openapi/native.json")).unwrap();
    assert_eq!(served, committed);
    assert_eq!(send(f.operator.bare(Method::GET, "/healthz")).await.status, 204);
    assert_eq!(send(f.operator.bare(Method::GET, "/readyz")).await.status, 200);
    for hidden in ["/metrics", "/debug", "/v1/debug"] {
        assert_eq!(send(f.operator.bare(Method::GET, hidden)).await.status, 404, "{hidden}");
    }
}
