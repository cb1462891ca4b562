//! `claviger apply` against a server: what a file says becomes so, once, and what is exported can be applied again.

use crate::fixture::{Fixture, on_both, send};
use claviger_server::cli::{ApplyArgs, ClientArgs};
use claviger_server::commands::apply;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

on_both![
    a_file_becomes_so_once,
    changes_by_hand_are_drift,
    pruning_takes_away_what_is_not_listed,
    what_is_exported_can_be_applied_elsewhere,
    nobody_applies_above_their_own_rights,
];

const FILE: &str = "
tenants:
- {name: Customer, kind: organization, application_limit: 3}
- {name: Branch, parent: Customer, kind: instance}
credential_policies:
- {tenant: Customer, max_secret_lifetime_seconds: 31536000, on_leak: quarantine}
---
access_levels:
- tenant: Customer
  name: Readers
  grants: {org.audits: [READ], org.alerts.notes: [READ, CREATE]}
applications:
- tenant: Customer
  name: SIEM
  owner: ops@example.com
  access_level: Readers
  allowed_networks: [127.0.0.1, '2001:DB8::/32']
  rate_limit: 100
  expires_at: 2099-01-01T01:00:00+01:00
- {tenant: [Customer, Branch], name: Viewer, access_level: view all}
token_settings:
- {tenant: Customer, lifetime_seconds: 600}

trusted_issuers:
- tenant: Customer
  name: CI
  issuer: https://token.example
  algorithms: [RS256]
  max_token_age_seconds: 900
  bindings:
  - application: siem
    description: builds
    conditions:
    - {claim: sub, matches: 'repo:acme/app:*'}
    - {claim: env, one_of: [prod, stage]}
identity_providers:
- tenant: Customer
  name: Login
  issuer: https://login.example
  client_id: claviger
  scopes: [email, groups]
  domains: [Customer.example]
  role_mapping:
  - {claim: groups, value: auditors, access_levels: [view all, Readers]}
  default_access_levels: [readers]
";

struct Tool {
    f: Arc<Fixture>,
    directory: PathBuf,
}

impl Tool {
    fn new(f: &Arc<Fixture>) -> Self {
        let directory = f.data_dir.join("apply");
        std::fs::create_dir_all(&directory).unwrap();
        Self { f: Arc::clone(f), directory }
    }

    async fn run(&self, text: &str, change: impl FnOnce(&mut ApplyArgs)) -> Result<bool, String> {
        let file = self.directory.join("file.yaml");
        std::fs::write(&file, text).unwrap();
        let operator = &self.f.operator;
        let client = ClientArgs { url: Some(operator.base.clone()), ..ClientArgs::default() };
        let mut args = ApplyArgs { client, files: vec![file], ..ApplyArgs::default() };
        change(&mut args);
        let (client_id, secret) = (operator.client_id.clone(), operator.secret.clone());
        let env = move |name: &str| match name {
            "CLAVIGER_CLIENT_ID" => Some(client_id.clone()),
            "CLAVIGER_SECRET" => Some(secret.clone()),
            _ => None,
        };
        apply::run(args, env).await.map_err(|failure| failure.to_string())
    }

    async fn check(&self, text: &str) -> bool {
        self.run(text, |args| args.check = true).await.unwrap()
    }

