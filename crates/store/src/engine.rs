//! The store itself: connections, what makes a write durable, units of work.

use crate::group::Group;
use crate::schema::{self, SchemaState};
use crate::sql::{Engine, Failure, Tx, Work, args};
use claviger_domain::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Name of the database's file in the data directory.
pub const FILE: &str = "claviger.db";
/// Statements that are kept prepared on each connection: more than there are.
const STATEMENTS: usize = 256;
const READERS: u32 = 4;
const CONNECTIONS: u32 = 16;
/// Has SQLite count again whatever has become ten times larger or smaller since it was counted. Figures from when a table
/// was small make it read all of a large one.
const COUNT_AGAIN: &str = "pragma optimize = 0x10002";
/// How long to wait for a connection, or for the one writer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// After which rest a pooled connection is asked whether it still lives.
const REST: Duration = Duration::from_secs(1);

/// Where the data is, and how much may be risked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which engine, and where.
    pub location: Location,
    /// Go on although the engine says that an acknowledged write may be lost.
    pub accept_data_loss: bool,
}

/// Where the data is.
#[derive(Clone)]
pub enum Location {
    /// SQLite, in a file of this directory, which is made if it is not there.
    Sqlite {
        /// The data directory.
        directory: PathBuf,
    },
    /// PostgreSQL.
    Postgres {
        /// Connection URL. It may hold a password, so it is never printed.
        url: String,
    },
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { directory } => f.debug_struct("Sqlite").field("directory", directory).finish(),
            Self::Postgres { .. } => f.write_str("Postgres { .. }"),
        }
    }
}

/// A store. Cheap to clone; the last one to go lets the connections go.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) pools: Pools,
    statements: AtomicU64,
    commits: AtomicU64,
    /// What a second handle on the same store needs, on PostgreSQL.
    pub(crate) url: Option<PgConnectOptions>,
    /// The number of this process among all that ever ran on the store, and how many rows it has logged.
    pub(crate) run: AtomicI64,
    pub(crate) logged: AtomicI64,
}

pub(crate) enum Pools {
    Sqlite { readers: SqlitePool, group: Arc<Group> },
    Postgres(PgPool),
}

impl Inner {
    /// Counts a statement that is about to be sent.
    pub(crate) fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Pools::Sqlite { group, .. } = &self.pools {
            group.end();
        }
    }
}

impl Store {
    /// Connects, reads back whether writes are durable and refuses weaker settings unless `accept_data_loss` is set.
    pub async fn open(options: Options) -> Result<Self> {
        let (pools, settings, url) = match &options.location {
            Location::Sqlite { directory } => {
                let (pools, settings) = open_sqlite(directory, SqliteSynchronous::Full).await?;
                (pools, settings, None)
            }
            Location::Postgres { url } => {
                let url = postgres_options(url)?;
                let (pools, settings) = open_postgres(url.clone()).await?;
                (pools, settings, Some(url))
            }
        };
        Self::guarded(pools, &settings, options.accept_data_loss, url)
    }

    /// A store on SQLite whose `synchronous` is weakened, for tests of the refusal.
    #[cfg(feature = "test")]
    pub(crate) async fn open_weak(directory: &Path, accept_data_loss: bool) -> Result<Self> {
        let (pools, settings) = open_sqlite(directory, SqliteSynchronous::Normal).await?;
        Self::guarded(pools, &settings, accept_data_loss, None)
    }

    pub(crate) fn of(pools: Pools, url: Option<PgConnectOptions>) -> Self {
        Self(Arc::new(Inner {
            pools,
            statements: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            url,
            run: AtomicI64::new(0),
            logged: AtomicI64::new(0),
        }))
    }

    fn guarded(
        pools: Pools,
        settings: &[Setting],
        accept_data_loss: bool,
        url: Option<PgConnectOptions>,
    ) -> Result<Self> {
        let store = Self::of(pools, url);
        for weak in settings.iter().filter(|setting| !setting.strong.contains(&setting.value.as_str())) {
            let Setting { name, value, strong, remedy } = weak;
            if !accept_data_loss {
                return Err(Error::Unavailable(format!(
                    "{name} is {value:?}: an acknowledged write could be lost. It must be {}; {remedy}, or set \
                     accept_data_loss = true to run all the same",
                    strong.join(" or ")
                )));
            }
            tracing::warn!(name, value, "acknowledged writes may be lost, as accept_data_loss allows");
        }
        Ok(store)
    }

