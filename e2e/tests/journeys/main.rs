//! Journeys through the console as a person walks them: the real binary, a real browser, and nothing of our crates between.
//! Each has a server and a browser of its own. `scripts/e2e` runs them; what failed leaves a picture under `target/e2e`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a journey that meets what it does not expect should stop there"
)]

mod applications;
mod browser;
mod checks;
mod children;
mod furniture;
mod harness;
mod levels;
mod pages;
mod server;
mod signing_in;
mod tenants;
mod totp;