    /// Applies a file; what it wrote of secrets.
    async fn apply(&self, text: &str) -> Vec<Value> {
        let path = self.directory.join("secrets");
        let _ = std::fs::remove_file(&path);
        let file = Some(path.clone());
        self.run(text, |args| (args.yes, args.secrets_file) = (true, file)).await.unwrap();
        let Ok(text) = std::fs::read_to_string(&path) else { return Vec::new() };
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn tenant(&self, name: &str) -> String {
        let tenants = self.f.operator.get("/v1/tenants?limit=1000").await.expect(200);
        let found = tenants["items"].as_array().unwrap().iter().find(|tenant| tenant["name"] == name).cloned();
        format!("/v1/tenants/{}", found.unwrap()["id"].as_str().unwrap())
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        self.f.operator.get(path).await.expect(200)["items"].as_array().unwrap().clone()
    }
}

async fn a_file_becomes_so_once(f: Arc<Fixture>) {
    let tool = Tool::new(&f);
    assert!(tool.check(FILE).await, "changes are pending");
    assert!(!tool.run(FILE, |_| ()).await.unwrap());
    let names = tool.f.operator.get("/v1/tenants").await.text;
    assert!(!names.contains("Customer"), "a plan changes nothing");

    let secrets = tool.apply(FILE).await;
    assert_eq!(secrets.len(), 2, "{secrets:?}");
    assert_eq!((&secrets[0]["tenant"], &secrets[0]["application"]), (&json!(["Customer"]), &json!("SIEM")));
    let siem = f.client(secrets[0]["client_id"].as_str().unwrap(), secrets[0]["secret"].as_str().unwrap());
    assert_eq!(siem.verify("org.audits:READ").await.status, 204);
    let customer = tool.tenant("Customer").await;
    assert_eq!(f.operator.get(&customer).await.expect(200)["application_limit"], 3);
    let policy = format!("{customer}/credential-policy");
    let policy = f.operator.get(&policy).await.expect(200);
    assert_eq!(
        (&policy["on_leak"], &policy["max_secret_lifetime_seconds"]),
        (&json!("quarantine"), &json!(31_536_000))
    );
    let application = &tool.list(&format!("{customer}/applications")).await[0];
    assert_eq!(application["allowed_networks"], json!(["127.0.0.1/32", "2001:db8::/32"]));
    assert_eq!(application["version"], 1);

    let issuer = &tool.list(&format!("{customer}/trusted-issuers")).await[0];
    assert_eq!((&issuer["issuer"], &issuer["max_token_age_seconds"]), (&json!("https://token.example"), &json!(900)));
    assert_eq!(issuer["bindings"][0]["application_id"], application["id"]);
    let settings = f.operator.get(&format!("{customer}/token-settings")).await.expect(200);
    assert_eq!(settings["lifetime_seconds"], 600);
    let provider = tool.list(&format!("{customer}/identity-providers")).await.remove(0);
    assert_eq!((&provider["domains"], &provider["has_client_secret"]), (&json!(["customer.example"]), &json!(false)));
    assert_eq!(provider["role_mapping"][0]["access_level_ids"].as_array().unwrap().len(), 2);
    let provider = format!("{customer}/identity-providers/{}", provider["id"].as_str().unwrap());
    f.operator.patch(&provider, &json!({"client_secret": "hush hush"})).await.expect(200);

    assert!(!tool.check(FILE).await, "nothing is pending any more");
    assert_eq!(tool.apply(FILE).await, [] as [Value; 0]);
    assert_eq!(tool.list(&format!("{customer}/trusted-issuers")).await[0]["version"], 1, "nothing was touched");
    assert_eq!(tool.list(&format!("{customer}/applications")).await[0]["version"], 1, "nothing was touched");
    let other = FILE.replace("value: auditors", "value: readers");
    tool.apply(&other).await;
    let provider = f.operator.get(&provider).await.expect(200);
    assert_eq!((&provider["role_mapping"][0]["value"], &provider["version"]), (&json!("readers"), &json!(3)));
    assert_eq!(provider["has_client_secret"], true, "it stays");
    let exported = f.operator.get(&format!("/v1/tenants/{}/export?beneath=true", f.root)).await.expect(200);
    assert_eq!(exported["identity_providers"][0]["default_access_levels"], json!(["Readers"]));
    assert!(!tool.check(&serde_json::to_string(&exported).unwrap()).await, "an export is such a file");
}

async fn changes_by_hand_are_drift(f: Arc<Fixture>) {
    let tool = Tool::new(&f);
    tool.apply(FILE).await;
    let customer = tool.tenant("Customer").await;
    let id = tool.list(&format!("{customer}/applications")).await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("{customer}/applications/{id}");
    f.operator
        .patch(
            &path,
            &json!({"owner": "other@example.com", "grants": {"org.audits": ["READ"]}, "description": "by hand"}),
        )
        .await
        .expect(200);
    let level = tool.list(&format!("{customer}/access-levels")).await.pop().unwrap();
    let level = format!("{customer}/access-levels/{}", level["id"].as_str().unwrap());
    f.operator.patch(&level, &json!({"grants": {}})).await.expect(200);
    f.operator.patch(&customer, &json!({"application_limit": 9})).await.expect(200);
    let issuers = format!("{customer}/trusted-issuers");
    let issuer = format!("{issuers}/{}", tool.list(&issuers).await[0]["id"].as_str().unwrap());
    f.operator.patch(&issuer, &json!({"bindings": [], "audience": "mine", "enabled": false})).await.expect(200);
    let settings = format!("{customer}/token-settings");
    f.operator.put(&settings, &json!({"lifetime_seconds": 60})).await.expect(200);
    let policy = format!("{customer}/credential-policy");
    let by_hand = f.operator.request(reqwest::Method::PUT, &policy).json(&json!({"rotate_every_days": 90}));
    send(by_hand).await.expect(200);
    assert!(tool.check(FILE).await);
    tool.apply(FILE).await;
    let policy = f.operator.get(&policy).await.expect(200);
    assert_eq!((&policy["on_leak"], &policy["rotate_every_days"]), (&json!("quarantine"), &json!(90)));
    assert!(!tool.check(FILE).await);
    let restored = f.operator.get(&issuer).await.expect(200);
    assert_eq!(restored["bindings"][0]["description"], "builds");
    assert_eq!((&restored["audience"], &restored["enabled"]), (&json!("mine"), &json!(false)), "not spoken of");
    assert_eq!(f.operator.get(&settings).await.expect(200)["lifetime_seconds"], 600);
    let restored = f.operator.get(&path).await.expect(200);
    assert_eq!((&restored["owner"], &restored["grants"]), (&json!("ops@example.com"), &Value::Null));
    assert_eq!(restored["description"], "by hand", "what the file does not speak of stays");
    assert_eq!(f.operator.get(&level).await.expect(200)["grants"]["org.alerts.notes"], json!(["CREATE", "READ"]));
    assert_eq!(f.operator.get(&customer).await.expect(200)["application_limit"], 3);
}

async fn pruning_takes_away_what_is_not_listed(f: Arc<Fixture>) {
    let tool = Tool::new(&f);
    tool.apply(FILE).await;
    let customer = tool.tenant("Customer").await;
    let org = customer.rsplit('/').next().unwrap();
    let (forgotten, _) = f.application(org, "Forgotten", json!({})).await;
    let bound = json!({"name": "Forgotten too", "issuer": "https://old.example", "bindings": [
        {"application_id": forgotten, "conditions": [{"claim": "sub", "equals": "x"}]}]});
    f.operator.post(&format!("{customer}/trusted-issuers"), &bound).await.expect(201);
    assert!(!tool.check(FILE).await, "what is not listed is no pending change");
    tool.apply(FILE).await;
    assert_eq!(tool.list(&format!("{customer}/applications")).await.len(), 2);
    assert!(tool.run(FILE, |args| (args.check, args.prune) = (true, true)).await.unwrap());
    tool.run(FILE, |args| (args.yes, args.prune) = (true, true)).await.unwrap();
    let names: Vec<_> = tool.list(&format!("{customer}/applications")).await;
    assert_eq!(names.iter().map(|one| &one["name"]).collect::<Vec<_>>(), ["SIEM"]);
    // The operator's own tenant is dealt with, too, but never the credential in use.
    let own = "applications: [{name: Another, grants: {}}]\n";
    tool.run(own, |args| (args.yes, args.prune) = (true, true)).await.unwrap();
    assert_eq!(tool.list(&format!("/v1/tenants/{}/applications", f.root)).await.len(), 2);
}

async fn what_is_exported_can_be_applied_elsewhere(f: Arc<Fixture>) {
    let tool = Tool::new(&f);
    tool.apply(FILE).await;
    let customer = tool.tenant("Customer").await;
    let mut exported = f.operator.get(&format!("{customer}/export?beneath=true")).await.expect(200);
    let text = exported.to_string();
    let at = |tenant: &str| {
        let id = tenant.rsplit('/').next().unwrap().to_owned();
        move |args: &mut ApplyArgs| (args.check, args.client.tenant) = (true, Some(id))
    };
    assert!(!tool.run(&text, at(&customer)).await.unwrap(), "it is as it was exported");
    // A domain leads to one provider of a server.
    let providers = exported.as_object_mut().unwrap().remove("identity_providers").unwrap();
    assert_eq!(providers.as_array().unwrap().len(), 1);
    let text = exported.to_string();
    let (copy, _) = f.organization("Copy").await;
    assert!(tool.run(&text, at(&copy)).await.unwrap());
    let (secrets, id) = (tool.directory.join("copied"), copy.clone());
    tool.run(&text, |args| {
        (args.yes, args.secrets_file, args.client.tenant) = (true, Some(secrets), Some(id));
    })
    .await
    .unwrap();
    assert!(!tool.run(&text, at(&copy)).await.unwrap());
    let mut again = f.operator.get(&format!("/v1/tenants/{copy}/export?beneath=true")).await.expect(200);
    let mut before = exported;
    again.as_object_mut().unwrap().remove("identity_providers").unwrap();
    for document in [&mut again, &mut before] {
        for application in document["applications"].as_array_mut().unwrap() {
            application["client_id"] = Value::Null;
        }
    }
    assert_eq!(again, before);
}

async fn nobody_applies_above_their_own_rights(f: Arc<Fixture>) {
    let tool = Tool::new(&f);
    tool.apply(FILE).await;
    let customer = tool.tenant("Customer").await;
    let org = customer.rsplit('/').next().unwrap().to_owned();
    f.operator.patch(&customer, &json!({"application_limit": 9})).await.expect(200);
    let rights = json!({"applications": ["CREATE", "READ", "UPDATE"], "access-levels": ["READ"]});
    let (_, editor) = f.application(&org, "Editor", rights).await;
    let tool = Tool { f: Arc::clone(&f), directory: tool.directory.clone() };
    let text = "applications: [{name: Above, grants: {org.audits: [READ]}}]\n";
    let env = move |name: &str| match name {
        "CLAVIGER_CLIENT_ID" => Some(editor.client_id.clone()),
        "CLAVIGER_SECRET" => Some(editor.secret.clone()),
        _ => None,
    };
    let file = tool.directory.join("above.yaml");
    std::fs::write(&file, text).unwrap();
    let client = ClientArgs { url: Some(f.operator.base.clone()), ..ClientArgs::default() };
    let kept = tool.directory.join("none");
    let args =
        ApplyArgs { client, files: vec![file], yes: true, secrets_file: Some(kept.clone()), ..ApplyArgs::default() };
    let refused = apply::run(args, env).await.unwrap_err().to_string();
    assert!(refused.contains("403") && refused.contains("org.audits:READ") && refused.contains("Above"), "{refused}");
    assert!(!kept.exists(), "no empty file stays behind");
}
