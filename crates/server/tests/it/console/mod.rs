//! The console as a browser without script sees it.

mod access_levels;
mod account;
mod applications;
mod audit;
pub(crate) mod browser;
mod frame;
mod links;
mod operator;
mod pages;
mod people;
mod probes;
mod provisionings;
mod security;
mod sign_in;
mod sso;
mod tenants;
mod usage;
mod world;
