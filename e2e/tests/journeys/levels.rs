//! Access levels and the matrix of rights, and whether texts of secrets are kept.

use crate::harness::{Look, World, journey};
use crate::server::{Credential, Mode, SUPER_ADMIN, id};
use serde_json::json;

/// Whoever has rights from a level holds it up.
#[tokio::test]
async fn a_level_in_use_cannot_be_deleted() {
    journey("level-in-use", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        let level = server.auditor(&org).await;
        let siem = id(&server.application(&org, "SIEM", &level).await);
        browser.sign_in("ada@example.com").await;
        let delete = format!("/console/tenants/{org}/access-levels/{level}/delete");
        browser.open(&delete).await;
        browser.see("It cannot be deleted while somebody has their rights from it").await;
        browser.see("SIEM").await;
        let path = format!("/v1/tenants/{org}/applications/{siem}");
        assert_eq!(server.curl(&server.operator, "DELETE", &path, None).await.status, 204);
        browser.open(&delete).await;
        browser.press("Delete it").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{org}/access-levels"));
        assert!(!browser.text().await.contains("Auditor"), "it is gone from the list");
    })
    .await;
}

/// Rights are found in the matrix by what one types, ticked, and given; what is out of sight keeps its tick.
#[tokio::test]
async fn rights_are_found_and_ticked_in_the_matrix() {
    journey("matrix", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        browser.sign_in("ada@example.com").await;
        browser.open(&format!("/console/tenants/{org}/applications/new")).await;
        browser.fill("name", "SIEM").await;
        browser.click("input[name=rights][value=own]").await;
        browser.touch("Matrix of permissions").await;
        let tick = |right: &str| format!("input[name=grant][value='{right}']");
        let seen = async |right: &str| browser.find(&tick(right)).await.is_displayed().await.unwrap();
        assert!(seen("org.audits:READ").await && seen("org.alerts:READ").await);
        browser.fill("matrix-q", "EXPORT audits").await;
        browser.see("1 shown").await;
        assert!(seen("org.audits:READ").await && !seen("org.alerts:READ").await, "only what fits is shown");
        browser.click(&tick("org.audits:READ")).await;
        browser.fill("matrix-q", "no permission is called that").await;
        browser.see("0 shown").await;
        browser.fill("matrix-q", "org.alerts").await;
        browser.click(&tick("org.alerts:READ")).await;
        // Enter looks, and sends nothing.
        browser.find("#matrix-q").await.send_keys("\u{e007}").await.unwrap();
        assert_eq!(browser.path().await, format!("/console/tenants/{org}/applications/new"));
        browser.fill("matrix-q", " ").await;
        browser.click("[data-matrix-ticked]").await;
        browser.see("2 shown").await;
        assert!(!seen("device:READ").await && seen("org.audits:READ").await);
        browser.press("Add and show the secret").await;
        let shown = Credential { client_id: browser.value("client_id").await, secret: browser.value("secret").await };
        browser.press("I have stored it").await;
        for (right, allowed) in [("org.audits:READ", true), ("org.alerts:READ", true), ("org.alerts:DELETE", false)] {
            assert_eq!(server.verifies(&shown, right).await, allowed, "{right}");
        }
    })
    .await;
}

/// Of many access levels the one that is meant is found by what one types, wherever one is chosen.
#[tokio::test]
async fn access_levels_are_found_among_many() {
    journey("find-level", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        for name in ["Alert readers", "Auditors", "Device keepers", "Night shift", "Watchers"] {
            let body = json!({ "name": name, "grants": { "org.audits": ["READ"] } });
            server.post(&format!("/v1/tenants/{org}/access-levels"), &body).await;
        }
        browser.sign_in("ada@example.com").await;
        browser.open(&format!("/console/tenants/{org}/sso/new")).await;
        browser.fill("password", crate::harness::PASSWORD).await;
        browser.press("Confirm").await;
        let hidden = "return [...document.querySelectorAll('#rule_level-1 option')].filter((one) => one.hidden).length";
        browser.fill("rules-q", "shift").await;
        browser.see("1 shown").await;
        assert_eq!(browser.script(hidden).await, json!(10));
        browser.choose("rule_level-1", "Night shift").await;
        browser.fill("defaults-q", "dev keep").await;
        let ticks = "return [...document.querySelectorAll('#defaults > li')].filter((one) => !one.hidden).map((one) => one.innerText.trim())";
        assert_eq!(browser.script(ticks).await, json!(["Device keepers"]));
        browser.open(&format!("/console/tenants/{org}/applications/new")).await;
        browser.fill("levels-q", "watch").await;
        browser.choose("access_level_id", "Watchers").await;
        browser.open(&format!("/console/tenants/{org}/tenants/new")).await;
        browser.fill("application-levels-q", "alert").await;
        browser.choose("application_access_level_id", "Alert readers").await;
    })
    .await;
}

/// Remove Secret: asked for anew, confirmed by name, without a way back; integrations notice nothing.
#[tokio::test]
async fn remove_secret_has_no_way_back() {
    journey("remove-secret", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        let level = server.auditor(&org).await;
        browser.sign_in("ada@example.com").await;
        let security = format!("/console/tenants/{org}/security");
        browser.open(&security).await;
        browser.touch("Keep the texts of new secrets").await;
        browser.press("Keep texts from now on").await;
        browser.see("Improved security available").await;
        let made = server.application(&org, "SIEM", &level).await;
        let secret = made["secret"]["text"].as_str().unwrap().to_owned();
        let siem = Credential { client_id: made["application"]["client_id"].as_str().unwrap().to_owned(), secret };
        browser.open(&security).await;
        browser.see("1 secret").await;
        browser.press("Remove Secret…").await;
        browser.see("Confirm that it is you").await;
        browser.fill("password", crate::harness::PASSWORD).await;
        browser.press("Confirm").await;
        browser.see("This cannot be undone").await;
        browser.fill("confirm", "Acne").await;
        browser.press("Remove Secret for ever").await;
        browser.see("not the name of the tenant").await;
        browser.fill("confirm", "Acme").await;
        browser.press("Remove Secret for ever").await;
        browser.see("shown once").await;
        let text = browser.text().await;
        assert!(!text.contains("Improved security available") && !text.contains("Keep the texts"), "{text}");
        browser.client.back().await.unwrap();
        browser.open(&format!("{security}/remove-secret")).await;
        assert_eq!(browser.path().await, security, "there is nothing left to remove");
        assert!(server.verifies(&siem, "org.audits:READ").await, "the secret itself goes on working");
    })
    .await;
}
