//! Fresh stores for tests of this and other crates, on either engine. Compiled only with the feature `test`.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot set up its store should stop there")]

use crate::engine::{Location, Options, Store};
use crate::sql::{Engine, Tx, args};
use claviger_domain::Result;
use sqlx::Postgres;
use sqlx::migrate::MigrateDatabase;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub mod bulk;
pub mod copies;

/// Names the PostgreSQL that tests may make databases on: a URL of a role that is allowed to.
pub const POSTGRES: &str = "CLAVIGER_TEST_POSTGRES";

/// Takes what a test's store stood on away again when it is dropped.
#[derive(Debug)]
pub struct Guard {
    location: Location,
}

impl Guard {
    /// Where the store is: to open it once more.
    pub fn location(&self) -> Location {
        self.location.clone()
    }

    /// The store's directory, on SQLite.
    pub fn directory(&self) -> Option<&Path> {
        match &self.location {
            Location::Sqlite { directory } => Some(directory),
            Location::Postgres { .. } => None,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        match &self.location {
            Location::Sqlite { directory } => drop(std::fs::remove_dir_all(directory)),
            Location::Postgres { url } => {
                // A thread of its own, because a test's runtime cannot be waited for from within.
                let url = url.clone();
                let dropping = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.unwrap().block_on(Postgres::force_drop_database(&url))
                });
                drop(dropping.join());
            }
        }
    }
}

/// A place for a store of its own that holds nothing yet; none, with a word about it, on an engine that is not at hand.
pub async fn fresh(engine: Engine) -> Option<Guard> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = || format!("claviger_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let location = match engine {
        Engine::Sqlite => Location::Sqlite { directory: fresh_directory(name) },
        Engine::Postgres => {
            let Ok(server) = std::env::var(POSTGRES) else {
                eprintln!("skipped: {POSTGRES} is not set");
                return None;
            };
            let (base, _database) = server.rsplit_once('/').unwrap();
            let url = format!("{base}/{}", name());
            Postgres::drop_database(&url).await.unwrap();
            Postgres::create_database(&url).await.unwrap();
            Location::Postgres { url }
        }
    };
    Some(Guard { location })
}

fn fresh_directory(name: impl Fn() -> String) -> PathBuf {
    loop {
        let directory = std::env::temp_dir().join(name());
        // An earlier process of the same id may have left one behind.
        if std::fs::create_dir(&directory).is_ok() {
            return directory;
        }
    }
}

/// A migrated store of its own; none, with a word about it, on an engine that is not at hand.
pub async fn open_fresh(engine: Engine) -> Option<(Store, Guard)> {
    let guard = fresh(engine).await?;
    let store = Store::open(Options { location: guard.location(), accept_data_loss: false }).await.unwrap();
    store.migrate().await.unwrap();
    Some((store, guard))
}

/// A migrated store on SQLite in a directory that the caller looks after.
pub async fn open_sqlite(directory: &Path) -> Store {
    let location = Location::Sqlite { directory: directory.to_owned() };
    let store = Store::open(Options { location, accept_data_loss: false }).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// Opens a store on SQLite that does not wait for the disk, which only `accept_data_loss` allows.
pub async fn open_weak_sqlite(directory: &Path, accept_data_loss: bool) -> Result<Store> {
    Store::open_weak(directory, accept_data_loss).await
}

/// Runs a statement that no function of the store would: to break things on purpose.
pub async fn execute(tx: &mut Tx, sql: &'static str) -> Result<u64> {
    Ok(tx.execute(sql, args![]).await?)
}

/// The tables that have a column `tenant_id`, by what the engine itself says.
pub async fn tables_of_tenants(store: &Store) -> Vec<String> {
    let sql = match store.engine() {
        Engine::Sqlite => {
            "select m.name from sqlite_master m join pragma_table_info(m.name) c \
             where m.type = 'table' and c.name = 'tenant_id'"
        }
        Engine::Postgres => {
            "select cast(table_name as text) from information_schema.columns \
             where table_schema = current_schema() and column_name = 'tenant_id'"
        }
    };
    let found: Vec<(String,)> = store.all(sql, args![]).await.unwrap();
    found.into_iter().map(|(name,)| name).collect()
}

/// How many rows SQLite believes a table to have, or nothing where it has not counted them.
pub async fn believed_rows(store: &Store, table: &'static str) -> Option<i64> {
    let sql =
        "select cast(stat as integer) from sqlite_stat1 where tbl = $1 and idx is not null order by 1 desc limit 1";
    let found: Vec<(i64,)> = store.all(sql, args![table]).await.unwrap();
    found.first().map(|(rows,)| *rows)
}
