//! The edge: an accept loop of our own over hyper and rustls that holds every peer to its limits.
//!
//! One task accepts, hands each connection to a task of its own, and looks at all of them once a tick (see `pulse`).
//! It never ends because of a peer or of an accept error, and on the signal to stop it lets requests in flight finish.

mod body;
mod connection;
mod hosts;
mod limits;
mod peers;
mod pulse;
mod refusal;
mod roster;
mod service;
pub mod signal;
mod watched;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use claviger_api::Answering;
use claviger_api::kit::Head;
use http::Request;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::TlsAcceptor;

pub use self::hosts::Hosts;
pub use self::limits::{Limits, Timers};

use self::connection::{Connection, Engines};
use self::peers::Seats;
use self::pulse::{Deadlines, Pulse, Ticks};
use self::roster::Roster;
use self::service::House;
use crate::metrics::Counters;
use crate::tls::TlsReloader;

/// How long the loop rests when the system has no more descriptors to give.
const REST: Duration = Duration::from_millis(50);

/// Descriptors left to everything but connections: the store, logs, outgoing calls.
const OTHER_DESCRIPTORS: usize = 256;

/// A listener and what it demands of its peers.
pub struct Edge {
    /// Where connections come from.
    pub listener: TcpListener,
    /// The certificates; none for plain HTTP behind a proxy.
    pub tls: Option<Arc<TlsReloader>>,
    /// Caps, sizes and timers.
    pub limits: Limits,
    /// What is asked before the router.
    pub express: Option<Express>,
    /// Where connections and requests are counted.
    pub counters: Arc<Counters>,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Whether request durations are measured for the counters (two clock reads a request).
    pub timed: bool,
}

/// Answers a request, or lets it go on to the router.
pub type Whole = dyn Fn(Request<Body>) -> ControlFlow<Answering, Request<Body>> + Send + Sync;

/// What is answered without a way through the router; whatever it leaves goes there.
pub struct Express {
    /// Answers from the head of a request alone, at once. Not asked about requests that have a body.
    pub at_once: Box<dyn Fn(Head<'_>) -> Option<Response> + Send + Sync>,
    /// Answers whole requests, or lets them go on.
    pub whole: Box<Whole>,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had to be cut because they were still busy when the time to drain was over.
    pub cut: usize,
}

/// Binds a listener. Must be called inside a runtime.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

impl Edge {
    /// An edge with default limits, plain HTTP and counters of its own.
    pub fn new(listener: TcpListener) -> Self {
        let counters = Arc::new(Counters::default());
        let limits = Limits::default();
        Self { listener, tls: None, limits, express: None, counters, access_log: false, timed: false }
    }

    /// Serves until `shutdown` resolves, then drains.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) -> Drained {
        let Self { listener, tls, mut limits, express, counters, access_log, timed } = self;
        limits.connections = fitting(limits.connections, descriptor_limit());
        let ticks = Arc::new(Ticks::new(limits.timers.tick()));
        let mut floor = Floor {
            deadlines: Deadlines::new(&limits.timers, &ticks),
            ticks,
            seats: Arc::new(Seats::new(limits.connections_per_peer, limits.exempt.clone())),
            engines: Arc::new(Engines::new(&limits)),
            roster: Roster::default(),
            tls,
            house: Arc::new(House { router, express, limits, counters, access_log, timed }),
            prefix: process_prefix(),
            accepted: 0,
        };
        let mut shutdown = pin!(shutdown);
        let mut ticker = tokio::time::interval(floor.house.limits.timers.tick());
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                _ = ticker.tick() => floor.sweep(),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => floor.admit(stream, peer),
                    Err(error) => floor.rest(&error).await,
                },
            }
        }
        drop(listener);
        floor.drain().await
    }
}

/// The cap on connections that the system's limit on descriptors leaves room for.
fn fitting(connections: usize, descriptors: Option<usize>) -> usize {
    let room = descriptors.map_or(usize::MAX, |limit| limit.saturating_sub(OTHER_DESCRIPTORS).max(limit / 2)).max(1);
    if room < connections {
        tracing::warn!(connections, room, "fewer connections than configured: raise the descriptor limit (ulimit -n)");
    }
    connections.min(room)
}

/// How many files and sockets this process may have open, where the system tells.
fn descriptor_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The state of the accept loop.
struct Floor {
    house: Arc<House>,
    engines: Arc<Engines>,
    tls: Option<Arc<TlsReloader>>,
    seats: Arc<Seats>,
    roster: Roster,
    ticks: Arc<Ticks>,
    deadlines: Deadlines,
    prefix: u128,
    accepted: u64,
}

impl Floor {
    fn sweep(&mut self) {
        self.ticks.advance();
        let dropped = self.roster.sweep(&self.deadlines);
        self.house.counters.timed_out(dropped);
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let limits = &self.house.limits;
        if self.seats.taken() >= limits.connections && self.roster.shed(limits.connections / 64 + 1) == 0 {
            self.house.counters.refused_full();
            return;
        }
        let Some(seat) = self.seats.take(peer.ip()) else {
            self.house.counters.refused_peer();
            return;
        };
        self.accepted = self.accepted.wrapping_add(1);
        let pulse = Arc::new(Pulse::new(Arc::clone(&self.ticks)));
        let connection = Connection {
            stream,
            peer,
            // 48 random bits of the process, 40 for the connection, 40 for its requests.
            first_id: self.prefix | (u128::from(self.accepted & 0xff_ffff_ffff) << 40),
            house: Arc::clone(&self.house),
            engines: Arc::clone(&self.engines),
            tls: self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.server_config())),
            pulse: Arc::clone(&pulse),
            seat,
        };
        let open = self.house.counters.opened();
        let task = tokio::spawn(async move {
            let _open = open;
            connection.run().await;
        });
        self.roster.add(pulse, task.abort_handle());
    }

    /// An accept error is the peer's or the system's trouble. When descriptors or memory are out, idle connections
    /// make room and the loop waits a moment; an aborted connection is simply gone.
    async fn rest(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        self.house.counters.accept_failed();
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        let shed = self.roster.shed(self.seats.taken() / 16 + 1);
        tracing::warn!(%error, shed, "cannot accept connections for the moment");
        tokio::time::sleep(REST).await;
    }

    async fn drain(mut self) -> Drained {
        self.roster.dismiss();
        let deadline = Instant::now() + self.house.limits.timers.drain;
        while self.seats.taken() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.sweep();
        }
        let cut = self.seats.taken();
        self.roster.cut();
        Drained { cut }
    }
}

/// The high 48 bits of this process's request ids.
fn process_prefix() -> u128 {
    let mut random = [0_u8; 16];
    // Ids need not be secret: without randomness they are merely the same in each process.
    let _ = aws_lc_rs::rand::fill(&mut random);
    u128::from_be_bytes(random) & !((1 << 80) - 1)
}

/// The address under which a listener is reached from the same machine.
pub fn reachable(listening: SocketAddr) -> SocketAddr {
    match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), listening.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), listening.port())
        }
        _ => listening,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_the_descriptors() {
        assert_eq!(fitting(10_000, None), 10_000);
        assert_eq!(fitting(10_000, Some(1_048_576)), 10_000);
        assert_eq!(fitting(10_000, Some(1024)), 768);
        assert_eq!(fitting(10_000, Some(64)), 32);
        assert!(descriptor_limit().is_some_and(|limit| limit > 0));
    }

    #[test]
    fn a_wildcard_is_reached_by_loopback() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()).to_string(), "192.0.2.1:1");
    }
}
