//! What each command of the binary does.

pub mod applications;
pub mod apply;
pub mod check_config;
pub mod demo;
mod http_client;
pub mod nodes;
pub mod policies;
pub mod secrets;
pub mod serve;
pub mod signing_keys;
pub mod store;
pub mod tenants;
pub mod trusted_issuers;

use std::fmt;
use std::io::{self, Write as _};

/// Why a command failed, in words for the one who typed it.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<claviger_domain::Error> for Failure {
    fn from(error: claviger_domain::Error) -> Self {
        match error {
            // The class of the error is for callers of the API; what is away, and why, is for the operator.
            claviger_domain::Error::Unavailable(what) => Self(what),
            other => Self(other.to_string()),
        }
    }
}

impl Failure {
    pub(crate) fn at(path: &std::path::Path, what: impl fmt::Display) -> Self {
        Self(format!("{}: {what}", path.display()))
    }
}

/// Prints to standard output.
///
/// # Errors
/// When standard output is closed or full.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure(format!("standard output: {error}")))
}
