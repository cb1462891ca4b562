//! The operator's own pages in the console.

use super::browser::{Browser, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person, stepped_up};
use serde_json::json;
use std::sync::Arc;

on_both!(they_show_how_the_server_is, they_are_for_the_operator_alone, keys_are_rotated_and_revoked_after_a_step_up);

const PAGES: [(&str, &str); 5] = [
    ("", "Calls are answered"),
    ("/nodes", "this one"),
    ("/jobs", "Provisionings under way"),
    ("/signing-keys", "signs"),
    ("/configuration", "[limits]"),
];

async fn they_show_how_the_server_is(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let base = format!("/console/tenants/{}/operator", f.root);
    let (acme, _) = f.organization("Acme").await;
    f.operator.post(&format!("/v1/tenants/{acme}/suspend"), &json!({})).await.expect(200);
    f.operator.delete(&format!("/v1/tenants/{acme}")).await.expect(202);
    for (rest, told) in PAGES {
        let page = browser.page(&format!("{base}{rest}")).await;
        assert!(page.contains(told) && page.matches("<h1").count() == 1, "{rest}: {page}");
        assert!(page.contains("aria-current=\"page\"") && !page.contains("style="), "{rest}");
    }
    for rest in ["/nodes", "/jobs"] {
        let page = browser.page(&format!("{base}{rest}")).await;
        assert!(page.contains("aria-live=\"off\" hx-get") && page.contains("left=179"), "{rest}: {page}");
        assert!(!browser.page(&format!("{base}{rest}?left=0")).await.contains("left="), "{rest}");
    }
    let jobs = browser.page(&format!("{base}/jobs")).await;
    assert!(jobs.contains("Acme"), "{jobs}");
    let configuration = browser.page(&format!("{base}/configuration")).await;
    assert!(configuration.contains("<code>data_dir</code>"), "{configuration}");
}

async fn they_are_for_the_operator_alone(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let (acme, _) = f.organization("Acme").await;
    let bob = person(&f, &acme, "bob@example.com", &[&owner]).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let nobody = person(&f, &f.root, "nobody@example.com", &[]).await;
    for (rest, _) in PAGES {
        let own = format!("/console/tenants/{acme}/operator{rest}");
        let above = format!("/console/tenants/{}/operator{rest}", f.root);
        assert_eq!(Browser::of(&f, &bob).get(&above).await.status, 404, "{rest}");
        assert_eq!(Browser::of(&f, &bob).get(&own).await.status, 404, "{rest}");
        assert_eq!(Browser::of(&f, &ada).get(&own).await.status, 404, "{rest}");
        assert_eq!(Browser::of(&f, &nobody).get(&above).await.status, 403, "{rest}");
    }
    let overview = Browser::of(&f, &bob).page(&format!("/console/tenants/{acme}")).await;
    assert!(overview.contains("/audit\"") && !overview.contains("/operator"), "{overview}");
}

async fn keys_are_rotated_and_revoked_after_a_step_up(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let base = format!("/console/tenants/{}/operator/signing-keys", f.root);
    let stale = Browser::of(&f, &ada);
    for path in [format!("{base}/rotate"), format!("{base}/x/revoke")] {
        let answer = stale.post(&path, &[("kid", "x")]).await;
        assert!(leads_to(&answer).starts_with("/console/step-up?next="), "{path}");
    }
    assert!(leads_to(&stale.get(&format!("{base}/rotate")).await).starts_with("/console/step-up?next="));
    let by_api = ada.post("/v1/signing-keys/rotate", &json!({})).await;
    assert_eq!(by_api.status, 401, "the API asks for it as well: {}", by_api.text);
    let keys = f.operator.get("/v1/signing-keys").await.expect(200);
    let kid = keys["items"][0]["kid"].as_str().unwrap().to_owned();
    let browser = Browser::of(&f, &stepped_up(&f, &ada).await);
    assert!(browser.page(&format!("{base}/rotate")).await.contains("No token ends"));
    assert_eq!(leads_to(&browser.post(&format!("{base}/rotate"), &[]).await), base);
    let again = browser.post(&format!("{base}/rotate"), &[]).await;
    assert_eq!(again.status, 409);
    assert!(again.text.contains("is published already"), "{}", again.text);
    let revoke = format!("{base}/{kid}/revoke");
    assert!(browser.page(&revoke).await.contains("There is no way back"));
    let mistyped = browser.post(&revoke, &[("kid", "x")]).await;
    assert_eq!(mistyped.status, 422);
    assert!(mistyped.text.contains("id=\"kid-told\""), "{}", mistyped.text);
    assert_eq!(leads_to(&browser.post(&revoke, &[("kid", &kid)]).await), base);
    let list = browser.page(&base).await;
    assert!(list.contains("revoked") && list.contains(&kid), "{list}");
    assert_eq!(browser.get(&format!("{base}/4711/revoke")).await.status, 404);
}
