//! L: one entry per change, none without; a chain that shows every edit.

use crate::fixture::{Fixture, on_both, run, send};
use claviger_app::heads::verify_chains;
use claviger_store::Engine;
use claviger_store::testing::execute;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![
    l1_every_change_has_one_entry,
    l2_no_change_without_its_entry,
    l3_l4_entries_hold_what_they_should,
    l8_l9_readers_read_their_own,
    l10_writers_make_one_chain,
];

async fn l1_every_change_has_one_entry(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let count = |f: Arc<Fixture>, org: String| async move { f.audit(&org).await.len() };
    let levels = format!("/v1/tenants/{org}/access-levels");
    let applications = format!("/v1/tenants/{org}/applications");
    let mut expected = count(Arc::clone(&f), org.clone()).await;
    let level = f.operator.post(&levels, &json!({"name": "L", "description": "", "grants": {}})).await.expect(201);
    let level = format!("{levels}/{}", level["id"].as_str().unwrap());
    let file = f.operator.get(&format!("{level}/export")).await.expect(200);
    let made = f.operator.post(&applications, &json!({"name": "A", "grants": {}})).await.expect(201);
    let application = format!("{applications}/{}", made["application"]["id"].as_str().unwrap());
    expected += 2;
    let secret = f.operator.get(&format!("{application}/secrets")).await.expect(200)["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let changes = [
        (Method::PATCH, level.clone(), json!({"description": "d"})),
        (Method::POST, format!("{level}/duplicate"), json!({})),
        (
            Method::POST,
            format!("{levels}/import"),
            json!({"name": "I", "desc": file["desc"], "capabilities": file["capabilities"]}),
        ),
        (Method::PATCH, application.clone(), json!({"description": "d"})),
        (Method::DELETE, format!("{application}/secrets/{secret}"), json!(null)),
        (Method::POST, format!("{application}/regenerate"), json!({})),
        (Method::PATCH, format!("/v1/tenants/{org}"), json!({"name": "Renamed"})),
        (Method::DELETE, application.clone(), json!(null)),
        (Method::DELETE, level.clone(), json!(null)),
    ];
    for (method, path, body) in changes {
        let request = f.operator.request(method.clone(), &path);
        let answer = send(if body.is_null() { request } else { request.json(&body) }).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        expected += 1;
        assert_eq!(count(Arc::clone(&f), org.clone()).await, expected, "{method} {path}");
    }
    // Reads and refused changes leave none.
    f.operator.get(&levels).await;
    f.operator.post(&applications, &json!({"name": "", "grants": {}})).await;
    f.operator.delete(&application).await;
    assert_eq!(count(Arc::clone(&f), org).await, expected);
    assert_eq!(verify_chains(f.app.store(), None).await.unwrap().faults, Vec::<String>::new());
}

async fn l2_no_change_without_its_entry(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let mut tx = f.app.store().begin().await.unwrap();
    let broken = match f.app.store().engine() {
        Engine::Sqlite => "create trigger broken before insert on audit_entries begin select raise(abort, 'no'); end",
        Engine::Postgres => "alter table audit_entries add constraint broken check (at < 0) not valid",
    };
    execute(&mut tx, broken).await.unwrap();
    tx.commit().await.unwrap();
    let applications = format!("/v1/tenants/{org}/applications");
    let refused = f.operator.post(&applications, &json!({"name": "A", "grants": {}})).await;
    assert_eq!(refused.status, 500);
    assert!(!refused.text.contains("audit_entries") && !refused.text.contains("broken"), "{}", refused.text);
    assert_eq!(f.operator.get(&applications).await.expect(200)["items"], json!([]), "nothing half done");
}

async fn l3_l4_entries_hold_what_they_should(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "A\u{202f}B", "description": "line\r\nbreak \u{1b}", "grants": {}});
    assert_eq!(
        f.operator.post(&format!("/v1/tenants/{org}/applications"), &body).await.status,
        422,
        "control characters"
    );
    let body = json!({"name": "A", "description": "line\nbreak \"quoted\" {json}", "grants": {}});
    let (_, client) = f.application_with(&org, body).await;
    let agent = "x".repeat(7_000);
    send(client.request(Method::GET, "/v1/verify?permission=org.audits:READ&tenant=any").header("User-Agent", &agent))
        .await;
    let entries = f.audit(&org).await;
    for entry in &entries {
        let text = entry.to_string();
        assert!(text.len() < 8_000 && !text.contains(&client.secret) && !text.contains(&f.operator.secret), "{text}");
        assert!(!text.chars().any(char::is_control));
    }
    let made = entries.iter().find(|entry| entry["action"] == "application.created").unwrap();
    assert_eq!(made["actor"]["id"], f.operator.client_id.as_str());
    assert_eq!(
        (made["address"].as_str(), made["request"].as_str()),
        (Some("127.0.0.1"), Some(format!("POST /v1/tenants/{org}/applications").as_str()))
    );
    assert_eq!(made["request_id"].as_str().unwrap().len(), 32);
}

