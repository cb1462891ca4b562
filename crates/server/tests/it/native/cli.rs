//! Commands on keys, issuers and policies, run as people run them.

use crate::fixture::{Fixture, on_both};
use crate::keys::Key;
use crate::oauth::token;
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::sync::Arc;

on_both![keys_issuers_and_policies_have_commands, a_session_token_will_do, tenants_have_commands];

/// Runs the program; what it printed, where it ended well.
fn run(f: &Fixture, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(arguments).arg("--credentials-file").arg(f.data_dir.join("credentials.json"));
    told(command.output().unwrap())
}

fn told(output: Output) -> Result<String, String> {
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    if output.status.success() { Ok(text) } else { Err(format!("{text}{error}")) }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn keys_issuers_and_policies_have_commands(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, _) = f.application(&org, "SIEM", json!({})).await;
    let on = |arguments: &[&str]| run(&f, &[arguments, &["--tenant", &org]].concat());
    // Keys.
    let file = f.data_dir.join("key.jwk");
    std::fs::write(&file, Key::edwards().jwk().to_string()).unwrap();
    let keys = ["applications", "keys"];
    let added = on(&[&keys[..], &["add", &id, "--name", "CI", "--jwk", file.to_str().unwrap(), "-o", "json"]].concat());
    let key = read(&added.unwrap())["id"].as_str().unwrap().to_owned();
    let listed = on(&[&keys[..], &["list", &id]].concat()).unwrap();
    assert!(listed.contains("ALGORITHM") && listed.contains(&key) && listed.contains("EdDSA"), "{listed}");
    on(&[&keys[..], &["delete", &id, &key]].concat()).unwrap();
    assert!(!on(&[&keys[..], &["list", &id]].concat()).unwrap().contains(&key));
    // Issuers.
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": Key::edwards().jwk()["x"]});
    let body = json!({
        "name": "CI", "issuer": "https://ci.example", "jwks": {"keys": [jwk]}, "algorithms": ["EdDSA"],
        "bindings": [{"application_id": id, "conditions": [{"claim": "sub", "equals": "x"}]}],
    });
    let made = f.operator.post(&format!("/v1/tenants/{org}/trusted-issuers"), &body).await.expect(201);
    let issuer = made["id"].as_str().unwrap();
    let listed = on(&["trusted-issuers", "list"]).unwrap();
    assert!(listed.contains(issuer) && listed.contains("https://ci.example"), "{listed}");
    let shown = read(&on(&["trusted-issuers", "show", issuer, "-o", "json"]).unwrap());
    assert_eq!(shown["bindings"][0]["last_use"], Value::Null);
    let file = f.data_dir.join("token");
    std::fs::write(&file, "no token\n").unwrap();
    let tried = on(&["trusted-issuers", "test", issuer, "--token", file.to_str().unwrap()]).unwrap_err();
    assert!(tried.contains("form") && tried.contains("token_invalid") && tried.contains("not_reached"), "{tried}");
    on(&["trusted-issuers", "delete", issuer]).unwrap();
    assert!(on(&["trusted-issuers", "show", issuer]).unwrap_err().contains("404"));
    // Policies.
    let set = on(&["policies", "set", "rotate_every_days=90", "on_leak=quarantine", "-o", "json"]).unwrap();
    assert_eq!(read(&set)["effective"]["rotate_every_days"], 90);
    on(&["policies", "set", "rotate_every_days=none"]).unwrap();
    let shown = read(&on(&["policies", "show", "-o", "json"]).unwrap());
    assert_eq!((&shown["rotate_every_days"], &shown["on_leak"]), (&Value::Null, &json!("quarantine")));
    assert!(on(&["policies", "set", "on_leak=shout"]).unwrap_err().contains("on_leak"));
}

async fn a_session_token_will_do(f: Arc<Fixture>) {
    let session = token(&f.operator, &[]).await;
    let run = |token: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.args(["policies", "show", "--url", &f.operator.base]).env("CLAVIGER_TOKEN", token);
        told(command.output().unwrap())
    };
    assert!(run(&session).unwrap().contains("static_secrets"));
    assert!(run("a.b.c").unwrap_err().contains("401"));
}

async fn tenants_have_commands(f: Arc<Fixture>) {
    let (org, _) = f.organization("Bank of Bern").await;
    f.organization("Acme").await;
    let on = |arguments: &[&str]| run(&f, &[&["tenants"], arguments].concat());
    let listed = on(&["list", "--search", "ban ber"]).unwrap();
    assert!(listed.contains("EXTERNAL_ID") && listed.contains(&org) && !listed.contains("Acme"), "{listed}");
    let listed = read(&on(&["list", "--kind", "organization", "-o", "json"]).unwrap());
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(on(&["show", &org]).unwrap().contains("agent_key"));
    assert!(on(&["delete", &org]).unwrap_err().contains("suspend it first"));
    assert!(on(&["suspend", &org]).unwrap().contains("suspended"));
    assert!(on(&["delete", &org]).unwrap().contains("purge_at"));
    let listed = on(&["list", "--status", "deleting"]).unwrap();
    assert!(listed.contains(&org), "{listed}");
    assert!(on(&["reactivate", &org]).unwrap().contains("active"));
    assert!(on(&["show", "00000000-0000-7000-8000-000000000000"]).unwrap_err().contains("404"));
}
