//! What the hot path reads and counts: all of it in memory, all of it rebuilt from the store.

pub mod denials;
mod hashing;
pub mod keyring;
pub mod levels;
pub mod meter;
pub mod record;
pub mod sharing;
mod table;
pub mod tree;
