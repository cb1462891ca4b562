//! The native face.

mod access_levels;
mod applications;
mod apply;
mod basics;
mod bulk;
mod cli;
mod export;
mod findings;
mod idempotency;
mod import;
mod key_types;
mod leaks;
mod lifetimes;
mod rotation;
mod sign_in;
mod tenants;
mod usage;
mod users;
mod verify;
mod visibility;
