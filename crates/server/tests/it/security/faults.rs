//! Faults of real processes on one PostgreSQL: killed, stopped beyond the lease, with a wrong clock, the database restarted under
//! load.

use crate::fixture::Client;
use claviger_store::testing::fresh;
use claviger_store::{Engine, Location};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A lease, and what a revoking call may take when a node is cut off; the rest is for a busy machine.
const LEASE: Duration = Duration::from_millis(5_500);
const SLACK: Duration = Duration::from_secs(3);
const RIGHT: &str = "org.audits:READ";

/// The real binary; killed when dropped.
struct Process {
    base: String,
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    async fn start(directory: &Path, url: &str) -> Self {
        let mut process = Self::launch(directory, url, None).await;
        let (deadline, http) = (Instant::now() + Duration::from_secs(60), crate::fixture::http());
        let ready = format!("{}/readyz", process.base);
        while !http.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200) {
            assert!(Instant::now() < deadline, "the server is not ready");
            assert!(process.child.try_wait().unwrap().is_none(), "the server ended at once");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// Starts it, be it ready or not; `clock` is by how much its time of day is off.
    async fn launch(directory: &Path, url: &str, clock: Option<&str>) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let file = directory.join("credentials.json");
        // Of the file of an earlier start only the operator's secret is of interest.
        let known = std::fs::read_to_string(&file).ok();
        let _ = std::fs::remove_file(&file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.join("data"));
        command.arg("--credentials-file").arg(&file).env("CLAVIGER_TLS", "off").env("CLAVIGER_DATABASE", url);
        if let Some(clock) = clock {
            command.env("LD_PRELOAD", faketime()).env("FAKETIME", clock).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            assert!(Instant::now() < deadline, "the server did not start");
            assert!(child.try_wait().unwrap().is_none(), "the server ended at once");
            let text = std::fs::read_to_string(&file).ok();
            let written = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
            if let Some(base) = written.as_ref().and_then(|written| written["base_url"].as_str()) {
                if let Some(known) = known {
                    std::fs::write(&file, known).unwrap();
                }
                return Self { base: base.to_owned(), child };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it without a word, and waits until it is gone: another one takes its directory.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn client(&self, client: &Client) -> Client {
        Client { base: self.base.clone(), ..client.clone() }
    }

    /// What this process says to a credential; none while it does not answer.
    async fn status(&self, client: &Client) -> Option<StatusCode> {
        let request =
            self.client(client).request(reqwest::Method::GET, &format!("/v1/verify?permission={RIGHT}&tenant=any"));
        request.timeout(Duration::from_secs(2)).send().await.ok().map(|answer| answer.status())
    }

    /// Waits until this process says that to a credential, and makes sure that it never says `never`.
    async fn says(&self, client: &Client, expected: u16, never: Option<u16>) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let status = self.status(client).await.map(|status| status.as_u16());
            assert!(never.is_none() || status != never, "{status:?} was said");
            if status == Some(expected) {
                return;
            }
            assert!(Instant::now() < deadline, "{status:?} is said, not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Two processes, each with a data directory, and the operator.
struct Pair {
    directory: PathBuf,
    url: String,
    one: Process,
    two: Process,
    operator: Client,
    root: String,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Pair {
    async fn start(name: &str, url: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("claviger-faults-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let one = Process::start(&directory.join("one"), url).await;
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(directory.join("one/credentials.json")).unwrap()).unwrap();
        let text = |name: &str| known["operator"][name].as_str().unwrap().to_owned();
        let (client_id, secret) = (text("client_id"), text("secret"));
        let operator = Client { http: crate::fixture::http(), base: one.base.clone(), client_id, secret };
        // As the operator adds one: a copy of the first one's directory.
        std::fs::create_dir_all(directory.join("two")).unwrap();
        let copied =
            Command::new("cp").arg("-a").arg(directory.join("one/data")).arg(directory.join("two/data")).status();
        assert!(copied.unwrap().success());
        let two = Process::start(&directory.join("two"), url).await;
        Self { directory, url: url.to_owned(), one, two, operator, root: text("tenant_id") }
    }

    async fn application(&self, name: &str) -> (String, Client) {
        let body = json!({"name": name, "grants": {"org.audits": ["READ"]}});
        let made = self.operator.post(&format!("/v1/tenants/{}/applications", self.root), &body).await.expect(201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let path = format!("/v1/tenants/{}/applications/{}", self.root, text(&made["application"]["id"]));
        let (client_id, secret) = (text(&made["application"]["client_id"]), text(&made["secret"]["text"]));
        (path, Client { client_id, secret, ..self.operator.clone() })
    }
}

/// The library that tells a process another time.
fn faketime() -> PathBuf {
    let found =
        std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    found.into_iter().find(|path| path.exists()).expect("libfaketime: scripts/install-test-tools installs it")
}

macro_rules! database {
    () => {{
        let Some(guard) = fresh(Engine::Postgres).await else { return };
        let Location::Postgres { url } = guard.location() else { panic!("not PostgreSQL") };
        (guard, url)
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_stopped_beyond_its_lease_refuses_until_it_has_confirmed() {
    let (_guard, url) = database!();
    let pair = Pair::start("stopped", &url).await;
    let (path, revoked) = pair.application("Revoked").await;
    let (_, kept) = pair.application("Kept").await;
    for client in [&revoked, &kept] {
        assert_eq!(pair.two.status(client).await.unwrap(), 204);
    }
    pair.two.signal("-STOP");
    let began = Instant::now();
    let answer = pair.operator.delete(&path).await;
    assert!(answer.header("claviger-lapsed").is_some(), "{:?}", answer.headers);
    answer.expect(204);
    assert!(began.elapsed() < LEASE + SLACK, "{:?}", began.elapsed());
    // Asked while it is stopped, so that the answer is the first thing that it does.
    let (client, two) = (revoked.clone(), pair.two.base.clone());
    let asked = tokio::spawn(async move {
        let client = Client { base: two, ..client };
        client.verify(RIGHT).await.status.as_u16()
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    pair.two.signal("-CONT");
    let first = asked.await.unwrap();
    assert!(matches!(first, 401 | 403), "{first} by a process that was stopped");
    pair.two.says(&revoked, 401, Some(204)).await;
    pair.two.says(&kept, 204, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_what_was_revoked_stays_so_when_all_nodes_are_killed() {
    let (_guard, url) = database!();
    let mut pair = Pair::start("killed", &url).await;
    let (path, revoked) = pair.application("Revoked").await;
    let (second_path, second) = pair.application("Second").await;
    let (_, kept) = pair.application("Kept").await;
    assert_eq!(pair.two.status(&revoked).await.unwrap(), 204);
    pair.two.kill();
    let began = Instant::now();
    pair.operator.delete(&path).await.expect(204);
    assert!(began.elapsed() < LEASE + SLACK, "{:?}", began.elapsed());
    // Back in its own place: nobody waits for the process that was killed.
    pair.two = Process::start(&pair.directory.join("two"), &pair.url).await;
    pair.two.says(&revoked, 401, Some(204)).await;
    pair.operator.delete(&second_path).await.expect(204);
    assert_eq!(pair.two.status(&second).await.unwrap(), 401);
    pair.one.kill();
    pair.two.kill();
    pair.two = Process::start(&pair.directory.join("two"), &pair.url).await;
    for client in [&revoked, &second] {
        assert_eq!(pair.two.status(client).await.unwrap(), 401);
    }
    assert_eq!(pair.two.status(&kept).await.unwrap(), 204);
    pair.one = Process::start(&pair.directory.join("one"), &pair.url).await;
    for client in [&revoked, &second] {
        assert_eq!(pair.one.status(client).await.unwrap(), 401);
    }
    assert_eq!(pair.one.status(&kept).await.unwrap(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_off_says_not_ready_and_refuses() {
    let (_guard, url) = database!();
    let mut pair = Pair::start("skewed", &url).await;
    let (_, kept) = pair.application("Kept").await;
    assert_eq!(pair.two.status(&kept).await.unwrap(), 204);
    for clock in ["+90s", "-90s"] {
        pair.two.kill();
        pair.two = Process::launch(&pair.directory.join("two"), &pair.url, Some(clock)).await;
        let two = pair.two.client(&kept);
        for _ in 0..20 {
            assert_ne!(pair.two.status(&kept).await.unwrap(), 204, "{clock}");
        }
        two.get("/v1/whoami").await.expect(503);
        let said = two.get("/readyz").await;
        assert!(said.status == 503 && said.text.contains("clock"), "{clock}: {}", said.text);
        // It keeps nobody else from anything.
        assert_eq!(pair.one.status(&kept).await.unwrap(), 204);
        let (path, revoked) = pair.application(&format!("Revoked {clock}")).await;
        pair.operator.delete(&path).await.expect(204);
        assert_eq!(pair.one.status(&revoked).await.unwrap(), 401);
    }
    pair.two.kill();
    pair.two = Process::start(&pair.directory.join("two"), &pair.url).await;
    pair.two.says(&kept, 204, None).await;
}

fn script(arguments: &[&str]) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
    let ran = Command::new(script).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    ran.status.success().then(|| String::from_utf8(ran.stdout).unwrap())
}

/// A PostgreSQL of the test's own, stopped when dropped.
struct Database {
    url: String,
    directory: String,
}

impl Database {
    fn start() -> Option<Self> {
        let text = script(&["start"])?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")))?;
            Some(line.to_owned())
        };
        Some(Self { url: value("CLAVIGER_TEST_POSTGRES")?, directory: value("CLAVIGER_TEST_POSTGRES_DIR")? })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = script(&["stop", &self.directory]);
    }
}

/// V1, V14: the database is restarted under load. Callers are served meanwhile, nothing that was acknowledged is lost, and
/// everything is as before by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_database_under_load_is_bridged() {
    if std::env::var_os(claviger_store::testing::POSTGRES).is_none() {
        eprintln!("skipped: no PostgreSQL");
        return;
    }
    let database = Database::start().expect("a PostgreSQL of its own");
    let pair = Arc::new(Pair::start("restart", &database.url).await);
    let (_, kept) = pair.application("Kept").await;
    let stop = Arc::new(AtomicBool::new(false));
    let calling: Vec<_> = [&pair.one, &pair.two]
        .map(|process| {
            let (client, stop) = (process.client(&kept), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut refused = 0;
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.verify(RIGHT).await;
                    calls += 1;
                    refused += usize::from(answer.status != 204);
                    assert!(matches!(answer.status.as_u16(), 204 | 403), "{}: {}", answer.status, answer.text);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                (calls, refused)
            })
        })
        .into();
    let revoking = {
        let (pair, stop) = (Arc::clone(&pair), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let body = json!({"name": format!("R{number}"), "grants": {"org.audits": ["READ"]}});
                let path = format!("/v1/tenants/{}/applications", pair.root);
                let made = pair.operator.post(&path, &body).await;
                if made.status != 201 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                let made = made.json();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let (client_id, secret) = (text(&made["application"]["client_id"]), text(&made["secret"]["text"]));
                let client = Client { client_id, secret, ..pair.operator.clone() };
                let deleted = pair.operator.delete(&format!("{path}/{}", text(&made["application"]["id"]))).await;
                if deleted.status == 204 {
                    for process in [&pair.one, &pair.two] {
                        let status = process.status(&client).await;
                        assert!(status.is_none_or(|status| status != 204), "accepted after it was revoked");
                    }
                    acknowledged.push(client);
                }
            }
            acknowledged
        })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    let began = Instant::now();
    script(&["restart", &database.directory]).expect("restarted");
    let away = began.elapsed();
    for process in [&pair.one, &pair.two] {
        process.says(&kept, 204, None).await;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while pair.operator.get(&format!("/v1/tenants/{}", pair.root)).await.status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop.store(true, Ordering::Relaxed);
    for calling in calling {
        let (calls, refused) = calling.await.unwrap();
        assert!(calls > 20);
        assert!(away > Duration::from_secs(3) || refused == 0, "{refused} of {calls} refused in {away:?}");
    }
    let acknowledged = revoking.await.unwrap();
    assert!(!acknowledged.is_empty());
    for client in &acknowledged {
        for process in [&pair.one, &pair.two] {
            assert_eq!(process.status(client).await.unwrap(), 401);
        }
    }
}
