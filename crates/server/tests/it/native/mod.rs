//! The native face.

mod access_levels;
mod applications;
mod basics;
mod findings;
mod idempotency;
mod key_types;
mod leaks;
mod lifetimes;
mod rotation;
mod tenants;
mod usage;
mod verify;
mod visibility;
