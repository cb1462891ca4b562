//! What every page has: the frame, its headers, its files, and who may see it.

use super::browser::{Browser, leads_to};
use crate::fixture::{Fixture, on_both, send};
use crate::people::{SUPER_ADMIN, built_in, half_way, person};
use reqwest::Method;
use std::sync::Arc;

on_both!(a_page_has_its_frame, strangers_are_sent_to_the_sign_in, k3_forms_of_other_sites_are_refused, files_are_kept);

async fn a_page_has_its_frame(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let (acme, _) = f.organization("Acme <script>alert(1)</script>").await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    assert_eq!(leads_to(&browser.get("/console").await), format!("/console/tenants/{}", f.root));
    let own = browser.page(&format!("/console/tenants/{}", f.root)).await;
    assert!(own.contains("<!doctype html>") && !own.contains("You are acting in"), "{own}");
    assert_eq!(own.matches("<h1").count(), 1);
    let answer = browser.get(&format!("/console/tenants/{acme}")).await;
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    // K7
    assert!(answer.text.contains("Acme &#60;script&#62;") && !answer.text.contains("<script>alert"), "{}", answer.text);
    assert!(answer.text.contains("You are acting in"));
    assert!(!answer.text.contains("style=\"") && !answer.text.contains("onclick"));
    let fragment = browser.request(Method::GET, &format!("/console/tenants/{acme}")).header("hx-request", "true");
    let fragment = send(fragment).await.text;
    assert!(fragment.contains("<main id=\"main\"") && !fragment.contains("<!doctype"), "{fragment}");
    let beside = person(&f, &acme, "bob@example.com", &[&owner]).await;
    let beside = Browser::of(&f, &beside);
    for path in [format!("/console/tenants/{}", f.root), format!("/console/tenants/{}/applications", f.root)] {
        assert_eq!(beside.get(&path).await.status, 404, "{path}");
    }
    let found = browser.page("/console/switch?q=acm").await;
    assert!(found.contains(&format!("/console/tenants/{acme}")), "{found}");
    let missing = [format!("/console/tenants/{acme}/applications/{acme}"), "/console/nothing".to_owned()];
    for path in missing {
        let lost = browser.get(&path).await;
        assert_eq!((lost.status.as_u16(), lost.text.matches("<main").count()), (404, 1), "{path}");
        for told in ["Not found", "aria-label=\"Console\"", "Sign out", "Request <code>"] {
            assert!(lost.text.contains(told), "{path}: {told}: {}", lost.text);
        }
    }
    let stranger = Browser::new(&f).get("/console/nothing").await;
    assert!(stranger.status == 404 && !stranger.text.contains("Sign out"), "{}", stranger.text);
    let crumbs = own.split("aria-label=\"Where you are\"").nth(1).unwrap().split("</nav>").next().unwrap();
    assert_eq!(crumbs.matches("Operator").count(), 1, "{crumbs}");
}

async fn strangers_are_sent_to_the_sign_in(f: Arc<Fixture>) {
    let stranger = Browser::new(&f);
    assert_eq!(leads_to(&stranger.get("/console").await), "/console/sign-in");
    let path = format!("/console/tenants/{}/applications?cursor=1", f.root);
    let answer = stranger.get(&path).await;
    let next = format!("%2Fconsole%2Ftenants%2F{}%2Fapplications%3Fcursor%3D1", f.root);
    assert_eq!(leads_to(&answer), format!("/console/sign-in?next={next}"));
    let from_elsewhere = stranger.request(Method::GET, &path).header("sec-fetch-site", "cross-site");
    let onward = send(from_elsewhere).await;
    assert!(
        onward.status == 200 && onward.header("refresh").unwrap().starts_with("0; url=/console/tenants/"),
        "{}",
        onward.text
    );
    let by_htmx = send(stranger.request(Method::GET, &path).header("hx-request", "true")).await;
    assert_eq!((by_htmx.status.as_u16(), by_htmx.header("hx-redirect").is_some()), (204, true));
    let ada = person(&f, &f.root, "ada@example.com", &[]).await;
    let half = Browser::of(&f, &half_way(&f, &ada).await);
    assert!(leads_to(&half.get(&path).await).starts_with("/console/sign-in/second-factor?next="));
}

async fn k3_forms_of_other_sites_are_refused(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let path = format!("/console/tenants/{}/applications", f.root);
    let form = || browser.form(&path, &[("name", "x"), ("access_level_id", &owner)]);
    let own = browser.base.clone();
    for refused in [
        form(),
        form().header("origin", "https://evil.example"),
        form().header("origin", "null"),
        form().header("origin", &own).header("sec-fetch-site", "cross-site"),
        browser.request(Method::POST, &path).header("origin", &own).header("content-type", "text/plain").body("name=x"),
        browser
            .request(Method::POST, &path)
            .header("origin", &own)
            .header("content-type", "application/json")
            .body("{}"),
        browser.request(Method::POST, "/console/sign-out"),
    ] {
        assert_eq!(send(refused).await.status, 403);
    }
    assert_eq!(browser.get(&path).await.status, 200, "the session goes on");
    let sign_in = browser.form("/console/sign-in", &[("email", "a@b.c"), ("password", "x")]);
    assert_eq!(send(sign_in.header("origin", "https://evil.example")).await.status, 403);
}

async fn files_are_kept(f: Arc<Fixture>) {
    let page = Browser::new(&f).page("/console/sign-in").await;
    for name in ["console.css", "console.js", "htmx.min.js", "icon.svg"] {
        let path = page.split('"').find(|text| text.ends_with(name)).unwrap();
        let file = send(f.operator.bare(Method::GET, path)).await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
    assert_eq!(send(f.operator.bare(Method::GET, "/console/assets/0/console.css")).await.status, 404);
    assert_eq!(send(f.operator.bare(Method::GET, "/console/ca.pem")).await.status, 404, "without TLS there is none");
}
