//! The state of one connection, written by its own task with relaxed atomics and read by the accept loop once a tick.
//!
//! No request arms a timer. A connection notes the tick at which its phase began; the accept loop walks over all
//! connections each tick and ends those whose phase has lasted too long. One walk costs a few nanoseconds per connection.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::limits::Timers;

/// Time in ticks, moved on by the accept loop, so that reading it costs one load.
pub(crate) struct Ticks {
    start: Instant,
    length: Duration,
    now: AtomicU32,
}

impl Ticks {
    pub(crate) fn new(length: Duration) -> Self {
        Self { start: Instant::now(), length, now: AtomicU32::new(1) }
    }

    /// Reads the clock and publishes the tick.
    pub(crate) fn advance(&self) {
        let elapsed = self.start.elapsed().as_nanos() / self.length.as_nanos().max(1);
        self.now.store(u32::try_from(elapsed).unwrap_or(u32::MAX).saturating_add(1), Relaxed);
    }

    pub(crate) fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }

    fn of(&self, span: Duration) -> u32 {
        u32::try_from(span.as_nanos().div_ceil(self.length.as_nanos().max(1))).unwrap_or(u32::MAX)
    }
}

/// The timers in ticks.
pub(crate) struct Deadlines {
    handshake: u32,
    first_byte: u32,
    headers: u32,
    idle: u32,
    window: u32,
    window_bytes: u64,
    linger: u32,
}

impl Deadlines {
    pub(crate) fn new(timers: &Timers, ticks: &Ticks) -> Self {
        Self {
            handshake: ticks.of(timers.handshake),
            first_byte: ticks.of(timers.first_byte),
            headers: ticks.of(timers.headers),
            idle: ticks.of(timers.idle),
            window: ticks.of(timers.window),
            window_bytes: timers.window_bytes(),
            linger: ticks.of(LINGER),
        }
    }
}

/// How long a refused sender is listened to, so that it reads our answer instead of a reset.
const LINGER: Duration = Duration::from_secs(2);

const HANDSHAKE: u8 = 0;
const FIRST_BYTE: u8 = 1;
const HEAD: u8 = 2;
const BUSY: u8 = 3;
const ANSWERING: u8 = 4;
const IDLE: u8 = 5;
const LINGERING: u8 = 6;

/// What the accept loop does with a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// Idle for too long: close it politely.
    Leave,
    /// Owes us something for too long: drop it.
    Drop,
}

/// The state of one connection.
pub(crate) struct Pulse {
    ticks: Arc<Ticks>,
    phase: AtomicU8,
    since: AtomicU32,
    requests: AtomicU32,
    multiplexed: AtomicBool,
    leaving: AtomicBool,
    unread: AtomicBool,
    stuck_since: AtomicU32,
    moved: AtomicU64,
    waker: OnceLock<Waker>,
}

impl Pulse {
    pub(crate) fn new(ticks: Arc<Ticks>) -> Self {
        let since = AtomicU32::new(ticks.now());
        Self {
            ticks,
            phase: AtomicU8::new(HANDSHAKE),
            since,
            requests: AtomicU32::new(0),
            multiplexed: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            stuck_since: AtomicU32::new(0),
            moved: AtomicU64::new(0),
            waker: OnceLock::new(),
        }
    }

    fn enter(&self, phase: u8) {
        self.since.store(self.ticks.now(), Relaxed);
        self.phase.store(phase, Relaxed);
    }

    /// The handshake is over (or there was none).
    pub(crate) fn opened(&self, multiplexed: bool) {
        self.multiplexed.store(multiplexed, Relaxed);
        self.enter(FIRST_BYTE);
    }

