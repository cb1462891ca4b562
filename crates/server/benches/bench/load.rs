//! A load generator: requests built from prepared bytes on keep-alive connections over TLS 1.3, one at a time on each.

use crate::api;
use crate::random::Random;
use crate::stores::Credential;
use crate::{Outcome, say};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONNECTIONS: usize = 32;

/// Where a server is and how to trust it.
#[derive(Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    connector: TlsConnector,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Health,
    Verify,
    /// A session token for a credential.
    Exchange,
    /// A session token for an assertion, as clients of the Cylance User API ask for one.
    Assertion,
}

impl Question {
    const fn line(self) -> &'static str {
        match self {
            // The padding makes both requests equally long.
            Self::Health => "GET /healthz?permission=org.audits:READ&tenant=any&_",
            Self::Verify => "GET /v1/verify?permission=org.audits:READ&tenant=any",
            Self::Exchange => "POST /oauth2/token",
            Self::Assertion => "POST /auth/v2/token",
        }
    }

    /// What stands before a token and behind it, from the first header of its own on.
    fn around(self, tokens: &Tokens, length: usize) -> (String, String) {
        match self {
            Self::Health | Self::Verify => (tokens.header.to_owned(), "\r\n\r\n".to_owned()),
            Self::Exchange => {
                let form = "grant_type=client_credentials";
                let media_type = "application/x-www-form-urlencoded";
                let behind = format!("\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{form}", form.len());
                (tokens.header.to_owned(), behind)
            }
            Self::Assertion => {
                let (open, close) = (r#"{"auth_token":""#, r#""}"#);
                let length = open.len() + length + close.len();
                let before = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{open}");
                (before, close.to_owned())
            }
        }
    }
}

/// The credentials that requests present, ready to be copied into them; all of one length.
#[derive(Clone)]
pub(crate) struct Tokens {
    header: &'static str,
    texts: Arc<Vec<String>>,
    /// How many have been used, where each is used once.
    used: Option<Arc<AtomicUsize>>,
}

impl Tokens {
    /// Secrets, as `X-Auth-Token` has them.
    pub(crate) fn new(credentials: impl Iterator<Item = Credential>) -> Self {
        let texts = credentials.map(|Credential { client_id, secret }| format!("{secret}/{client_id}"));
        Self { header: "X-Auth-Token: ", texts: Arc::new(texts.collect()), used: None }
    }

    /// Secrets, as Basic has them.
    pub(crate) fn basic<'a>(credentials: impl Iterator<Item = &'a Credential>) -> Self {
        Self { header: "Authorization: Basic ", texts: Arc::new(credentials.map(api::basic).collect()), used: None }
    }

    /// Session tokens.
    pub(crate) fn bearer(texts: Vec<String>) -> Self {
        Self { header: "Authorization: Bearer ", texts: Arc::new(texts), used: None }
    }

    /// Assertions, each of which is presented once.
    pub(crate) fn assertions(texts: Vec<String>) -> Self {
        Self { header: "", texts: Arc::new(texts), used: Some(Arc::default()) }
    }

    fn draw(&self, random: &mut Random) -> Outcome<&str> {
        let place = match &self.used {
            Some(used) => used.fetch_add(1, Ordering::Relaxed),
            None => random.below(self.texts.len()),
        };
        Ok(self.texts.get(place).ok_or("no token is left")?)
    }
}

impl Door {
    pub(crate) fn new(port: u16, ca: &Path) -> Outcome<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { address, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Outcome<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(self.connector.connect(ServerName::from(self.address.ip()), stream).await?)
    }

    /// Asks once on a connection of its own.
    pub(crate) async fn ask(&self, question: Question, tokens: &Tokens) -> Outcome<()> {
        let mut connection = Connection::open(self, question, tokens, 1).await?;
        connection.ask(1).await
    }
}

/// Open connections that all ask the same thing.
pub(crate) struct Fleet(Vec<Connection>);

impl Fleet {
    /// Connects, and asks once on each connection.
    pub(crate) async fn open(door: &Door, question: Question, tokens: &Tokens, seed: u64) -> Outcome<Self> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for number in 0..CONNECTIONS as u64 {
            let mut connection = Connection::open(door, question, tokens, seed * 1_000 + number).await?;
            connection.ask(1).await?;
            connections.push(connection);
        }
        Ok(Self(connections))
    }

    /// Asks so many times in all, on all connections at once; how often it was.
    pub(crate) async fn run(self, requests: usize) -> Outcome<(Self, usize)> {
        let each = requests / CONNECTIONS;
        let mut running = JoinSet::new();
        for mut connection in self.0 {
            running.spawn(async move { connection.ask(each).await.map(|()| connection) });
        }
        let connections = running.join_all().await.into_iter().collect::<Outcome<Vec<_>>>()?;
        Ok((Self(connections), each * CONNECTIONS))
    }

    /// Asks on all connections at once until it is told to stop; how often it was, and how many of them were refused or lost,
    /// after which a connection asks no more.
    pub(crate) async fn run_until(self, stop: Arc<AtomicBool>) -> (usize, usize) {
        let mut running = JoinSet::new();
        for mut connection in self.0 {
            let stop = Arc::clone(&stop);
            running.spawn(async move {
                let mut asked = 0;
                while !stop.load(Ordering::Acquire) {
                    if let Err(error) = connection.ask(1).await {
                        say(&format!("a call failed: {error}"));
                        return (asked, 1);
                    }
                    asked += 1;
                }
                (asked, 0)
            });
        }
        running.join_all().await.into_iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    tokens: Tokens,
    random: Random,
    request: Vec<u8>,
    /// Where the token begins in the request; it is always as long.
    token_at: usize,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(door: &Door, question: Question, tokens: &Tokens, seed: u64) -> Outcome<Self> {
        let stream = door.connect().await?;
        let token = tokens.texts.first().ok_or("no token")?;
        let (before, behind) = question.around(tokens, token.len());
        let before = format!(
            "{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: claviger-bench/1\r\nAccept: */*\r\n{before}",
            question.line(),
            door.address
        );
        let token_at = before.len();
        let request = format!("{before}{token}{behind}").into_bytes();
        let (tokens, answer) = (tokens.clone(), Vec::with_capacity(4_096));
        Ok(Self { stream, tokens, random: Random::new(seed), request, token_at, answer })
    }

    async fn ask(&mut self, times: usize) -> Outcome<()> {
        for _ in 0..times {
            let token = self.tokens.draw(&mut self.random)?;
            let place = self.request.get_mut(self.token_at..self.token_at + token.len()).ok_or("a longer token")?;
            place.copy_from_slice(token.as_bytes());
            self.stream.write_all(&self.request).await?;
            self.answer.clear();
            while !is_whole(&self.answer)? {
                if self.stream.read_buf(&mut self.answer).await? == 0 {
                    return Err("the connection ended before the answer".into());
                }
            }
        }
        Ok(())
    }
}

/// Whether a success has come in whole: 204 without a body, or 200 with one.
fn is_whole(answer: &[u8]) -> Outcome<bool> {
    if answer.starts_with(b"HTTP/1.1 204 ") {
        return Ok(answer.ends_with(b"\r\n\r\n"));
    }
    let text = std::str::from_utf8(answer)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(false) };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    match length {
        Some(length) if head.starts_with("HTTP/1.1 200 ") => Ok(body.len() >= length),
        _ => Err(format!("no success but: {text}").into()),
    }
}
