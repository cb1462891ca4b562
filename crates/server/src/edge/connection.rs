//! One connection: handshake, protocol, requests, farewell.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::limits::Limits;
use super::peers::Seat;
use super::pulse::Pulse;
use super::service::{Door, House};
use super::watched::Watched;

/// What buffers a connection may fill before the peer has to wait.
const BUFFER_BYTES: usize = 64 * 1024;

/// Everything a connection is made of.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) first_id: u128,
    pub(crate) house: Arc<House>,
    pub(crate) engines: Arc<Engines>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) seat: Seat,
}

/// The two protocol engines, configured once.
pub(crate) struct Engines {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Engines {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        // Deadlines are the pulse's: hyper's own would arm a timer per request. No `pipeline_flush`: it holds an answer
        // back while bytes are left to read, which loses the answer to a bad head and delays one before half a head.
        http1
            .header_read_timeout(None)
            .half_close(false)
            .max_header_size(limits.head_bytes)
            .max_buf_size(BUFFER_BYTES.max(limits.head_bytes));
        if limits.header_count > 100 {
            // Below hyper's own limit the count is checked with the request, where it gets a proper answer.
            http1.max_headers(limits.header_count);
        }
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(128 * 1024)
            .initial_connection_window_size(512 * 1024)
            .max_send_buf_size(BUFFER_BYTES)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        Self { http1, http2 }
    }
}

impl Connection {
    /// Serves the connection until either side is done with it. Errors of the peer's making are nobody's news.
    pub(crate) async fn run(self) {
        let Self { stream, peer, first_id, house, engines, tls, pulse, seat } = self;
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let io = Watched::new(stream, Arc::clone(&pulse));
        let door = Door::new(Arc::clone(&house), Arc::clone(&pulse), peer, first_id);
        match tls {
            None => {
                pulse.opened(false);
                engines.http1(io, door, &pulse).await;
            }
            Some(acceptor) => match acceptor.accept(io).await {
                Ok(io) => {
                    let multiplexed = io.get_ref().1.alpn_protocol() == Some(b"h2");
                    pulse.opened(multiplexed);
                    if multiplexed {
                        engines.http2(io, door, &pulse).await;
                    } else {
                        engines.http1(io, door, &pulse).await;
                    }
                }
                Err(error) => {
                    house.counters.handshake_failed();
                    tracing::debug!(peer = %peer, %error, "TLS handshake failed");
                }
            },
        }
        drop(seat);
    }
}

impl Engines {
    async fn http1(&self, io: impl AsyncRead + AsyncWrite + Unpin, door: Arc<Door>, pulse: &Pulse) {
        let service = service_fn(move |request: http::Request<Incoming>| Arc::clone(&door).answer(request));
        let connection = self.http1.serve_connection(TokioIo::new(io), service);
        drive(connection, pulse, |connection| connection.graceful_shutdown()).await;
    }

    async fn http2(&self, io: impl AsyncRead + AsyncWrite + Unpin, door: Arc<Door>, pulse: &Pulse) {
        let service = service_fn(move |request: http::Request<Incoming>| Arc::clone(&door).answer(request));
        let connection = self.http2.serve_connection(TokioIo::new(io), service);
        drive(connection, pulse, |connection| connection.graceful_shutdown()).await;
    }
}

/// Polls a connection to its end and passes on the wish that it should leave.
async fn drive<C: Future>(connection: C, pulse: &Pulse, leave: impl Fn(Pin<&mut C>)) {
    let mut connection = pin!(connection);
    let mut told = false;
    poll_fn(|cx| {
        pulse.attend(cx.waker());
        if !told && pulse.is_leaving() {
            told = true;
            leave(connection.as_mut());
        }
        connection.as_mut().poll(cx).map(|_| ())
    })
    .await;
}
