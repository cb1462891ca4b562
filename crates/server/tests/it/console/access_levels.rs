//! Access levels in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person};
use serde_json::json;
use std::sync::Arc;

on_both!(
    a_level_is_made_changed_and_deleted,
    nobody_gives_above_their_rights,
    a_level_in_use_says_who_holds_it_up,
    levels_move_as_files_and_are_compared,
    what_was_used_is_shown_and_ticked,
);

const AUDITS: (&str, &str) = ("grant", "org.audits:READ");
const ALERTS: (&str, &str) = ("grant", "org.alerts:READ");

async fn owner(f: &Fixture) -> Browser {
    let owner = built_in(f, SUPER_ADMIN).await;
    Browser::of(f, &person(f, &f.root, "ada@example.com", &[&owner]).await)
}

/// The box of a right in the matrix.
fn tick<'a>(html: &'a str, right: &str) -> &'a str {
    let mark = format!("value=\"{right}\"");
    html.split('<').find(|tag| tag.contains(&mark)).unwrap_or_else(|| panic!("no {right} in {html}"))
}

async fn a_level_is_made_changed_and_deleted(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/access-levels");
    let list = browser.page(&path).await;
    assert!(list.contains("Super Admin") && list.contains("built-in") && !list.contains("above your rights"), "{list}");
    let form = browser.page(&format!("{path}/new")).await;
    assert!(form.contains("scope=\"rowgroup\"") && !tick(&form, "org.audits:READ").contains("checked"), "{form}");
    let refused = browser.post(&path, &[("name", ""), AUDITS, ("grant", "org.audits:DELETE")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"name-told\"") && refused.text.contains("href=\"#grants\""), "{}", refused.text);
    assert!(tick(&refused.text, "org.audits:READ").contains("checked"), "what was ticked stays ticked");
    let evil = "<img src=x>";
    let made = leads_to(&browser.post(&path, &[("name", evil), AUDITS]).await);
    let one = made.split('?').next().unwrap().to_owned();
    let page = browser.page(&made).await;
    assert!(page.contains("&#60;img src=x&#62;") && !page.contains(evil), "K7: {page}");
    assert!(tick(&page, "org.audits:READ").contains("checked") && page.contains("nobody yet"), "{page}");
    let version = field(&page, "version");
    let values = [("version", version.as_str()), ("name", "Alert reader"), ALERTS];
    assert_eq!(leads_to(&browser.post(&one, &values).await), format!("{one}?told=saved"));
    let page = browser.page(&one).await;
    assert!(!tick(&page, "org.audits:READ").contains("checked") && tick(&page, "org.alerts:READ").contains("checked"));
    let stale = browser.post(&one, &values).await;
    assert_eq!(stale.status, 412);
    assert_eq!(field(&stale.text, "name"), "Alert reader");
    let copy = leads_to(&browser.post(&format!("{one}/duplicate"), &[("copy_name", "")]).await);
    assert!(browser.page(&copy).await.contains("Alert reader (copy)"));
    let taken = browser.post(&format!("{one}/duplicate"), &[("copy_name", "alert READER")]).await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    let ask = browser.page(&format!("{one}/delete")).await;
    let version = field(&ask, "version");
    assert_eq!(
        leads_to(&browser.post(&format!("{one}/delete"), &[("version", &version)]).await),
        format!("{path}?told=deleted")
    );
    assert_eq!(browser.get(&one).await.status, 404);
    let (beside, _) = f.organization("Beside").await;
    let moved = copy.replace(&acme, &beside);
    assert_eq!(browser.get(&moved).await.status, 404, "another tenant's is not found");
}

async fn nobody_gives_above_their_rights(f: Arc<Fixture>) {
    let narrow = json!({"name": "Narrow", "grants": {
        "access-levels": ["CREATE", "READ", "UPDATE", "DELETE"], "org.audits": ["READ"],
    }});
    let (acme, _) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{acme}/access-levels");
    let narrow = f.operator.post(&levels, &narrow).await.expect(201);
    let wide = json!({"name": "Wide", "grants": {"org.alerts": ["READ"], "org.audits": ["READ"]}});
    let wide = f.operator.post(&levels, &wide).await.expect(201)["id"].as_str().unwrap().to_owned();
    let bob = person(&f, &acme, "bob@example.com", &[narrow["id"].as_str().unwrap()]).await;
    let browser = Browser::of(&f, &bob);
    let path = format!("/console/tenants/{acme}/access-levels");
    assert!(browser.page(&path).await.contains("above your rights"));
    let form = browser.page(&format!("{path}/new")).await;
    assert!(
        tick(&form, "org.alerts:READ").contains("disabled") && !tick(&form, "org.audits:READ").contains("disabled")
    );
    let refused = browser.post(&path, &[("name", "Mine"), AUDITS, ALERTS]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("org.alerts:READ lies above your own rights"), "{}", refused.text);
    assert!(tick(&refused.text, "org.alerts:READ").contains("aria-invalid"), "it is shown at the matrix");
    let page = browser.page(&format!("{path}/{wide}")).await;
    assert!(page.contains("lies above your own rights") && !page.contains("name=\"version\""), "{page}");
    let refused = browser.post(&format!("{path}/{wide}"), &[("name", "Mine"), ("version", "1"), AUDITS]).await;
    assert_eq!(refused.status, 403);
    leads_to(&browser.post(&path, &[("name", "Mine"), AUDITS]).await);
    let built_in = built_in(&f, "View All").await;
    let page = browser.page(&format!("{path}/{built_in}")).await;
    assert!(page.contains("comes with the server") && !page.contains("type=\"checkbox\" name=\"grant\""), "{page}");
}

