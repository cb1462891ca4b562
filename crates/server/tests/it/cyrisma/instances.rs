//! Instance login: which instances a token may report on, and how hosts name them.

use super::{Estate, INSTANCES, call, estate, login, refresh, tenant, text};
use crate::fixture::{Client, Fixture, on_both, run};
use crate::oauth;
use claviger_store::Engine;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    instances_are_opened_one_by_one_or_all_at_once,
    what_cannot_be_opened_is_refused,
    with_one_host_one_instance_can_be_reported_on,
    only_a_token_opens_instances,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_name_instances_on_sqlite() {
    run(Engine::Sqlite, &[("CLAVIGER_INSTANCE_HOST_SUFFIX", "cyrisma.example")], hosts_name_instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_name_instances_on_postgres() {
    run(Engine::Postgres, &[("CLAVIGER_INSTANCE_HOST_SUFFIX", "cyrisma.example")], hosts_name_instances).await;
}

const REPORT: &str = "/app/partner/dashboards/overall";

async fn open(client: &Client, token: &str, instance: &str) -> Value {
    call(client, Method::POST, &format!("{INSTANCES}{instance}"), token, None).await.expect(200)
}

fn names(body: &Value, list: &str) -> Vec<String> {
    body[list].as_array().unwrap().iter().map(|entry| text(entry, "name")).collect()
}

/// 404 where one may report (there is nothing to report yet), 401 where not.
async fn report(client: &Client, token: &str, host: Option<&str>) -> u16 {
    let answer = call(client, Method::GET, REPORT, token, host).await;
    if answer.status == 401 {
        let error = text(&answer.json(), "error");
        assert!(error == "instance_not_authenticated" || error == "invalid_token", "{error}");
    }
    answer.status.as_u16()
}

async fn instances_are_opened_one_by_one_or_all_at_once(f: Arc<Fixture>) {
    let Estate { org, instances: [one, two], client, .. } = estate(&f, "Acme").await;
    let token = text(&login(&client).await, "access_token");
    for path in [format!("{INSTANCES}{}", one.0), format!("{INSTANCES}{}/", one.0)] {
        let body = call(&client, Method::POST, &path, &token, None).await.expect(200);
        let host = client.base.trim_start_matches("http://");
        let entry = json!({"instance_id": one.0, "name": "One", "short_name": "One", "instance_url": host});
        assert_eq!(body, json!({"success_token_inserts": [entry], "failed_token_inserts": []}));
    }
    assert_eq!(names(&open(&client, &token, &org).await, "success_token_inserts"), ["One", "Two"]);
    for path in [INSTANCES, INSTANCES.trim_end_matches('/')] {
        let body = call(&client, Method::POST, path, &token, None).await.expect(200);
        assert_eq!(names(&body, "success_token_inserts"), ["One", "Two"], "{path}");
    }
    f.operator.patch(&format!("/v1/tenants/{}", two.0), &json!({"status": "suspended"})).await.expect(200);
    let body = open(&client, &token, "").await;
    assert_eq!(
        (names(&body, "success_token_inserts"), names(&body, "failed_token_inserts")),
        (vec!["One".into()], vec!["Two".into()])
    );
    assert_eq!(body["failed_token_inserts"][0]["error"], "instance_suspended");
    assert!(f.audit(&org).await.iter().all(|entry| !entry["request"].as_str().unwrap_or_default().contains("/app/")));
}

async fn what_cannot_be_opened_is_refused(f: Arc<Fixture>) {
    let Estate { org, instances: [one, _], client, .. } = estate(&f, "Acme").await;
    let other = estate(&f, "Other").await;
    let token = text(&login(&client).await, "access_token");
    let mut bodies = Vec::new();
    for id in [&other.instances[0].0, &other.org, &f.root, "01890000-0000-7000-8000-000000000000", "nothing"] {
        let body = call(&client, Method::POST, &format!("{INSTANCES}{id}"), &token, None).await.expect(400);
        assert_eq!(
            (&body["error"], &body["success_token_inserts"]),
            (&json!("instance_not_found"), &json!([])),
            "{id}"
        );
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "whether it is there or not");
    f.operator.patch(&format!("/v1/tenants/{}", one.0), &json!({"status": "suspended"})).await.expect(200);
    let body = call(&client, Method::POST, &format!("{INSTANCES}{}", one.0), &token, None).await.expect(400);
    assert_eq!((&body["error"], &body["success_token_inserts"]), (&json!("instance_suspended"), &json!([])));
    // An application that reaches its own tenant only has no instance of an organisation.
    let (_, own) = f.application(&org, "Own", json!({})).await;
    let token = text(&login(&own).await, "access_token");
    assert_eq!(open(&own, &token, "").await, json!({"success_token_inserts": [], "failed_token_inserts": []}));
    let body = call(&own, Method::POST, &format!("{INSTANCES}{}", one.0), &token, None).await.expect(400);
    assert_eq!(body["error"], "instance_not_found");
}

async fn with_one_host_one_instance_can_be_reported_on(f: Arc<Fixture>) {
    let Estate { org, instances: [one, two], client, .. } = estate(&f, "Acme").await;
    let signed_in = login(&client).await;
    let token = text(&signed_in, "access_token");
    assert_eq!(report(&client, &token, None).await, 401, "not before one was opened");
    open(&client, &token, &one.0).await;
    assert_eq!(report(&client, &token, None).await, 404);
    assert_eq!(report(&client, "x", None).await, 401);
    // The list stays with the sign-in.
    let next = text(&refresh(&client, &text(&signed_in, "refresh_token")).await.expect(200), "access_token");
    assert_eq!(report(&client, &next, None).await, 404);
    let another = text(&login(&client).await, "access_token");
    assert_eq!(report(&client, &another, None).await, 401, "and with no other one");
    f.operator.patch(&format!("/v1/tenants/{}", one.0), &json!({"status": "suspended"})).await.expect(200);
    assert_eq!(report(&client, &next, None).await, 401);
    f.operator.patch(&format!("/v1/tenants/{}", one.0), &json!({"status": "active"})).await.expect(200);
    open(&client, &next, &two.0).await;
    assert_eq!(report(&client, &next, None).await, 401, "which of the two?");
    open(&client, &another, &org).await;
    assert_eq!(report(&client, &another, None).await, 401);
}

async fn only_a_token_opens_instances(f: Arc<Fixture>) {
    let Estate { instances: [one, _], client, application, org } = estate(&f, "Acme").await;
    let path = format!("{INSTANCES}{}", one.0);
    assert_eq!(client.post(&path, &json!({})).await.expect(401)["error"], "invalid_token");
    assert_eq!(client.get(REPORT).await.expect(401)["error"], "invalid_token");
    // A token of another door is as good as one of this family's.
    let token = oauth::token(&client, &[]).await;
    assert_eq!(report(&client, &token, None).await, 401);
    open(&client, &token, &one.0).await;
    assert_eq!(report(&client, &token, None).await, 404);
    let other = oauth::token(&client, &[]).await;
    assert_eq!(report(&client, &other, None).await, 401);
    // What takes the reach away takes the instance away.
    let narrowed = json!({"reach": "own"});
    f.operator.patch(&format!("/v1/tenants/{org}/applications/{application}"), &narrowed).await.expect(200);
    assert_eq!(report(&client, &token, None).await, 401);
}

async fn hosts_name_instances(f: Arc<Fixture>) {
    let Estate { org, instances: [one, two], client, .. } = estate(&f, "Acme").await;
    let token = text(&login(&client).await, "access_token");
    let port = client.base.rsplit(':').next().unwrap();
    let host = |key: &str| format!("cc{}.cyrisma.example:{port}", key.to_lowercase());
    let body = open(&client, &token, &one.0).await;
    assert_eq!(text(&body["success_token_inserts"][0], "instance_url"), host(&one.1));
    let bare = format!("cc{}.cyrisma.example", one.1.to_lowercase());
    for good in [host(&one.1), bare.clone(), bare.to_uppercase(), format!("{bare}.")] {
        assert_eq!(report(&client, &token, Some(&good)).await, 404, "{good}");
    }
    for bad in
        [host(&two.1), "cyrisma.example".into(), "api.cyrisma.example".into(), "ccnothing1.cyrisma.example".into()]
    {
        assert_eq!(report(&client, &token, Some(&bad)).await, 401, "{bad}");
    }
    assert_eq!(report(&client, &token, None).await, 401, "reports have hosts of their own");
    // What a proxy is said to have been asked for counts for nothing.
    let request = client.bare(Method::GET, REPORT).header("authorization", format!("access_token {token}"));
    let forwarded = crate::fixture::send(request.header("x-forwarded-host", host(&one.1))).await;
    assert_eq!(forwarded.status, 401);
    open(&client, &token, "").await;
    assert_eq!(report(&client, &token, Some(&host(&two.1))).await, 404);
    let (_, key) = tenant(&f, "Three", "instance", &org).await;
    assert_eq!(report(&client, &token, Some(&host(&key))).await, 404, "all there are, later ones, too");
    let other = estate(&f, "Other").await;
    assert_eq!(report(&client, &token, Some(&host(&other.instances[0].1))).await, 401);
}
