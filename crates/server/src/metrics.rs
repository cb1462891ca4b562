//! What the edge counts, and the separate listener that shows it to Prometheus.
//!
//! Counting is on the hot path, so each thread writes to a shard of its own; a scrape adds the shards up.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http::{StatusCode, header};

const SHARDS: usize = 16;

/// Upper bounds of the duration histogram in microseconds, and how Prometheus wants them written.
const BUCKETS: [(u64, &str); 12] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (50_000, "0.05"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (u64::MAX, "+Inf"),
];

/// One thread's share of the request counters, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    by_class: [AtomicU64; 6],
    buckets: [AtomicU64; BUCKETS.len()],
    microseconds: AtomicU64,
}

/// The counters of one listener.
#[derive(Default)]
pub struct Counters {
    shards: [Shard; SHARDS],
    open: Arc<AtomicU64>,
    accepted: AtomicU64,
    refused_full: AtomicU64,
    refused_peer: AtomicU64,
    accept_errors: AtomicU64,
    handshake_failures: AtomicU64,
    timed_out: AtomicU64,
    panics: AtomicU64,
}

/// An open connection: counted until it is dropped.
pub struct Open(Arc<AtomicU64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    fn shard(&self) -> Option<&Shard> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static SLOT: usize = THREADS.fetch_add(1, Relaxed) % SHARDS);
        self.shards.get(SLOT.with(|slot| *slot))
    }

    /// A request was answered.
    pub fn answered(&self, status: StatusCode, took: Option<Duration>) {
        let Some(shard) = self.shard() else { return };
        if let Some(counter) = shard.by_class.get(usize::from(status.as_u16() / 100)) {
            add(counter);
        }
        if let Some(took) = took {
            let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let bucket = BUCKETS.iter().position(|(bound, _)| microseconds <= *bound);
            if let Some(counter) = bucket.and_then(|at| shard.buckets.get(at)) {
                add(counter);
            }
            shard.microseconds.fetch_add(microseconds, Relaxed);
        }
    }

    /// A connection was accepted; it is open until the value returned is dropped.
    pub fn opened(&self) -> Open {
        add(&self.accepted);
        add(&self.open);
        Open(Arc::clone(&self.open))
    }

    /// A connection was refused because the listener is full.
    pub fn refused_full(&self) {
        add(&self.refused_full);
    }

    /// A connection was refused because its peer holds all it may.
    pub fn refused_peer(&self) {
        add(&self.refused_peer);
    }

    /// Accepting failed.
    pub fn accept_failed(&self) {
        add(&self.accept_errors);
    }

    /// A TLS handshake failed.
    pub fn handshake_failed(&self) {
        add(&self.handshake_failures);
    }

    /// Connections were dropped because a timer ran out.
    pub fn timed_out(&self, connections: usize) {
        if connections > 0 {
            self.timed_out.fetch_add(connections as u64, Relaxed);
        }
    }

    /// A handler panicked.
    pub fn panicked(&self) {
        add(&self.panics);
    }

    /// Connections open now.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Writes all families in the Prometheus text format.
    pub fn render(&self, out: &mut String) {
        family(out, "claviger_connections_open", "gauge", "Connections open now", self.open());
        let counters = [
            ("claviger_connections_total", "Connections accepted", &self.accepted),
            ("claviger_accept_errors_total", "Errors of accept", &self.accept_errors),
            ("claviger_tls_handshake_failures_total", "TLS handshakes that failed", &self.handshake_failures),
            ("claviger_connections_timed_out_total", "Connections dropped by a timer", &self.timed_out),
            ("claviger_panics_total", "Requests whose handler panicked", &self.panics),
        ];
        for (name, help, value) in counters {
            family(out, name, "counter", help, value.load(Relaxed));
        }
        head(out, "claviger_connections_refused_total", "counter", "Connections refused by a cap");
        for (cap, value) in [("all", &self.refused_full), ("peer", &self.refused_peer)] {
            let _ = writeln!(out, "claviger_connections_refused_total{{cap=\"{cap}\"}} {}", value.load(Relaxed));
        }
        head(out, "claviger_requests_total", "counter", "Requests answered, by class of status");
        for class in 1..=5 {
            let count = self.sum(|shard| shard.by_class.get(class));
            let _ = writeln!(out, "claviger_requests_total{{status=\"{class}xx\"}} {count}");
        }
        head(out, "claviger_request_duration_seconds", "histogram", "From the request's head to the answer's head");
        let mut count = 0;
        for (at, (_, bound)) in BUCKETS.iter().enumerate() {
            count += self.sum(|shard| shard.buckets.get(at));
            let _ = writeln!(out, "claviger_request_duration_seconds_bucket{{le=\"{bound}\"}} {count}");
        }
        let total = Duration::from_micros(self.sum(|shard| Some(&shard.microseconds))).as_secs_f64();
        let _ = writeln!(out, "claviger_request_duration_seconds_sum {total}");
        let _ = writeln!(out, "claviger_request_duration_seconds_count {count}");
    }

    fn sum(&self, of: impl Fn(&Shard) -> Option<&AtomicU64>) -> u64 {
        self.shards.iter().filter_map(of).map(|counter| counter.load(Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// Writes the two comment lines of a metric family.
pub fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes a metric family of one value.
pub fn family(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(out, name, kind, help);
    let _ = writeln!(out, "{name} {value}");
}

/// A label's value as Prometheus wants it written.
pub fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The router of the metrics listener: `GET /metrics` and nothing else. `more` has families of its own.
pub fn router<F>(counters: Arc<Counters>, more: impl Fn() -> F + Clone + Send + Sync + 'static) -> Router
where
    F: Future<Output = String> + Send + 'static,
{
    let started = Instant::now();
    let scrape = async move || {
        let mut out = String::with_capacity(8 * 1024);
        counters.render(&mut out);
        family(&mut out, "process_uptime_seconds", "gauge", "Time since start", started.elapsed().as_secs());
        if let Some(bytes) = resident_bytes() {
            family(&mut out, "process_resident_memory_bytes", "gauge", "Resident memory", bytes);
        }
        out.push_str(&more().await);
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
    };
    Router::new().route("/metrics", get(scrape))
}

/// The resident memory of this process, where the system tells.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let counters = Counters::default();
        let open = counters.opened();
        counters.answered(StatusCode::NO_CONTENT, Some(Duration::from_micros(70)));
        counters.answered(StatusCode::NOT_FOUND, Some(Duration::from_secs(2)));
        counters.refused_peer();
        let mut text = String::new();
        counters.render(&mut text);
        for line in [
            "claviger_connections_open 1",
            "claviger_requests_total{status=\"2xx\"} 1",
            "claviger_requests_total{status=\"4xx\"} 1",
            "claviger_request_duration_seconds_bucket{le=\"0.00005\"} 0",
            "claviger_request_duration_seconds_bucket{le=\"0.0001\"} 1",
            "claviger_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "claviger_request_duration_seconds_count 2",
            "claviger_connections_refused_total{cap=\"peer\"} 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is missing in:\n{text}");
        }
        drop(open);
        assert_eq!(counters.open(), 0);
        assert!(resident_bytes().is_some_and(|bytes| bytes > 0));
    }
}
