//! What every face shares: here, the facts about a request that the edge hands over as request extensions.

use std::fmt;
use std::net::SocketAddr;

/// The address of the socket's other end, as the edge saw it (an IPv4-mapped IPv6 address is given as IPv4).
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The id of one request: a number on the hot path, text only when a log line or an error body needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
