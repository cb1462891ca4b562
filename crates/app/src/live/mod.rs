//! What the hot path reads and counts: all of it in memory, all of it rebuilt from the store.

pub mod denials;
pub mod keyring;
pub mod levels;
pub mod meter;
pub mod record;
mod table;
pub mod tree;
