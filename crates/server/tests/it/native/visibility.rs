//! Secret visibility: who may read a secret again, and that removing the texts is for ever.

use crate::fixture::{Client, Fixture, START, on_both, start_again};
use claviger_app::heads::verify_chains;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_store::testing::copies::{Copy, files_holding};
use claviger_store::testing::{execute, fresh};
use claviger_store::{Engine, Location};
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_tenant_shows_secrets_once_by_default,
    the_operator_alone_makes_a_tenant_retain,
    retained_texts_are_read_and_recorded,
    every_way_to_a_secret_retains_it,
    nobody_reads_above_their_rights,
    a_partner_reads_no_secret_of_its_customers,
    nothing_turns_a_removal_back,
    a_row_turned_back_in_the_database_is_contradicted,
];

fn visibility(org: &str) -> String {
    format!("/v1/tenants/{org}/secret-visibility")
}

async fn retaining(f: &Fixture, name: &str) -> String {
    let (org, _) = f.organization(name).await;
    let made = f.operator.put(&visibility(&org), &json!({"visibility": "retaining"})).await.expect(200);
    assert_eq!(made["visibility"], "retaining");
    org
}

/// An application; the path of its secret's text and a client that has the secret.
async fn secret(f: &Fixture, org: &str, name: &str) -> (String, Client) {
    let (id, client) = f.application(org, name, json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}/applications/{id}");
    let secrets = f.operator.get(&format!("{path}/secrets")).await.expect(200);
    (format!("{path}/secrets/{}/text", secrets["items"][0]["id"].as_str().unwrap()), client)
}

async fn a_tenant_shows_secrets_once_by_default(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let found = f.operator.get(&visibility(&org)).await.expect(200);
    let expected = json!({
        "tenant_id": org, "visibility": "show_once", "since": null, "retained_secrets": 0, "final": false,
        "removing": false,
    });
    assert_eq!(found, expected);
    let (text, _) = secret(&f, &org, "SIEM").await;
    assert_eq!(f.operator.get(&text).await.code(409), "secrets_shown_once");
    for bad in [json!({}), json!({"visibility": "hidden"}), json!({"visibility": "retaining", "x": 1})] {
        assert_eq!(f.operator.put(&visibility(&org), &bad).await.status, 422, "{bad}");
    }
}

async fn the_operator_alone_makes_a_tenant_retain(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let every = json!({"secret-visibility": ["READ", "UPDATE"], "secret-texts": ["READ"]});
    let (_, admin) = f.application(&org, "Admin", every).await;
    let refused = admin.put(&visibility(&org), &json!({"visibility": "retaining"})).await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("operator"), "{refused}");
    let before = f.audit(&org).await.len();
    let retaining = json!({"visibility": "retaining"});
    let first = f.operator.put(&visibility(&org), &retaining).await.expect(200);
    assert_eq!(first["since"], START.to_string());
    assert_eq!(f.operator.put(&visibility(&org), &retaining).await.expect(200), first, "once is enough");
    let entries = f.audit(&org).await;
    assert_eq!((entries.len(), &entries[0]["action"]), (before + 1, &json!("secret_visibility.retaining")));
    let refused = admin.put(&visibility(&org), &json!({"visibility": "show_once"})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/confirm");
    let removed = admin.put(&visibility(&org), &json!({"visibility": "show_once", "confirm": true})).await.expect(200);
    assert_eq!((&removed["visibility"], &removed["final"]), (&json!("show_once"), &json!(true)));
}

async fn retained_texts_are_read_and_recorded(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (older, _) = secret(&f, &org, "Older").await;
    f.operator.put(&visibility(&org), &json!({"visibility": "retaining"})).await.expect(200);
    assert_eq!(f.operator.get(&older).await.code(409), "secret_not_retained");
    let (text, client) = secret(&f, &org, "SIEM").await;
    let answer = f.operator.get(&text).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.expect(200)["text"], client.secret.as_str());
    assert_eq!(f.operator.get(&visibility(&org)).await.expect(200)["retained_secrets"], 1);
    f.operator.get(&text).await.expect(200);
    let entries = f.audit(&org).await;
    let reads = entries.iter().filter(|entry| entry["action"] == "secret.text_read").count();
    assert_eq!(reads, 2, "each reading is an entry");
    assert!(!json!(entries).to_string().contains(&client.secret));
    let missing = text.replace(text.rsplit('/').nth(1).unwrap(), "01890000-0000-7000-8000-000000000000");
    assert_eq!(f.operator.get(&missing).await.status, 404);
    let (_, other) = f.organization("Other").await;
    assert_ne!(other, org);
}

