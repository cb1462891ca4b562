//! Every page as a person is shown it, to the letter and the same on both engines; and that none of them is forgotten.

use super::browser::Browser;
use super::world::{FILES, PAGES, Page, World};
use crate::fixture::{Fixture, on_both};
use claviger_api::kit::Api;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

on_both!(pages_are_as_they_were, every_page_has_a_snapshot_or_a_reason);

/// Routes that are no pages, and pages that have no snapshot, with the reason.
const OTHERS: &[(&str, &str)] = &[
    ("/console", "leads on"),
    ("/console/", "leads on"),
    ("/console/{*rest}", "there is nothing"),
    ("/console/ca.pem", "a file, where clients have to be told of an authority"),
    ("/console/assets/{*rest}", "there is nothing"),
    ("/console/tenants/{tenant_id}/access-levels/{id}/export", "a file, and no table"),
    ("/console/tenants/{tenant_id}/operator", "says which engine there is, and how far its clock is off"),
    ("/console/tenants/{tenant_id}/operator/nodes", "says how a server stands at the moment"),
    ("/console/tenants/{tenant_id}/operator/configuration", "says where the server of the test listens and stores"),
];

/// What differs from run to run, and what stands in its place; ids are numbered, so that it can be seen which are the same.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let masks = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "id"),
        (r"clv_[A-Za-z0-9_…-]+", "credential"),
        (r"\b[0-9a-f]{128}\b", "signature"),
        (r"\b[0-9a-f]{64}\b", "hash"),
        (r"\b[0-9a-f]{32}\b", "request"),
        (r"\b[0-9a-f]{16}\b", "key"),
        (r"127\.0\.0\.1:[0-9]+", "host"),
    ];
    masks.into_iter().map(|(pattern, word)| (Regex::new(pattern).unwrap(), word)).collect()
});

/// The main part of a page, without what differs from run to run, and with a beginning of the matrix of rights alone.
fn shown(html: &str) -> String {
    let main = html.split_once("<main").unwrap().1.split_once('>').unwrap().1.split_once("</main>").unwrap().0;
    let mut text = match main.split_once("<fieldset id=\"grants\"") {
        Some((before, matrix)) => {
            let (matrix, after) = matrix.split_once("</fieldset>").unwrap();
            let first = matrix.split_inclusive("</tbody>").next().unwrap();
            format!("{before}<fieldset id=\"grants\"{first}\n…\n</fieldset>{after}")
        }
        None => main.to_owned(),
    };
    for (pattern, word) in MASKS.iter() {
        let mut known = BTreeMap::new();
        let masked = pattern.replace_all(&text, |found: &regex::Captures<'_>| {
            let next = known.len() + 1;
            format!("[{word} {}]", known.entry(found[0].to_owned()).or_insert(next))
        });
        text = masked.into_owned();
    }
    text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

async fn pages_are_as_they_were(f: Arc<Fixture>) {
    let world = World::begin(&f, &|word| word.to_owned()).await;
    let snapshot = |page: &&Page| !OTHERS.iter().any(|(route, _)| *route == page.route);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut changed = Vec::new();
    for page in PAGES.iter().filter(snapshot) {
        let html = world.browser(page.who).page(&world.path(page)).await;
        assert_eq!(html.matches("<h1").count(), 1, "{}", page.name);
        let text = shown(&html.replace(world.id("org_key"), "[org key]"));
        // All that has changed is told at once.
        let check = || settings.bind(|| insta::assert_snapshot!(page.name, text));
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err() {
            changed.push(page.name);
        }
    }
    assert!(changed.is_empty(), "look at these with `cargo insta review`, or set INSTA_UPDATE=always: {changed:?}");
}

async fn every_page_has_a_snapshot_or_a_reason(f: Arc<Fixture>) {
    let api = Api::new(Arc::clone(&f.app), Arc::new([]));
    let router = format!("{:?}", claviger_console::router(api, claviger_console::Configuration::default()));
    let is_route = |text: &&str| text.starts_with("/console") || text.starts_with("/people/");
    let routes: Vec<_> = router.split('"').filter(is_route).collect();
    assert!(routes.len() > PAGES.len() / 2, "{router}");
    let browser = Browser::new(&f);
    let mut forgotten = Vec::new();
    for route in &routes {
        let known = PAGES.iter().chain(FILES).any(|page| page.route == *route)
            || OTHERS.iter().any(|(other, _)| other == route)
            || route.starts_with("/console/assets/");
        let segments = route.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
        let path = segments.collect::<Vec<_>>().join("/");
        // Where a form is sent to and nothing is to be read.
        if !known && browser.get(&path).await.status != 405 {
            forgotten.push(route);
        }
    }
    assert!(forgotten.is_empty(), "neither a snapshot nor a reason: {forgotten:?}");
    let gone: Vec<_> = PAGES.iter().chain(FILES).map(|page| page.route).filter(|page| !routes.contains(page)).collect();
    assert!(gone.is_empty(), "no routes any more: {gone:?}");
}
