//! The console as a browser without script sees it.

mod account;
mod applications;
mod browser;
mod frame;
mod links;
mod people;
mod sign_in;
