//! A: secrets are shown once, recognised cheaply and found nowhere.

use crate::fixture::{Fixture, on_both, run, send};
use claviger_store::Engine;
use reqwest::Method;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

on_both![
    a1_a_secret_is_in_one_answer_only,
    a2_a3_changed_secrets_are_refused_without_a_look_up,
    a13_secrets_elsewhere_are_refused,
    d9_a_new_client_works_at_once,
];

async fn a1_a_secret_is_in_one_answer_only(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    client.verify("org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let application = format!("/v1/tenants/{org}/applications/{id}");
    let reads = [
        application.clone(),
        format!("{application}/secrets"),
        format!("{application}/usage"),
        format!("/v1/tenants/{org}/applications"),
        format!("/v1/tenants/{org}/audit"),
        format!("/v1/tenants/{org}/usage"),
        format!("/v1/tenants/{org}/access-levels"),
        "/v1/whoami".to_owned(),
    ];
    for path in reads {
        let answer = f.operator.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains(&client.secret), "{path}");
    }
}

async fn a2_a3_changed_secrets_are_refused_without_a_look_up(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let secret = client.secret.clone();
    let swapped: String = secret.chars().rev().collect();
    let bad = [
        format!("{}x", &secret[..54]),
        secret.replace("clv_a_", "clv_b_"),
        secret[..54].to_owned(),
        secret.to_uppercase(),
        swapped,
        format!("{secret}0"),
        "a".into(),
        "😀".into(),
    ];
    let uniform = f.client(&client.client_id, "x").verify("org.audits:READ").await.json();
    let before = f.app.store().statements();
    for text in bad {
        let body = f.client(&client.client_id, &text).verify("org.audits:READ").await.expect(401);
        for member in ["type", "title", "detail", "status", "code"] {
            assert_eq!(body[member], uniform[member], "{text}");
        }
        assert_eq!(f.client("00000000-0000-7000-8000-00000000dead", &text).verify("org.audits:READ").await.status, 401);
    }
    let spent = f.app.store().statements() - before;
    // What runs beside the requests may write a denial; the requests themselves send nothing.
    assert!(spent < 16 + 60, "{spent} statements for 16 requests");
}

async fn a13_secrets_elsewhere_are_refused(f: Arc<Fixture>) {
    let token = format!("{}/{}", f.operator.secret, f.operator.client_id);
    let in_query = send(f.operator.bare(Method::GET, &format!("/v1/tenants?X-Auth-Token={token}"))).await;
    assert_eq!(in_query.status, 401);
    let in_cookie =
        send(f.operator.bare(Method::GET, "/v1/tenants").header("Cookie", format!("X-Auth-Token={token}"))).await;
    assert_eq!(in_cookie.status, 401);
    let form = format!("client_id={}&client_secret={}", f.operator.client_id, f.operator.secret);
    let in_body = f
        .operator
        .bare(Method::GET, "/v1/tenants")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    assert_eq!(send(in_body).await.status, 401);
    for answer in [in_query, in_cookie] {
        assert!(!answer.text.contains(&f.operator.secret), "{}", answer.text);
    }
}

async fn d9_a_new_client_works_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    for index in 0..20 {
        let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
        assert_eq!(client.verify("org.audits:READ").await.status, 204, "round {index}");
        f.operator.delete(&format!("/v1/tenants/{org}/applications/{id}")).await;
        assert_eq!(client.verify("org.audits:READ").await.status, 401, "round {index}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a5_no_file_holds_a_secret() {
    run(Engine::Sqlite, &[], |f| async move {
        let (org, _) = f.organization("Acme").await;
        let mut secrets = vec![f.operator.secret.clone()];
        for index in 0..5 {
            let (id, client) = f.application(&org, &format!("A{index}"), json!({"org.audits": ["READ"]})).await;
            client.verify("org.audits:READ").await;
            let path = format!("/v1/tenants/{org}/applications/{id}/regenerate");
            let request = f
                .operator
                .request(Method::POST, &path)
                .header("Idempotency-Key", "k".repeat(index + 1))
                .json(&json!({}));
            let next = send(request).await.expect(200);
            secrets.extend([client.secret.clone(), next["secret"]["text"].as_str().unwrap().to_owned()]);
        }
        f.app.flush_usage().await.unwrap();
        let credentials = f.data_dir.join("credentials.json");
        for file in files(&f.data_dir).into_iter().filter(|file| *file != credentials) {
            let bytes = std::fs::read(&file).unwrap();
            for secret in &secrets {
                for form in forms(secret) {
                    assert!(!contains(&bytes, form.as_bytes()), "{} holds a secret", file.display());
                }
            }
        }
    })
    .await;
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// As it is, its random part, in hexadecimal and in base64 at each alignment.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), secret[6..49].to_owned(), hex.to_uppercase(), hex];
    for skip in 0..3 {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&secret.as_bytes()[skip..]);
        forms.push(text[..text.len() - 4].to_owned());
    }
    forms
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
