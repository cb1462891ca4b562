//! Tenants that are gone for good.

use crate::fixture::{Client, Fixture, on_both, send};
use crate::oauth;
use claviger_domain::id::{ApplicationId, TenantId};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    a_deleted_tenant_goes_with_everything_beneath,
    what_is_taken_back_stays,
    f8_c14_nothing_attaches_to_a_namesake,
    f12_what_is_in_flight_leaves_nothing_behind,
    a_receipt_is_the_keepers,
    a_purge_goes_on_after_it_was_broken_off
];

const DAY: i64 = 86_400;

async fn child(f: &Fixture, parent: &str, name: &str, kind: &str) -> String {
    let body = json!({"name": name, "kind": kind, "parent_id": parent, "external_id": name});
    f.operator.post("/v1/tenants", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn delete(f: &Fixture, tenant: &str) {
    f.operator.post(&format!("/v1/tenants/{tenant}/suspend"), &json!({})).await.expect(200);
    f.operator.delete(&format!("/v1/tenants/{tenant}")).await.expect(202);
}

async fn receipts(f: &Fixture, keeper: &str) -> Vec<Value> {
    let page = f.operator.get(&format!("/v1/tenants/{keeper}/purge-receipts")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

async fn a_deleted_tenant_goes_with_everything_beneath(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let west = child(&f, &org, "West", "instance").await;
    let (application, client) = f.application(&west, "Client", json!({"org.audits": ["READ"]})).await;
    let token = oauth::token(&client, &[]).await;
    delete(&f, &org).await;
    f.app.clock().advance(30 * DAY + 59);
    f.app.purge_tenants().await.unwrap();
    assert_eq!(f.operator.get(&format!("/v1/tenants/{west}")).await.status, 200, "its grace is over only just");
    let late = f.operator.post(&format!("/v1/tenants/{org}/reactivate"), &json!({})).await;
    assert_eq!(late.code(409), "tenant_deleting");
    f.app.clock().advance(1);
    f.app.purge_tenants().await.unwrap();
    let nowhere = "00000000-0000-7000-8000-000000000000";
    for (gone, path) in
        [(&org, ""), (&west, ""), (&west, "/applications"), (&west, "/audit"), (&org, "/purge-receipts")]
    {
        let there = f.operator.get(&format!("/v1/tenants/{gone}{path}")).await;
        let missing = f.operator.get(&format!("/v1/tenants/{nowhere}{path}")).await;
        assert_eq!((there.status.as_u16(), &there.json()["detail"]), (404, &missing.json()["detail"]), "{path}");
    }
    assert_eq!(f.operator.get("/v1/tenants").await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(f.operator.get("/v1/tenants?q=acme").await.expect(200)["items"], json!([]));
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
    let bearer = client.bare(Method::GET, "/v1/whoami").bearer_auth(token);
    assert_eq!(send(bearer).await.status, 401);
    assert!(f.operator.get(&format!("/audit_log/v1/orgs/{key}/logs")).await.status.is_client_error());
    let (west_id, application_id) = (TenantId::parse(&west).unwrap(), ApplicationId::parse(&application).unwrap());
    let store = f.app.store();
    assert_eq!(store.find_application(west_id, application_id).await.unwrap(), None);
    assert!(store.find_head(west_id).await.unwrap().is_some(), "the record keeps the fact");
    let kept = receipts(&f, &f.root).await;
    assert_eq!(kept.len(), 2);
    let of = |id: &str| kept.iter().find(|receipt| receipt["tenant_id"] == id).unwrap();
    assert_eq!((&of(&west)["root_id"], &of(&org)["name"]), (&json!(org), &json!("Acme")));
    assert_eq!((&of(&west)["counts"]["applications"], &of(&west)["counts"]["secrets"]), (&json!(1), &json!(1)));
    assert!(of(&west)["purged_at"].is_string());
    let (number, hash) = store.find_head(west_id).await.unwrap().unwrap();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&of(&west)["audit_number"], &of(&west)["audit_hash"]), (&json!(number), &json!(hash)));
    let told: Vec<_> = f.audit(&f.root).await.into_iter().filter(|entry| entry["action"] == "tenant.purged").collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["target"]["id"], json!(org), "what stands above goes last");
}

async fn what_is_taken_back_stays(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Client", json!({"org.audits": ["READ"]})).await;
    delete(&f, &org).await;
    f.app.clock().advance(29 * DAY);
    f.operator.post(&format!("/v1/tenants/{org}/reactivate"), &json!({})).await.expect(200);
    f.app.clock().advance(9 * DAY);
    f.app.purge_tenants().await.unwrap();
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    assert_eq!(receipts(&f, &f.root).await, [Value::Null; 0]);
}

async fn f8_c14_nothing_attaches_to_a_namesake(f: Arc<Fixture>) {
    let old = child(&f, &f.root, "Acme", "organization").await;
    let (_, client) = f.application(&old, "Client", json!({"org.audits": ["READ"]})).await;
    let token = oauth::token(&client, &[]).await;
    let page = f.operator.get(&format!("/v1/tenants/{old}/audit?limit=1")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    delete(&f, &old).await;
    f.app.clock().advance(31 * DAY);
    f.app.purge_tenants().await.unwrap();
    let new = child(&f, &f.root, "Acme", "organization").await;
    assert_ne!(old, new);
    let (_, namesake) = f.application(&new, "Client", json!({"org.audits": ["READ"]})).await;
    assert_ne!(client.client_id, namesake.client_id);
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
    assert_eq!(send(client.bare(Method::GET, "/v1/whoami").bearer_auth(token)).await.status, 401);
    let mixed = Client { secret: client.secret.clone(), ..namesake.clone() };
    assert_eq!(mixed.verify("org.audits:READ").await.status, 401);
    let entries = f.operator.get(&format!("/v1/tenants/{new}/audit?cursor={cursor}")).await;
    assert!(!entries.text.contains(&old), "{}", entries.text);
    let import = json!({
        "name": "Again", "grants": {}, "client_id": client.client_id, "secrets": [{"sha256": "1".repeat(64)}],
    });
    let refused = f.operator.post(&format!("/v1/tenants/{new}/applications/import"), &import).await;
    assert_eq!(refused.expect(422)["errors"][0]["pointer"], "/client_id", "nobody answers to it ever again");
}

async fn f12_what_is_in_flight_leaves_nothing_behind(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let west = child(&f, &org, "West", "instance").await;
    let (_, client) = f.application(&west, "Client", json!({"org.audits": ["READ"]})).await;
    delete(&f, &west).await;
    f.app.clock().advance(31 * DAY);
    let calls = {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                assert_eq!(client.verify("org.audits:READ").await.status, 401);
            }
        })
    };
    let makes = {
        let (operator, path) = (f.operator.clone(), format!("/v1/tenants/{west}/applications"));
        tokio::spawn(async move {
            for number in 0..20 {
                let made = operator.post(&path, &json!({"name": format!("Late {number}"), "grants": {}})).await;
                assert!([201, 404, 409, 503].contains(&made.status.as_u16()), "{}", made.text);
            }
        })
    };
    while f.app.store().find_tenant(TenantId::parse(&west).unwrap()).await.unwrap().is_some() {
        // Somebody who makes something there at the last moment makes it begin again.
        let _ = f.app.purge_tenants().await;
    }
    calls.await.unwrap();
    makes.await.unwrap();
    f.app.flush_usage().await.unwrap();
    f.app.flush_denials().await.unwrap();
    f.app.fold_usage().await.unwrap();
    f.app.sweep_purged().await.unwrap();
    let mut tx = f.app.store().begin().await.unwrap();
    let left = tx.purge_rows(TenantId::parse(&west).unwrap(), 1_000).await.unwrap();
    assert!(left.iter().all(|(_, rows)| *rows == 0), "{left:?}");
}