async fn every_way_to_a_secret_retains_it(f: Arc<Fixture>) {
    let org = retaining(&f, "Acme").await;
    let (first, client) = secret(&f, &org, "SIEM").await;
    let path = first.split("/secrets/").next().unwrap().to_owned();
    let rotated = f.operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    let text_of = |made: &Value| format!("{path}/secrets/{}/text", made["secret"]["id"].as_str().unwrap());
    assert_eq!(f.operator.get(&text_of(&rotated)).await.expect(200)["text"], rotated["secret"]["text"]);
    assert_eq!(f.operator.get(&first).await.expect(200)["text"], client.secret.as_str(), "both are live");
    let regenerated = f.operator.post(&format!("{path}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(f.operator.get(&text_of(&regenerated)).await.expect(200)["text"], regenerated["secret"]["text"]);
    assert_eq!(f.operator.get(&first).await.status, 404, "the text went with its secret");
    assert_eq!(f.operator.get(&visibility(&org)).await.expect(200)["retained_secrets"], 1);
    f.operator.delete(&path).await;
    assert_eq!(f.operator.get(&visibility(&org)).await.expect(200)["retained_secrets"], 0);
}

async fn nobody_reads_above_their_rights(f: Arc<Fixture>) {
    let org = retaining(&f, "Acme").await;
    let (text, _) = secret(&f, &org, "SIEM").await;
    let (_, narrow) = f.application(&org, "Narrow", json!({"secret-texts": ["READ"], "applications": ["READ"]})).await;
    let refused = narrow.get(&text).await.expect(403);
    assert_eq!(refused["missing_permission"], "org.audits:READ", "to read a secret is to call with it");
    let (_, reader) = f.application(&org, "Reader", json!({"applications": ["READ", "UPDATE"]})).await;
    assert_eq!(reader.get(&text).await.expect(403)["missing_permission"], "secret-texts:READ");
    let levels = f.operator.get(&format!("/v1/tenants/{org}/access-levels")).await.expect(200);
    for level in levels["items"].as_array().unwrap().iter().filter(|level| level["name"] != "Super Admin") {
        assert_eq!(level["grants"].get("secret-texts"), None, "{}", level["name"]);
    }
}

/// F7.
async fn a_partner_reads_no_secret_of_its_customers(f: Arc<Fixture>) {
    let tenant = async |name: &str, kind: &str, parent: &str| {
        let body = json!({"name": name, "kind": kind, "parent_id": parent});
        f.operator.post("/v1/tenants", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
    };
    let partner = tenant("Partner", "partner", &f.root).await;
    let org = tenant("Acme", "organization", &partner).await;
    for tenant in [&org, &partner] {
        f.operator.put(&visibility(tenant), &json!({"visibility": "retaining"})).await.expect(200);
    }
    let level = json!({"name": "Runs", "access_level_id": "00000000-0000-7000-8000-000000000006", "reach": "beneath"});
    let (_, above) = f.application_with(&partner, level).await;
    let (theirs, _) = secret(&f, &org, "SIEM").await;
    let refused = above.get(&theirs).await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("partner"), "{refused}");
    assert!(f.audit(&org).await.iter().all(|entry| entry["action"] != "secret.text_read"));
    let rotate = format!("{}/rotate", theirs.split("/secrets/").next().unwrap());
    above.post(&rotate, &json!({})).await.expect(200);
    let (own, client) = secret(&f, &partner, "SIEM").await;
    assert_eq!(above.get(&own).await.expect(200)["text"], client.secret.as_str(), "its own it may read");
}

async fn nothing_turns_a_removal_back(f: Arc<Fixture>) {
    let org = retaining(&f, "Acme").await;
    let other = retaining(&f, "Other").await;
    // In this order: what is sealed is then unlike what other tests seal, which may run in the same cluster.
    let (others, theirs) = secret(&f, &other, "SIEM").await;
    let (text, client) = secret(&f, &org, "SIEM").await;
    let sealed = sealed_text(&f, &text).await;
    assert!(!files_holding(f.app.store(), &f.location, &sealed).await.is_empty(), "the search finds what is there");

    let remove = json!({"visibility": "show_once", "confirm": true});
    let removed = f.operator.put(&visibility(&org), &remove).await.expect(200);
    let expected = json!({
        "tenant_id": org, "visibility": "show_once", "since": START.to_string(), "retained_secrets": 0, "final": true,
        "removing": false,
    });
    assert_eq!(removed, expected);
    assert_eq!(files_holding(f.app.store(), &f.location, &sealed).await, Vec::<std::path::PathBuf>::new());
    let keys = std::fs::read_to_string(f.data_dir.join("text-keys.json")).unwrap();
    let keys: Value = serde_json::from_str(&keys).unwrap();
    assert!(
        keys["keys"].get(&org).is_none() && keys["keys"].get(&other).is_some() && keys["removed"].get(&org).is_some()
    );

    assert_eq!(client.verify("org.audits:READ").await.status, 204, "the secret goes on working");
    assert_eq!(f.operator.get(&text).await.code(409), "secret_visibility_final");
    assert_eq!(f.operator.get(&others).await.expect(200)["text"], theirs.secret.as_str(), "others keep theirs");
    let back = f.operator.put(&visibility(&org), &json!({"visibility": "retaining"})).await;
    assert_eq!(back.code(409), "secret_visibility_final");
    assert_eq!(f.operator.put(&visibility(&org), &remove).await.expect(200), expected, "it may be said again");
    let (newer, _) = secret(&f, &org, "Newer").await;
    assert_eq!(f.operator.get(&newer).await.code(409), "secret_visibility_final", "nothing is kept any more");
    let actions: Vec<_> =
        f.audit(&org).await.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    for action in ["secret_visibility.removed", "secret_texts.destroyed"] {
        assert_eq!(actions.iter().filter(|one| *one == action).count(), 1, "{action}: {actions:?}");
    }
    let tenant = TenantId::parse(&org).unwrap();
    let signed = f.app.store().list_signed_heads(tenant).await.unwrap();
    assert_eq!(signed.last().unwrap().visibility, Some(claviger_domain::visibility::Visibility::ShowOnce));
    assert_eq!(verify_chains(f.app.store(), None).await.unwrap().faults, Vec::<String>::new());
    // A tenant that has never retained any may rule it out, too.
    let (third, _) = f.organization("Third").await;
    f.operator.put(&visibility(&third), &remove).await.expect(200);
    let back = f.operator.put(&visibility(&third), &json!({"visibility": "retaining"})).await;
    assert_eq!(back.code(409), "secret_visibility_final");
}

/// The ciphertext of a secret, without what all sealed texts begin with.
async fn sealed_text(f: &Fixture, path: &str) -> Vec<u8> {
    let parts: Vec<_> = path.split('/').collect();
    let (tenant, application) = (TenantId::parse(parts[3]).unwrap(), ApplicationId::parse(parts[5]).unwrap());
    let mut tx = f.app.store().begin().await.unwrap();
    let sealed = tx.find_secret_text(tenant, application, SecretId::parse(parts[7]).unwrap()).await.unwrap().unwrap();
    sealed[5..].to_vec()
}

async fn a_row_turned_back_in_the_database_is_contradicted(f: Arc<Fixture>) {
    let org = retaining(&f, "Acme").await;
    let (text, _) = secret(&f, &org, "SIEM").await;
    f.operator.put(&visibility(&org), &json!({"visibility": "show_once", "confirm": true})).await.expect(200);
    std::fs::remove_file(f.data_dir.join("text-keys.json")).unwrap();
    let mut tx = f.app.store().begin().await.unwrap();
    execute(&mut tx, "update secret_visibility set stage = 'retaining'").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.operator.get(&text).await.code(409), "secret_visibility_final");
    assert_eq!(f.operator.get(&visibility(&org)).await.expect(200)["final"], true);
    let back = f.operator.put(&visibility(&org), &json!({"visibility": "retaining"})).await;
    assert_eq!(back.code(409), "secret_visibility_final");
    let faults = verify_chains(f.app.store(), None).await.unwrap().faults;
    assert!(faults.iter().any(|fault| fault.contains(&org) && fault.contains("retains them again")), "{faults:?}");
    let signed = async || f.app.store().list_signed_heads(TenantId::parse(&org).unwrap()).await.unwrap().len();
    let before = signed().await;
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"name": "Moved on"})).await.expect(200);
    f.app.sign_heads().await.unwrap();
    assert_eq!(signed().await, before, "what takes a removal back is not signed");
}

