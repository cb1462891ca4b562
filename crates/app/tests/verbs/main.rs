//! Verbs on a real store, on each engine: what holds whatever face calls them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect should stop there"
)]

mod assertions;
mod attacks;
mod coming;
mod exports;
mod findings;
mod fixture;
mod key_types;
mod keyring;
mod lifetimes;
mod nodes;
mod passkeys;
mod provisionings;
mod record;
mod restore;
mod rights;
mod sign_ins;
mod tokens;
