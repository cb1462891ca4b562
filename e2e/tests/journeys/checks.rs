//! What is checked of every page: accessibility, width, weight.

use crate::browser::Browser;
use crate::furniture::furnish;
use crate::harness::{Look, World, journey, target_dir};
use crate::pages::{every_page, opened, outside};
use crate::server::Mode;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::PathBuf;

/// What a page may weigh over the wire when nothing of it is in the browser's cache.
const FIRST_VISIT_BYTES: u64 = 120 * 1024;
/// And when the assets are.
const LATER_VISIT_BYTES: u64 = 25 * 1024;

/// axe-core, as the script that it is.
fn axe() -> String {
    let folder = std::env::var_os("CLAVIGER_TEST_NODE").map_or_else(|| target_dir().join("e2e-node"), PathBuf::from);
    let file = folder.join("node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&file)
        .unwrap_or_else(|_| panic!("{} is missing: scripts/install-test-tools", file.display()))
}

/// What axe-core finds serious or critical, one line each.
async fn barriers(browser: &Browser, axe: &str) -> Vec<String> {
    if browser.script("return typeof window.axe").await == json!("undefined") {
        browser.client.execute(axe, Vec::new()).await.unwrap();
    }
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }).then((found) => done(
          found.violations.filter((one) => ['serious', 'critical'].includes(one.impact)).flatMap((one) => one.nodes.map((node) =>
            `${one.id}: ${node.target.join(' ')}: ${[...node.any, ...node.all, ...node.none].map((check) => check.message).join('; ')}`))),
          (error) => done([`axe-core failed: ${error}`]));";
    let found = browser.client.execute_async(run, Vec::new()).await.unwrap();
    found.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Every page in light and in dark, and those outside.
#[tokio::test]
async fn no_page_has_a_serious_barrier() {
    journey("barriers", Mode::Demo, Look::default(), async |world| {
        let (axe, found) = (axe(), RefCell::new(Vec::new()));
        let look = async |world: &World, name: &str, path: &str| {
            for scheme in ["light", "dark"] {
                world.browser.scheme(scheme).await;
                for barrier in barriers(&world.browser, &axe).await {
                    found.borrow_mut().push(format!("{name} in {scheme} ({path}): {barrier}"));
                }
            }
        };
        let begin = furnish(world).await;
        every_page(world, begin, look).await;
        opened(world, look).await;
        outside(world, look).await;
        let found = found.into_inner();
        assert!(found.is_empty(), "axe-core finds:\n{}", found.join("\n"));
    })
    .await;
}

/// No page is wider than the window, on a phone or on a wide screen, and none is heavier than it may be.
#[tokio::test]
async fn every_page_is_narrow_enough_and_light_enough() {
    journey("width-and-weight", Mode::Demo, Look::default(), async |world| {
        let found = RefCell::new(Vec::new());
        let look = async |world: &World, name: &str, path: &str| {
            let tell = |what: String| found.borrow_mut().push(format!("{name} ({path}): {what}"));
            for width in [320, 1_600] {
                world.browser.resize(width, 800).await;
                if let Some(what) = too_wide(&world.browser).await {
                    tell(format!("at {width} px {what}"));
                }
            }
            let later = weight(&world.browser).await;
            if later > LATER_VISIT_BYTES {
                tell(format!("{later} bytes over the wire, with the assets in the cache"));
            }
        };
        let begin = furnish(world).await;
        let first = begin.clone();
        every_page(world, begin, look).await;
        for path in first {
            world.browser.chromium("Network.clearBrowserCache", json!({})).await;
            world.browser.open(&path).await;
            let whole = weight(&world.browser).await;
            if whole > FIRST_VISIT_BYTES {
                found.borrow_mut().push(format!("{path}: {whole} bytes over the wire on the first visit"));
            }
        }
        opened(world, look).await;
        outside(world, look).await;
        let found = found.into_inner();
        assert!(found.is_empty(), "these pages are too wide or too heavy:\n{}", found.join("\n"));
    })
    .await;
}

/// What stands out of the window, if anything does.
async fn too_wide(browser: &Browser) -> Option<String> {
    let script = "const { scrollWidth } = document.scrollingElement;
        if (scrollWidth <= innerWidth) return null;
        const all = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
        const seen = all.filter((one) => !one.closest('.scroll, pre, details:not([open]) > :not(summary)'));
        const out = seen.length ? seen : all.reverse();
        return `it is ${scrollWidth} px wide because of ${out.slice(0, 3).map((one) => one.outerHTML.slice(0, 120)).join(' | ')}`;";
    browser.script(script).await.as_str().map(str::to_owned)
}

/// What came over the wire for the page that is shown.
async fn weight(browser: &Browser) -> u64 {
    let script = "return ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
        .reduce((sum, one) => sum + one.transferSize, 0)";
    let bytes = browser.script(script).await;
    let bytes = bytes.as_u64().unwrap();
    assert!(bytes > 0, "the browser tells no sizes");
    bytes
}

/// A picture of every page, for people to look at: `scripts/e2e pictures DIR`.
#[tokio::test]
#[ignore = "writes pictures, checks nothing"]
async fn pictures() {
    let folder =
        PathBuf::from(std::env::var_os("CLAVIGER_TEST_PICTURES").expect("CLAVIGER_TEST_PICTURES names a folder"));
    journey("pictures", Mode::Demo, Look::default(), async |world| {
        let look = async |world: &World, name: &str, _: &str| {
            for (width, scheme) in [(1_280, "light"), (1_280, "dark"), (320, "light"), (1_600, "light")] {
                world.browser.scheme(scheme).await;
                world.browser.resize(width, 800).await;
                let height = world.browser.script("return document.documentElement.scrollHeight").await;
                let height = u32::try_from(height.as_u64().unwrap()).unwrap().clamp(800, 4_000);
                world.browser.resize(width, height).await;
                let picture = world.browser.client.screenshot().await.unwrap();
                std::fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), picture).unwrap();
            }
            world.browser.resize(1_280, 800).await;
        };
        let begin = furnish(world).await;
        every_page(world, begin, look).await;
        opened(world, look).await;
        outside(world, look).await;
    })
    .await;
}
