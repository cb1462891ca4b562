//! Applications and their secrets.

use crate::harness::{Look, World, journey};
use crate::server::{Credential, Mode, SUPER_ADMIN, id};
use fantoccini::Locator;
use tokio::process::Command;

/// The first person of the operator comes in, and an integration of theirs makes its first call.
#[tokio::test]
async fn from_the_first_start_to_the_first_verified_call() {
    journey("first-call", Mode::Demo, Look::default(), async |world| {
        let World { server, browser } = world;
        let printed = server.printed();
        let link = printed.lines().find(|line| line.contains("/console/first-person#")).expect("a link is printed");
        browser.open(link.trim()).await;
        browser.see("You are the first person here").await;
        assert!(!browser.client.current_url().await.unwrap().as_str().contains('#'), "the token left the address bar");
        browser.fill("email", "ada@example.com").await;
        browser.fill("password", crate::harness::PASSWORD).await;
        browser.press("Come in").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{}", server.root));
        browser.press("Applications").await;
        browser.press("Add an application").await;
        browser.fill("name", "SIEM").await;
        browser.choose("access_level_id", "View All").await;
        browser.press("Add and show the secret").await;
        let shown = Credential { client_id: browser.value("client_id").await, secret: browser.value("secret").await };
        assert!(server.verifies(&shown, "org.audits:READ").await);
        browser.press("I have stored it").await;
        browser.see("SIEM").await;
        assert!(!browser.client.source().await.unwrap().contains(&shown.secret));
    })
    .await;
}

/// The page that shows a secret is gone when it is left, by whatever way one comes back.
#[tokio::test]
async fn a_secret_is_shown_once() {
    journey("shown-once", Mode::Serve, Look::default(), async |world| {
        let World { server, browser } = world;
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        browser.sign_in("ada@example.com").await;
        let list = format!("/console/tenants/{}/applications", server.root);
        let secret = add(world, &list, "Closed").await;
        let shown_at = browser.path().await;
        let here = browser.client.window().await.unwrap();
        let second = browser.client.new_window(true).await.unwrap().handle;
        browser.client.switch_to_window(second).await.unwrap();
        browser.open(&shown_at).await;
        gone(world, &secret, "in a second tab").await;
        browser.client.close_window().await.unwrap();
        browser.client.switch_to_window(here).await.unwrap();
        browser.press("I have stored it").await;
        gone(world, &secret, "when it was closed").await;
        browser.client.back().await.unwrap();
        gone(world, &secret, "after going back").await;
        browser.client.forward().await.unwrap();
        gone(world, &secret, "after going forward").await;

        let secret = add(world, &list, "Left").await;
        browser.open(&list).await;
        browser.client.back().await.unwrap();
        gone(world, &secret, "after leaving and going back").await;

        let secret = add(world, &list, "Reloaded").await;
        browser.client.refresh().await.unwrap();
        gone(world, &secret, "after a reload").await;
        let made = server.get(&format!("/v1/tenants/{}/applications", server.root)).await;
        let named = made["items"].as_array().unwrap().iter().filter(|one| one["name"] == "Reloaded").count();
        assert_eq!(named, 1, "a reload makes no second application");
    })
    .await;
}

/// Each call of the page runs as it stands, beside the certificate that the page offers.
#[tokio::test]
async fn every_call_that_is_shown_runs() {
    journey("calls", Mode::Serve, Look::default(), async |world| {
        let World { server, browser } = world;
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        browser.sign_in("ada@example.com").await;
        add(world, &format!("/console/tenants/{}/applications", server.root), "Caller").await;
        let link = browser.find("a[download]").await;
        let (path, file) = (link.attr("href").await.unwrap().unwrap(), link.text().await.unwrap());
        let folder = server.ca_file().parent().unwrap().join("caller");
        std::fs::create_dir_all(&folder).unwrap();
        let saved = folder.join(file.strip_prefix("save ").unwrap());
        let fetch = format!("curl -sSf -k {}{path} -o {}", server.base, saved.display());
        assert!(Command::new("sh").args(["-c", &fetch]).status().await.unwrap().success());
        let calls = browser.client.find_all(Locator::Css("details[name=family]")).await.unwrap();
        assert_eq!(calls.len(), 5);
        for call in calls {
            let text = call.find(Locator::Css("code")).await.unwrap().prop("textContent").await.unwrap().unwrap();
            let ran = Command::new("bash").args(["-c", &text]).current_dir(&folder).output().await.unwrap();
            let answer = String::from_utf8(ran.stdout).unwrap();
            let right = ["\"access_token\":\"ey", "\"num_found\":", "\"client_id\":"];
            assert!(right.iter().any(|part| answer.contains(part)), "{text}\n{answer}\n{:?}", ran.stderr);
        }
    })
    .await;
}

