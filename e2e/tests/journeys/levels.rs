//! Access levels, and whether texts of secrets are kept.

use crate::harness::{Look, World, journey};
use crate::server::{Credential, Mode, SUPER_ADMIN, id};

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
