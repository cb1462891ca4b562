//! The pages that links in mails open.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::mails::newest;
use crate::people::user;
use std::sync::Arc;

on_both!(an_invitation_is_accepted_without_script, a_link_that_is_dead_says_so);

const PASSWORD: &str = "several words that mean nothing";

async fn an_invitation_is_accepted_without_script(f: Arc<Fixture>) {
    let (acme, _) = f.organization("Acme").await;
    user(&f, &acme, "bob@example.com", &[]).await;
    let token = newest(&f, "bob@example.com").await.token();
    let browser = Browser::new(&f);
    let page = browser.page("/people/invitation").await;
    assert!(page.contains("console.css") && page.contains("data-from-fragment"), "{page}");
    assert_eq!(page.matches("<h1").count(), 1);
    let refused = browser.post("/people/invitation", &[("token", &token), ("password", "short")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"password-told\""), "{}", refused.text);
    assert_eq!(field(&refused.text, "token"), token, "it need not be pasted again");
    let values = [("token", token.as_str()), ("password", PASSWORD), ("first_name", "Robert"), ("last_name", "")];
    let done = browser.post("/people/invitation", &values).await;
    assert_eq!(leads_to(&done), "/console/sign-in?told=password-set");
    leads_to(&browser.post("/console/sign-in", &[("email", "bob@example.com"), ("password", PASSWORD)]).await);
    assert!(browser.page("/console/account").await.contains("Robert"));
}

async fn a_link_that_is_dead_says_so(f: Arc<Fixture>) {
    let browser = Browser::new(&f);
    for path in ["/people/invitation", "/people/password-reset", "/people/email-change"] {
        let refused = browser.post(path, &[("token", "clv_l_x"), ("password", PASSWORD)]).await;
        assert_eq!(refused.status, 409, "{path}");
        assert!(refused.text.contains("The link cannot be used"), "{}", refused.text);
    }
}
