//! What the hot path reads and counts: all of it in memory, all of it rebuilt from the store.

pub mod accesses;
pub mod denials;
pub mod exchanges;
pub mod foreign;
mod generations;
pub mod guesses;
mod hashing;
pub mod issuers;
pub mod keyring;
pub mod levels;
pub mod macs;
pub mod meter;
pub mod providers;
pub mod public_keys;
pub mod record;
pub mod replay;
pub mod sessions;
pub mod sharing;
pub mod sign_ins;
pub mod signing;
mod table;
pub mod token_rules;
pub mod tokens;
pub mod tree;
