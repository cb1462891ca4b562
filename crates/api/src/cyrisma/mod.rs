//! The Cyrisma face: what clients of the Partner API send and expect to sign in and to choose the instances they report on.
//!
//! Organisations and instances are tenants, API keys are applications, the password is the secret. No rule lives here.

mod auth;
mod error;
mod instances;
mod login;
mod regen_pass;
pub mod routes;
