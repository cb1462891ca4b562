//! The console as a browser without script sees it.

mod applications;
mod browser;
mod frame;
mod sign_in;
