//! Opening, durability, closing.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_store::testing::{believed_rows, fresh, open_fresh, open_sqlite, open_weak_sqlite};
use claviger_store::{Engine, Location, Options, Store};
use std::os::unix::fs::PermissionsExt;

facts!(statements_are_counted, a_closed_store_is_unavailable, what_was_committed_survives_a_close);

async fn statements_are_counted(store: Store) {
    let before = store.statements();
    store.find_tenant(tenant_id(1)).await.unwrap();
    assert_eq!(store.statements(), before + 1);
    let tx = store.begin().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.statements(), before + 3);
    assert!(store.commits() >= 1);
}

async fn a_closed_store_is_unavailable(store: Store) {
    insert_tenants(&store, 1).await;
    store.close().await;
    let read = store.find_tenant(tenant_id(1)).await;
    assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    let written = store.begin().await;
    assert!(matches!(written, Err(Error::Unavailable(_))), "{written:?}");
    store.close().await;
}

async fn what_was_committed_survives_a_close(store: Store) {
    insert_tenants(&store, 1).await;
    let open = store.begin().await.unwrap();
    drop(open);
    store.close().await;
}

#[tokio::test]
async fn sqlite_files_are_private_and_reopen() {
    let guard = fresh(Engine::Sqlite).await.unwrap();
    let directory = guard.directory().unwrap().join("data").join("inner");
    let store = open_sqlite(&directory).await;
    assert_eq!(store.engine(), Engine::Sqlite);
    insert_tenants(&store, 3).await;
    let mode = |name: &str| std::fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["claviger.db", "claviger.db-wal", "claviger.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    store.close().await;
    assert!(!directory.join("claviger.db-wal").exists(), "a clean stop leaves no log");
    let store = open_sqlite(&directory).await;
    assert_eq!(store.load_tenants(None, 99).await.unwrap().len(), 4);
    drop(store);
    let store = open_sqlite(&directory).await;
    assert_eq!(store.load_tenants(None, 99).await.unwrap().len(), 4, "nor does going without a word lose anything");
}

#[tokio::test]
async fn sqlite_counts_again_what_has_grown() {
    let guard = fresh(Engine::Sqlite).await.unwrap();
    let directory = guard.directory().unwrap();
    let store = open_sqlite(directory).await;
    insert_tenants(&store, 2).await;
    store.close().await;
    let store = open_sqlite(directory).await;
    assert_eq!(believed_rows(&store, "tenants").await, Some(3), "counted on opening");
    let mut tx = store.begin().await.unwrap();
    for number in 3..2_000 {
        let tenant = tenant(number, &format!("Tenant {number}"));
        tx.insert_tenant(&tenant, &key(&tenant.name)).await.unwrap();
    }
    tx.commit().await.unwrap();
    store.refresh_statistics().await.unwrap();
    let believed = believed_rows(&store, "tenants").await.unwrap();
    assert!((1_000..10_000).contains(&believed), "{believed}");
}

#[tokio::test]
async fn sqlite_refuses_weak_durability() {
    let guard = fresh(Engine::Sqlite).await.unwrap();
    let Err(Error::Unavailable(text)) = open_weak_sqlite(guard.directory().unwrap(), false).await else {
        panic!("a weak setting was accepted");
    };
    for part in ["synchronous", "\"1\"", "2 or 3", "accept_data_loss = true"] {
        assert!(text.contains(part), "{text}");
    }
    open_weak_sqlite(guard.directory().unwrap(), true).await.unwrap();
}

#[tokio::test]
async fn sqlite_says_which_directory_cannot_be_used() {
    let guard = fresh(Engine::Sqlite).await.unwrap();
    let file = guard.directory().unwrap().join("file");
    std::fs::write(&file, "").unwrap();
    let location = Location::Sqlite { directory: file.clone() };
    let refused = Store::open(Options { location, accept_data_loss: false }).await;
    assert!(matches!(&refused, Err(Error::Unavailable(text)) if text.contains(file.to_str().unwrap())), "{refused:?}");
}

#[tokio::test]
async fn postgres_refuses_weak_durability() {
    let Some((store, guard)) = open_fresh(Engine::Postgres).await else { return };
    assert_eq!(store.engine(), Engine::Postgres);
    let mut tx = store.begin().await.unwrap();
    let sql =
        "do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$";
    claviger_store::testing::execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
    let open = |accept_data_loss| Store::open(Options { location: guard.location(), accept_data_loss });
    let Err(Error::Unavailable(text)) = open(false).await else { panic!("a weak setting was accepted") };
    for part in ["synchronous_commit", "\"off\"", "on or", "accept_data_loss = true"] {
        assert!(text.contains(part), "{text}");
    }
    open(true).await.unwrap();
}

#[tokio::test]
async fn postgres_that_is_away_is_unavailable() {
    for url in ["postgres://claviger:hush@127.0.0.1:1/claviger", "mysql://claviger:hush@nowhere"] {
        let location = Location::Postgres { url: url.into() };
        assert!(!format!("{location:?}").contains("hush"));
        let Err(Error::Unavailable(text)) = Store::open(Options { location, accept_data_loss: false }).await else {
            panic!("opened")
        };
        assert!(!text.contains("hush"), "{text}");
    }
}
