//! The audit record, usage and idempotency: exactly one entry per change, nothing half done.

use crate::fixture::{Fixture, done, new, on_both, verify};
use claviger_app::heads::verify_chains;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_app::usage::UsageQuery;
use claviger_domain::audit::Filter;
use claviger_domain::grants::Verb;
use claviger_domain::idempotency::Once;
use claviger_domain::page::PageRequest;
use claviger_domain::usage::{Grain, Outcome};
use std::sync::Arc;

on_both![
    one_entry_per_change_and_a_whole_chain,
    denials_are_told_in_sum,
    a_rewritten_record_is_not_signed,
    a_replaced_audit_key_stops_the_start,
    usage_is_counted_and_kept,
    a_key_has_one_effect,
    queues_hand_out_once_per_application,
];

fn everything() -> PageRequest {
    PageRequest::parse(Some(1_000), None).unwrap()
}

async fn one_entry_per_change_and_a_whole_chain(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, _) = f.application(org.id, "SIEM", &[]).await;
    done(f.app.regenerate_secret(&f.operator, org.id, made.application.id, None).await.unwrap());
    assert!(f.app.create_application(&f.operator, org.id, new("siem ", &[]), None).await.is_err(), "the name is taken");
    f.app.delete_application(&f.operator, org.id, made.application.id, None).await.unwrap();
    let entries = f.app.list_audit(&f.operator, org.id, &Filter::default(), &everything()).await.unwrap().items;
    let actions: Vec<_> = entries.iter().rev().map(|entry| entry.body["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["tenant.created", "application.created", "secret.regenerated", "application.deleted"]);
    let secret = made.secret.text.reveal();
    assert!(entries.iter().all(|entry| !entry.body.to_string().contains(&secret)));
    f.app.sign_heads().await.unwrap();
    let found = verify_chains(f.app.store(), Some(&f.app.audit_public_key())).await.unwrap();
    assert_eq!((found.faults, found.chains, found.entries), (vec![], 2, 5));
    assert_eq!(found.signed_heads, 2);
    let other_key = verify_chains(f.app.store(), Some(&"00".repeat(32))).await.unwrap();
    assert_eq!(other_key.faults.len(), 1);
}

/// Rewrites the first entry of a tenant and all hashes after it, as whoever can write the database and reads the source can.
async fn rewrite(f: &Fixture, tenant: claviger_domain::id::TenantId) {
    use claviger_domain::audit::{GENESIS, link};
    let mut previous = GENESIS;
    let entries = f.app.store().list_audit_after(tenant, 0, None, 100).await.unwrap();
    let mut tx = f.app.store().begin().await.unwrap();
    for mut entry in entries {
        if entry.number == 1 {
            entry.canonical = entry.canonical.replace("Acme", "Acne");
        }
        previous = link(&previous, &entry.canonical);
        let hex: String = previous.iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = match f.app.store().engine() {
            claviger_store::Engine::Sqlite => format!("x'{hex}'"),
            claviger_store::Engine::Postgres => format!("'\\x{hex}'::bytea"),
        };
        let (number, body) = (entry.number, entry.canonical);
        for sql in [
            format!(
                "update audit_entries set body = '{body}', hash = {hash} where tenant_id = '{tenant}' and number = {number}"
            ),
            format!("update audit_heads set hash = {hash} where tenant_id = '{tenant}'"),
        ] {
            claviger_store::testing::execute(&mut tx, sql.leak()).await.unwrap();
        }
    }
    claviger_store::testing::execute(&mut tx, "delete from audit_signatures").await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_rewritten_record_is_not_signed(f: Fixture) {
    let org = f.organization("Acme").await;
    f.application(org.id, "One", &[]).await;
    f.app.sign_heads().await.unwrap();
    rewrite(&f, org.id).await;
    f.application(org.id, "Two", &[]).await;
    f.app.sign_heads().await.unwrap();
    let found = verify_chains(f.app.store(), None).await.unwrap();
    assert_eq!((found.faults.len(), found.signed_heads), (0, 0), "nothing shows, but nothing is signed either");
    f.application(f.operator.tenant().id, "Three", &[]).await;
    f.app.sign_heads().await.unwrap();
    assert_eq!(verify_chains(f.app.store(), None).await.unwrap().signed_heads, 1, "the operator's own goes on");
}

async fn a_replaced_audit_key_stops_the_start(f: Fixture) {
    f.app.store().close().await;
    let options = claviger_store::Options { location: f.guard.location(), accept_data_loss: false };
    for (sql, expected) in [
        (
            "update settings set value = (select value from settings where name = 'root_key_proof') where name = 'audit_key_public'",
            "is not the one",
        ),
        ("delete from settings where name = 'audit_key_sealed'", "is gone"),
    ] {
        let store = claviger_store::Store::open(options.clone()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        claviger_store::testing::execute(&mut tx, sql).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        let error = f.reopen(7).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

async fn denials_are_told_in_sum(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    drop(made);
    for _ in 0..50 {
        assert!(verify(&f.app, &id, "clv_a_wrong").await.is_err());
    }
    f.app.flush_denials().await.unwrap();
    f.app.flush_denials().await.unwrap();
    f.app.clock().advance(60);
    f.app.flush_denials().await.unwrap();
    let filter = Filter { action: Some("access.denied".into()), ..Filter::default() };
    let entries = f.app.list_audit(&f.operator, org.id, &filter, &everything()).await.unwrap().items;
    let counts: Vec<_> = entries.iter().map(|entry| entry.body["details"]["count"].as_i64().unwrap()).collect();
    assert_eq!(counts, [50, 1]);
    assert_eq!(entries[0].body["details"]["reason"], "secret_wrong");
    assert_eq!(entries[0].body["actor"]["id"], id.as_str());
    assert_eq!(entries[0].body["address"], "192.0.2.1");
}

async fn usage_is_counted_and_kept(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[("org.audits", &["READ"])]).await;
    let secret = made.secret.text.reveal();
    for _ in 0..3 {
        let caller = verify(&f.app, &id, &secret).await.unwrap();
        caller.allow("org.audits", Verb::Read).unwrap();
        let _ = caller.allow("org.feeds", Verb::Read);
        f.app.flush_usage().await.unwrap();
    }
    let now = f.app.clock().now();
    let query = UsageQuery {
        application: Some(made.application.id),
        since: now.hour(),
        until: now.plus_seconds(3_600),
        grain: Grain::Day,
    };
    let query = UsageQuery { since: now.plus_seconds(-86_400), ..query };
    let rows = f.app.list_usage(&f.operator, org.id, &query, &everything()).await.unwrap().items;
    let seen: Vec<_> = rows.iter().map(|row| (row.right.as_str(), row.outcome, row.count)).collect();
    assert_eq!(seen, [("org.audits:READ", Outcome::Allowed, 3), ("org.feeds:READ", Outcome::Denied, 3)]);
    let secrets = f.app.list_secrets(&f.operator, org.id, made.application.id).await.unwrap();
    let last = secrets[0].last_use.as_ref().unwrap();
    assert_eq!((last.at, last.user_agent.as_str()), (now, "test"));
    let (_, rights) =
        f.app.application_usage(&f.operator, org.id, made.application.id, query, &everything()).await.unwrap();
    assert_eq!(rights, [("org.audits:READ".to_owned(), now)]);
}

fn once(key: &str, body: &[u8]) -> Option<OnceFor<claviger_app::applications::CreatedApplication>> {
    let once = Once::parse(key, "POST", "/v1/x", body).unwrap();
    Some(OnceFor { once, keep: |made| Kept { status: 201, body: made.application.id.to_string() } })
}

async fn a_key_has_one_effect(f: Fixture) {
    let org = f.organization("Acme").await;
    let racing: Vec<_> = (0..8)
        .map(|_| {
            let (app, operator) = (Arc::clone(&f.app), f.operator.clone());
            tokio::spawn(
                async move { app.create_application(&operator, org.id, new("SIEM", &[]), once("k", b"1")).await },
            )
        })
        .collect();
    let (mut made, mut replayed) = (Vec::new(), Vec::new());
    for one in racing {
        match one.await.unwrap().unwrap() {
            Posted::Done(done) => made.push(done.application.id.to_string()),
            Posted::Replayed(kept) => replayed.push(kept),
        }
    }
    assert_eq!((made.len(), replayed.len()), (1, 7));
    assert!(replayed.iter().all(|kept| *kept == Kept { status: 201, body: made[0].clone() }));
    assert!(f.app.create_application(&f.operator, org.id, new("Other", &[]), once("k", b"2")).await.is_err());
    f.app.clock().advance(86_401);
    let fresh = f.app.create_application(&f.operator, org.id, new("Other", &[]), once("k", b"2")).await.unwrap();
    assert!(matches!(fresh, Posted::Done(_)));
}

async fn queues_hand_out_once_per_application(f: Fixture) {
    let org = f.organization("Acme").await;
    let mut callers = Vec::new();
    for name in ["One", "Two"] {
        let (made, id) = f.application(org.id, name, &[("org.audits", &["READ"])]).await;
        callers.push(verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap());
    }
    let racing: Vec<_> = (0..8)
        .map(|_| {
            let (app, caller) = (Arc::clone(&f.app), callers[0].clone());
            tokio::spawn(async move { app.take_audit_queue(&caller, "q").await.unwrap().len() })
        })
        .collect();
    let mut taken = 0;
    for one in racing {
        taken += one.await.unwrap();
    }
    assert_eq!(taken, 3, "tenant and two applications, once in all");
    assert_eq!(f.app.take_audit_queue(&callers[1], "q").await.unwrap().len(), 3);
    assert_eq!(f.app.take_audit_queue(&callers[0], "other").await.unwrap().len(), 3);
    f.application(org.id, "Three", &[]).await;
    assert_eq!(f.app.take_audit_queue(&callers[0], "q").await.unwrap().len(), 1);
    f.app.clock().advance(4 * 86_400);
    let (made, id) = f.application(org.id, "Late", &[("org.audits", &["READ"])]).await;
    let late = verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap();
    assert_eq!(f.app.take_audit_queue(&late, "q").await.unwrap().len(), 1, "a new queue starts three days back");
}
