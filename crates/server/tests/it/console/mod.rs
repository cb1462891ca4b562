//! The console as a browser without script sees it.

mod access_levels;
mod applications;
mod browser;
mod frame;
mod security;
mod sign_in;
