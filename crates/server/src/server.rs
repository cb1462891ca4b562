//! The server put together: store, keys, app, edge. What `serve` and `demo` have in common.

use crate::app_metrics;
use crate::commands::Failure;
use crate::config::{Config, TlsMode};
use crate::credentials::{Credentials, Operator};
use crate::data_dir::DataDir;
use crate::edge::{self, Edge, Express};
use crate::metrics::{self, Counters};
use crate::probe;
use crate::root_key::{self, Found};
use crate::tls::{self, TlsReloader};
use axum::Router;
use claviger_api::kit::{Api, InstanceHosts};
use claviger_app::clock::Clock;
use claviger_app::live::tokens::TokenSettings;
use claviger_app::nodes::Identity;
use claviger_app::outgoing::Outgoing;
use claviger_app::random::Random;
use claviger_app::setup::FirstStart;
use claviger_app::text_keys::{self, TextKeys};
use claviger_app::{App, Parts};
use claviger_console::Configuration;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::network::Network;
use claviger_domain::outgoing::Allowance;
use claviger_store::{Location, Options, Store};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often certificates are looked at again.
const CERTIFICATES_EACH: Duration = Duration::from_secs(5);

/// Name of the file of revocations in the data directory.
pub(crate) const REVOCATIONS: &str = "revocations";

/// A server that is ready to serve.
pub struct Server {
    /// The verbs.
    pub app: Arc<App>,
    /// What the credentials file says, or would say.
    pub credentials: Credentials,
    /// Whether this start set the store up.
    pub first_start: bool,
    config: Config,
    listener: TcpListener,
    tls: Option<Arc<TlsReloader>>,
    authority: Option<Arc<str>>,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    background: JoinHandle<()>,
    _data_dir: DataDir,
}

/// What does not go through the router.
fn express(api: Api) -> Express {
    let exchanges = api.clone();
    Express {
        at_once: Box::new(move |head| claviger_api::answer_at_once(&api, head)),
        whole: Box::new(move |request| claviger_api::answer_exchange(&exchanges, request)),
    }
}

impl Server {
    /// Opens everything; nothing is served yet, but connections are queued. `furnish` is called after a first start, before
    /// the credentials file is written.
    ///
    /// # Errors
    /// In words for the operator.
    pub async fn open(
        config: Config,
        clock: Clock,
        random: Random,
        furnish: impl AsyncFnOnce(&Arc<App>, &mut Credentials) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let data_dir = DataDir::hold(&config.data_dir).map_err(Failure)?;
        let known = match &config.credentials_file {
            Some(path) => Credentials::read(path).map_err(Failure)?,
            None => Credentials::default(),
        };
        let listener = edge::bind(config.listen).map_err(|error| Failure(format!("{}: {error}", config.listen)))?;
        let listening = listener.local_addr().map_err(|error| Failure(error.to_string()))?;
        let tls = open_tls(&config, &clock)?;
        let authority = authority(&config, tls.as_deref())?;
        let Found { key: root_key, made } = root_key::find(&config, &random).map_err(Failure)?;
        let catalogue = load_catalogue(&config)?;
        let store = open_store(&config).await?;
        for name in store.migrate().await.map_err(failed)? {
            tracing::info!(name, "migration applied");
        }
        let text_keys = TextKeys::open(Some(config.data_dir.join(text_keys::FILE))).map_err(failed)?;
        let identity = identity(&config, tls.as_deref(), listening, &random)?;
        let app = App::open_as(Parts { store, catalogue, root_key, text_keys, clock, random }, identity)
            .await
            .map_err(|error| not_opened(error, made.as_deref()))?;
        let mut credentials = Credentials {
            base_url: base_url(&config, tls.as_deref(), listening),
            ca_file: ca_file(&config, tls.as_deref()),
            ..known
        };
        if let Some(path) = &config.credentials_file {
            // Before anything is made, so that a place that cannot be written to loses no secret.
            Credentials::try_place(path).map_err(Failure)?;
        }
        let made = app.set_up().await.map_err(failed)?;
        let first_start = made.is_some();
        if let Some(made) = made {
            credentials.operator = Some(operator(made));
            credentials.samples.clear();
            app.load_tree().await.map_err(failed)?;
            furnish(&app, &mut credentials).await?;
        }
        if let Some(path) = &config.credentials_file {
            credentials.write(path).map_err(Failure)?;
            if credentials.operator.is_none() {
                tracing::warn!(
                    file = %path.display(),
                    "the store was set up before, so this file has no operator: its secret was shown at the first start"
                );
            }
        }
        let rhythm = config.rhythm().map_err(failed)?;
        let settings = TokenSettings { issuer: credentials.base_url.trim_end_matches('/').to_owned(), rhythm };
        app.open_outgoing(open_outgoing(&config)?).map_err(failed)?;
        let (sender, carrier) = crate::mail::open(&config)?;
        app.open_mail(sender, carrier).map_err(failed)?;
        app.open_tokens(settings).await.map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let background = tokio::spawn(Arc::clone(&app).run_background(stopping));
        let mut server = Self {
            app,
            credentials,
            first_start,
            config,
            listener,
            tls,
            authority,
            counters: Arc::default(),
            stop,
            tasks: Vec::new(),
            background,
            _data_dir: data_dir,
        };
        server.start_loading();
        server.start_metrics()?;
        if let Some(tls) = &server.tls {
            server.tasks.push(tokio::spawn(Arc::clone(tls).watch(CERTIFICATES_EACH)));
        }
        Ok(server)
    }