    /// Whether requests share it side by side.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    /// Bytes came in.
    pub(crate) fn heard(&self) {
        match self.phase.load(Relaxed) {
            // Frames other than requests (pings, settings) are no head in HTTP/2: it may stay idle.
            FIRST_BYTE if self.multiplexed.load(Relaxed) => self.enter(IDLE),
            FIRST_BYTE => self.enter(HEAD),
            IDLE if !self.multiplexed.load(Relaxed) => self.enter(HEAD),
            _ => {}
        }
    }

    /// A request was read and its handler starts.
    pub(crate) fn begin(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.enter(BUSY);
    }

    /// A handler has answered; its body goes out.
    pub(crate) fn answering(&self) {
        self.enter(ANSWERING);
    }

    /// A request is over, one way or the other.
    pub(crate) fn finish(&self) {
        if self.requests.fetch_sub(1, Relaxed) == 1 {
            self.enter(IDLE);
        }
    }

    /// A request body was left unread: what the peer still sends must be taken before closing.
    pub(crate) fn abandoned(&self) {
        self.unread.store(true, Relaxed);
    }

    /// The socket takes no more bytes.
    pub(crate) fn stuck(&self) {
        if self.stuck_since.load(Relaxed) == 0 {
            self.moved.store(0, Relaxed);
            self.stuck_since.store(self.ticks.now().max(1), Relaxed);
        }
    }

    /// The socket took bytes.
    pub(crate) fn sent(&self, bytes: usize) {
        if self.stuck_since.load(Relaxed) != 0 {
            self.moved.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// Everything is out.
    pub(crate) fn flushed(&self) {
        if self.stuck_since.load(Relaxed) != 0 {
            self.stuck_since.store(0, Relaxed);
        }
    }

    /// Whether closing must wait for what the peer still sends. Asked once, when we have closed our side.
    pub(crate) fn lingers(&self) -> bool {
        let lingers = self.unread.load(Relaxed) || self.phase.load(Relaxed) == HEAD;
        if lingers {
            self.enter(LINGERING);
        }
        lingers
    }

    /// Remembers how to wake the connection's task.
    pub(crate) fn attend(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// Asks the connection to finish what is in flight and close.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Relaxed);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// Whether the connection is still in its handshake.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.phase.load(Relaxed) == HANDSHAKE
    }

    /// Since when the connection has had nothing to do; none while it has.
    pub(crate) fn idle_since(&self) -> Option<u32> {
        matches!(self.phase.load(Relaxed), FIRST_BYTE | IDLE).then(|| self.since.load(Relaxed))
    }

    /// What has become of the connection by now.
    pub(crate) fn verdict(&self, deadlines: &Deadlines) -> Verdict {
        let now = self.ticks.now();
        let age = now.saturating_sub(self.since.load(Relaxed));
        let drop_after = |limit: u32| if age > limit { Verdict::Drop } else { Verdict::Keep };
        let verdict = match self.phase.load(Relaxed) {
            HANDSHAKE => drop_after(deadlines.handshake),
            FIRST_BYTE => drop_after(deadlines.first_byte),
            HEAD => drop_after(deadlines.headers),
            ANSWERING => drop_after(deadlines.idle),
            LINGERING => drop_after(deadlines.linger),
            IDLE if age > deadlines.idle.saturating_add(deadlines.linger) => Verdict::Drop,
            IDLE if age > deadlines.idle => Verdict::Leave,
            _ => Verdict::Keep,
        };
        if verdict == Verdict::Drop || self.is_too_slow(now, deadlines) { Verdict::Drop } else { verdict }
    }

    fn is_too_slow(&self, now: u32, deadlines: &Deadlines) -> bool {
        let since = self.stuck_since.load(Relaxed);
        if since == 0 || now.saturating_sub(since) <= deadlines.window {
            return false;
        }
        if self.moved.swap(0, Relaxed) < deadlines.window_bytes {
            return true;
        }
        // The window went well: the next one starts, unless the connection got free meanwhile.
        let _ = self.stuck_since.compare_exchange(since, now, Relaxed, Relaxed);
        false
    }
}
