//! The schema: which migrations there are, which are applied, which are missing.

use crate::engine::Store;
use crate::sql::{Engine, Failure, args};
use claviger_domain::{Error, Result};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType};

const TABLE: &str = "_sqlx_migrations";

macro_rules! migration {
    ($folder:literal, $version:literal, $name:literal) => {
        ($version, $name, include_str!(concat!("../migrations/", $folder, "/", $version, "_", $name, ".sql")))
    };
}

macro_rules! with_text {
    ($version:literal, $name:literal) => {
        (
            $version,
            $name,
            [
                include_str!(concat!("../migrations/shared/", $version, "_", $name, ".sql")),
                concat!(
                    include_str!(concat!("../migrations/shared/", $version, "_", $name, ".sql")),
                    include_str!("../migrations/postgres/0007_bytewise_text.sql")
                ),
            ],
        )
    };
}

/// (version, name, text). A version stands in one folder only.
const SHARED: &[(&str, &str, &str)] = &[
    migration!("shared", "0002", "tenants"),
    migration!("shared", "0003", "applications"),
    migration!("shared", "0004", "audit"),
    migration!("shared", "0005", "changes"),
    migration!("shared", "0006", "requests"),
    migration!("shared", "0008", "load_order"),
    migration!("shared", "0009", "usage_log"),
    migration!("shared", "0031", "application_lists"),
    migration!("shared", "0033", "legacy_types"),
];
const POSTGRES: [(&str, &str, &str); 3] = [
    migration!("postgres", "0001", "types"),
    migration!("postgres", "0007", "bytewise_text"),
    migration!("postgres", "0018", "unlogged"),
];
/// Shared migrations that add text columns: on PostgreSQL each goes on to make text compare byte by byte.
const WITH_TEXT: &[(&str, &str, [&str; 2])] = &[
    with_text!("0010", "lifetime"),
    with_text!("0011", "visibility"),
    with_text!("0012", "key_types"),
    with_text!("0013", "findings"),
    with_text!("0015", "tokens"),
    with_text!("0016", "nodes"),
    with_text!("0017", "proofs"),
    with_text!("0019", "trusted_issuers"),
    with_text!("0020", "static_secrets"),
    with_text!("0021", "sign_ins"),
    with_text!("0022", "tree"),
    with_text!("0023", "users"),
    with_text!("0024", "mails"),
    with_text!("0025", "factors"),
    with_text!("0026", "sso"),
    with_text!("0028", "access_profiles"),
    with_text!("0029", "access_blocks"),
    with_text!("0030", "last_sign_in"),
    with_text!("0032", "endpoint_totals"),
];

/// How a stored schema compares with the one this program knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchemaState {
    /// They are the same.
    Current,
    /// So many migrations are still to be applied.
    Behind(usize),
    /// The store holds this migration, which this program does not know.
    Newer(i64),
}

fn migrations(engine: Engine) -> Vec<Migration> {
    let own: &[_] = match engine {
        Engine::Sqlite => &[],
        Engine::Postgres => &POSTGRES,
    };
    let with_text = WITH_TEXT.iter().map(|(version, name, [sqlite, postgres])| {
        let text = match engine {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        };
        (version, name, text)
    });
    let rest = SHARED.iter().chain(own).map(|(version, name, text)| (version, name, text));
    let mut migrations: Vec<_> = rest
        .chain(with_text)
        .filter_map(|(version, name, text)| {
            let version = version.parse().ok()?;
            Some(Migration::new(version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false))
        })
        .collect();
    migrations.sort_by_key(|migration| migration.version);
    migrations
}

fn compare(known: &[Migration], applied: &[i64]) -> SchemaState {
    if let Some(newer) = applied.iter().filter(|version| known.iter().all(|m| m.version != **version)).max() {
        return SchemaState::Newer(*newer);
    }
    match known.len() - applied.len() {
        0 => SchemaState::Current,
        missing => SchemaState::Behind(missing),
    }
}

/// Applies what is missing; the names of what was applied.
pub(crate) async fn migrate<C: Migrate>(connection: &mut C, engine: Engine) -> Result<Vec<String>> {
    connection.lock().await.map_err(failed)?;
    connection.ensure_migrations_table(TABLE).await.map_err(failed)?;
    let applied = connection.list_applied_migrations(TABLE).await.map_err(failed)?;
    let known = migrations(engine);
    let versions: Vec<_> = applied.iter().map(|migration| migration.version).collect();
    if let SchemaState::Newer(version) = compare(&known, &versions) {
        return Err(newer(version));
    }
    let mut names = Vec::new();
    for migration in &known {
        match applied.iter().find(|applied| applied.version == migration.version) {
            Some(applied) if applied.checksum == migration.checksum => {}
            Some(_) => return Err(failed(MigrateError::VersionMismatch(migration.version))),
            None => {
                connection.apply(TABLE, migration).await.map_err(failed)?;
                names.push(format!("{:04}_{}", migration.version, migration.description));
            }
        }
    }
    connection.unlock().await.map_err(failed)?;
    Ok(names)
}

/// Compares what is stored with what is known.
pub(crate) async fn check(store: &Store) -> Result<SchemaState> {
    // The catalogues of the engines have nothing in common.
    let exists = match store.engine() {
        Engine::Sqlite => "select cast(1 as bigint) from sqlite_master where type = 'table' and name = $1",
        Engine::Postgres => "select cast(1 as bigint) from pg_class where oid = to_regclass($1)",
    };
    let applied: Vec<(i64,)> = match store.optional::<(i64,)>(exists, args![TABLE]).await? {
        Some(_) => store.all("select version from _sqlx_migrations", args![]).await?,
        None => Vec::new(),
    };
    let applied: Vec<_> = applied.into_iter().map(|(version,)| version).collect();
    Ok(compare(&migrations(store.engine()), &applied))
}

fn newer(version: i64) -> Error {
    Error::Unavailable(format!(
        "the store's schema holds migration {version:04}, which this program does not know: it was written by a newer \
         version of the program; run that one, or restore a backup from before the upgrade"
    ))
}

fn failed(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => Failure::from(error).into(),
        other => Error::Internal(format!("the schema could not be migrated: {other}")),
    }
}
