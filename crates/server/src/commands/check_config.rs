//! `claviger check-config`: is the configuration valid, and what does it come to?

use super::{Failure, print};
use crate::cli::ServeArgs;
use crate::config::Config;

/// Prints the effective configuration, secrets masked.
///
/// # Errors
/// With everything that is wrong in it.
pub fn run(args: &ServeArgs, env: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
    let config = Config::load(args.store.config.config.as_deref(), env, args.overrides())
        .map_err(|error| Failure(error.to_string()))?;
    print(&config.render_masked())
}
