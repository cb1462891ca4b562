//! A whole server on a free loopback port with a store of its own, and a client for it.
//!
//! Plain HTTP, since TLS has tests of its own; the clock stands where a test puts it and randomness repeats.

use claviger_app::App;
use claviger_app::clock::Clock;
use claviger_app::random::Random;
use claviger_domain::time::Timestamp;
use claviger_server::config::{Config, Overrides};
use claviger_server::server::Server;
use claviger_store::testing::{Guard, fresh};
use claviger_store::{Engine, Location};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where the clock stands at first.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(crate) struct Fixture {
    pub(crate) app: Arc<App>,
    pub(crate) operator: Client,
    pub(crate) root: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) location: Location,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    guard: Guard,
}

/// Another server on the store of a fixture.
pub(crate) struct Node {
    pub(crate) app: Arc<App>,
    /// The operator, by way of this server.
    pub(crate) operator: Client,
    data_dir: PathBuf,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Node {
    /// Ends the server as SIGTERM would.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.running.await.unwrap();
        std::fs::remove_dir_all(self.data_dir).unwrap();
    }

    /// The same credential, presented to this server.
    pub(crate) fn client(&self, client: &Client) -> Client {
        Client { base: self.operator.base.clone(), ..client.clone() }
    }
}

/// A credential and where to present it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) client_id: String,
    pub(crate) secret: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Runs each test on both engines.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::fixture::run(claviger_store::Engine::Sqlite, &[], super::$name).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::fixture::run(claviger_store::Engine::Postgres, &[], super::$name).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// What lets a server call this machine.
pub(crate) const OUTGOING: &[(&str, &str)] = &[("CLAVIGER_OUTGOING_ALLOWED_NETWORKS", "127.0.0.0/8")];

/// Runs each test on both engines, on a server that may call this machine.
macro_rules! on_both_outgoing {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let settings = $crate::fixture::OUTGOING;
                $crate::fixture::run(claviger_store::Engine::Sqlite, settings, super::$name).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let settings = $crate::fixture::OUTGOING;
                $crate::fixture::run(claviger_store::Engine::Postgres, settings, super::$name).await;
            })*
        }
    };
}
pub(crate) use on_both_outgoing;

/// Runs a test against a server of its own; `settings` are configuration keys in the environment's spelling.
pub(crate) async fn run<T, F>(engine: Engine, settings: &[(&str, &str)], test: T)
where
    T: FnOnce(Arc<Fixture>) -> F,
    F: Future<Output = ()>,
{
    let Some(guard) = fresh(engine).await else { return };
    let fixture = Arc::new(start(guard, settings).await);
    test(Arc::clone(&fixture)).await;
    if let Ok(fixture) = Arc::try_unwrap(fixture) {
        drop(fixture.stop().await);
    }
}

async fn start(guard: Guard, settings: &[(&str, &str)]) -> Fixture {
    if let Location::Postgres { .. } = guard.location() {
        // An earlier process of the same id may have left one behind.
        let _ = std::fs::remove_dir_all(data_dir(&guard.location()));
    }
    start_again(guard, settings, 1).await
}

fn data_dir(location: &Location) -> PathBuf {
    match location {
        Location::Sqlite { directory } => directory.clone(),
        Location::Postgres { url } => std::env::temp_dir().join(url.rsplit('/').next().unwrap()),
    }
}

/// As at first, on a store that may be there already; `seed` is another each time, so that ids differ.
pub(crate) async fn start_again(guard: Guard, settings: &[(&str, &str)], seed: u64) -> Fixture {
    let location = guard.location();
    let data_dir = data_dir(&location);
    let mut variables = vec![("CLAVIGER_TLS".to_owned(), "off".to_owned())];
    if let Location::Postgres { url } = &location {
        variables.push(("CLAVIGER_DATABASE".to_owned(), url.clone()));
    }
    variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let overrides = Overrides {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(data_dir.display().to_string()),
        credentials_file: Some(data_dir.join("credentials.json").display().to_string()),
        ..Overrides::default()
    };
    std::fs::create_dir_all(&data_dir).unwrap();
    let config = Config::load(None, variables.into_iter(), overrides).unwrap();
    let server = Server::open(config, Clock::fixed(START), Random::seeded(seed), async |_, _| Ok(())).await.unwrap();
    let (app, base) = (Arc::clone(&server.app), server.credentials.base_url.clone());
    let first = server.credentials.operator.clone().unwrap();
    let http = http();
    let operator = Client { http, base, client_id: first.client_id, secret: first.secret };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        server.serve(async { drop(stopped.await) }).await.unwrap();
    });
    let (stop, running) = (Some(stop), Some(running));
    Fixture { app, operator, root: first.tenant_id, data_dir, location, stop, running, guard }
}

