//! A journey: a server of its own and a browser of its own, and what is kept of them when it fails.

use crate::browser::Browser;
use crate::server::{Mode, Server};
use futures_util::FutureExt as _;
use std::fs;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};

/// The password of everybody in the journeys.
pub(crate) const PASSWORD: &str = "wandering otters polish quiet lanterns";

/// What a journey walks through.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) browser: Browser,
}

/// How the browser is started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// With scripts switched off.
    pub(crate) no_script: bool,
}

/// The folder that cargo builds into: this file runs from its `debug/deps`.
pub(crate) fn target_dir() -> PathBuf {
    let running = std::env::current_exe().expect("the path of the running test");
    running.ancestors().nth(3).expect("a target folder").to_owned()
}

/// Where the journey keeps its things; they are removed when it ends well.
fn folder_of(name: &str) -> PathBuf {
    let folder = target_dir().join("e2e").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Walks a journey. Afterwards everything that was started has ended; when it failed, a screenshot, the page and the logs stay
/// under `target/e2e/NAME`.
pub(crate) async fn journey(name: &str, mode: Mode, look: Look, walk: impl AsyncFnOnce(&World)) {
    let folder = folder_of(name);
    let server = Server::start(&folder, mode).await;
    let browser = Browser::start(&folder, &server, look).await;
    let world = World { server, browser };
    let outcome = AssertUnwindSafe(walk(&world)).catch_unwind().await;
    if outcome.is_err() {
        keep(&world, &folder).await;
    }
    world.browser.end().await;
    world.server.end().await;
    match outcome {
        Ok(()) => fs::remove_dir_all(&folder).unwrap(),
        Err(panic) => resume_unwind(panic),
    }
}

/// Keeps what the browser shows.
async fn keep(world: &World, folder: &Path) {
    if let Ok(picture) = world.browser.client.screenshot().await {
        let _ = fs::write(folder.join("page.png"), picture);
    }
    if let (Ok(source), Ok(url)) = (world.browser.client.source().await, world.browser.client.current_url().await) {
        let _ = fs::write(folder.join("page.html"), format!("<!-- {url} -->\n{source}"));
    }
    eprintln!("what the browser showed last is kept in {}", folder.display());
}