async fn a_receipt_is_the_keepers(f: Arc<Fixture>) {
    let (one, _) = f.organization("One").await;
    let (two, _) = f.organization("Two").await;
    let below = child(&f, &one, "Below", "instance").await;
    delete(&f, &below).await;
    f.app.clock().advance(31 * DAY);
    f.app.purge_tenants().await.unwrap();
    assert_eq!(receipts(&f, &one).await.len(), 1);
    assert_eq!(receipts(&f, &two).await.len(), 0);
    assert_eq!(receipts(&f, &f.root).await.len(), 0);
    let (_, stranger) =
        f.application_with(&two, json!({"name": "S", "grants": {"tenants": ["READ"]}, "reach": "beneath"})).await;
    assert_eq!(stranger.get(&format!("/v1/tenants/{one}/purge-receipts")).await.status, 404);
}

async fn a_purge_goes_on_after_it_was_broken_off(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    f.application(&org, "Client", json!({})).await;
    delete(&f, &org).await;
    f.app.clock().advance(31 * DAY);
    let id = TenantId::parse(&org).unwrap();
    // As far as one that fell between two of its transactions has come.
    let mut tx = f.app.store().begin().await.unwrap();
    tx.purge_rows(id, 3).await.unwrap();
    tx.commit().await.unwrap();
    f.app.purge_tenants().await.unwrap();
    f.app.purge_tenants().await.unwrap();
    assert_eq!(f.app.store().find_tenant(id).await.unwrap(), None);
    assert_eq!(receipts(&f, &f.root).await.len(), 1);
}
