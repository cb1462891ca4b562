//! Logs: one subscriber for the process, as JSON or text on standard error.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, Logs};

/// Sends events to standard error and panics to the log. Later calls in one process change nothing.
///
/// # Errors
/// When the level is not a filter that `tracing` understands; the text names it.
pub fn init(logs: &Logs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&logs.level).map_err(|error| format!("logs.level {:?}: {error}", logs.level))?;
    let subscriber = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(true);
    // A second call (in tests) finds a subscriber in place and keeps it.
    let _ = match logs.format {
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, why = message, "a thread panicked");
    }));
    Ok(())
}

/// Whether a text is a level or filter that [`init`] accepts.
pub fn is_filter(text: &str) -> bool {
    !text.trim().is_empty() && EnvFilter::try_new(text).is_ok()
}