async fn l8_l9_readers_read_their_own(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let (_, auditor) = f.application(&org, "Auditor", json!({"audit": ["CREATE", "READ", "UPDATE", "DELETE"]})).await;
    let path = format!("/v1/tenants/{org}/audit");
    assert_eq!(auditor.get(&path).await.status, 200);
    let foreign = auditor.get(&format!("/v1/tenants/{other}/audit")).await.expect(404);
    let missing = auditor.get("/v1/tenants/00000000-0000-7000-8000-000000000000/audit").await.expect(404);
    for member in ["type", "title", "detail", "code"] {
        assert_eq!(foreign[member], missing[member]);
    }
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(send(auditor.request(method, &path).json(&json!({}))).await.status, 405);
    }
}

async fn l10_writers_make_one_chain(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let writers: Vec<_> = (0..16)
        .map(|index| {
            let (f, org) = (Arc::clone(&f), org.clone());
            tokio::spawn(async move {
                for round in 0..4 {
                    let body = json!({"name": format!("L{index}.{round}"), "description": "", "grants": {}});
                    f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &body).await.expect(201);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let entries = f.audit(&org).await;
    let numbers: Vec<_> = entries.iter().rev().map(|entry| entry["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=65).collect::<Vec<_>>());
    assert_eq!(verify_chains(f.app.store(), None).await.unwrap().faults, Vec::<String>::new());
}

/// L5: each way of rewriting the past, on a store of its own.
async fn tampered(engine: Engine, statements: &'static [&'static str], expected: &str) {
    run(engine, &[], |f| async move {
        let (org, _) = f.organization("Acme").await;
        for index in 0..5 {
            f.application(&org, &format!("A{index}"), json!({})).await;
        }
        f.app.sign_heads().await.unwrap();
        let mut tx = f.app.store().begin().await.unwrap();
        for statement in statements {
            execute(&mut tx, statement).await.unwrap();
        }
        tx.commit().await.unwrap();
        let faults = verify_chains(f.app.store(), None).await.unwrap().faults;
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{faults:?}");
    })
    .await;
}

macro_rules! tampering {
    ($($name:ident: $statements:expr => $expected:literal;)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::tampered(claviger_store::Engine::Sqlite, &$statements, $expected).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::tampered(claviger_store::Engine::Postgres, &$statements, $expected).await;
            }
        }
    )*};
}

tampering! {
    l5_an_edit: ["update audit_entries set body = replace(body, 'A2', 'B2') where number = 4"] => "entry 4 was changed";
    l5_a_deletion: ["delete from audit_entries where number = 3"] => "entry 3 is missing";
    l5_a_cut: ["delete from audit_entries where number > 4", "update audit_heads set number = 4, hash = (select e.hash from audit_entries e where e.tenant_id = audit_heads.tenant_id and e.number = 4) where number > 4"] => "a head was signed at entry 6";
    l5_a_moved_time: ["update audit_entries set at = at + 1 where number = 2"] => "entry 2 was changed";
    l5_a_head: ["update audit_heads set number = number - 1"] => "its head says";
    l5_a_moved_filter: ["update audit_entries set actor = 'somebody else' where number = 2"] => "entry 2 was changed";
    l5_an_insertion: ["insert into audit_entries (tenant_id, number, at, actor, action, target, body, hash) select tenant_id, -1, at, actor, action, target, body, hash from audit_entries where number = 3"] => "entry -1 belongs to no chain";
    l5_a_whole_record: ["delete from audit_entries", "delete from audit_heads", "delete from audit_signatures"] => "there is no record";
    l5_no_head: ["delete from audit_heads", "delete from audit_signatures"] => "there is no head";
    l5_a_forged_signature: ["update audit_signatures set signature = hash"] => "does not fit the chain";
}
