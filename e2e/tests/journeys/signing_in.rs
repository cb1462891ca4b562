//! Signing in, by whatever a person has.

use crate::harness::{Look, PASSWORD, World, journey};
use crate::server::{Mode, SUPER_ADMIN};
use serde_json::json;

const ADA: &str = "ada@example.com";

/// Whoever is refused learns nothing of why; whoever signs out is out.
#[tokio::test]
async fn a_person_signs_in_and_out() {
    journey("sign-in", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, ADA, SUPER_ADMIN).await;
        let overview = format!("/console/tenants/{}", server.root);
        browser.open(&overview).await;
        assert_eq!(browser.path().await, "/console/sign-in");
        let mut answers = Vec::new();
        for (email, password) in [(ADA, "not the password of anybody"), ("nobody@example.com", PASSWORD)] {
            browser.fill("email", email).await;
            browser.fill("password", password).await;
            browser.press("Sign in").await;
            answers.push(browser.text().await);
        }
        assert!(answers[0].contains("not right"), "{}", answers[0]);
        assert_eq!(answers[0], answers[1], "strangers get one answer");
        browser.fill("email", ADA).await;
        browser.fill("password", PASSWORD).await;
        browser.press("Sign in").await;
        assert_eq!(browser.path().await, overview, "one goes on where one wanted to");
        let readable = browser.script("return document.cookie").await;
        assert_eq!(readable, json!(""), "no script can read a cookie");
        browser.touch("Ada Example").await;
        browser.press("Sign out").await;
        browser.see("You are signed out").await;
        browser.client.back().await.unwrap();
        browser.see("Sign in").await;
        assert!(!browser.text().await.contains("Overview"), "going back shows nothing any more");
        browser.open(&overview).await;
        assert_eq!(browser.path().await, "/console/sign-in");
    })
    .await;
}