    /// The configuration it runs on.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Serves until `shutdown` resolves, lets requests in flight finish, and writes what is only in memory.
    ///
    /// # Errors
    /// When something could not be written.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let trusted = self.config.trusted_proxies.iter().map(|net| Network::parse("trusted_proxies", &net.to_string()));
        let trusted_proxies: Vec<_> = trusted.collect::<Result<_, _>>().map_err(failed)?;
        let suffix = self.config.instance_host_suffix.as_ref().map(|suffix| suffix.0.as_str());
        let api = Api::new(Arc::clone(&self.app), trusted_proxies.into())
            .with_instance_hosts(InstanceHosts::new(suffix))
            .with_authority(self.authority);
        let app = Arc::clone(&self.app);
        let router = Router::new()
            .merge(probe::router(Arc::new(move || app.ready())))
            .merge(claviger_api::router(api.clone()))
            .merge(claviger_console::router(api.clone(), Configuration(self.config.shown())));
        let edge = Edge {
            express: Some(express(api)),
            listener: self.listener,
            tls: self.tls,
            limits: self.config.edge_limits(),
            counters: self.counters,
            access_log: self.config.logs.access,
            timed: self.config.metrics_listen.is_some(),
        };
        let drained = edge.serve(router, shutdown).await;
        if drained.cut > 0 {
            tracing::warn!(
                connections = drained.cut,
                "connections were cut: their requests took longer than timers.drain"
            );
        }
        for task in &self.tasks {
            task.abort();
        }
        let _ = self.stop.send(true);
        self.background.await.map_err(|error| Failure(format!("writing what was left: {error}")))?;
        self.app.store().close().await;
        tracing::info!("stopped");
        Ok(())
    }

    fn start_loading(&mut self) {
        let app = Arc::clone(&self.app);
        self.tasks.push(tokio::spawn(async move {
            // Not everything in memory is slower, not wrong: a miss reads the store.
            match app.load_keyring().await {
                Ok(()) => tracing::info!(applications = app.applications_loaded(), "all applications are in memory"),
                Err(error) => tracing::error!(%error, "loading the applications failed; they are loaded one by one"),
            }
        }));
    }

    fn start_metrics(&mut self) -> Result<(), Failure> {
        let Some(address) = self.config.metrics_listen else { return Ok(()) };
        let listener = edge::bind(address).map_err(|error| Failure(format!("metrics_listen {address}: {error}")))?;
        let app = Arc::clone(&self.app);
        let more = move || {
            let app = Arc::clone(&app);
            async move { app_metrics::render(&app).await }
        };
        let router = metrics::router(Arc::clone(&self.counters), more);
        self.tasks.push(tokio::spawn(async move {
            Edge::new(listener).serve(router, std::future::pending()).await;
        }));
        Ok(())
    }
}

/// Opens the configured store, without migrating it.
///
/// # Errors
/// In words for the operator.
pub async fn open_store(config: &Config) -> Result<Store, Failure> {
    let location = match &config.database {
        Some(url) => Location::Postgres { url: url.expose().to_owned() },
        None => Location::Sqlite { directory: config.data_dir.clone() },
    };
    Store::open(Options { location, accept_data_loss: config.accept_data_loss }).await.map_err(failed)
}

fn failed(error: claviger_domain::Error) -> Failure {
    error.into()
}