/// Links and forms are enough.
#[tokio::test]
async fn an_application_is_added_without_script() {
    let look = Look { no_script: true };
    journey("no-script", Mode::Serve, look, async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        browser.sign_in("ada@example.com").await;
        browser.press("Applications").await;
        browser.press("Add an application").await;
        browser.fill("name", "SIEM").await;
        browser.choose("access_level_id", "View All").await;
        browser.press("Add and show the secret").await;
        let fields = async |id: &str| browser.find(&format!("#{id}")).await.attr("value").await.unwrap().unwrap();
        let shown = Credential { client_id: fields("client_id").await, secret: fields("secret").await };
        assert!(server.verifies(&shown, "org.audits:READ").await);
        browser.press("I have stored it").await;
        browser.see("SIEM").await;
        assert!(!browser.client.source().await.unwrap().contains(&shown.secret));
        browser.open("/console/switch").await;
        browser.touch("Ada Example").await;
        browser.press("Sign out").await;
        browser.see("You are signed out").await;
    })
    .await;
}

/// The eleventh is refused in words that say what may be.
#[tokio::test]
async fn the_eleventh_application_is_refused() {
    journey("limit", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        let level = server.auditor(&org).await;
        for number in 1..=10 {
            server.application(&org, &format!("Integration {number}"), &level).await;
        }
        browser.sign_in("ada@example.com").await;
        browser.open(&format!("/console/tenants/{org}/applications/new")).await;
        browser.fill("name", "One too many").await;
        browser.choose("access_level_id", "Auditor").await;
        browser.press("Add and show the secret").await;
        browser.see("has 10 applications and may have 10").await;
        assert_eq!(browser.value("name").await, "One too many", "what was typed is kept");
        let all = server.get(&format!("/v1/tenants/{org}/applications")).await;
        assert_eq!(all["items"].as_array().unwrap().len(), 10);
    })
    .await;
}

/// Rotation: with an overlap both secrets work, after a leak only the new one does.
#[tokio::test]
async fn a_rotation_has_an_overlap_and_a_leak_has_none() {
    journey("rotation", Mode::Serve, Look::default(), async |world| {
        let World { server, browser } = world;
        server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
        let org = server.tenant(&server.root, "Acme", "organization").await;
        let level = server.auditor(&org).await;
        let made = server.application(&org, "SIEM", &level).await;
        let client_id = made["application"]["client_id"].as_str().unwrap().to_owned();
        let with = |secret: &str| Credential { client_id: client_id.clone(), secret: secret.to_owned() };
        let first = with(made["secret"]["text"].as_str().unwrap());
        let rotate = format!("/console/tenants/{org}/applications/{}/rotate", id(&made));
        browser.sign_in("ada@example.com").await;
        browser.open(&rotate).await;
        browser.press("Rotate and show the new secret").await;
        browser.see("works until").await;
        let second = with(&browser.value("secret").await);
        browser.press("I have stored it").await;
        for working in [&first, &second] {
            assert!(server.verifies(working, "org.audits:READ").await, "both work during the overlap");
        }
        browser.open(&rotate).await;
        browser.see("Two secrets are live").await;
        browser.click("input[name=reason][value=leak]").await;
        browser.press("Rotate and show the new secret").await;
        let third = with(&browser.value("secret").await);
        browser.press("I have stored it").await;
        for dead in [&first, &second] {
            assert!(!server.verifies(dead, "org.audits:READ").await, "a leaked secret is dead at once");
        }
        assert!(server.verifies(&third, "org.audits:READ").await);
    })
    .await;
}

/// Adds an application, and reads the secret that is shown.
async fn add(World { browser, .. }: &World, list: &str, name: &str) -> String {
    browser.open(&format!("{list}/new")).await;
    browser.fill("name", name).await;
    browser.choose("access_level_id", "View All").await;
    browser.press("Add and show the secret").await;
    let secret = browser.value("secret").await;
    assert!(secret.starts_with("clv_"), "{secret}");
    secret
}

/// The secret stands nowhere: not in what the server sent, nor in any field.
async fn gone(World { browser, .. }: &World, secret: &str, when: &str) {
    browser.find("body").await;
    assert!(!browser.client.source().await.unwrap().contains(secret), "the secret is in the page {when}");
    for field in browser.client.find_all(Locator::Css("input, textarea")).await.unwrap() {
        assert_ne!(field.prop("value").await.unwrap().unwrap_or_default(), secret, "the secret is in a field {when}");
    }
}
