//! The client against a small stand-in of the native API, over TLS with a private CA.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use clap::Parser as _;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use super::*;
use crate::cli::{Cli, Command};
use crate::edge::{Edge, bind};
use crate::tls::TlsReloader;

#[test]
fn options_become_a_body() {
    let new = CreateArgs {
        name: Some("siem".to_owned()),
        grants: vec!["org.audits:read".to_owned(), "users:READ,UPDATE".to_owned()],
        networks: vec!["10.0.0.0/8".to_owned()],
        ..CreateArgs::default()
    };
    let expected = json!({
        "name": "siem",
        "grants": { "org.audits": ["READ"], "users": ["READ", "UPDATE"] },
        "allowed_networks": ["10.0.0.0/8"],
    });
    assert_eq!(body(new).unwrap(), expected);
    let bad = CreateArgs { name: Some("a".to_owned()), grants: vec!["org.audits".to_owned()], ..Default::default() };
    assert!(body(bad).unwrap_err().0.contains("PERMISSION:VERBS"));
    assert!(body(CreateArgs::default()).unwrap_err().0.contains("--name"));
}

#[test]
fn tables_are_aligned_and_harmless() {
    let rows = vec![vec!["ID".to_owned(), "NAME".to_owned()], vec![cell(Some(&json!("a\u{1b}[2Jb"))), cell(None)]];
    assert_eq!(table(&rows), "ID     NAME\na[2Jb  -\n");
    assert_eq!(segment("a/../b?c"), "a%2F..%2Fb%3Fc");
}

#[test]
fn a_secret_that_went_to_a_file_is_not_printed() {
    let dir = std::env::temp_dir().join(format!("claviger-minted-{}", std::process::id()));
    let file = SecretFile::open(&dir).unwrap();
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o600);
    assert!(SecretFile::open(&dir).is_err(), "an existing file is not overwritten");
    let made = json!({ "application": { "id": "i" }, "secret": { "text": "clv_app_x" } });
    minted(made, Some(file), Output::Json).unwrap();
    assert_eq!(std::fs::read_to_string(&dir).unwrap(), "clv_app_x\n");
    std::fs::remove_file(&dir).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the client checks the certificate against the real clock")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, body.to_string()).into_response()
}

fn stand_in(bodies: Arc<Mutex<Vec<Value>>>) -> Router {
    let is_known = |headers: &HeaderMap| headers.get("authorization").is_some_and(|text| text == "Basic aWQ6c2VjcmV0");
    let whoami = move |headers: HeaderMap| async move {
        if is_known(&headers) {
            json_answer(StatusCode::OK, &json!({ "tenant_id": "t1" }))
        } else {
            json_answer(StatusCode::UNAUTHORIZED, &json!({ "title": "Unauthenticated" }))
        }
    };
    let create = move |headers: HeaderMap, body: String| async move {
        assert_eq!(headers.get("idempotency-key").unwrap().len(), 32);
        bodies.lock().push(serde_json::from_str(&body).unwrap());
        json_answer(StatusCode::CREATED, &json!({ "application": { "id": "a1" }, "secret": { "text": "clv_app_x" } }))
    };
    Router::new()
        .route("/v1/whoami", get(whoami))
        .route("/v1/tenants/t1/applications", post(create))
        .route("/v1/tenants/t1/applications/a1", get(|| async { r#"{"id":"a1"}"# }))
}

#[tokio::test]
async fn the_client_trusts_the_ca_it_is_given_and_proves_itself() {
    let dir = std::env::temp_dir().join(format!("claviger-client-{}", std::process::id()));
    let tls = TlsReloader::private(&dir, vec!["127.0.0.1".to_owned()], Arc::new(now)).unwrap();
    let ca_file = tls.ca_file().unwrap().to_owned();
    let mut edge = Edge::new(bind("127.0.0.1:0".parse().unwrap()).unwrap());
    edge.tls = Some(Arc::new(tls));
    let base_url = format!("https://{}", edge.listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let server = tokio::spawn(edge.serve(stand_in(Arc::clone(&bodies)), std::future::pending()));

    let credentials = dir.join("credentials.json");
    let operator = json!({ "tenant_id": "t1", "client_id": "id", "secret": "secret" });
    let file = json!({ "base_url": base_url, "ca_file": ca_file, "operator": operator });
    std::fs::write(&credentials, file.to_string()).unwrap();
    let call = async |words: &[&str], env: fn(&str) -> Option<String>| {
        let start = ["claviger", "applications", "--credentials-file", credentials.to_str().unwrap()];
        let cli = Cli::parse_from(start.iter().chain(words));
        let Command::Applications(args) = cli.command else { panic!("not applications") };
        run(args, env).await
    };
    call(&["show", "a1"], |_| None).await.unwrap();
    call(&["create", "--name", "n", "--grant", "org.audits:READ", "-o", "json"], |_| None).await.unwrap();
    assert_eq!(*bodies.lock(), [json!({ "name": "n", "grants": { "org.audits": ["READ"] } })]);
    let kept = dir.join("secret");
    let kept = kept.to_str().unwrap();
    let create = ["create", "--name", "n", "--grant", "org.audits:READ", "--secret-file", kept];
    call(&create, |_| Some("other".to_owned())).await.unwrap_err();
    let other = ["regenerate", "a1", "--secret-file", kept];
    call(&other, |_| None).await.unwrap_err();
    assert!(!Path::new(kept).exists(), "a refused call leaves no empty file behind");
    call(&create, |_| None).await.unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "clv_app_x\n");
    bodies.lock().truncate(1);
    let refused = call(&["list"], |_| Some("other".to_owned())).await.unwrap_err();
    assert_eq!(refused.0, "401 Unauthenticated", "the environment wins over the file");

    let own = ["claviger", "applications", "--url", &base_url, "show", "a1"];
    let Command::Applications(args) = Cli::parse_from(own).command else { panic!("not applications") };
    let refused = run(args, |_| Some("x".to_owned())).await.unwrap_err();
    assert!(refused.0.contains("certificate"), "without the CA nothing is sent: {refused}");
    server.abort();
    std::fs::remove_dir_all(&dir).unwrap();
}
