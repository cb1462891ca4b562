//! The server under the browser: the real binary, with a data directory and a private CA of its own.

use crate::children::{self, free_port};
use crate::harness::{PASSWORD, target_dir};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tokio::process::{Child, Command};

/// The built-in access level that makes an owner.
pub(crate) const SUPER_ADMIN: &str = "Super Admin";

/// What the server starts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An empty store.
    Serve,
    /// Sample tenants, levels and applications.
    Demo,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// What proves who calls the API.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) client_id: String,
    pub(crate) secret: String,
}

impl Credential {
    /// The credential of an application that was just made.
    pub(crate) fn of(made: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { client_id: text(&made["application"]["client_id"]), secret: text(&made["secret"]["text"]) }
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it is.
    pub(crate) base: String,
    /// The operator's tenant.
    pub(crate) root: String,
    /// The operator's first application.
    pub(crate) operator: Credential,
    /// The credentials file.
    pub(crate) credentials: Value,
    folder: PathBuf,
}

/// The binary: what `CLAVIGER_BIN` names, or what was built beside the test.
fn binary() -> PathBuf {
    let found = std::env::var_os("CLAVIGER_BIN").map_or_else(|| target_dir().join("debug/claviger"), PathBuf::from);
    assert!(found.is_file(), "{} is missing: `cargo build` makes it, or set CLAVIGER_BIN", found.display());
    found
}

impl Server {
    /// Starts it, and waits until it answers.
    pub(crate) async fn start(folder: &Path, mode: Mode) -> Self {
        let port = free_port();
        let base = format!("https://localhost:{port}");
        let log = File::create(folder.join("server.log")).unwrap();
        let file = folder.join("credentials.json");
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLAVIGER_")) {
            command.env_remove(name);
        }
        command
            .arg(if mode == Mode::Demo { "demo" } else { "serve" })
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--credentials-file")
            .arg(&file)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("CLAVIGER_PUBLIC_URL", &base)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        children::until("the server has started", async || {
            assert!(child.try_wait().unwrap().is_none(), "the server ended: {}", read(&folder.join("server.log")));
            read(&folder.join("server.log")).contains("listens on").then_some(())
        })
        .await;
        let credentials: Value = serde_json::from_str(&read(&file)).unwrap();
        let text = |name: &str| credentials["operator"][name].as_str().unwrap().to_owned();
        let operator = Credential { client_id: text("client_id"), secret: text("secret") };
        let server = Self { child, base, root: text("tenant_id"), operator, credentials, folder: folder.to_owned() };
        children::until("the server answers", async || (server.try_get("/v1/whoami").await == 200).then_some(())).await;
        server
    }

    /// Ends it as an operator would.
    pub(crate) async fn end(self) {
        children::end(self.child).await;
    }

    /// What it has printed.
    pub(crate) fn printed(&self) -> String {
        read(&self.folder.join("server.log"))
    }

    /// The certificate of its private CA.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.credentials["ca_file"].as_str().unwrap().into()
    }

    async fn try_get(&self, path: &str) -> u16 {
        self.curl(&self.operator, "GET", path, None).await.status
    }

    /// Calls the API over HTTPS with a credential.
    pub(crate) async fn curl(&self, by: &Credential, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut command = Command::new("curl");
        command.args(["-sS", "-X", method, "-w", "\n%{http_code}", "--cacert"]).arg(self.ca_file());
        command.args(["-H", &format!("X-Auth-Token: {}/{}", by.secret, by.client_id)]);
        if let Some(body) = body {
            command.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        }
        let output = command.arg(format!("{}{path}", self.base)).output().await.expect("curl is missing");
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        Answer { status: status.parse().unwrap(), body }
    }

    /// Reads as the operator.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.curl(&self.operator, "GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Makes or does something as the operator.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.curl(&self.operator, "POST", path, Some(body)).await;
        assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        answer.body
    }

    /// Whether a credential may do `permission` now.
    pub(crate) async fn verifies(&self, by: &Credential, permission: &str) -> bool {
        let answer = self.curl(by, "GET", &format!("/v1/verify?permission={permission}&tenant=any"), None).await;
        answer.status == 204
    }

    /// Makes a tenant.
    pub(crate) async fn tenant(&self, parent: &str, name: &str, kind: &str) -> String {
        let body = json!({ "name": name, "kind": kind, "parent_id": parent });
        id(&self.post("/v1/tenants", &body).await)
    }

    /// The id of an access level of a tenant, by its name.
    pub(crate) async fn level(&self, tenant: &str, name: &str) -> String {
        let levels = self.get(&format!("/v1/tenants/{tenant}/access-levels?limit=200")).await;
        let found = levels["items"].as_array().unwrap().iter().find(|level| level["name"] == name);
        id(found.unwrap_or_else(|| panic!("no access level {name} in {levels}")))
    }

    /// Makes an access level that may read the audit record.
    pub(crate) async fn auditor(&self, tenant: &str) -> String {
        let body =
            json!({ "name": "Auditor", "description": "Reads the record", "grants": { "org.audits": ["READ"] } });
        id(&self.post(&format!("/v1/tenants/{tenant}/access-levels"), &body).await)
    }

    /// Makes an application; the answer of the call.
    pub(crate) async fn application(&self, tenant: &str, name: &str, level: &str) -> Value {
        let body = json!({ "name": name, "access_level_id": level });
        self.post(&format!("/v1/tenants/{tenant}/applications"), &body).await
    }

    /// Makes a person who has chosen [`PASSWORD`] and holds a built-in level.
    pub(crate) async fn person(&self, tenant: &str, email: &str, level: &str) {
        let level = self.level(&self.root, level).await;
        let body = json!({ "email": email, "first_name": "Ada", "last_name": "Example", "access_level_ids": [level] });
        self.post(&format!("/v1/tenants/{tenant}/users"), &body).await;
        let token = self.mail(email, "/people/invitation#").await.link_token();
        self.post("/v1/invitations/accept", &json!({ "token": token, "password": PASSWORD })).await;
    }

    /// The newest mail to somebody that says `said`; waits until it is there.
    pub(crate) async fn mail(&self, to: &str, said: &str) -> Mail {
        let folder = self.folder.join("data/mail/new");
        let found = async || {
            let mut paths: Vec<_> = fs::read_dir(&folder).ok()?.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            let mails = paths.iter().rev().map(|path| read(path).replace("\r\n", "\n"));
            let wanted = |text: &String| text.contains(&format!("To: {to}")) && text.contains(said);
            mails.into_iter().find(wanted).map(|text| Mail { text })
        };
        children::until(&format!("there is a mail to {to} that says {said}"), found).await
    }
}

/// A mail that was sent.
pub(crate) struct Mail {
    text: String,
}

impl Mail {
    /// The link in it.
    pub(crate) fn link(&self) -> String {
        self.text.lines().find(|line| line.contains("://")).expect("a link in the mail").trim().to_owned()
    }

    /// The token of the link in it.
    pub(crate) fn link_token(&self) -> String {
        self.link().split_once('#').expect("a token in the link").1.to_owned()
    }
}

/// The id of what the API has answered.
pub(crate) fn id(found: &Value) -> String {
    let found = found.get("application").unwrap_or(found);
    found["id"].as_str().unwrap_or_else(|| panic!("no id in {found}")).to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
