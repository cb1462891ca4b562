//! The edge against real sockets: what peers may do, what they may not, and how it ends.

mod plain;
mod support;
mod tls;
