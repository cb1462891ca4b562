//! The real binary as a child process.

use crate::Outcome;
use crate::load::Door;
use crate::proc;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A running server, ended when dropped.
pub(crate) struct Server {
    child: Child,
    log: Receiver<String>,
    pub(crate) door: Door,
}

impl Server {
    /// Starts the server on a data directory; returns when it listens.
    pub(crate) fn start(directory: &Path) -> Outcome<Self> {
        Self::start_with(directory, &[])
    }

    /// The same on a PostgreSQL.
    pub(crate) fn start_on(directory: &Path, url: &str) -> Outcome<Self> {
        Self::start_with(directory, &["--database", url])
    }

    fn start_with(directory: &Path, arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .arg("--data-dir")
            .arg(directory)
            .env_clear()
            // All that call here come from one address, where in truth each person has one of their own.
            .env("CLAVIGER_LIMITS_CONNECTIONS_PER_PEER", "1024")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (output, log) = (follow(child.stdout.take()), follow(child.stderr.take()));
        let mut ended = Ended(Some(child));
        let greeting = await_line(&output, "Claviger listens on ")?;
        let port = greeting.rsplit(':').next().unwrap_or_default().trim().parse()?;
        let door = Door::new(port, &directory.join("tls").join("ca.pem"))?;
        let child = ended.0.take().ok_or("no child")?;
        Ok(Self { child, log, door })
    }

    /// Waits until the server has said so in its log.
    pub(crate) fn await_log(&self, text: &str) -> Outcome<String> {
        await_line(&self.log, text)
    }

    pub(crate) fn cpu(&self) -> Outcome<proc::Threads> {
        proc::Threads::of(self.child.id())
    }

    pub(crate) fn resident(&self) -> Outcome<u64> {
        proc::resident(self.child.id())
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) -> Outcome<()> {
        let pid = self.child.id();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status()?;
        if sent.success() { Ok(()) } else { Err(format!("no signal {name} was sent to the server").into()) }
    }

    /// Ends the server as an operator would, so that its store is closed cleanly.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        self.signal("TERM")?;
        let patience = Instant::now() + Duration::from_secs(60);
        while Instant::now() < patience {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("the server did not stop".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A child that is ended unless it is taken out.
struct Ended(Option<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

/// Kills and reaps; on a child that has ended already both do nothing.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The lines that come out of a pipe.
fn follow(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (lines, output) = channel();
    if let Some(pipe) = pipe {
        std::thread::spawn(move || {
            // Read to the end whether or not anybody still listens, so that the server never waits for us.
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
    }
    output
}

fn await_line(output: &Receiver<String>, text: &str) -> Outcome<String> {
    let patience = Instant::now() + Duration::from_secs(120);
    let mut seen = Vec::new();
    loop {
        match output.recv_timeout(patience.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(text) => return Ok(line),
            Ok(line) => seen.push(line),
            Err(_) => return Err(format!("the server did not say {text:?}, but:\n{}", seen.join("\n")).into()),
        }
    }
}
