//! A running edge with a tiny router, and clients for it.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use claviger_api::Answering;
use claviger_api::kit::{Head, Peer, RequestId};
use claviger_server::edge::{Drained, Edge, Express, Limits, bind};
use claviger_server::metrics::Counters;
use claviger_server::tls::TlsReloader;
use http_body_util::Full;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A directory that goes away with the test.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("claviger-edge-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running edge.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<Drained>,
}

impl Running {
    pub(crate) fn start(limits: Limits, tls: Option<Arc<TlsReloader>>) -> Self {
        let mut edge = Edge::new(bind("127.0.0.1:0".parse().unwrap()).unwrap());
        edge.limits = limits;
        edge.tls = tls;
        edge.timed = true;
        edge.express = Some(Express { at_once: Box::new(express), whole: Box::new(whole) });
        let (address, counters) = (edge.listener.local_addr().unwrap(), Arc::clone(&edge.counters));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(edge.serve(routes(), async move {
            let _ = stopped.await;
        }));
        Self { address, counters, stop, task }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) fn counted(&self, line: &str) -> bool {
        let mut text = String::new();
        self.counters.render(&mut text);
        text.lines().any(|shown| shown == line)
    }
}

fn express(head: Head<'_>) -> Option<axum::response::Response> {
    match head.uri.path() {
        "/express" => Some(head.peer.unwrap().0.to_string().into_response()),
        "/express/panic" => panic!("on purpose"),
        _ => None,
    }
}

fn whole(request: http::Request<axum::body::Body>) -> ControlFlow<Answering, http::Request<axum::body::Body>> {
    match request.uri().path() {
        "/whole" => ControlFlow::Break(Box::pin(async move {
            let peer = request.extensions().get::<Peer>().unwrap().0;
            let body =
                axum::body::to_bytes(request.into_body(), usize::MAX).await.map_err(|_| http::StatusCode::BAD_REQUEST);
            body.map(|body| format!("{peer} {}", body.len())).into_response()
        })),
        "/whole/panic" => ControlFlow::Break(Box::pin(async { panic!("on purpose") })),
        _ => ControlFlow::Continue(request),
    }
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/healthz", get(|| async { http::StatusCode::NO_CONTENT }))
        .route(
            "/panic",
            get(|| async {
                if HOUR > Duration::ZERO {
                    panic!("on purpose")
                }
            }),
        )
        .route("/express", post(|| async { "routed" }))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_millis(300)).await }))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
        .route(
            "/body",
            post(|body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                body.map(|body| body.len().to_string())
            }),
        )
        .route(
            "/peer",
            get(|request: http::Request<axum::body::Body>| async move {
                let peer = request.extensions().get::<Peer>().unwrap().0;
                let id = request.extensions().get::<RequestId>().unwrap();
                format!("{peer} {id}")
            }),
        )
}

pub(crate) fn clock() -> Arc<dyn Fn() -> i64 + Send + Sync> {
    Arc::new(now)
}

#[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub(crate) fn quick(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn exchange(io: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> String {
    let _ = io.write_all(bytes).await;
    read_all(io).await
}

pub(crate) async fn read_all(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), io.read_to_end(&mut answer)).await.expect("closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends bytes and reads what comes at once.
pub(crate) async fn ask(io: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> String {
    io.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = tokio::time::timeout(Duration::from_secs(10), io.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

pub(crate) const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

/// A TLS client that trusts one CA.
pub(crate) async fn handshake(
    running: &Running,
    ca: &std::path::Path,
    alpn: &[u8],
    host: &str,
) -> std::io::Result<TlsIo> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from(host.to_owned()).unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, running.connect().await).await
}

pub(crate) type TlsIo = tokio_rustls::client::TlsStream<TcpStream>;

pub(crate) fn leaf(io: &TlsIo) -> Vec<u8> {
    io.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// An HTTP/2 client connection and its driver.
pub(crate) async fn http2(io: TlsIo) -> (Http2, JoinHandle<hyper::Result<()>>) {
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(executor, hyper_util::rt::TokioIo::new(io)).await.unwrap();
    (sender, tokio::spawn(connection))
}

pub(crate) type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

pub(crate) fn request(method: http::Method, path: &str, body: &'static str) -> http::Request<Full<Bytes>> {
    let uri = format!("https://localhost{path}");
    http::Request::builder().method(method).uri(uri).body(Full::from(body)).unwrap()
}
