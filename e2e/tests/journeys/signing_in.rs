//! Signing in, by whatever a person has.

use crate::harness::{Look, PASSWORD, World, journey};
use crate::server::{Mode, SUPER_ADMIN, Server};
use crate::totp::Authenticator;
use serde_json::json;

const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@acme.example";

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

/// A tenant is provisioned that asks for an authenticator, and its first person comes: by the mail, to the app, to the recovery codes.
#[tokio::test]
async fn an_invited_person_sets_up_an_authenticator() {
    journey("totp", Mode::Serve, Look::default(), async |World { server, browser }| {
        let org = strict(server).await;
        browser.open(&server.mail(GRACE, "/people/invitation#").await.link()).await;
        browser.see("Somebody has invited you").await;
        browser.fill("password", PASSWORD).await;
        browser.press("Set the password").await;
        browser.sign_in(GRACE).await;
        browser.see("Your organization asks for an authenticator or a passkey").await;
        browser.open(&format!("/console/tenants/{org}")).await;
        assert_ne!(browser.path().await, format!("/console/tenants/{org}"), "nothing is shown without a second factor");
        browser.press("Set one up").await;
        browser.press("Set up the app").await;
        let app = Authenticator::new(&browser.value("key").await);
        browser.fill("code", "000000").await;
        browser.press("Confirm").await;
        browser.see("Look at the newest code and try again").await;
        browser.fill("code", &app.code()).await;
        browser.press("Confirm").await;
        browser.see("Store your recovery codes").await;
        let codes = browser.find("#codes").await.text().await.unwrap();
        assert_eq!(codes.split_whitespace().count(), 10, "{codes}");
        browser.press("I have stored them").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{org}"));
        assert!(!browser.client.source().await.unwrap().contains(codes.lines().next().unwrap()));

        browser.client.delete_all_cookies().await.unwrap();
        browser.sign_in(GRACE).await;
        browser.see("Second factor").await;
        browser.fill("code", &app.next_code().await).await;
        browser.press("Go on").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{org}"));

        browser.client.delete_all_cookies().await.unwrap();
        browser.sign_in(GRACE).await;
        browser.touch("Use a recovery code").await;
        browser.fill("recovery", codes.split_whitespace().next().unwrap()).await;
        browser.click("details form button").await;
        browser.see("Overview").await;
    })
    .await;
}

/// The same with a passkey.
#[tokio::test]
async fn an_invited_person_sets_up_a_passkey() {
    journey("passkey", Mode::Serve, Look::default(), async |World { server, browser }| {
        let org = strict(server).await;
        let key = json!({ "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true });
        browser.command("webauthn/authenticator", key).await;
        browser.open(&server.mail(GRACE, "/people/invitation#").await.link()).await;
        browser.fill("password", PASSWORD).await;
        browser.press("Set the password").await;
        browser.sign_in(GRACE).await;
        browser.press("Set one up").await;
        browser.touch("Set up a passkey").await;
        browser.see("Store your recovery codes").await;
        browser.press("I have stored them").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{org}"));
        browser.client.delete_all_cookies().await.unwrap();
        browser.sign_in(GRACE).await;
        browser.see("Second factor").await;
        browser.touch("Use a passkey").await;
        browser.see("Overview").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{org}"));
    })
    .await;
}

/// A forgotten password: the mail's link sets a new one, once, and ends the sessions.
#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail() {
    journey("reset", Mode::Serve, Look::default(), async |World { server, browser }| {
        server.person(&server.root, ADA, SUPER_ADMIN).await;
        browser.sign_in(ADA).await;
        let here = browser.client.window().await.unwrap();
        let session = browser.client.get_named_cookie("__Host-claviger_session").await.unwrap().into_owned();
        browser.client.delete_all_cookies().await.unwrap();
        browser.open("/console/sign-in").await;
        browser.press("Forgot password?").await;
        let mut answers = Vec::new();
        for email in ["nobody@example.com", ADA] {
            browser.open("/console/sign-in/forgotten").await;
            browser.fill("email", email).await;
            browser.press("Send the link").await;
            answers.push(browser.text().await);
        }
        assert_eq!(answers[0], answers[1], "nobody learns whose address it is");
        let link = server.mail(ADA, "/people/password-reset#").await.link();
        browser.open(&link).await;
        browser.see("Set a new password").await;
        assert!(
            !browser.client.current_url().await.unwrap().as_str().contains("clv_"),
            "the token left the address bar"
        );
        browser.fill("password", "another handful of unrelated words").await;
        browser.press("Set the password").await;
        browser.see("Your password is set").await;
        browser.sign_in(ADA).await;
        browser.see("not right").await;
        browser.fill("email", ADA).await;
        browser.fill("password", "another handful of unrelated words").await;
        browser.press("Sign in").await;
        assert_eq!(browser.path().await, format!("/console/tenants/{}", server.root));
        browser.client.delete_all_cookies().await.unwrap();
        let before = json!({ "name": session.name(), "value": session.value(), "url": server.base, "path": "/", "secure": true,
            "httpOnly": true, "sameSite": "Strict" });
        browser.chromium("Network.setCookie", before).await;
        browser.open(&format!("/console/tenants/{}", server.root)).await;
        assert_eq!(browser.path().await, "/console/sign-in", "the sessions from before have ended");
        // The link was used up.
        browser.client.switch_to_window(here).await.unwrap();
        browser.client.goto("about:blank").await.unwrap();
        browser.open(&link).await;
        browser.fill("password", "a third handful of unrelated words").await;
        browser.press("Set the password").await;
        assert!(!browser.text().await.contains("Your password is set"));
    })
    .await;
}

/// An organisation that was provisioned to ask for an authenticator or a passkey, and whose first person was invited.
async fn strict(server: &Server) -> String {
    let body = json!({ "tenant": { "name": "Acme", "kind": "organization", "mfa_required": "totp" },
        "administrator": { "email": GRACE, "first_name": "Grace" } });
    let job = server.post(&format!("/v1/tenants/{}/provisionings", server.root), &body).await;
    job["tenant_id"].as_str().unwrap().to_owned()
}
