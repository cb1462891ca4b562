//! The native face.

mod access_levels;
mod applications;
mod basics;
mod idempotency;
mod key_types;
mod lifetimes;
mod rotation;
mod tenants;
mod usage;
mod verify;
mod visibility;
