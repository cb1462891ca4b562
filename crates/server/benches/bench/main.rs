//! What the hot path costs: one program, one run, one table; medians of five, as ratios within the run.
//!
//! The server is the real binary as a child process on data directories made for the run. Its cost is CPU time as the
//! kernel counts it, since on few cores the load generator is saturated first. Rounds that are compared take turns, so
//! that whatever else the machine does falls on all of them.

mod api;
mod child;
mod console;
mod creates;
mod in_process;
mod load;
mod measure;
mod people;
mod proc;
mod random;
mod revocations;
mod rotations;
mod stores;
mod table;
mod tenants;
mod tokens;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What may go wrong is anything, and ends the run.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    // Cargo asks every test target for its tests with arguments of its own.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("the run ended early: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<bool> {
    let scratch = Scratch::new()?;
    let table = measure::all(&scratch.0)?;
    let revision = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let revision = revision.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let now = claviger_app::clock::Clock::system().now().to_string();
    let date = now.get(..10).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}, {date}, revision {revision}\n\n{}", proc::machine(), table.render())?;
    Ok(table.is_kept())
}

/// Tells whoever waits what is being done.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {text}");
}

/// A directory beside the build, emptied before and removed after.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Outcome<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
