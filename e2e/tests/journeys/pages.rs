//! Every page that there is: found by following links, so that a new page is looked at without being named here.

use crate::harness::{PASSWORD, World};
use crate::server::{SUPER_ADMIN, id};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

/// Pages for whoever has not signed in.
pub(crate) const OUTSIDE: &[&str] = &[
    "/console/sign-in",
    "/console/sign-in/forgotten",
    "/console/first-person",
    "/people/invitation",
    "/people/password-reset",
    "/people/email-change",
];

/// Walks through every page that can be reached from there: `look` gets a name for it and its path. Each kind of page is looked at
/// once; those that are begun with are in any case.
pub(crate) async fn every_page(world: &World, begin: Vec<String>, mut look: impl AsyncFnMut(&World, &str, &str)) {
    let (mut seen, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting: VecDeque<(String, bool)> = begin.into_iter().map(|path| (path, true)).collect();
    while let Some((path, begun)) = waiting.pop_front() {
        let kind = kind_of(&path);
        let known = !kinds.insert(kind.clone());
        if !seen.insert(path.clone()) || (known && !begun) {
            continue;
        }
        world.browser.open(&path).await;
        // What is no page (a file, say) or has gone on to another is not looked at.
        let is_page = world.browser.script("return document.querySelector('main h1') !== null").await;
        let moved = world.browser.path().await != path.split('?').next().unwrap_or_default();
        assert!(!(begun && moved), "{path} leads on to {}", world.browser.path().await);
        if is_page != json!(true) || moved {
            continue;
        }
        let name = if known { format!("{kind}-{}", seen.len()) } else { kind };
        look(world, &name, &path).await;
        waiting.extend(links(world).await.into_iter().map(|path| (path, false)));
    }
    assert!(kinds.len() > 80, "only these pages were found: {kinds:?}");
}

/// The pages that the page leads to.
async fn links(world: &World) -> Vec<String> {
    let script =
        "return [...document.querySelectorAll('a[href]')].filter((a) => a.origin === location.origin && !a.download
        && !a.hash && a.pathname.startsWith('/console')).map((a) => a.pathname + a.search)";
    let found = world.browser.script(script).await;
    let paths = found.as_array().unwrap().iter().filter_map(Value::as_str);
    let is_file = |path: &&str| {
        [".csv", "/export", ".json", ".txt"].iter().any(|end| path.split('?').next().unwrap().ends_with(end))
    };
    paths.filter(|path| !is_file(path) && !path.contains("cursor=")).map(str::to_owned).collect()
}

/// What a path is called without its ids and its query: pages of one kind look alike.
fn kind_of(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default().trim_start_matches("/console/");
    let is_id = |part: &str| part.len() >= 16 && part.bytes().any(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if is_id(part) { "one" } else { part }).collect();
    parts.join("-").trim_matches('-').to_owned()
}

/// What is seen when something is opened, sent or refused, of the tenant of the samples.
pub(crate) async fn opened(world: &World, mut look: impl AsyncFnMut(&World, &str, &str)) {
    let World { server, browser } = world;
    let acme = server.credentials["samples"][0]["tenant_id"].as_str().unwrap();
    let new = format!("/console/tenants/{acme}/applications/new");
    browser.open(&new).await;
    browser.touch("Switch tenant").await;
    browser.fill("switch-q", "acme").await;
    browser.see("Acme Headquarters").await;
    look(world, "opened-switcher", &new).await;
    browser.open(&new).await;
    browser.touch("The same by API").await;
    look(world, "opened-api-call", &new).await;
    browser.click("input[name=rights][value=own]").await;
    browser.touch("Matrix of permissions").await;
    look(world, "opened-matrix", &new).await;
    browser.open(&new).await;
    browser.fill("name", "Shown once").await;
    browser.press("Add and show the secret").await;
    browser.see("No access level is chosen").await;
    look(world, "refused-application", &new).await;
    browser.choose("access_level_id", "View All").await;
    browser.press("Add and show the secret").await;
    look(world, "shown-secret", &new).await;
    browser.press("I have stored it").await;
    browser.open("/console/account/enrol").await;
    browser.press("Set up the app").await;
    look(world, "opened-authenticator", "/console/account/authenticator").await;
    let jobs = format!("/console/tenants/{}/provisionings", server.root);
    browser.open(&jobs).await;
    browser.click("tbody th a").await;
    browser.press("Show the secret once").await;
    look(world, "shown-first-secret", &jobs).await;
    browser.press("I have stored it").await;
}

/// Pages outside, each with its name; whoever is signed in is signed out for it.
pub(crate) async fn outside(world: &World, mut look: impl AsyncFnMut(&World, &str, &str)) {
    world.browser.client.delete_all_cookies().await.unwrap();
    for path in OUTSIDE {
        world.browser.open(path).await;
        if world.browser.script("return document.querySelector('main h1') !== null").await == json!(true) {
            look(world, &kind_of(path), path).await;
        }
    }
    // What a form says about what was wrong.
    world.browser.open("/console/sign-in").await;
    world.browser.fill("email", "nobody@example.com").await;
    world.browser.fill("password", PASSWORD).await;
    world.browser.press("Sign in").await;
    look(world, "sign-in-refused", "/console/sign-in").await;
    // What people see whose tenant asks for a second factor: to prove it, and to set one up.
    for (asked, name) in [("email", "sign-in-second-factor"), ("totp", "sign-in-enrol")] {
        let body =
            json!({ "name": name, "kind": "organization", "parent_id": world.server.root, "mfa_required": asked });
        let tenant = id(&world.server.post("/v1/tenants", &body).await);
        world.server.person(&tenant, &format!("{asked}@strict.example"), SUPER_ADMIN).await;
        world.browser.sign_in(&format!("{asked}@strict.example")).await;
        look(world, name, "/console/sign-in/second-factor").await;
        world.browser.client.delete_all_cookies().await.unwrap();
    }
}
