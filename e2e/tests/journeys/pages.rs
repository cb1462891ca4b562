//! Every page that there is: found by following links, so that a new page is looked at without being named here.

use crate::harness::{PASSWORD, World};
use crate::server::{SUPER_ADMIN, id};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

/// A name as long as they come, without a place to break it.
const LONG_NAME: &str = "Middle-European-Security-Operations-and-Incident-Response-Centre_of_the_United_Regional_Savings_Banks_and_Building_Soc";

/// Pages for whoever has not signed in.
pub(crate) const OUTSIDE: &[&str] = &[
    "/console/sign-in",
    "/console/sign-in/forgotten",
    "/console/first-person",
    "/people/invitation",
    "/people/password-reset",
    "/people/email-change",
];

/// Fills the demo's store with what makes pages hard, and signs in as its owner. Answers where to begin.
pub(crate) async fn furnish(World { server, browser }: &World) -> Vec<String> {
    let acme = server.credentials["samples"][0]["tenant_id"].as_str().unwrap().to_owned();
    let level = server.auditor(&acme).await;
    let long = id(&server.application(&acme, LONG_NAME, &level).await);
    let org = server.tenant(&server.root, LONG_NAME, "organization").await;
    server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
    let body = json!({ "email": "a.person.with.a.rather.long.address.in.many.parts@subsidiary.of.a.large.example.com",
        "first_name": "Wolfeschlegelsteinhausenbergerdorff", "last_name": "Featherstonehaugh-Cholmondeley" });
    let _ = server.curl(&server.operator, "POST", &format!("/v1/tenants/{acme}/users"), Some(&body)).await;
    browser.sign_in("ada@example.com").await;
    let at = |tenant: &str, rest: &str| format!("/console/tenants/{tenant}{rest}");
    let mut begin = vec![
        at(&acme, &format!("/applications/{long}")),
        at(&acme, "/applications"),
        at(&acme, ""),
        at(&server.root, ""),
        at(&org, ""),
        "/console/account".to_owned(),
        "/console/switch".to_owned(),
        "/console/step-up".to_owned(),
        at(&acme, "/nothing-here"),
    ];
    begin.extend(
        ["/applications", "/access-levels", "/people", "/tenants", "/audit", "/usage"].map(|rest| at(&org, rest)),
    );
    begin
}

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
        if is_page != json!(true)
            || (world.browser.path().await != path.split('?').next().unwrap_or_default() && !begun)
        {
            continue;
        }
        let name = if known { format!("{kind}-{}", seen.len()) } else { kind };
        look(world, &name, &path).await;
        waiting.extend(links(world).await.into_iter().map(|path| (path, false)));
    }
    assert!(kinds.len() > 8, "only these pages were found: {kinds:?}");
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
}
