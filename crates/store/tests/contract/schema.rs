//! Migrations.

use claviger_domain::Error;
use claviger_store::testing::{execute, fresh, open_fresh};
use claviger_store::{Engine, Options, SchemaState, Store};

facts!(a_newer_schema_is_refused, an_edited_migration_is_refused);

async fn a_newer_schema_is_refused(store: Store) {
    assert_eq!(store.check_schema().await.unwrap(), SchemaState::Current);
    assert_eq!(store.migrate().await.unwrap(), Vec::<String>::new());
    let mut tx = store.begin().await.unwrap();
    let sql = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
               select 9999, 'from the future', success, checksum, execution_time from _sqlx_migrations where version = 2";
    execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.check_schema().await.unwrap(), SchemaState::Newer(9_999));
    let refused = store.migrate().await;
    assert!(matches!(&refused, Err(Error::Unavailable(text)) if text.contains("9999")), "{refused:?}");
    let again = store.migrate().await;
    assert!(matches!(again, Err(Error::Unavailable(_))), "a refusal holds no lock");
}

async fn an_edited_migration_is_refused(store: Store) {
    let mut tx = store.begin().await.unwrap();
    execute(&mut tx, "update _sqlx_migrations set checksum = description where version = 3").await.unwrap_or_default();
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let sql = "update _sqlx_migrations set checksum = (select m.checksum from _sqlx_migrations m where m.version = 2) \
               where version = 3";
    execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
    let refused = store.migrate().await;
    assert!(matches!(&refused, Err(Error::Internal(text)) if text.contains("modified")), "{refused:?}");
}

async fn concurrent_starts_migrate_once(engine: Engine) {
    let Some(guard) = fresh(engine).await else { return };
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(Store::open(Options { location: guard.location(), accept_data_loss: false }).await.unwrap());
    }
    assert!(matches!(stores[0].check_schema().await.unwrap(), SchemaState::Behind(5..)));
    // On SQLite one process has the data directory to itself.
    let starters = if engine == Engine::Sqlite { 1 } else { 4 };
    let tasks: Vec<_> =
        stores.iter().take(starters).cloned().map(|store| tokio::spawn(async move { store.migrate().await })).collect();
    let mut applied = Vec::new();
    for task in tasks {
        applied.extend(task.await.unwrap().unwrap());
    }
    let mut once = applied.clone();
    once.dedup();
    assert_eq!(applied, once);
    assert!(applied.contains(&"0002_tenants".to_owned()));
    assert_eq!(stores[0].check_schema().await.unwrap(), SchemaState::Current);
}

#[tokio::test]
async fn sqlite_migrates_at_start() {
    concurrent_starts_migrate_once(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_starts_wait_for_each_other() {
    concurrent_starts_migrate_once(Engine::Postgres).await;
}

/// Every text column compares byte by byte, as on SQLite; a migration that forgets it fails here.
#[tokio::test]
async fn postgres_text_is_bytewise() {
    let Some((store, _guard)) = open_fresh(Engine::Postgres).await else { return };
    let mut tx = store.begin().await.unwrap();
    let sql = "delete from settings where 1 = (select 1 / (1 - sign(count(*)))::int from information_schema.columns \
               where table_schema = current_schema() and data_type = 'text' and collation_name is distinct from 'C' \
               and table_name <> '_sqlx_migrations')";
    execute(&mut tx, sql).await.unwrap();
}
