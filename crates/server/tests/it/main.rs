//! What a client can see, over real sockets, on each engine. Folders mirror the routes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect should stop there"
)]

mod carbon_black;
mod console;
mod cylance;
mod cyrisma;
mod fixture;
mod keys;
mod mails;
mod metrics;
mod native;
mod oauth;
mod people;
mod security;
