//! The console as a browser without script sees it.

mod access_levels;
mod account;
mod applications;
mod browser;
mod frame;
mod links;
mod people;
mod security;
mod sign_in;
