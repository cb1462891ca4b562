//! Applications in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person};
use std::sync::Arc;

on_both!(a_secret_is_shown_once, what_is_wrong_stands_at_its_field, changes_are_bound_to_what_was_seen);

async fn a_secret_is_shown_once(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/applications");
    assert!(browser.page(&path).await.contains("No applications yet"));
    assert!(browser.page(&format!("{path}/new")).await.contains("Super Admin"));
    let made = browser.post(&path, &[("name", "SIEM"), ("access_level_id", &owner)]).await;
    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, Some("no-store")));
    assert!(made.text.contains("data-once") && made.text.contains("clv_a_"), "{}", made.text);
    let client_id = made.text.split("id=\"client_id\"").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let secret = made.text.split("clv_a_").nth(1).unwrap().split('"').next().unwrap();
    let client = f.client(client_id.split('"').next().unwrap(), &format!("clv_a_{secret}"));
    client.get("/v1/whoami").await.expect(200);
    let list = browser.page(&path).await;
    assert!(list.contains("SIEM") && !list.contains(secret), "{list}");
    let one = list.split('"').find(|text| text.starts_with(&format!("{path}/")) && !text.ends_with("new")).unwrap();
    assert!(!browser.page(one).await.contains(secret));
}

async fn what_is_wrong_stands_at_its_field(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let path = format!("/console/tenants/{}/applications", f.root);
    let refused = browser.post(&path, &[("name", ""), ("description", "\"><img src=x onerror=alert(1)>")]).await;
    assert_eq!(refused.status, 422);
    for told in ["id=\"name-told\"", "id=\"access_level_id-told\"", "href=\"#name\"", "aria-invalid=\"true\""] {
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }
    assert!(!refused.text.contains("<img src=x"), "K7: {}", refused.text);
    let taken = browser.post(&path, &[("name", "Twice"), ("access_level_id", &owner)]).await;
    assert_eq!(taken.status, 201);
    let taken = browser.post(&path, &[("name", "twice"), ("access_level_id", &owner)]).await;
    assert_eq!(taken.status, 409);
    assert_eq!(field(&taken.text, "name"), "twice");
}

async fn changes_are_bound_to_what_was_seen(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (id, client) = f.application(&f.root, "SIEM", serde_json::json!({"org.audits": ["READ"]})).await;
    let path = format!("/console/tenants/{}/applications/{id}", f.root);
    let page = browser.page(&path).await;
    let version = field(&page, "version");
    let values = [("version", version.as_str()), ("enabled", "false")];
    assert_eq!(leads_to(&browser.post(&format!("{path}/enabled"), &values).await), path);
    client.get("/v1/whoami").await.expect(401);
    let again = browser.post(&format!("{path}/enabled"), &values).await;
    assert_eq!(again.status, 412);
    assert!(again.text.contains("older version"), "{}", again.text);
}
