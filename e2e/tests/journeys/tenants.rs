//! Tenants, and who sees what of them.

use crate::harness::{Look, World, journey};
use crate::server::{Mode, SUPER_ADMIN};

/// Whoever belongs to a tenant finds nothing of what stands beside it.
#[tokio::test]
async fn a_person_beneath_cannot_see_beside() {
    journey("beside", Mode::Serve, Look::default(), async |World { server, browser }| {
        let acme = server.tenant(&server.root, "Acme", "organization").await;
        let site = server.tenant(&acme, "Acme Lisbon", "instance").await;
        let globex = server.tenant(&server.root, "Globex", "organization").await;
        let level = server.auditor(&globex).await;
        let theirs = crate::server::id(&server.application(&globex, "Globex SIEM", &level).await);
        server.person(&acme, "ada@acme.example", SUPER_ADMIN).await;
        browser.sign_in("ada@acme.example").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{acme}"));
        browser.open(&format!("/console/tenants/{site}")).await;
        browser.see("You are acting in").await;
        let nothing = "There is nothing here, or nothing that you may see";
        for beside in [
            format!("/console/tenants/{}", server.root),
            format!("/console/tenants/{}/applications", server.root),
            format!("/console/tenants/{globex}"),
            format!("/console/tenants/{globex}/applications"),
            format!("/console/tenants/{globex}/applications/{theirs}"),
            format!("/console/tenants/{acme}/applications/{theirs}"),
        ] {
            browser.open(&beside).await;
            browser.see(nothing).await;
            assert!(!browser.client.source().await.unwrap().contains("Globex"), "{beside} tells the name");
        }
        browser.open("/console/switch?q=glo").await;
        assert!(!browser.text().await.contains("Globex"), "the search finds what is beside");
        browser.open("/console/switch?q=lis").await;
        browser.see("Acme Lisbon").await;
    })
    .await;
}
