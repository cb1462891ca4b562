//! What the edge puts up with: caps, sizes and timers, with their defaults.

use std::time::Duration;

use ipnet::IpNet;

use super::Hosts;

/// Caps and sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections in all. The oldest idle ones make room for new ones when this is reached.
    pub connections: usize,
    /// Connections per peer address; an IPv6 peer is counted by its /64.
    pub connections_per_peer: u32,
    /// Networks whose peers are not counted one by one: reverse proxies speak for many clients.
    pub exempt: Vec<IpNet>,
    /// Header lines in one request.
    pub header_count: usize,
    /// Bytes of one header, name and value.
    pub header_bytes: usize,
    /// Bytes of the request line and all headers together.
    pub head_bytes: usize,
    /// Bytes of the request target.
    pub url_bytes: usize,
    /// Bytes of a request body; more is refused wherever it shows, in `Content-Length` or while reading.
    pub body_bytes: usize,
    /// Concurrent HTTP/2 streams per connection.
    pub streams: u32,
    /// The hosts that requests may name; none is any.
    pub hosts: Option<Hosts>,
    /// How long anything may take.
    pub timers: Timers,
}

/// How long a peer may take for what it owes us.
#[derive(Clone, Debug, PartialEq)]
pub struct Timers {
    /// The whole TLS handshake.
    pub handshake: Duration,
    /// From a ready connection to its first byte.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its headers.
    pub headers: Duration,
    /// Between two requests of a connection, and for an HTTP/2 answer that its reader does not fetch.
    pub idle: Duration,
    /// The window over which a body, or an answer that the socket does not take, must keep up `bytes_per_second`.
    pub window: Duration,
    /// The slowest pace allowed, averaged over `window`.
    pub bytes_per_second: u64,
    /// What requests in flight get to finish after the signal to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_peer: 256,
            exempt: Vec::new(),
            header_count: 64,
            header_bytes: 8 * 1024,
            head_bytes: 32 * 1024,
            url_bytes: 8 * 1024,
            body_bytes: 1024 * 1024,
            streams: 100,
            hosts: None,
            timers: Timers::default(),
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            first_byte: Duration::from_secs(5),
            headers: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            window: Duration::from_secs(5),
            bytes_per_second: 1024,
            drain: Duration::from_secs(10),
        }
    }
}

impl Timers {
    /// The bytes that must move in one window.
    pub(crate) fn window_bytes(&self) -> u64 {
        let bytes = u128::from(self.bytes_per_second).saturating_mul(self.window.as_millis()) / 1000;
        u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
    }

    /// How finely time is cut: a sixteenth of the shortest timer, between 5 and 250 ms.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = [self.handshake, self.first_byte, self.headers, self.idle, self.window]
            .into_iter()
            .min()
            .unwrap_or_default();
        (shortest / 16).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }
}