/// An HTTP client with connections of its own.
pub(crate) fn http() -> reqwest::Client {
    // A second installation finds the first one, which is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Fixture {
    /// Ends the server as SIGTERM would; its store stays for as long as the guard.
    pub(crate) async fn stop(mut self) -> Guard {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
        self.guard
    }

    /// Starts another server on the same PostgreSQL, with the root key of this one.
    pub(crate) async fn join(&self, name: &str) -> Node {
        let Location::Postgres { url } = &self.location else { panic!("one server on SQLite") };
        let data_dir = self.data_dir.with_extension(name);
        std::fs::create_dir_all(&data_dir).unwrap();
        for file in ["root.key", "node"] {
            // As in a copy of the directory.
            std::fs::copy(self.data_dir.join(file), data_dir.join(file)).unwrap();
        }
        let variables = [("CLAVIGER_TLS", "off"), ("CLAVIGER_DATABASE", url)];
        let overrides = Overrides {
            listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(data_dir.display().to_string()),
            ..Overrides::default()
        };
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, variables.into_iter(), overrides).unwrap();
        let server = Server::open(config, Clock::fixed(START), Random::System, async |_, _| Ok(())).await.unwrap();
        let operator = Client { base: server.credentials.base_url.clone(), ..self.operator.clone() };
        let (app, (stop, stopped)) = (Arc::clone(&server.app), oneshot::channel::<()>());
        let running = tokio::spawn(async move {
            server.serve(async { drop(stopped.await) }).await.unwrap();
        });
        Node { app, operator, data_dir, stop, running }
    }

    /// A client with another credential.
    pub(crate) fn client(&self, client_id: &str, secret: &str) -> Client {
        Client { client_id: client_id.to_owned(), secret: secret.to_owned(), ..self.operator.clone() }
    }

    /// An organisation beneath the operator; its id and org key.
    pub(crate) async fn organization(&self, name: &str) -> (String, String) {
        let body = json!({ "name": name, "kind": "organization", "parent_id": self.root });
        let made = self.operator.post("/v1/tenants", &body).await.expect(201);
        (made["id"].as_str().unwrap().to_owned(), made["org_key"].as_str().unwrap().to_owned())
    }

    /// An application with inline grants; its id and a client that has its secret.
    pub(crate) async fn application(&self, tenant: &str, name: &str, grants: Value) -> (String, Client) {
        self.application_with(tenant, json!({ "name": name, "grants": grants })).await
    }

    /// An application of this body; its id and a client that has its secret.
    pub(crate) async fn application_with(&self, tenant: &str, body: Value) -> (String, Client) {
        let made = self.operator.post(&format!("/v1/tenants/{tenant}/applications"), &body).await.expect(201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let client = self.client(&text(&made["application"]["client_id"]), &text(&made["secret"]["text"]));
        (text(&made["application"]["id"]), client)
    }

    /// Whether a text stands in a file of the store, where the store is files of the server's own.
    pub(crate) fn files_hold(&self, text: &str) -> bool {
        let Location::Sqlite { directory } = &self.location else { return false };
        let files =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let mut held = files.map(|path| std::fs::read(path).unwrap());
        held.any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    /// The audit entries of a tenant, newest first, denials that are due among them.
    pub(crate) async fn audit(&self, tenant: &str) -> Vec<Value> {
        self.app.flush_denials().await.unwrap();
        let page = self.operator.get(&format!("/v1/tenants/{tenant}/audit?limit=1000")).await.expect(200);
        page["items"].as_array().unwrap().clone()
    }
}

impl Client {
    /// A request with this credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let token = HeaderValue::from_bytes(format!("{}/{}", self.secret, self.client_id).as_bytes()).unwrap();
        self.bare(method, path).header("X-Auth-Token", token)
    }

    /// A request without any.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// What a protecting proxy asks.
    pub(crate) async fn verify(&self, right: &str) -> Answer {
        self.get(&format!("/v1/verify?permission={right}&tenant=any")).await
    }
}

/// Sends a request and reads the answer whole.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

impl Answer {
    /// The body, if the status is the one expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The body.
    pub(crate) fn json(&self) -> Value {
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The problem's stable code, if the status is the one expected.
    #[track_caller]
    pub(crate) fn code(self, status: u16) -> String {
        let body = self.expect(status);
        body["code"].as_str().unwrap_or_else(|| panic!("no code in {body}")).to_owned()
    }
}
