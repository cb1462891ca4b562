//! Copies of a store on disk: where bytes still stand, and going back to an older copy.

use crate::engine::{Location, Options, Store};
use crate::sql::args;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// The files of the engine that hold these bytes: of the data directory, or of the whole cluster and its log.
pub async fn files_holding(store: &Store, location: &Location, needle: &[u8]) -> Vec<PathBuf> {
    let directory = match location {
        Location::Sqlite { directory } => directory.clone(),
        Location::Postgres { .. } => {
            let found: Option<(String,)> =
                store.optional("select current_setting('data_directory')", args![]).await.unwrap();
            PathBuf::from(found.unwrap().0)
        }
    };
    let mut found = Vec::new();
    search(&directory, needle, &mut found);
    found
}

fn search(directory: &Path, needle: &[u8], found: &mut Vec<PathBuf>) {
    // Files come and go while others use the same cluster.
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, needle, found);
        } else if File::open(&path).is_ok_and(|file| holds(file, needle)) {
            found.push(path);
        }
    }
}

fn holds(file: File, needle: &[u8]) -> bool {
    let (first, rest) = needle.split_first().unwrap();
    let mut text = Vec::new();
    if BufReader::new(file).read_to_end(&mut text).is_err() {
        return false;
    }
    let mut left = text.as_slice();
    while left.skip_until(*first).is_ok_and(|skipped| skipped > 0) {
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}

/// An older copy of a store, kept beside it.
#[derive(Debug)]
pub struct Copy;

const TAKE: &str = "do $$ declare t record; begin
    create schema older;
    for t in select tablename from pg_tables where schemaname = current_schema() loop
        execute format('create table older.%I as select * from %I', t.tablename, t.tablename);
    end loop;
end $$";
const PUT_BACK: &str = "do $$ declare t record; begin
    set local session_replication_role = replica;
    for t in select tablename from pg_tables where schemaname = 'older' loop
        execute format('delete from %I', t.tablename);
        execute format('insert into %I select * from older.%I', t.tablename, t.tablename);
    end loop;
end $$";

impl Copy {
    /// Takes a copy of a store that nobody else has open.
    pub async fn take(location: &Location) -> Self {
        match location {
            Location::Sqlite { directory } => files(directory, "", ".older"),
            Location::Postgres { .. } => run(location, TAKE).await,
        }
        Self
    }

    /// Puts the copy where the store is, which nobody has open.
    pub async fn put_back(self, location: &Location) {
        match location {
            Location::Sqlite { directory } => files(directory, ".older", ""),
            Location::Postgres { .. } => run(location, PUT_BACK).await,
        }
    }
}

fn files(directory: &Path, from: &str, to: &str) {
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", crate::SQLITE_FILE);
        let (from, to) = (directory.join(format!("{file}{from}")), directory.join(format!("{file}{to}")));
        let _gone = fs::remove_file(&to);
        if from.exists() {
            fs::copy(&from, &to).unwrap();
        }
    }
}

async fn run(location: &Location, sql: &'static str) {
    let store = Store::open(Options { location: location.clone(), accept_data_loss: false }).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    super::execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
}
