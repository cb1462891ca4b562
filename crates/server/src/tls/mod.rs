//! Certificates: from files, followed as they change, or from a private CA in the data directory.
//!
//! One `ServerConfig` lives as long as the listener, so that resumption survives a new certificate; only the
//! certificate behind it is exchanged. TLS 1.2 and 1.3, `h2` and `http/1.1` by ALPN, session tickets on.

mod authority;
mod files;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

use self::authority::Authority;
use self::files::Files;

/// Where the time comes from: seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why there is no usable certificate, in words for the operator.
#[derive(Debug)]
pub struct TlsError(pub(crate) String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl TlsError {
    pub(crate) fn at(path: &Path, what: impl fmt::Display) -> Self {
        Self(format!("{}: {what}", path.display()))
    }
}

/// The certificates of a PEM file, written anew, and nothing else of it.
///
/// # Errors
/// When it cannot be read, or there is none in it.
pub fn certificates(path: &Path) -> Result<String, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| TlsError::at(path, error))?;
    if found.is_empty() {
        return Err(TlsError::at(path, "there is no certificate in it"));
    }
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let pem = |der: CertificateDer<'_>| pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), lines);
    Ok(found.into_iter().map(pem).collect())
}

/// The certificate in use and how to get the next one.
pub struct TlsReloader {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    source: Source,
    names: Vec<String>,
    clock: Clock,
}

enum Source {
    Files(Files),
    Private(Box<Authority>),
}

struct Current(ArcSwap<CertifiedKey>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The one provider of cryptography.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

impl TlsReloader {
    /// Certificates from a PEM chain and a PEM key, looked at again by [`Self::watch`]. `names` are the hosts under
    /// which the server may be called; [`Self::names`] tells which of them the certificate covers.
    ///
    /// # Errors
    /// When the files cannot be read, do not parse or do not fit each other.
    pub fn from_files(certificate: &Path, key: &Path, names: Vec<String>, clock: Clock) -> Result<Self, TlsError> {
        let files = Files::new(certificate, key);
        let first = files.load()?;
        Self::new(first, Source::Files(files), names, clock)
    }

    /// A certificate for `names` from the private CA in `directory`, which is made on first use and kept.
    ///
    /// # Errors
    /// When the directory cannot be used, the CA's key is open to others, or a name is no host name.
    pub fn private(directory: &Path, names: Vec<String>, clock: Clock) -> Result<Self, TlsError> {
        let authority = Authority::open(directory, clock())?;
        let first = authority.issue(&names, clock())?;
        Self::new(first, Source::Private(Box::new(authority)), names, clock)
    }

    fn new(first: CertifiedKey, source: Source, names: Vec<String>, clock: Clock) -> Result<Self, TlsError> {
        let current = Arc::new(Current(ArcSwap::from_pointee(first)));
        let broken = |error: rustls::Error| TlsError(format!("TLS cannot be set up: {error}"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(broken)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(broken)?;
        Ok(Self { config: Arc::new(config), current, source, names, clock })
    }

    /// What a handshake needs.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The private CA's certificate, for clients to trust; none when the certificate comes from files.
    pub fn ca_file(&self) -> Option<&Path> {
        match &self.source {
            Source::Files(_) => None,
            Source::Private(authority) => Some(authority.ca_file()),
        }
    }

    /// Those of the hosts it was made with that the current certificate covers.
    pub fn names(&self) -> Vec<String> {
        self.names.iter().filter(|name| self.covers(name)).cloned().collect()
    }

    /// Whether the current certificate covers a host name or address.
    pub fn covers(&self, host: &str) -> bool {
        let current = self.current.0.load();
        let Ok(name) = ServerName::try_from(host) else { return false };
        let Ok(certificate) = current.end_entity_cert().and_then(ParsedCertificate::try_from) else { return false };
        verify_server_name(&certificate, &name).is_ok()
    }

    /// Takes the files' new certificate, or renews the private one, if it is time; tells whether it did.
    ///
    /// # Errors
    /// When the new certificate cannot be had; the old one stays in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let next = match &self.source {
            Source::Files(files) => files.load_if_changed()?,
            Source::Private(authority) => authority.renew_if_due(&self.names, (self.clock)())?,
        };
        let Some(next) = next else { return Ok(false) };
        self.current.0.store(Arc::new(next));
        Ok(true)
    }

    /// Refreshes for ever. An unusable new certificate is logged once and the old one kept.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            match self.refresh() {
                Ok(true) => tracing::info!("a new TLS certificate is in use"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the new TLS certificate is unusable; the old one stays in use"),
            }
        }
    }
}

/// The hosts that a certificate for this machine should cover: loopback, the machine's name, the address listened on,
/// and what the operator added.
pub fn host_names(listening: IpAddr, public: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let listening = if listening.is_unspecified() { None } else { Some(listening.to_string()) };
    let more = public.iter().cloned().chain(listening).chain([machine.trim().to_ascii_lowercase()]);
    for name in more.filter(|name| ServerName::try_from(name.as_str()).is_ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The private CA's directory inside a data directory.
pub fn private_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("tls")
}
