//! A load generator: requests built from prepared bytes on keep-alive connections over TLS 1.3, one at a time on each.

use crate::random::Random;
use crate::stores::Credential;
use crate::{Outcome, say};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// What is asked for. All questions have the same length.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    Health,
    Verify,
}

impl Question {
    const fn target(self) -> &'static str {
        match self {
            // The padding makes both requests equally long.
            Self::Health => "/healthz?permission=org.audits:READ&tenant=any&_",
            Self::Verify => "/v1/verify?permission=org.audits:READ&tenant=any",
        }
    }
}

/// The credentials that requests present, ready to be copied into them.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Vec<String>>);

impl Tokens {
    pub(crate) fn new(credentials: impl Iterator<Item = Credential>) -> Self {
        let texts = credentials.map(|Credential { client_id, secret }| format!("{secret}/{client_id}"));
        Self(Arc::new(texts.collect()))
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
}

impl Connection {
    async fn open(door: &Door, question: Question, tokens: &Tokens, seed: u64) -> Outcome<Self> {
        let stream = door.connect().await?;
        let token = tokens.0.first().ok_or("no token")?;
        let before = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: claviger-bench/1\r\nAccept: */*\r\nX-Auth-Token: ",
            question.target(),
            door.address
        );
        let token_at = before.len();
        let request = format!("{before}{token}\r\n\r\n").into_bytes();
        Ok(Self { stream, tokens: tokens.clone(), random: Random::new(seed), request, token_at })
    }

    async fn ask(&mut self, times: usize) -> Outcome<()> {
        let mut answer = [0; 2048];
        for _ in 0..times {
            let token = self.tokens.0.get(self.random.below(self.tokens.0.len())).ok_or("no token")?;
            let place = self.request.get_mut(self.token_at..self.token_at + token.len()).ok_or("a longer token")?;
            place.copy_from_slice(token.as_bytes());
            self.stream.write_all(&self.request).await?;
            let mut length = 0;
            loop {
                let room = answer.get_mut(length..).filter(|room| !room.is_empty()).ok_or("a long answer")?;
                let read = self.stream.read(room).await?;
                length += read;
                let got = answer.get(..length).unwrap_or_default();
                if got.ends_with(b"\r\n\r\n") && got.starts_with(b"HTTP/1.1 204 ") {
                    break;
                }
                if read == 0 || got.windows(4).any(|end| end == b"\r\n\r\n") {
                    return Err(format!("not 204 but: {}", String::from_utf8_lossy(got)).into());
                }
            }
        }
        Ok(())
    }
}
