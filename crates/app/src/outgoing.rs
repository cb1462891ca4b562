//! Calls that this server makes to others on somebody's behalf: never to an address that is not public, unless the operator
//! allows it. A name is resolved once, and what was looked at is what is called; there are no redirects, no proxies and no
//! compressed answers, and everything is bounded in size and time.

use bytes::Bytes;
use claviger_domain::outgoing::{Allowance, Host, Target};
use claviger_domain::{Error, Result};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a call may take in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one address is tried.
const CONNECT: Duration = Duration::from_secs(2);
/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;
/// Most bytes of an answer.
pub const ANSWER_MAX: usize = 256 << 10;
/// Most bytes of the head of an answer.
const HEAD_MAX: usize = 32 << 10;

/// Why a call came to nothing. None of these says anything about what lies behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// No address of the host may be called.
    Forbidden,
    /// The name has no address.
    Unknown,
    /// Nobody answers there.
    Unreachable,
    /// The certificate is none for that host that is trusted here, or TLS failed otherwise.
    Tls,
    /// It took too long.
    Slow,
    /// The answer is too long.
    Long,
    /// The answer is none of HTTP.
    Garbled,
    /// The answer has another status than 200.
    Status(u16),
    /// The answer is not what was asked for.
    Content,
}

impl Failed {
    /// In words for whoever wanted the call to be made.
    pub fn describe(self) -> String {
        match self {
            Self::Forbidden => "the host has no address that this server calls".into(),
            Self::Unknown => "the host's name has no address".into(),
            Self::Unreachable => "nobody answers there".into(),
            Self::Tls => "the certificate is not trusted here, or does not fit the host".into(),
            Self::Slow => "the answer took too long".into(),
            Self::Long => format!("the answer has more than {ANSWER_MAX} bytes"),
            Self::Garbled => "the answer is not HTTP".into(),
            Self::Status(status) => {
                format!("the answer has the status {status}; 200 is expected, and redirects are not followed")
            }
            Self::Content => "the answer is not what a server of keys answers".into(),
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How long it may be kept, as it says itself.
    pub cache_control: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// The way out.
pub struct Outgoing {
    allowance: Allowance,
    tls: TlsConnector,
}

impl Outgoing {
    /// A way out to public addresses and those allowed besides. Servers are trusted by the machine's authorities, and where it
    /// has none by the ones that come with the program; and by `authorities` in any case.
    pub fn new(allowance: Allowance, authorities: &[CertificateDer<'static>]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let (known, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if known == 0 {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for authority in authorities {
            let refused =
                |error| Error::Unavailable(format!("a certificate of outgoing.ca_file cannot be used: {error}"));
            roots.add(authority.clone()).map_err(refused)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let failed = |error: rustls::Error| Error::Internal(error.to_string());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { allowance, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Which addresses may be called.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// Fetches what lies at a URL.
    pub async fn get(&self, target: &Target) -> Result<Answer, Failed> {
        let request = request(Method::GET, target, Bytes::new())?;
        timeout(PATIENCE, self.fetch(target, request)).await.unwrap_or(Err(Failed::Slow))
    }

    /// Fetches what lies at a URL for whoever holds a token.
    pub async fn get_with_token(&self, target: &Target, token: &str) -> Result<Answer, Failed> {
        let mut request = request(Method::GET, target, Bytes::new())?;
        authorize(&mut request, &format!("Bearer {token}"))?;
        timeout(PATIENCE, self.fetch(target, request)).await.unwrap_or(Err(Failed::Slow))
    }

    /// Sends a form to a URL, with this `Authorization`.
    pub async fn post_form(
        &self,
        target: &Target,
        form: String,
        authorization: Option<&str>,
    ) -> Result<Answer, Failed> {
        let mut request = request(Method::POST, target, Bytes::from(form))?;
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form_type);
        if let Some(text) = authorization {
            authorize(&mut request, text)?;
        }
        timeout(PATIENCE, self.fetch(target, request)).await.unwrap_or(Err(Failed::Slow))
    }

    async fn fetch(&self, target: &Target, request: Request<Full<Bytes>>) -> Result<Answer, Failed> {
        let addresses = self.resolve(target).await?;
        let socket = connect(&addresses).await?;
        if !target.is_secure() {
            return ask(socket, request).await;
        }
        let name = match target.host() {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Failed::Tls)?,
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let secured = self.tls.connect(name, socket).await.map_err(|_| Failed::Tls)?;
        ask(secured, request).await
    }

    /// The addresses behind a host that may be called. Without TLS only this machine may be.
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, Failed> {
        let port = target.port();
        let found: Vec<IpAddr> = match target.host() {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let found = lookup_host((name.as_str(), port)).await.map_err(|_| Failed::Unknown)?;
                found.map(|address| address.ip()).collect()
            }
        };
        if found.is_empty() {
            return Err(Failed::Unknown);
        }
        let is_fit = |address: &IpAddr| {
            self.allowance.admits(*address, port) && (target.is_secure() || address.to_canonical().is_loopback())
        };
        let mut fit: Vec<_> = found.into_iter().filter(is_fit).map(|address| SocketAddr::new(address, port)).collect();
        fit.truncate(ADDRESSES_MAX);
        if fit.is_empty() { Err(Failed::Forbidden) } else { Ok(fit) }
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Failed> {
    for address in addresses {
        if let Ok(Ok(socket)) = timeout(CONNECT, TcpStream::connect(address)).await {
            return Ok(socket);
        }
    }
    Err(Failed::Unreachable)
}

fn request(method: Method, target: &Target, body: Bytes) -> Result<Request<Full<Bytes>>, Failed> {
    Request::builder()
        .method(method)
        .uri(target.path_and_query())
        .header(HOST, target.authority())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("claviger/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))
        .map_err(|_| Failed::Garbled)
}

fn authorize(request: &mut Request<Full<Bytes>>, text: &str) -> Result<(), Failed> {
    let mut value = HeaderValue::try_from(text).map_err(|_| Failed::Garbled)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

async fn ask(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failed> {
    let handshake = hyper::client::conn::http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(socket));
    let (mut sender, connection) = handshake.await.map_err(|_| Failed::Garbled)?;
    // Both in this one task, so that nothing of it outlives the call.
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|_| Failed::Garbled)?;
        read(answer).await
    };
    // A connection that ends may have left a whole answer behind.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = exchange => answer,
        () = driven => Err(Failed::Garbled),
    }
}

async fn read(answer: http::Response<Incoming>) -> Result<Answer, Failed> {
    if answer.status() != StatusCode::OK {
        return Err(Failed::Status(answer.status().as_u16()));
    }
    let cache_control = answer.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    let body = body
        .map_err(|error| if error.is::<http_body_util::LengthLimitError>() { Failed::Long } else { Failed::Garbled })?;
    Ok(Answer { cache_control, body: body.to_bytes() })
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("allowance", &self.allowance).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