/// Why the app did not open. A key that was made only now and fits nothing must not lie where the right one belongs.
fn not_opened(error: claviger_domain::Error, made: Option<&Path>) -> Failure {
    match (&error, made) {
        (claviger_domain::Error::Conflict { code: "root_key_mismatch", .. }, Some(path)) => {
            let _ = std::fs::remove_file(path);
            Failure::at(
                path,
                "there is no root key, and the store was set up with one; put that key here (backups leave it out)",
            )
        }
        _ => failed(error),
    }
}

fn open_outgoing(config: &Config) -> Result<Outgoing, Failure> {
    let authorities = match &config.outgoing.ca_file {
        None => Vec::new(),
        Some(path) => {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
            read.map_err(|error| Failure(format!("outgoing.ca_file: {}: {error}", path.display())))?
        }
    };
    let allowance = Allowance { networks: config.outgoing.allowed_networks.clone() };
    Outgoing::new(allowance, &authorities).map_err(failed)
}

fn open_tls(config: &Config, clock: &Clock) -> Result<Option<Arc<TlsReloader>>, Failure> {
    if config.tls == TlsMode::Off {
        return Ok(None);
    }
    let clock = clock.clone();
    let clock = Arc::new(move || clock.now().seconds());
    let reloader = match (&config.tls_certificate, &config.tls_key) {
        (Some(certificate), Some(key)) => TlsReloader::from_files(certificate, key, config.host_names(), clock),
        _ => TlsReloader::private(&tls::private_directory(&config.data_dir), config.host_names(), clock),
    };
    reloader.map(|tls| Some(Arc::new(tls))).map_err(|error| Failure(error.to_string()))
}

fn load_catalogue(config: &Config) -> Result<Catalogue, Failure> {
    let mut files = Vec::new();
    for directory in &config.catalogue_dirs {
        let fail = |error: std::io::Error| Failure::at(directory, error);
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(fail)? {
            paths.push(entry.map_err(fail)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::at(&path, error))?;
            files.push((path.display().to_string(), text));
        }
    }
    Catalogue::load(&files).map_err(|error| Failure(error.to_string()))
}

/// Where clients reach the server: what the operator says, else a loopback name or the address that the certificate covers.
fn base_url(config: &Config, tls: Option<&TlsReloader>, listening: SocketAddr) -> String {
    if let Some(url) = &config.public_url {
        return url.to_string();
    }
    let reachable = edge::reachable(listening);
    let scheme = if tls.is_some() { "https" } else { "http" };
    match tls {
        Some(tls) if !tls.covers(&reachable.ip().to_string()) => {
            let host = tls.names().first().cloned().unwrap_or_else(|| "localhost".into());
            format!("{scheme}://{host}:{}", reachable.port())
        }
        _ => format!("{scheme}://{reachable}"),
    }
}

/// Who this server is among those of its store.
fn identity(
    config: &Config,
    tls: Option<&TlsReloader>,
    listening: SocketAddr,
    random: &Random,
) -> Result<Identity, Failure> {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = if machine.trim().is_empty() { "localhost" } else { machine.trim() };
    Ok(Identity {
        id: crate::node_id::find(&config.data_dir, random).map_err(Failure)?,
        name: format!("{machine}:{}", listening.port()),
        address: base_url(config, tls, listening),
        revocations: Some(config.data_dir.join(REVOCATIONS)),
    })
}

/// What callers have to be told to trust. Behind a proxy they see the proxy's certificate, of which only `tls_ca_file` tells.
fn authority(config: &Config, tls: Option<&TlsReloader>) -> Result<Option<Arc<str>>, Failure> {
    let (path, key) = match (&config.tls_ca_file, tls.and_then(TlsReloader::ca_file)) {
        (Some(path), _) => (path.as_path(), "tls_ca_file: "),
        (None, Some(path)) if config.trusted_proxies.is_empty() => (path, ""),
        (None, _) => return Ok(None),
    };
    let found = tls::certificates(path).map_err(|error| Failure(format!("{key}{error}")))?;
    Ok(Some(found.into()))
}

fn ca_file(config: &Config, tls: Option<&TlsReloader>) -> Option<PathBuf> {
    let path = config.tls_ca_file.clone().or_else(|| tls.and_then(TlsReloader::ca_file).map(Path::to_path_buf))?;
    Some(std::path::absolute(&path).unwrap_or(path))
}

fn operator(made: FirstStart) -> Operator {
    Operator {
        tenant_id: made.tenant_id.to_string(),
        client_id: made.client_id.to_string(),
        secret: made.secret.text.reveal(),
    }
}