// Databases of one cluster share its log, and what another test sealed must not be taken for one's own: each has other seeds.

/// A copy of the store from before the removal is put back, with the files beside it as they are, and as if they were lost.
async fn an_older_copy_shows_nothing(engine: Engine) {
    for keep_keys in [true, false] {
        let Some(guard) = fresh(engine).await else { return };
        let f = start_again(guard, &[], 11).await;
        let org = retaining(&f, "Acme").await;
        let (text, client) = secret(&f, &org, "SIEM").await;
        let (location, data_dir) = (f.location.clone(), f.data_dir.clone());
        let guard = f.stop().await;
        let older = Copy::take(&location).await;
        let f = start_again(guard, &[], 12).await;
        assert_eq!(f.operator.get(&text).await.expect(200)["text"], client.secret.as_str());
        f.operator.put(&visibility(&org), &json!({"visibility": "show_once", "confirm": true})).await.expect(200);
        let guard = f.stop().await;
        older.put_back(&location).await;
        if !keep_keys {
            std::fs::remove_file(data_dir.join("text-keys.json")).unwrap();
        }
        let f = start_again(guard, &[], 13).await;
        let code = f.operator.get(&text).await.code(409);
        assert_eq!(code, if keep_keys { "secret_visibility_final" } else { "text_key_missing" });
        assert!(!sealed_text(&f, &text).await.is_empty(), "the copy has the text, and nobody can open it");
        let found = f.operator.get(&visibility(&org)).await.expect(200);
        assert_eq!((&found["retained_secrets"], &found["final"]), (&json!(0), &json!(keep_keys)));
        if keep_keys {
            let back = f.operator.put(&visibility(&org), &json!({"visibility": "retaining"})).await;
            assert_eq!(back.code(409), "secret_visibility_final");
        }
        let old = f.client(&client.client_id, &client.secret);
        assert_eq!(old.verify("org.audits:READ").await.status, 204, "the secret itself goes on working");
        drop(f.stop().await);
        if let Location::Postgres { .. } = location {
            std::fs::remove_dir_all(data_dir).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_an_older_copy_shows_nothing() {
    an_older_copy_shows_nothing(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_an_older_copy_shows_nothing() {
    an_older_copy_shows_nothing(Engine::Postgres).await;
}

/// The process died when the removal was durable and nothing had been destroyed yet: the next start goes on with it.
async fn a_removal_goes_on_after_a_crash(engine: Engine) {
    let Some(guard) = fresh(engine).await else { return };
    let f = start_again(guard, &[], 21).await;
    let org = retaining(&f, "Acme").await;
    let (text, _) = secret(&f, &org, "SIEM").await;
    let sealed = sealed_text(&f, &text).await;
    let mut tx = f.app.store().begin().await.unwrap();
    execute(&mut tx, "delete from secret_texts").await.unwrap();
    execute(&mut tx, "update secret_visibility set stage = 'removing'").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.operator.get(&visibility(&org)).await.expect(200)["removing"], true);
    assert_eq!(f.operator.get(&text).await.code(409), "secret_visibility_final");
    let guard = f.stop().await;
    let f = start_again(guard, &[], 22).await;
    let found = f.operator.get(&visibility(&org)).await.expect(200);
    assert_eq!((&found["removing"], &found["final"]), (&json!(false), &json!(true)));
    assert_eq!(files_holding(f.app.store(), &f.location, &sealed).await, Vec::<std::path::PathBuf>::new());
    drop(f.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_a_removal_goes_on_after_a_crash() {
    a_removal_goes_on_after_a_crash(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_a_removal_goes_on_after_a_crash() {
    a_removal_goes_on_after_a_crash(Engine::Postgres).await;
}

/// The file of text keys was lost, and the operator has the tenant retain its secrets again: what is older stays lost.
async fn a_lost_key_is_told(engine: Engine) {
    let Some(guard) = fresh(engine).await else { return };
    let f = start_again(guard, &[], 31).await;
    let org = retaining(&f, "Acme").await;
    let (older, _) = secret(&f, &org, "Older").await;
    let keys = f.data_dir.join("text-keys.json");
    let guard = f.stop().await;
    std::fs::remove_file(keys).unwrap();
    let f = start_again(guard, &[], 32).await;
    assert_eq!(f.operator.get(&older).await.code(409), "text_key_missing");
    f.operator.put(&visibility(&org), &json!({"visibility": "retaining"})).await.expect(200);
    assert_eq!(f.operator.get(&older).await.code(409), "text_key_missing");
    let (newer, client) = secret(&f, &org, "Newer").await;
    assert_eq!(f.operator.get(&newer).await.expect(200)["text"], client.secret.as_str());
    drop(f.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_a_lost_key_is_told() {
    a_lost_key_is_told(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_a_lost_key_is_told() {
    a_lost_key_is_told(Engine::Postgres).await;
}
