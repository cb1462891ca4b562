//! The native face.

mod access_levels;
mod applications;
mod apply;
mod basics;
mod bulk;
mod export;
mod idempotency;
mod import;
mod lifetimes;
mod rotation;
mod tenants;
mod usage;
mod verify;