    /// Applies the migrations that are missing and names them. Refuses a schema newer than this program. Programs that
    /// start at the same time wait for each other.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        match &self.0.pools {
            Pools::Sqlite { group, .. } => {
                let mut alone = group.alone().await?;
                let applied = schema::migrate(alone.connection()?, Engine::Sqlite).await?;
                // Only advice: a disk that is full must not keep the store closed.
                if let Err(error) = sqlx::query(COUNT_AGAIN).execute(alone.connection()?).await {
                    tracing::warn!(%error, "the sizes of tables could not be counted again");
                }
                Ok(applied)
            }
            Pools::Postgres(pool) => {
                // Not given back: were migrating to fail, its lock would live on in the pool.
                let mut connection = pool.acquire().await.map_err(Failure::from)?.detach();
                let applied = schema::migrate(&mut connection, Engine::Postgres).await;
                let closed = connection.close().await.map_err(Failure::from);
                let applied = applied?;
                closed?;
                Ok(applied)
            }
        }
    }

    /// Brings what the engine knows of the sizes of tables up to date, from which it chooses how to read them. Connections
    /// that are open already learn it as they are replaced. PostgreSQL does so by itself.
    pub async fn refresh_statistics(&self) -> Result<()> {
        if self.engine() == Engine::Postgres {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.execute(COUNT_AGAIN, args![]).await?;
        tx.commit().await
    }

    /// How the stored schema compares with the one this program knows. Changes nothing.
    pub async fn check_schema(&self) -> Result<SchemaState> {
        schema::check(self).await
    }

    /// Begins a unit of work.
    pub async fn begin(&self) -> Result<Tx> {
        self.0.count();
        let work = match &self.0.pools {
            Pools::Sqlite { group, .. } => Work::Sqlite(group.begin().await?),
            Pools::Postgres(pool) => Work::Postgres(pool.begin().await.map_err(Failure::from)?),
        };
        Ok(Tx { inner: Arc::clone(&self.0), work, spoiled: false })
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        match &self.0.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Statements sent so far: a path that leaves this number alone does no SQL.
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// Durable commits so far; on SQLite many units share one.
    pub fn commits(&self) -> u64 {
        match &self.0.pools {
            Pools::Sqlite { group, .. } => group.commits(),
            Pools::Postgres(_) => self.0.commits.load(Ordering::Relaxed),
        }
    }

    /// Commits what was handed over, and closes all connections.
    pub async fn close(&self) {
        match &self.0.pools {
            Pools::Sqlite { readers, group } => {
                // Readers first: one that is still open would keep the log from being emptied.
                readers.close().await;
                group.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the unit durable. When this returns `Ok`, what it wrote is on disk; when it returns an error, nothing of it
    /// remains, unless the connection was lost just then, which [`Error::Unavailable`] leaves open.
    pub async fn commit(self) -> Result<()> {
        let Self { inner, work, spoiled } = self;
        if spoiled {
            return Err(Failure::spoiled().into());
        }
        inner.count();
        match work {
            Work::Sqlite(unit) => unit.commit().await?,
            Work::Postgres(transaction) => {
                transaction.commit().await.map_err(Failure::from)?;
                inner.commits.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// A setting that durability depends on, as the engine reports it.
struct Setting {
    name: &'static str,
    value: String,
    strong: &'static [&'static str],
    remedy: &'static str,
}

async fn open_sqlite(directory: &Path, synchronous: SqliteSynchronous) -> Result<(Pools, Vec<Setting>)> {
    let path = prepare_file(directory)
        .map_err(|error| Error::Unavailable(format!("the data directory {}: {error}", directory.display())))?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(512)
        .disable_statement_logging();
    let writing = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .pragma("cache_size", "-16384")
        .pragma("analysis_limit", "400");
    let mut writer = writing.connect().await.map_err(Failure::from)?;

    let (journal,): (String,) =
        sqlx::query_as("pragma journal_mode").fetch_one(&mut writer).await.map_err(Failure::from)?;
    let (level,): (i64,) = sqlx::query_as("pragma synchronous").fetch_one(&mut writer).await.map_err(Failure::from)?;
    let settings = vec![
        Setting {
            name: "journal_mode",
            value: journal,
            strong: &["wal"],
            remedy: "put the data directory on a local file system that SQLite can share memory on",
        },
        Setting {
            name: "synchronous",
            value: level.to_string(),
            strong: &["2", "3"],
            remedy: "run an SQLite that is not built to ignore it",
        },
    ];

    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .connect_lazy_with(options.read_only(true));
    Ok((Pools::Sqlite { readers, group: Group::start(writer) }, settings))
}

/// Makes directory and file so that only this user can read them. SQLite gives its log the mode of the file.
fn prepare_file(directory: &Path) -> std::io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let path = directory.join(FILE);
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options: PgConnectOptions =
        url.parse().map_err(|_| Error::Unavailable("the database URL is not a PostgreSQL URL".into()))?;
    // A node that stalls inside a unit, as a suspended machine does, must not hold its locks for ever, and one that is
    // gone without a word not for as long as the system's own timers run.
    Ok(options
        .options([
            ("idle_in_transaction_session_timeout", "30s"),
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
        ])
        .application_name("claviger")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging())
}

async fn open_postgres(options: PgConnectOptions) -> Result<(Pools, Vec<Setting>)> {
    // Alone first: the pool would try again until its patience ends, and then not say why.
    let failed = |what: String| {
        let (host, port) = (options.get_host(), options.get_port());
        Error::Unavailable(format!("PostgreSQL at {host}:{port}: {what}"))
    };
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => connection.close().await.map_err(Failure::from)?,
        Ok(Err(sqlx::Error::Database(refused))) => return Err(failed(refused.message().to_owned())),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|connection, rested| {
            Box::pin(async move { Ok(rested.idle_for < REST || connection.ping().await.is_ok()) })
        })
        .connect_with(options)
        .await
        .map_err(Failure::from)?;
    let (synchronous_commit, fsync, full_page_writes): (String, String, String) = sqlx::query_as(
        "select current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')",
    )
    .fetch_one(&pool)
    .await
    .map_err(Failure::from)?;
    // remote_write flushes locally as `on` does and differs only in what a standby has done by then; `local` ignores
    // standbys that the operator has declared synchronous, so that a failover would lose what was acknowledged.
    let settings = vec![
        Setting {
            name: "synchronous_commit",
            value: synchronous_commit,
            strong: &["on", "remote_apply", "remote_write"],
            remedy: "set it to on for the server, the database and the role",
        },
        Setting { name: "fsync", value: fsync, strong: &["on"], remedy: "set it to on in the server's configuration" },
        Setting {
            name: "full_page_writes",
            value: full_page_writes,
            strong: &["on"],
            remedy: "set it to on in the server's configuration",
        },
    ];
    Ok((Pools::Postgres(pool), settings))
}
