//! The audit record and who got session tokens, in the console.

use super::browser::Browser;
use crate::fixture::{Fixture, on_both, send};
use crate::people::{SUPER_ADMIN, built_in, person};
use claviger_store::testing::execute;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(
    the_record_is_searched_and_followed,
    actors_are_named_to_those_who_may_know_them,
    an_entry_stands_in_its_place,
    the_chain_is_verified,
    k7_files_hold_no_formula,
    tokens_that_were_got_are_listed
);

/// A browser of an owner of the operator's tenant, and an organisation with some entries in its record.
async fn begin(f: &Arc<Fixture>) -> (Browser, String) {
    let owner = built_in(f, SUPER_ADMIN).await;
    let ada = person(f, &f.root, "ada@example.com", &[&owner]).await;
    let (acme, _) = f.organization("Acme").await;
    f.application(&acme, "SIEM reader", json!({"org.audits": ["READ"]})).await;
    f.application(&acme, "=HYPERLINK(\"http://x\")<b>", json!({"org.audits": ["READ"]})).await;
    (Browser::of(f, &ada), format!("/console/tenants/{acme}"))
}

async fn the_record_is_searched_and_followed(f: Arc<Fixture>) {
    let (browser, base) = begin(&f).await;
    let all = browser.page(&format!("{base}/audit")).await;
    assert!(
        all.contains("application.created") && all.contains("SIEM reader") && all.contains("aria-current=\"page\"")
    );
    // K7
    assert!(all.contains("&#60;b&#62;") && !all.contains("<b>") && !all.contains("style=\""), "{all}");
    let (newest, oldest) = (all.find("HYPERLINK").unwrap(), all.find("SIEM reader").unwrap());
    assert!(newest < oldest, "newest first");
    let found = browser.page(&format!("{base}/audit?q=siem+READER&since=&until=&actor=&action=&target=")).await;
    assert!(found.contains("SIEM reader") && !found.contains("HYPERLINK"), "{found}");
    let none = browser.page(&format!("{base}/audit?action=tenant.nothing")).await;
    assert!(none.contains("Nothing fits"), "{none}");
    let wrong = browser.get(&format!("{base}/audit?since=yesterday")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("id=\"since-told\""), "{}", wrong.text);
    assert!(!all.contains("every 5s"), "nothing is asked for by itself");
    let followed = browser.page(&format!("{base}/audit?follow=180&actor=x")).await;
    assert!(followed.contains("follow=179") && followed.contains("every 5s"), "{followed}");
    let over = browser.page(&format!("{base}/audit?follow=0")).await;
    assert!(!over.contains("every 5s"), "a page that is left open stops asking");
    let reader = person(&f, &f.root, "nobody@example.com", &[]).await;
    assert_eq!(Browser::of(&f, &reader).get(&format!("{base}/audit")).await.status, 403);
}

async fn actors_are_named_to_those_who_may_know_them(f: Arc<Fixture>) {
    let (browser, base) = begin(&f).await;
    let acme = base.rsplit('/').next().unwrap();
    let form = [("name", "Watchers"), ("grant", "org.audits:READ")];
    assert_eq!(browser.post(&format!("{base}/access-levels"), &form).await.status, 303);
    let audit = f.operator.get(&format!("/v1/tenants/{acme}/audit?action=access_level.created")).await.expect(200);
    let entry = format!("{base}/audit/{}", audit["items"][0]["number"]);
    let owner = built_in(&f, SUPER_ADMIN).await;
    let eve = person(&f, acme, "eve@acme.example", &[&owner]).await;
    let eve = Browser::of(&f, &eve);
    let app = format!("{base}/applications/{}/audit", made_last(&f, acme).await);
    for (page, actor) in [
        (format!("{base}/audit?action=access_level.created"), "<strong class=\"wrap\">Ada"),
        (entry, "<strong class=\"wrap\">Ada"),
        (app, "<strong class=\"wrap\">First application"),
    ] {
        let above = browser.page(&page).await;
        assert!(above.contains(actor), "{page}: {above}");
        let beneath = eve.page(&page).await;
        assert!(!beneath.contains(actor), "who acts from above is not named beneath: {beneath}");
    }
    f.operator.put(&format!("/v1/tenants/{acme}/endpoints"), &json!({"count": 7})).await.expect(200);
    let told = browser.page(&format!("{base}/audit?action=endpoints.reported")).await;
    assert!(
        told.contains("endpoints.reported") && !told.contains("× 7"),
        "seven endpoints are not seven times: {told}"
    );
}

