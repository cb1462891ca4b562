//! The browser: Chromium, driven through ChromeDriver.

use crate::children::{self, free_port, until};
use crate::harness::{Look, PASSWORD};
use crate::server::Server;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;
use tokio::process::{Child, Command};
use url::{ParseError, Url};

/// A running browser with one window.
pub(crate) struct Browser {
    driver: Child,
    /// For what has no word here.
    pub(crate) client: Client,
    base: String,
}

/// A command that the driver knows and fantoccini does not.
#[derive(Debug)]
struct Raw {
    path: String,
    body: Value,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Starts it.
    pub(crate) async fn start(folder: &Path, server: &Server, look: Look) -> Self {
        let port = free_port();
        let log = File::create(folder.join("chromedriver.log")).unwrap();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let driver = command.spawn().expect("chromedriver is missing: scripts/install-test-tools");
        let mut flags = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--force-color-profile=srgb".into(),
            "--window-size=1280,900".into(),
            "--lang=en".into(),
            format!("--user-data-dir={}", folder.join("profile").display()),
            // The server's own key and no other: whatever else had a bad certificate would still be refused.
            format!("--ignore-certificate-errors-spki-list={}", key_of(server).await),
        ];
        if look.no_script {
            flags.push("--blink-settings=scriptEnabled=false".into());
        }
        let capabilities = json!({
            "browserName": "chrome",
            "unhandledPromptBehavior": "accept",
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let url = format!("http://127.0.0.1:{port}");
        let client = until("the browser has started", async || {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone()).connect(&url).await.ok()
        })
        .await;
        Self { driver, client, base: server.base.clone() }
    }

    /// Ends it.
    pub(crate) async fn end(self) {
        let _ = self.client.close().await;
        children::end(self.driver).await;
    }

    /// A command beneath the session's path.
    pub(crate) async fn command(&self, path: &str, body: Value) -> Value {
        self.client.issue_cmd(Raw { path: path.to_owned(), body }).await.unwrap()
    }

    /// A command of Chromium's own protocol.
    pub(crate) async fn chromium(&self, method: &str, params: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": method, "params": params })).await
    }

    /// Lets the page be so many pixels wide.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Lets the page be dark or light.
    pub(crate) async fn scheme(&self, scheme: &str) {
        // Colours that are still on their way to others would be taken for what they are not.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }, still] });
        self.chromium("Emulation.setEmulatedMedia", feature).await;
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Goes to a page.
    pub(crate) async fn open(&self, path: &str) {
        let url = if path.starts_with("https://") { path.to_owned() } else { format!("{}{path}", self.base) };
        self.client.goto(&url).await.unwrap();
    }

    /// The path of the page that is shown.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Everything that can be read in the page that is shown.
    pub(crate) async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.unwrap();
        body.text().await.unwrap()
    }

    /// Waits until the page says this.
    pub(crate) async fn see(&self, wanted: &str) {
        until(&format!("the page says {wanted:?}"), async || {
            // The page may be just about to be replaced.
            let body = self.client.find(Locator::Css("body")).await.ok()?;
            body.text().await.ok()?.contains(wanted).then_some(())
        })
        .await;
    }

    /// Waits until there is such an element.
    pub(crate) async fn find(&self, css: &str) -> Element {
        until(&format!("there is {css}"), async || self.client.find(Locator::Css(css)).await.ok()).await
    }

    /// Types into a field, in place of what it held.
    pub(crate) async fn fill(&self, id: &str, text: &str) {
        let field = self.find(&format!("#{id}")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses an option of a field by what it says.
    pub(crate) async fn choose(&self, id: &str, label: &str) {
        self.find(&format!("#{id}")).await.select_by_label(label).await.unwrap();
    }

    /// What a field holds.
    pub(crate) async fn value(&self, id: &str) -> String {
        self.find(&format!("#{id}")).await.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Clicks what such a selector finds.
    pub(crate) async fn click(&self, css: &str) {
        let found = self.find(css).await;
        found.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// Clicks the link or button that says this, and waits until the page is another.
    pub(crate) async fn press(&self, words: &str) {
        let before = self.find("html").await;
        self.touch(words).await;
        until(&format!("another page comes after {words:?}"), async || before.tag_name().await.is_err().then_some(()))
            .await;
        self.find("main").await;
    }

    /// Clicks the link or button that says this.
    pub(crate) async fn touch(&self, words: &str) {
        // Some begin with words for those who cannot see where they stand.
        let says = format!("normalize-space()={words:?} or normalize-space(text()[last()])={words:?}");
        let path = format!("//*[self::a or self::button or self::summary][{says}]");
        let find = async || {
            let found = self.client.find_all(Locator::XPath(&path)).await.ok()?;
            for one in found {
                if one.is_displayed().await.unwrap_or_default() {
                    return Some(one);
                }
            }
            None
        };
        let found = until(&format!("something to click says {words:?}"), find).await;
        found.click().await.unwrap_or_else(|error| panic!("{words:?} cannot be clicked: {error}"));
    }

    /// Signs in by the form.
    pub(crate) async fn sign_in(&self, email: &str) {
        self.open("/console/sign-in").await;
        self.fill("email", email).await;
        self.fill("password", PASSWORD).await;
        self.press("Sign in").await;
    }
}

/// What Chromium knows the server's key by: the hash of its public key.
async fn key_of(server: &Server) -> String {
    let address = server.base.trim_start_matches("https://");
    let script = format!(
        "openssl s_client -connect {address} -servername localhost </dev/null 2>/dev/null | openssl x509 -pubkey -noout \
         | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64"
    );
    let output = Command::new("sh").args(["-c", &script]).output().await.unwrap();
    let key = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert_eq!(key.len(), 44, "openssl did not tell the server's key");
    key
}
