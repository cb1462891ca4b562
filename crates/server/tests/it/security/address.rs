//! E: where a call comes from.

use crate::fixture::{Fixture, on_both, run, send};
use claviger_store::Engine;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![
    e1_headers_of_strangers_are_believed_nothing,
    e7_e11_e12_lists_are_lists_of_addresses,
    e10_nobody_shuts_themselves_out_by_accident,
    e13_the_next_request_of_an_open_connection_is_refused,
];

const HEADERS: [&str; 7] = [
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Original-Forwarded-For",
];
const VERIFY: &str = "/v1/verify?permission=org.audits:READ&tenant=any";

async fn e1_headers_of_strangers_are_believed_nothing(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {"org.audits": ["READ"]}, "allowed_networks": ["203.0.113.0/24"]});
    let (_, client) = f.application_with(&org, body).await;
    for header in HEADERS {
        let value = if header == "Forwarded" { "for=203.0.113.9" } else { "203.0.113.9" };
        let answer = send(client.request(Method::GET, VERIFY).header(header, value)).await;
        assert_eq!(answer.code(401), "unauthenticated", "{header}");
    }
    let denial = &f.audit(&org).await[0];
    assert_eq!(
        (denial["address"].as_str(), denial["details"]["reason"].as_str()),
        (Some("127.0.0.1"), Some("address_not_allowed"))
    );
}

async fn e7_e11_e12_lists_are_lists_of_addresses(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    for (networks, status) in [
        (json!(["127.0.0.1"]), 204),
        (json!(["::ffff:127.0.0.0/104"]), 204),
        (json!(["127.0.0.2"]), 401),
        (json!([]), 401),
        (json!(["::1"]), 401),
        (json!(["0.0.0.0/0"]), 204),
        (json!(["::/0"]), 401),
        (json!(null), 204),
    ] {
        let patched = f.operator.patch(&path, &json!({"allowed_networks": networks})).await.expect(200);
        assert_eq!(patched["allowed_networks"].is_null(), networks.is_null());
        assert_eq!(client.verify("org.audits:READ").await.status, status, "{networks}");
    }
}

async fn e10_nobody_shuts_themselves_out_by_accident(f: Arc<Fixture>) {
    let path = format!("/v1/tenants/{}/applications/{}", f.root, f.operator.client_id);
    let refused = f.operator.patch(&path, &json!({"allowed_networks": ["198.51.100.0/24"]})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/allowed_networks");
    f.operator.patch(&path, &json!({"allowed_networks": ["127.0.0.0/8"]})).await.expect(200);
    f.operator.patch(&path, &json!({"allowed_networks": ["198.51.100.0/24"], "confirm": true})).await.expect(200);
    assert_eq!(f.operator.get("/v1/whoami").await.status, 401);
}

async fn e13_the_next_request_of_an_open_connection_is_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    // One connection: the client keeps it alive and sends nothing in parallel.
    let client = crate::fixture::Client { http: crate::fixture::http(), ..client };
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    f.operator
        .patch(&format!("/v1/tenants/{org}/applications/{id}"), &json!({"allowed_networks": ["203.0.113.0/24"]}))
        .await
        .expect(200);
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_e3_e4_a_trusted_proxy_names_one_hop() {
    run(Engine::Sqlite, &[("CLAVIGER_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")], |f| async move {
        let (org, _) = f.organization("Acme").await;
        let body = json!({"name": "SIEM", "grants": {"org.audits": ["READ"]}, "allowed_networks": ["203.0.113.0/24"]});
        let (_, client) = f.application_with(&org, body).await;
        let long = vec!["203.0.113.9"; 2_000].join(", ");
        let spoofed = format!("{}, 198.51.100.7", vec!["203.0.113.9"; 100].join(", "));
        let cases: [(&[(&str, &str)], u16); 16] = [
            (&[("X-Forwarded-For", "203.0.113.9")], 204),
            (&[("X-Forwarded-For", "198.51.100.7, 203.0.113.9")], 204),
            (&[("X-Forwarded-For", "203.0.113.9, 198.51.100.7")], 401),
            (&[("X-Forwarded-For", "203.0.113.9, 10.0.0.1")], 204),
            (&[("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "203.0.113.9")], 204),
            (&[("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.7")], 401),
            (&[("Forwarded", "for=203.0.113.9;proto=https")], 204),
            (&[("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")], 204),
            (&[("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=198.51.100.7")], 401),
            (&[("X-Forwarded-For", "::ffff:203.0.113.9")], 204),
            (&[("X-Forwarded-For", "unknown")], 401),
            (&[("X-Forwarded-For", "0xcb.0.113.9")], 401),
            (&[("X-Forwarded-For", "203.0.113.9:443")], 401),
            (&[("X-Forwarded-For", "203.0.113.9%00")], 401),
            (&[("X-Forwarded-For", &spoofed)], 401),
            (&[], 401),
        ];
        for (headers, status) in cases {
            let request = headers
                .iter()
                .fold(client.request(Method::GET, VERIFY), |request, (name, value)| request.header(*name, *value));
            assert_eq!(send(request).await.status, status, "{headers:?}");
        }
        let long = send(client.request(Method::GET, VERIFY).header("X-Forwarded-For", &long)).await;
        assert_eq!(long.status, 431, "a header has at most 8 KiB");
    })
    .await;
}
