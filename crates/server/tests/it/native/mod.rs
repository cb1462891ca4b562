//! The native face.

mod access_levels;
mod applications;
mod apply;
mod basics;
mod bulk;
mod cli;
mod configuration;
mod endpoints;
mod export;
pub(crate) mod factors;
mod findings;
mod first_person;
mod idempotency;
mod import;
mod key_types;
mod leaks;
mod lifetimes;
pub(crate) mod provisionings;
mod purges;
mod rotation;
mod sign_in;
mod tenants;
mod usage;
mod user_links;
mod users;
mod verify;
mod visibility;
