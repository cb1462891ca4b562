//! What the hot path reads and counts: all of it in memory, all of it rebuilt from the store.

pub mod accesses;
pub mod denials;
mod hashing;
pub mod keyring;
pub mod levels;
pub mod meter;
pub mod record;
pub mod sessions;
pub mod sharing;
pub mod signing;
mod table;
pub mod token_rules;
pub mod tokens;
pub mod tree;