async fn a_level_in_use_says_who_holds_it_up(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let (acme, _) = f.organization("Acme").await;
    let level = json!({"name": "Readers", "grants": {"org.audits": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{acme}/access-levels"), &level).await.expect(201);
    let level = level["id"].as_str().unwrap();
    f.application_with(&acme, json!({"name": "SIEM", "access_level_id": level})).await;
    person(&f, &acme, "carol@example.com", &[level]).await;
    let path = format!("/console/tenants/{acme}/access-levels");
    let one = browser.page(&format!("{path}/{level}")).await;
    assert!(one.contains("1 application and 1 person") && one.contains("SIEM"), "{one}");
    let ask = browser.page(&format!("{path}/{level}/delete")).await;
    assert!(ask.contains("cannot be deleted") && ask.contains("SIEM") && ask.contains("Person"), "{ask}");
    assert!(!ask.contains("Delete it"), "{ask}");
    let provider = json!({"name": "Acme Login", "issuer": "https://idp.example", "client_id": "x", "domains": ["a.example"],
        "default_access_level_ids": [level]});
    f.operator.post(&format!("/v1/tenants/{acme}/identity-providers"), &provider).await.expect(201);
    let ask = browser.page(&format!("{path}/{level}/delete")).await;
    assert!(ask.contains("1 person and 1 identity provider") && ask.contains("Acme Login"), "{ask}");
    let refused = browser.post(&format!("{path}/{level}/delete"), &[("version", "1")]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("SIEM"), "{}", refused.text);
}

async fn levels_move_as_files_and_are_compared(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let path = format!("/console/tenants/{}/access-levels", f.root);
    let made = leads_to(&browser.post(&path, &[("name", "Readers (EU)"), AUDITS]).await);
    let one = made.split('?').next().unwrap();
    let file = browser.get(&format!("{one}/export")).await;
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"access-level-readers-eu.json\""));
    assert_eq!(file.header("content-type"), Some("application/json"));
    let import = format!("{path}/import");
    let changed = file.text.replace("Readers (EU)", "Readers (US)");
    let copy = leads_to(&browser.post(&import, &[("file", &changed)]).await);
    let copy = copy.split('?').next().unwrap();
    for bad in ["", "{}", "no json", &changed.replace("org.audits", "org.nothing")] {
        let refused = browser.post(&import, &[("file", bad)]).await;
        assert_eq!(refused.status, 422, "{bad}");
        assert!(refused.text.contains("id=\"file-told\""), "{}", refused.text);
    }
    let [one, other] = [one, copy].map(|path| path.rsplit('/').next().unwrap().to_owned());
    let same = browser.page(&format!("{path}/compare?one={one}&other={other}")).await;
    assert!(same.contains("Both grant exactly the same"), "{same}");
    let admin = built_in(&f, "View All").await;
    let differing = browser.page(&format!("{path}/compare?one={one}&other={admin}")).await;
    assert!(differing.contains("<code>applications</code>") && differing.contains("Only"), "{differing}");
    assert!(browser.page(&format!("{path}/compare?one=&other=")).await.contains("Choose…"));
}

async fn what_was_used_is_shown_and_ticked(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let level = json!({"name": "Readers", "grants": {"org.audits": ["READ"], "org.alerts": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{}/access-levels", f.root), &level).await.expect(201);
    let level = level["id"].as_str().unwrap();
    let (_, client) = f.application_with(&f.root, json!({"name": "SIEM", "access_level_id": level})).await;
    client.verify("org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let path = format!("/console/tenants/{}/access-levels/{level}", f.root);
    let page = browser.page(&format!("{path}?used=1")).await;
    assert!(page.contains("mark used") && page.contains("hidden data-unused"), "{page}");
    assert!(tick(&page, "org.alerts:READ").contains("checked"), "what is out of sight keeps its ticks");
    let page = browser.page(&format!("{path}?used=1&tick=used")).await;
    assert!(tick(&page, "org.audits:READ").contains("checked") && !tick(&page, "org.alerts:READ").contains("checked"));
}
