//! The Cyrisma face: what clients of the Partner API send and expect to sign in, to choose the instances they report on, to
//! provision organisations and instances, and to give them people.
//!
//! Organisations and instances are tenants, API keys are applications, the password is the secret. No rule lives here.

mod auth;
mod error;
mod fields;
mod instances;
mod lifecycle;
mod login;
mod provisioning;
mod regen_pass;
pub mod routes;
mod usage;
mod users;
