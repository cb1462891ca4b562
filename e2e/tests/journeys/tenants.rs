//! Tenants, and who sees what of them.

use crate::harness::{Look, PASSWORD, World, journey};
use crate::server::{Credential, Mode, SUPER_ADMIN};

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

/// A tenant is provisioned, and its first secret and its first person come of it.
#[tokio::test]
async fn an_organisation_is_provisioned() {
    journey("provision", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        browser.sign_in("ada@example.com").await;
        browser.open(&format!("/console/tenants/{}/tenants", server.root)).await;
        browser.see("No tenant stands beneath this one yet").await;
        browser.press("Provision a tenant").await;
        browser.fill("name", "Acme").await;
        browser.click("input[name=kind][value=organization]").await;
        browser.choose("mfa_required", "An authenticator or a passkey").await;
        browser.fill("application_name", "Bootstrap").await;
        browser.choose("application_access_level_id", SUPER_ADMIN).await;
        browser.fill("administrator_email", "grace@acme.example").await;
        // The first person is to be an owner unless something else is ticked.
        browser.press("Provision").await;
        let job = browser.path().await;
        // The page looks by itself until it is done.
        browser.see("The first secret").await;
        browser.open(&format!("/console/tenants/{}", server.root)).await;
        browser.open(&job).await;
        browser.press("Show the secret once").await;
        let secret = browser.value("secret").await;
        assert!(secret.starts_with("clv_"), "{secret}");
        browser.press("I have stored it").await;
        assert_eq!(browser.path().await, job);
        browser.see("was shown").await;
        assert!(!browser.client.source().await.unwrap().contains(&secret));
        let invitation = server.mail("grace@acme.example", "/people/invitation#").await.link();
        browser.press("Go to the tenant").await;
        browser.see("You are acting in Acme").await;
        browser.client.delete_all_cookies().await.unwrap();
        browser.open(&invitation).await;
        browser.fill("password", PASSWORD).await;
        browser.press("Set the password").await;
        browser.sign_in("grace@acme.example").await;
        browser.see("Your organization asks for an authenticator or a passkey").await;
    })
    .await;
}

/// While a tenant is suspended nobody of it is let in; afterwards everything is as it was.
#[tokio::test]
async fn a_suspended_tenant_is_not_served() {
    journey("suspended", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        server.person(&org, "grace@acme.example", SUPER_ADMIN).await;
        let level = server.auditor(&org).await;
        let siem = Credential::of(&server.application(&org, "SIEM", &level).await);
        assert!(server.verifies(&siem, "org.audits:READ").await);
        browser.sign_in("ada@example.com").await;
        browser.open(&format!("/console/tenants/{org}/details")).await;
        browser.press("Suspend").await;
        browser.see("nor anything beneath it is served").await;
        browser.press("Suspend").await;
        browser.see("none of its credentials works").await;
        assert!(!server.verifies(&siem, "org.audits:READ").await);
        browser.client.delete_all_cookies().await.unwrap();
        browser.sign_in("grace@acme.example").await;
        browser.see("not right").await;
        browser.sign_in("ada@example.com").await;
        browser.open(&format!("/console/tenants/{org}/details/reactivate")).await;
        browser.press("Reactivate").await;
        assert!(server.verifies(&siem, "org.audits:READ").await);
        browser.client.delete_all_cookies().await.unwrap();
        browser.sign_in("grace@acme.example").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{org}"));
    })
    .await;
}
