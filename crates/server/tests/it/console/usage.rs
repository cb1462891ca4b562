//! Usage in the console.

use super::browser::Browser;
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person};
use serde_json::json;
use std::sync::Arc;

on_both!(calls_are_drawn_and_listed, usage_is_a_file);

/// A browser of an owner, an organisation, and an application of it that called.
async fn begin(f: &Arc<Fixture>) -> (Browser, String, String) {
    let owner = built_in(f, SUPER_ADMIN).await;
    let ada = person(f, &f.root, "ada@example.com", &[&owner]).await;
    let (acme, _) = f.organization("Acme").await;
    let (id, client) = f.application(&acme, "=1+1", json!({"audit": ["READ"]})).await;
    client.get(&format!("/v1/tenants/{acme}/audit")).await.expect(200);
    client.get(&format!("/v1/tenants/{acme}/audit")).await.expect(200);
    client.get(&format!("/v1/tenants/{acme}/applications")).await.expect(403);
    // A secret of the right form, which somebody else has.
    let (_, other) = f.application(&acme, "Other", json!({"audit": ["READ"]})).await;
    let wrong = f.client(&client.client_id, &other.secret);
    wrong.get("/v1/whoami").await.expect(401);
    f.app.flush_usage().await.unwrap();
    f.app.flush_denials().await.unwrap();
    (Browser::of(f, &ada), format!("/console/tenants/{acme}"), id)
}

async fn calls_are_drawn_and_listed(f: Arc<Fixture>) {
    let (browser, base, id) = begin(&f).await;
    let days = browser.page(&format!("{base}/usage")).await;
    for told in
        ["<svg role=\"img\"", "<title>Calls by day</title>", "=1+1", "audit:READ", "applications:READ", "secret_wrong"]
    {
        assert!(days.contains(told), "{told}: {days}");
    }
    assert!(days.contains("2027-01-15") && days.contains("3 calls") && !days.contains("style="), "{days}");
    assert_eq!(days.matches("<h1").count(), 1);
    let months = browser.page(&format!("{base}/usage?per=month")).await;
    assert!(months.contains("Calls by month") && months.contains("2026-02") && months.contains("2027-01"), "{months}");
    let hours = browser.page(&format!("{base}/usage?per=hour&application={id}")).await;
    assert!(hours.contains("01-15 08:00") && hours.contains("Show all applications"), "{hours}");
    let past = browser.page(&format!("{base}/usage?since=2020-01-01&until=2020-01-03")).await;
    assert!(past.contains("No calls in that time"), "{past}");
    for (query, field) in [("since=2027-01-16&until=2027-01-15", "until"), ("per=hour&since=2000-01-01", "since")] {
        let refused = browser.get(&format!("{base}/usage?{query}")).await;
        assert_eq!(refused.status, 422, "{query}");
        assert!(refused.text.contains(&format!("id=\"{field}-told\"")), "{query}: {}", refused.text);
    }
    let (beside, _) = f.organization("Beside").await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    let bob = person(&f, &beside, "bob@example.com", &[&owner]).await;
    for rest in ["/usage", "/usage/export"] {
        assert_eq!(Browser::of(&f, &bob).get(&format!("{base}{rest}")).await.status, 404, "{rest}");
    }
}

async fn usage_is_a_file(f: Arc<Fixture>) {
    let (browser, base, id) = begin(&f).await;
    let days = browser.get(&format!("{base}/usage/export?per=day")).await;
    assert!(days.header("content-type").unwrap().starts_with("text/csv"));
    assert!(
        days.text.starts_with("period,application_id,application,right,outcome,calls,last_at\r\n"),
        "{}",
        days.text
    );
    assert!(
        days.text.contains(&format!("2027-01-15T00:00:00.000000Z,{id},\"'=1+1\",audit:READ,allowed,2,")),
        "{}",
        days.text
    );
    let months = browser.get(&format!("{base}/usage/export?per=month")).await.text;
    assert!(months.contains(&format!("2027-01,{id},\"'=1+1\",applications:READ,denied,1,")), "{months}");
    let other = browser.get(&format!("{base}/usage/export?per=month&until=2026-12-31")).await.text;
    assert_eq!(other.lines().count(), 1, "{other}");
}
