//! Applications in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person};
use serde_json::json;
use std::sync::Arc;

on_both!(
    a_secret_is_shown_once,
    what_is_wrong_stands_at_its_field,
    changes_are_bound_to_what_was_seen,
    the_list_is_searched_sorted_and_exported,
    rights_are_ticked_and_bounds_are_kept,
    a_secret_is_rotated_and_revoked,
    deleting_asks_for_the_name,
    what_was_not_used_is_taken_away,
    a_form_that_is_sent_again_does_nothing,
);

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
    let one = list.split('"').find(|text| text.starts_with(&format!("{path}/01"))).unwrap();
    assert!(!browser.page(one).await.contains(secret));
}

async fn a_form_that_is_sent_again_does_nothing(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let list = format!("/console/tenants/{}/applications", f.root);
    let once = field(&browser.page(&format!("{list}/new")).await, "once");
    let values = [("once", once.as_str()), ("name", "SIEM"), ("access_level_id", &owner)];
    assert_eq!(browser.post(&list, &values).await.status, 201);
    let again = browser.post(&list, &values).await;
    assert_eq!(leads_to(&again), list, "and shows no secret");
    let other = [("once", once.as_str()), ("name", "Other"), ("access_level_id", &owner)];
    assert!(browser.post(&list, &other).await.status.is_client_error());
    let (id, _) = f.application(&f.root, "Rotated", json!({"org.audits": ["READ"]})).await;
    let path = format!("{list}/{id}");
    let once = field(&browser.page(&format!("{path}/rotate")).await, "once");
    let values = [("once", once.as_str()), ("reason", "leak")];
    assert_eq!(browser.post(&format!("{path}/rotate"), &values).await.status, 200);
    assert_eq!(leads_to(&browser.post(&format!("{path}/rotate"), &values).await), path);
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
    let (id, client) = f.application(&f.root, "SIEM", json!({"org.audits": ["READ"]})).await;
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

async fn the_list_is_searched_sorted_and_exported(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/applications");
    let empty = browser.page(&path).await;
    assert!(empty.contains("No applications yet") && !empty.contains("class=\"filters\""), "{empty}");
    for name in ["=1+1", "beta", "Alpha <b>"] {
        f.app.clock().advance(1);
        f.application_with(&acme, json!({"name": name, "access_level_id": owner, "owner": "ops@example.com"})).await;
    }
    let order = |html: &str| {
        let mut places: Vec<_> =
            ["=1+1", "beta", "Alpha"].into_iter().map(|name| (html.find(&format!(">{name}")), name)).collect();
        places.retain(|(place, _)| place.is_some());
        places.sort();
        places.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(" ")
    };
    let by_name = browser.page(&path).await;
    assert_eq!(order(&by_name), "=1+1 Alpha beta");
    assert!(by_name.contains("Super Admin") && by_name.contains("clv_a_") && !by_name.contains("<b>"), "{by_name}");
    assert_eq!(order(&browser.page(&format!("{path}?sort=oldest")).await), "=1+1 beta Alpha");
    assert_eq!(order(&browser.page(&format!("{path}?q=BET&state=enabled&sort=&level=")).await), "beta");
    assert!(by_name.contains(">enabled<") && by_name.contains("title=\"beta\""), "{by_name}");
    let disabled = browser.page(&format!("{path}?state=disabled")).await;
    assert!(disabled.contains("Nothing fits") && disabled.contains("class=\"filters\""), "{disabled}");
    let file = browser.get(&format!("{path}.csv?sort=oldest")).await;
    assert_eq!(file.header("content-disposition").unwrap().split(';').next(), Some("attachment"));
    let lines: Vec<_> = file.text.lines().collect();
    assert_eq!(lines.len(), 4, "{}", file.text);
    assert!(lines[0].starts_with("name,client_id,owner,access,state"));
    assert!(lines[1].starts_with("\"'=1+1\",") && lines[3].starts_with("Alpha <b>,"), "{}", file.text);
}

async fn rights_are_ticked_and_bounds_are_kept(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/applications");
    let values = [
        ("name", "Ticked"),
        ("rights", "own"),
        ("grant", "org.audits:READ"),
        ("grant", "org.alerts:READ"),
        ("networks", "listed"),
        ("allowed_networks", "127.0.0.0/8\r\n192.0.2.0/24"),
        ("expires_at", "2027-06-01T12:30"),
        ("rate_requests", "100"),
        ("rate_window_seconds", "60"),
        ("right", "org.audits:READ"),
        ("address", "203.0.113.9"),
    ];
    let simulated = browser.post(&format!("{path}/simulate"), &values).await;
    assert_eq!(simulated.status, 200, "{}", simulated.text);
    assert!(simulated.text.contains("203.0.113.9 is in none of its 2 allowed networks"), "{}", simulated.text);
    assert!(browser.page(&path).await.contains("No applications yet"), "nothing was made");
    assert_eq!(browser.post(&path, &values).await.status, 201);
    let made = f.operator.get(&format!("/v1/tenants/{acme}/applications")).await.expect(200)["items"][0].clone();
    assert_eq!(made["grants"], json!({"org.audits": ["READ"], "org.alerts": ["READ"]}));
    assert_eq!(made["allowed_networks"], json!(["127.0.0.0/8", "192.0.2.0/24"]));
    assert_eq!(made["expires_at"], "2027-06-01T12:30:00.000000Z");
    assert_eq!(made["rate_limit"], json!({"requests": 100, "window_seconds": 60}));
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let edit = browser.page(&format!("{one}/edit")).await;
    assert!(edit.matches("id=\"grants\"").count() == 1 && edit.contains("data-matrix-used"), "{edit}");
    assert_eq!((field(&edit, "name").as_str(), field(&edit, "expires_at").as_str()), ("Ticked", "2027-06-01T12:30"));
    let version = field(&edit, "version");
    let values =
        [("version", version.as_str()), ("name", "Levelled"), ("rights", "level"), ("access_level_id", &owner)];
    assert_eq!(leads_to(&browser.post(&format!("{one}/edit"), &values).await), one);
    let changed = f.operator.get(&format!("/v1{}", one.strip_prefix("/console").unwrap())).await.expect(200);
    assert_eq!((&changed["grants"], &changed["allowed_networks"]), (&json!(null), &json!(null)));
    assert_eq!(changed["name"], "Levelled");
    let again = browser.post(&format!("{one}/edit"), &values).await;
    assert_eq!(again.status, 412);
    let simulated = browser.page(&format!("{one}/simulate?right=org.audits:READ&address=")).await;
    assert!(simulated.contains("It would be let in."), "{simulated}");
    assert_eq!(browser.get(&format!("{one}/simulate?right=nothing")).await.status, 422);
}

async fn a_secret_is_rotated_and_revoked(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (id, first) = f.application(&f.root, "SIEM", json!({"org.audits": ["READ"]})).await;
    let path = format!("/console/tenants/{}/applications/{id}", f.root);
    first.get("/v1/whoami").await.expect(200);
    f.app.flush_usage().await.unwrap();
    let asked = browser.page(&format!("{path}/rotate")).await;
    assert!(asked.contains("in use") && asked.contains("127.0.0.1"), "{asked}");
    assert_eq!(browser.post(&format!("{path}/rotate"), &[]).await.status, 422);
    f.app.clock().advance(1);
    let routine = [("reason", "routine"), ("overlap_seconds", "86400")];
    let shown = browser.post(&format!("{path}/rotate"), &routine).await;
    assert_eq!((shown.status.as_u16(), shown.header("cache-control")), (200, Some("no-store")));
    let second = f.client(&first.client_id, &field_of(&shown.text, "secret"));
    for client in [&first, &second] {
        client.get("/v1/whoami").await.expect(200);
    }
    let full = browser.post(&format!("{path}/rotate"), &routine).await;
    assert!(full.status == 409 && full.text.contains("2 secrets are live"), "{}", full.text);
    f.app.flush_usage().await.unwrap();
    let page = browser.page(&format!("{path}/rotate")).await;
    let revoke = page.split('"').find(|text| text.ends_with("/revoke")).unwrap().to_owned();
    let refused = browser.post(&revoke, &[]).await;
    assert!(refused.status == 409 && refused.text.contains("Revoke it all the same"), "{}", refused.text);
    assert_eq!(leads_to(&browser.post(&revoke, &[("force", "true")]).await), format!("{path}/rotate"));
    first.get("/v1/whoami").await.expect(401);
    let leak = browser.post(&format!("{path}/rotate"), &[("reason", "leak"), ("quarantine", "true")]).await;
    assert_eq!(leak.status, 200);
    second.get("/v1/whoami").await.expect(401);
    assert!(browser.page(&path).await.contains("disabled"));
    let overview = format!("/console/tenants/{}", f.root);
    let page = browser.page(&overview).await;
    assert!(page.contains("was reported as leaked"), "{page}");
    let dismiss = page.split('"').find(|text| text.ends_with("/dismiss")).unwrap().to_owned();
    assert_eq!(leads_to(&browser.post(&dismiss, &[("next", "//evil.example")]).await), overview);
    assert!(!browser.page(&overview).await.contains("was reported as leaked"));
}

/// The value of a field that is found by its id.
fn field_of(html: &str, id: &str) -> String {
    let tag = html.split('<').find(|tag| tag.contains(&format!("id=\"{id}\" type"))).unwrap();
    tag.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

async fn deleting_asks_for_the_name(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (id, client) = f.application(&f.root, "SIEM", json!({"org.audits": ["READ"]})).await;
    client.verify("org.audits:READ").await;
    client.verify("org.alerts:READ").await;
    f.app.flush_usage().await.unwrap();
    let list = format!("/console/tenants/{}/applications", f.root);
    let path = format!("{list}/{id}");
    let asked = browser.page(&format!("{path}/delete")).await;
    assert!(asked.contains("1 allowed, 1 denied"), "{asked}");
    let version = field(&asked, "version");
    let wrong = browser.post(&format!("{path}/delete"), &[("version", &version), ("confirm", "SIE")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"confirm-told\""), "{}", wrong.text);
    let usage = browser.page(&format!("{path}/usage")).await;
    assert!(usage.contains("<svg") && usage.contains("org.alerts:READ"), "{usage}");
    f.app.flush_denials().await.unwrap();
    assert!(browser.page(&format!("{path}/audit")).await.contains("application.created"));
    assert!(browser.page(&format!("{path}/audit?by=it")).await.contains("access.denied"));
    let issuer = json!({"name": "Build service", "issuer": "https://ci.example", "audience": "x", "algorithms": ["ES256"],
        "bindings": [{"application_id": id, "conditions": [{"claim": "sub", "equals": "main"}]}]});
    let issuer = f.operator.post(&format!("/v1/tenants/{}/trusted-issuers", f.root), &issuer).await.expect(201);
    let held = browser.page(&format!("{path}/delete")).await;
    let place = format!("/security/issuers/{}\">Build service</a>", issuer["id"].as_str().unwrap());
    assert!(held.contains(&place) && !held.contains("name=\"confirm\""), "what refers to it is named: {held}");
    let refused = browser.post(&format!("{path}/delete"), &[("version", &version), ("confirm", "SIEM")]).await;
    assert!(refused.status == 409 && refused.text.contains("Build service"), "{}", refused.text);
    let issuer = format!("/v1/tenants/{}/trusted-issuers/{}", f.root, issuer["id"].as_str().unwrap());
    f.operator.delete(&issuer).await.expect(204);
    let shrink = browser.page(&format!("{path}/shrink")).await;
    assert!(shrink.contains("Shrink to what was used in 90 days"), "{shrink}");
    for wrong in ["0", "366", "x"] {
        let refused = browser.get(&format!("{path}/shrink?days={wrong}")).await;
        assert!(refused.status == 422 && refused.text.contains("id=\"days-told\""), "{wrong}: {}", refused.text);
    }
    assert_eq!(leads_to(&browser.post(&format!("{path}/delete"), &[("confirm", "SIEM")]).await), list);
    assert_eq!(browser.get(&path).await.status, 404);
    client.get("/v1/whoami").await.expect(401);
}

async fn what_was_not_used_is_taken_away(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let (id, client) = f.application(&f.root, "SIEM", json!({"org.audits": ["READ"], "org.alerts": ["READ"]})).await;
    f.app.clock().advance(3 * 86_400);
    client.verify("org.audits:READ").await;
    f.app.flush_usage().await.unwrap();
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let path = format!("/console/tenants/{}/applications/{id}", f.root);
    let asked = browser.page(&format!("{path}/shrink?days=2")).await;
    assert!(asked.contains("used in 2 days") && asked.contains("<li><code>org.alerts:READ</code></li>"), "{asked}");
    let version = field(&asked, "version");
    let wrong = browser.post(&format!("{path}/shrink"), &[("days", "x"), ("version", &version)]).await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"days-told\""), "{}", wrong.text);
    let wrong = browser.post(&format!("{path}/shrink"), &[("days", "90"), ("version", &version)]).await;
    assert!(wrong.status == 409 && wrong.text.contains("give fewer days"), "{}", wrong.text);
    let sent = [("days", field(&asked, "days")), ("version", version)];
    let sent: Vec<_> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(leads_to(&browser.post(&format!("{path}/shrink"), &sent).await), path);
    let left = f.operator.get(&format!("/v1/tenants/{}/applications/{id}", f.root)).await.expect(200);
    assert_eq!(left["grants"], json!({"org.audits": ["READ"]}));
    let page = browser.page(&format!("{path}/shrink?days=2")).await;
    assert!(page.contains("Nothing to take away"), "{page}");
}
