//! What the kernel knows about a process: CPU time to the nanosecond, and resident memory.

use crate::Outcome;
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// CPU time of each thread of a process, in nanoseconds.
pub(crate) struct Threads(HashMap<String, u64>);

impl Threads {
    /// As it is now.
    pub(crate) fn of(pid: u32) -> Outcome<Self> {
        let mut times = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = entry?.path();
            // A thread may end between the two looks.
            if let Ok(text) = fs::read_to_string(path.join("schedstat")) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                times.insert(name, first_number(&text)?);
            }
        }
        Ok(Self(times))
    }

    /// CPU time spent from then until `later`. What a thread that has ended spent at last is not in it: the pools of the
    /// server keep theirs.
    pub(crate) fn until(&self, later: &Self) -> Duration {
        let spent = later.0.iter().map(|(name, time)| time.saturating_sub(self.0.get(name).copied().unwrap_or(0)));
        Duration::from_nanos(spent.sum())
    }
}

/// CPU time of this thread.
pub(crate) fn own_thread() -> Outcome<Duration> {
    // The kernel brings the figure up to date when the thread yields.
    std::thread::yield_now();
    Ok(Duration::from_nanos(first_number(&fs::read_to_string("/proc/thread-self/schedstat")?)?))
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(first_number(line)? * 1024)
}

/// Cores and CPU model.
pub(crate) fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("model name")).collect();
    let model = models.first().map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']));
    format!("{} × {model}", models.len())
}

fn first_number(text: &str) -> Outcome<u64> {
    Ok(text.split_whitespace().next().ok_or("no number")?.parse()?)
}
