//! The edge against real sockets: what peers may do, what they may not, and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test the failure is the message, in helpers too"
)]

mod plain;
mod support;
mod tls;
