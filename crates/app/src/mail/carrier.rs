//! Who carries mails: a folder in Maildir form, for whoever has no mail server at hand, or a mail server by SMTP.

use claviger_domain::mail::Sender;
use claviger_domain::{Error, Result};
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters, TlsVersion};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use rustls_pki_types::CertificateDer;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long the server of mails may take over one of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Carries mails away.
pub enum Carrier {
    /// Into a folder, a file each.
    Maildir(PathBuf),
    /// To a mail server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

/// Why a mail was not carried.
#[derive(Debug)]
pub enum Undelivered {
    /// It may be later.
    ForNow(String),
    /// It never will be.
    ForEver(String),
}

/// How a connection to a mail server is secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Security {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// TLS before anything is said; without it nothing is.
    StartTls,
    /// None: for a server on the same machine.
    Plain,
}

/// A mail server.
pub struct SmtpServer {
    /// Its name.
    pub host: String,
    /// Its port; that of the security, if none is said.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Security,
    /// User and password.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// What this server calls itself.
    pub hello: Option<String>,
    /// Authorities that are trusted besides those of the machine.
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Carrier {
    /// A folder in Maildir form; it is made if it is not there.
    pub fn maildir(folder: PathBuf) -> Self {
        Self::Maildir(folder)
    }

    /// A mail server.
    pub fn smtp(server: SmtpServer) -> Result<Self> {
        let fail = |error: lettre::transport::smtp::Error| Error::Unavailable(format!("the mail server: {error}"));
        let tls = || -> Result<TlsParameters> {
            let machine_has_none = rustls_native_certs::load_native_certs().certs.is_empty();
            let store = if machine_has_none { CertificateStore::WebpkiRoots } else { CertificateStore::Default };
            let mut builder = TlsParameters::builder(server.host.clone())
                .certificate_store(store)
                .set_min_tls_version(TlsVersion::Tlsv12);
            for authority in &server.authorities {
                builder = builder.add_root_certificate(Certificate::from_der(authority.to_vec()).map_err(fail)?);
            }
            builder.build_rustls().map_err(fail)
        };
        let (security, port) = match server.security {
            Security::Implicit => (Tls::Wrapper(tls()?), 465),
            Security::StartTls => (Tls::Required(tls()?), 587),
            Security::Plain => (Tls::None, 25),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port.unwrap_or(port))
            .tls(security)
            .timeout(Some(PATIENCE / 2));
        if let Some((user, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.to_string()));
        }
        if let Some(hello) = server.hello {
            builder = builder.hello_name(ClientId::Domain(hello));
        }
        Ok(Self::Smtp(Box::new(builder.build())))
    }

    /// Carries one message to one mailbox.
    pub(super) async fn carry(&self, sender: &Sender, to: &str, id: &str, message: &str) -> Result<(), Undelivered> {
        match self {
            Self::Maildir(folder) => {
                let (folder, name, message) = (folder.clone(), id.to_owned(), message.replace("\r\n", "\n"));
                let written = tokio::task::spawn_blocking(move || write(&folder, &name, message.as_bytes())).await;
                let written = written.map_err(|error| Undelivered::ForNow(error.to_string()))?;
                written.map_err(|error| Undelivered::ForNow(format!("the folder of mails: {error}")))
            }
            Self::Smtp(transport) => {
                let parse =
                    |text: &str| text.parse::<Address>().map_err(|error| Undelivered::ForEver(error.to_string()));
                let envelope = Envelope::new(Some(parse(&sender.mailbox)?), vec![parse(to)?])
                    .map_err(|error| Undelivered::ForEver(error.to_string()))?;
                match timeout(PATIENCE, transport.send_raw(&envelope, message.as_bytes())).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) if error.is_permanent() => Err(Undelivered::ForEver(told(&error))),
                    Ok(Err(error)) => Err(Undelivered::ForNow(told(&error))),
                    Err(_) => Err(Undelivered::ForNow("the mail server took too long".into())),
                }
            }
        }
    }
}

/// What a mail server said, without what it may have repeated of the mail.
fn told(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(status) => format!("the mail server answered {status}"),
        None if error.is_timeout() => "the mail server did not answer".into(),
        None if error.is_tls() => "TLS with the mail server failed".into(),
        None => "the mail server could not be reached".into(),
    }
}

/// A mail under its id, readable by nobody else. The same mail again is the same file.
fn write(folder: &Path, id: &str, message: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    for part in ["tmp", "new", "cur"] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(part))?;
    }
    let (beside, place) = (folder.join("tmp").join(id), folder.join("new").join(format!("{id}.eml")));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(message)?;
    file.sync_all()?;
    std::fs::rename(&beside, &place)?;
    std::fs::File::open(folder.join("new"))?.sync_all()
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maildir(folder) => f.debug_tuple("Maildir").field(folder).finish(),
            Self::Smtp(_) => f.write_str("Smtp(…)"),
        }
    }
}