/// The id of an application of the tenant.
async fn made_last(f: &Fixture, tenant: &str) -> String {
    let all = f.operator.get(&format!("/v1/tenants/{tenant}/applications")).await.expect(200);
    all["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn an_entry_stands_in_its_place(f: Arc<Fixture>) {
    let (browser, base) = begin(&f).await;
    f.app.sign_heads().await.unwrap();
    let entry = browser.page(&format!("{base}/audit/2")).await;
    for told in
        ["Entry 2", "application.created", "Hash before", "with the head at entry", "rel=\"prev\"", "rel=\"next\""]
    {
        assert!(entry.contains(told), "{told}: {entry}");
    }
    let first = browser.page(&format!("{base}/audit/1")).await;
    assert!(first.contains(&"0".repeat(64)) && !first.contains("rel=\"prev\""), "{first}");
    for missing in ["0", "4711", "-1", "x"] {
        assert_eq!(browser.get(&format!("{base}/audit/{missing}")).await.status, 404, "{missing}");
    }
    let (beside, _) = f.organization("Beside").await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    let bob = person(&f, &beside, "bob@example.com", &[&owner]).await;
    for rest in ["/audit", "/audit/1", "/audit/verify?after=0", "/audit/export", "/access-record"] {
        assert_eq!(Browser::of(&f, &bob).get(&format!("{base}{rest}")).await.status, 404, "{rest}");
    }
}

async fn the_chain_is_verified(f: Arc<Fixture>) {
    let (browser, base) = begin(&f).await;
    let before = browser.page(&format!("{base}/audit/verify")).await;
    assert!(before.contains("Verify from the first entry") && before.contains(&f.app.audit_public_key()), "{before}");
    f.app.sign_heads().await.unwrap();
    let whole = browser.page(&format!("{base}/audit/verify?after=0")).await;
    assert!(whole.contains("The record is whole") && whole.contains("signature fits"), "{whole}");
    assert!(whole.contains("1 signed head on it"), "{whole}");
    let rest = browser.page(&format!("{base}/audit/verify?after=1")).await;
    assert!(rest.contains("from entry 2 to its last"), "{rest}");
    for wrong in ["4711", "x", "-1"] {
        assert!(browser.get(&format!("{base}/audit/verify?after={wrong}")).await.status.is_client_error());
    }
    let mut tx = f.app.store().begin().await.unwrap();
    execute(&mut tx, "update audit_entries set action = 'x' where number = 2").await.unwrap();
    tx.commit().await.unwrap();
    let changed = browser.page(&format!("{base}/audit/verify?after=0")).await;
    assert!(changed.contains("The record was changed") && changed.contains("entry 2 was changed"), "{changed}");
    assert!(changed.contains("The entries 1 to 1 are right"), "{changed}");
}

async fn k7_files_hold_no_formula(f: Arc<Fixture>) {
    let (browser, base) = begin(&f).await;
    let csv = browser.get(&format!("{base}/audit/export?format=csv&action=application.created")).await;
    assert_eq!(csv.header("cache-control"), Some("no-store"));
    assert!(csv.header("content-disposition").unwrap().starts_with("attachment; filename=\"audit-"));
    assert!(csv.text.starts_with("number,at,action,") && csv.text.lines().count() == 3, "{}", csv.text);
    assert!(csv.text.contains("\"'=HYPERLINK(\"\"http://x\"\")<b>\""), "{}", csv.text);
    let lines = browser.get(&format!("{base}/audit/export?format=jsonl")).await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let entries: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries[0]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(entries.last().unwrap()["number"], 1);
    assert_eq!(browser.get(&format!("{base}/audit/export?until=never")).await.status, 422);
}

async fn tokens_that_were_got_are_listed(f: Arc<Fixture>) {
    let (browser, base) = begin(&f).await;
    let none = browser.page(&format!("{base}/access-record")).await;
    assert!(none.contains("Nobody got a session token yet"), "{none}");
    let tenant = base.rsplit('/').next().unwrap();
    let (id, client) = f.application(tenant, "+Exchanger", json!({"org.audits": ["READ"]})).await;
    let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", client.client_id, client.secret);
    let request =
        f.operator.bare(Method::POST, "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(request.header("user-agent", "@probe").body(form)).await.status, 200);
    let list = browser.page(&format!("{base}/access-record?application={id}")).await;
    assert!(list.contains("+Exchanger") && list.contains("client_credentials"), "{list}");
    let csv = browser.get(&format!("{base}/access-record/export")).await.text;
    assert!(csv.contains("\"'+Exchanger\"") && csv.contains("\"'@probe\""), "{csv}");
    assert_eq!(browser.get(&format!("{base}/access-record?application=x")).await.status, 422);
}
