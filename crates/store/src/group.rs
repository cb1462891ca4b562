//! Group commit on SQLite: units take turns on the one writer and share durable commits.
//!
//! A unit is a savepoint inside a transaction that many units share, the *batch*. Committing a unit sends no SQL: it marks
//! the savepoint as kept, leaves a waiter with the batch and hands the writer on; whoever holds the writer next settles
//! what was left before anything else. A task of its own, the committer, queues for the writer like everybody else and
//! commits what has gathered. So a caller that goes away, at whatever point, leaves nothing to clean up: a unit counts as
//! discarded until its commit says otherwise.

use crate::engine::PATIENCE;
use crate::sql::Failure;
use sqlx::{Connection, SqliteConnection};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

/// The writer, and whoever waits for it.
pub(crate) struct Group {
    writer: Arc<Mutex<Writer>>,
    wake: Notify,
    closing: AtomicBool,
    commits: Arc<AtomicU64>,
}

/// The one writing connection and the state of its batch.
struct Writer {
    /// None once the store is closed.
    connection: Option<SqliteConnection>,
    /// Whether a batch is open; if so there is a savepoint, too.
    open: bool,
    /// What is to become of the savepoint that the last unit left.
    left: Left,
    commits: Arc<AtomicU64>,
    waiters: Vec<oneshot::Sender<Result<(), Failure>>>,
}

#[derive(Clone, Copy)]
enum Left {
    Kept,
    Discarded,
}

/// The turn of one unit.
pub(crate) struct Unit {
    turn: Option<OwnedMutexGuard<Writer>>,
    group: Arc<Group>,
}

impl Group {
    /// Takes charge of the connection and starts the committer.
    pub(crate) fn start(connection: SqliteConnection) -> Arc<Self> {
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            connection: Some(connection),
            open: false,
            left: Left::Discarded,
            commits: Arc::clone(&commits),
            waiters: Vec::new(),
        };
        let group = Arc::new(Self {
            writer: Arc::new(Mutex::new(writer)),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            commits,
        });
        tokio::spawn(commit_batches(Arc::clone(&group)));
        group
    }

    /// Waits for the writer and opens a unit.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<Unit, Failure> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.writer).lock_owned());
        let turn = turn.await.map_err(|_| Failure::busy())?;
        let mut unit = Unit { turn: Some(turn), group: Arc::clone(self) };
        let entered = Finish::new(async move {
            let writer = unit.turn.as_mut().ok_or_else(Failure::closed)?;
            writer.enter().await?;
            Ok(unit)
        });
        entered.await
    }

    /// Commits what has gathered and lends the bare connection, on which no batch is open.
    pub(crate) async fn alone(&self) -> Result<Alone, Failure> {
        let mut turn = Arc::clone(&self.writer).lock_owned().await;
        let settled = Finish::new(async move {
            turn.settle().await;
            turn
        });
        Ok(Alone(settled.await))
    }

    /// Durable commits so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Lets the committer end once it has committed what has gathered.
    pub(crate) fn end(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Commits what has gathered, empties the write-ahead log and closes the connection.
    pub(crate) async fn close(&self) {
        let mut turn = Arc::clone(&self.writer).lock_owned().await;
        let closed = Finish::new(async move {
            turn.settle().await;
            if let Some(mut connection) = turn.connection.take() {
                let emptied = sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut connection).await;
                let closed = connection.close().await;
                if let Err(error) = emptied.and(closed) {
                    tracing::warn!(%error, "the database was not closed cleanly; its log is replayed at the next start");
                }
            }
        });
        closed.await;
        self.end();
    }
}

/// The writer's connection, outside any batch.
pub(crate) struct Alone(OwnedMutexGuard<Writer>);

impl Alone {
    /// The connection.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.0.connection.as_mut().ok_or_else(Failure::closed)
    }
}

async fn commit_batches(group: Arc<Group>) {
    loop {
        group.wake.notified().await;
        // Read before the turn: whoever ends the group has begun no unit after that.
        let closing = group.closing.load(Ordering::Acquire);
        group.writer.lock().await.settle().await;
        if closing {
            return;
        }
    }
}

impl Unit {
    /// The writer's connection.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.turn.as_mut().and_then(|turn| turn.connection.as_mut()).ok_or_else(Failure::closed)
    }

    /// Keeps what the unit did, hands the writer on and waits for the shared durable commit.
    pub(crate) async fn commit(mut self) -> Result<(), Failure> {
        let (waiter, durable) = oneshot::channel();
        if let Some(mut writer) = self.turn.take() {
            writer.left = Left::Kept;
            writer.waiters.push(waiter);
        }
        self.group.wake.notify_one();
        durable.await.unwrap_or_else(|_| Err(Failure::closed()))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if self.turn.take().is_some() {
            // Nobody may come after this unit: the committer then ends the batch that it leaves open.
            self.group.wake.notify_one();
        }
    }
}

impl Writer {
    /// Settles what the last unit left and sets a savepoint for the next.
    async fn enter(&mut self) -> Result<(), Failure> {
        if self.open {
            // Rolling back to a savepoint leaves it standing, as good as new.
            let sql = match self.left {
                Left::Kept => "release unit; savepoint unit",
                Left::Discarded => "rollback to unit",
            };
            match self.control(sql).await {
                Ok(()) => {
                    self.left = Left::Discarded;
                    return Ok(());
                }
                // SQLite has given up the whole transaction, as it does when the disk is full.
                Err(failure) => self.fail(failure).await,
            }
        }
        self.left = Left::Discarded;
        if let Err(failure) = self.control("begin immediate; savepoint unit").await {
            self.fail(failure.clone()).await;
            return Err(failure);
        }
        self.open = true;
        Ok(())
    }

    /// Ends the batch: commits it if anybody waits for that.
    async fn settle(&mut self) {
        if !self.open {
            return;
        }
        let waited_for = !self.waiters.is_empty();
        let sql = match (waited_for, self.left) {
            (false, _) => "rollback",
            (true, Left::Kept) => "commit",
            (true, Left::Discarded) => "rollback to unit; commit",
        };
        match self.control(sql).await {
            Ok(()) => {
                self.open = false;
                self.commits.fetch_add(u64::from(waited_for), Ordering::Relaxed);
                for waiter in self.waiters.drain(..) {
                    let _gone = waiter.send(Ok(()));
                }
            }
            Err(failure) => self.fail(failure).await,
        }
    }

    /// Gives the batch up: nothing of it remains, and everybody who waits for it is told.
    async fn fail(&mut self, failure: Failure) {
        if !self.waiters.is_empty() {
            tracing::error!(?failure, units = self.waiters.len(), "a shared commit failed");
        }
        // Fails where SQLite has rolled back already.
        let _rolled_back = self.control("rollback").await;
        self.open = false;
        for waiter in self.waiters.drain(..) {
            let _gone = waiter.send(Err(failure.clone()));
        }
    }

    async fn control(&mut self, sql: &'static str) -> Result<(), Failure> {
        let connection = self.connection.as_mut().ok_or_else(Failure::closed)?;
        sqlx::query(sql).execute(connection).await?;
        Ok(())
    }
}

/// A future that runs to its end even if whoever awaits it goes away, so that no step is left half done.
struct Finish<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Finish<T> {
    fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<T: Send + 'static> Future for Finish<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(future) = self.0.as_mut() else { return Poll::Pending };
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finish<T> {
    fn drop(&mut self) {
        if let (Some(future), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}
