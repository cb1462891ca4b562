//! Statements on either engine: one text, five kinds of values, one match per call.
//!
//! A failed statement spoils its unit on both engines: PostgreSQL would turn the commit into a rollback without a word,
//! and SQLite may have rolled back more than the statement.

use crate::engine::{Inner, Pools, Store};
use crate::group::Unit;
use claviger_domain::Error;
use claviger_domain::id::{
    AccessLevelId, AccessProfileId, ApplicationId, BindingId, FactorId, IssuerId, JobId, MailId, NoticeId, PrincipalId,
    ProviderId, ProvisioningId, ReceiptId, SecretId, SsoSignInId, TenantId, UserId, UserSessionId,
};
use claviger_domain::time::Timestamp;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteError, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, Postgres, SqlSafeStr, SqlStr, Type};
use std::fmt::Write as _;
use std::sync::Arc;

/// Which engine a store runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A unit of work: everything in it happens, or nothing. Dropping it rolls it back.
pub struct Tx {
    pub(crate) inner: Arc<Inner>,
    pub(crate) work: Work,
    /// Set while a statement runs, so that one that failed or was abandoned leaves it set.
    pub(crate) spoiled: bool,
}

pub(crate) enum Work {
    Sqlite(Unit),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A value to bind. Integers are always 64 bits wide: statements are cached by text, so a place has one type for ever.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
    Blob(Option<Vec<u8>>),
}

macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Value::from($value)),*] };
}
pub(crate) use args;

macro_rules! values {
    ($($type:ty => |$value:ident| $make:expr),* $(,)?) => {
        $(impl From<$type> for Value { fn from($value: $type) -> Self { $make } })*
    };
}

values! {
    i64 => |value| Self::Int(Some(value)),
    Option<i64> => |value| Self::Int(value),
    Timestamp => |value| Self::Int(Some(value.micros())),
    Option<Timestamp> => |value| Self::Int(value.map(Timestamp::micros)),
    bool => |value| Self::Bool(value),
    &str => |value| Self::Text(Some(value.to_owned())),
    &String => |value| Self::Text(Some(value.clone())),
    String => |value| Self::Text(Some(value)),
    Option<&str> => |value| Self::Text(value.map(str::to_owned)),
    Option<String> => |value| Self::Text(value),
    TenantId => |value| Self::Text(Some(value.to_string())),
    Option<TenantId> => |value| Self::Text(value.map(|id| id.to_string())),
    ApplicationId => |value| Self::Text(Some(value.to_string())),
    Option<ApplicationId> => |value| Self::Text(value.map(|id| id.to_string())),
    AccessLevelId => |value| Self::Text(Some(value.to_string())),
    AccessProfileId => |value| Self::Text(Some(value.to_string())),
    SecretId => |value| Self::Text(Some(value.to_string())),
    IssuerId => |value| Self::Text(Some(value.to_string())),
    BindingId => |value| Self::Text(Some(value.to_string())),
    JobId => |value| Self::Text(Some(value.to_string())),
    NoticeId => |value| Self::Text(Some(value.to_string())),
    ProvisioningId => |value| Self::Text(Some(value.to_string())),
    ReceiptId => |value| Self::Text(Some(value.to_string())),
    PrincipalId => |value| Self::Text(Some(value.to_string())),
    UserId => |value| Self::Text(Some(value.to_string())),
    Option<UserId> => |value| Self::Text(value.map(|id| id.to_string())),
    UserSessionId => |value| Self::Text(Some(value.to_string())),
    ProviderId => |value| Self::Text(Some(value.to_string())),
    SsoSignInId => |value| Self::Text(Some(value.to_string())),
    FactorId => |value| Self::Text(Some(value.to_string())),
    MailId => |value| Self::Text(Some(value.to_string())),
    Option<SecretId> => |value| Self::Text(value.map(|id| id.to_string())),
    &[u8] => |value| Self::Blob(Some(value.to_owned())),
    &[u8; 32] => |value| Self::Blob(Some(value.to_vec())),
    Option<Vec<u8>> => |value| Self::Blob(value),
}

/// Declares a row: a struct whose fields are read from the columns of their names, on both engines.
macro_rules! row {
    (struct $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
        row!(@from sqlx::sqlite::SqliteRow, $name, $($field),*);
        row!(@from sqlx::postgres::PgRow, $name, $($field),*);
    };
    (@from $row:ty, $name:ident, $($field:ident),*) => {
        impl<'r> sqlx::FromRow<'r, $row> for $name {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?),* })
            }
        }
    };
}
pub(crate) use row;

/// What can be read from a row of either engine.
pub(crate) trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

fn bind<'q, A: Arguments>(values: Vec<Value>) -> sqlx::Result<A>
where
    Option<String>: Encode<'q, A::Database> + Type<A::Database>,
    Option<i64>: Encode<'q, A::Database> + Type<A::Database>,
    bool: Encode<'q, A::Database> + Type<A::Database>,
    Option<Vec<u8>>: Encode<'q, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    for value in values {
        let added = match value {
            Value::Text(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

macro_rules! on_pools {
    ($store:expr, $values:expr, |$pool:ident, $arguments:ident| $run:expr) => {{
        $store.0.count();
        match &$store.0.pools {
            Pools::Sqlite { readers: $pool, .. } => {
                let $arguments: sqlx::sqlite::SqliteArguments = bind($values)?;
                Ok($run?)
            }
            Pools::Postgres($pool) => {
                let $arguments: sqlx::postgres::PgArguments = bind($values)?;
                Ok($run?)
            }
        }
    }};
}

impl Store {
    /// Reads all rows.
    pub(crate) async fn all<T: Record>(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>, Failure> {
        on_pools!(self, values, |pool, arguments| sqlx::query_as_with(sql, arguments).fetch_all(pool).await)
    }

    /// Reads the first row, if there is one.
    pub(crate) async fn optional<T: Record>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<T>, Failure> {
        on_pools!(self, values, |pool, arguments| sqlx::query_as_with(sql, arguments).fetch_optional(pool).await)
    }
}

macro_rules! in_unit {
    ($tx:expr, $values:expr, |$connection:ident, $arguments:ident| $run:expr) => {{
        if std::mem::replace(&mut $tx.spoiled, true) {
            return Err(Failure::spoiled());
        }
        $tx.inner.count();
        let answer = match &mut $tx.work {
            Work::Sqlite(unit) => {
                let $arguments: sqlx::sqlite::SqliteArguments = bind($values)?;
                let $connection = unit.connection()?;
                $run?
            }
            Work::Postgres(transaction) => {
                let $arguments: sqlx::postgres::PgArguments = bind($values)?;
                let $connection = &mut **transaction;
                $run?
            }
        };
        $tx.spoiled = false;
        Ok(answer)
    }};
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("spoiled", &self.spoiled).finish_non_exhaustive()
    }
}

impl Tx {
    /// Reads all rows.
    pub(crate) async fn all<T: Record>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<T>, Failure> {
        in_unit!(self, values, |connection, arguments| sqlx::query_as_with(sql, arguments).fetch_all(connection).await)
    }

    /// Reads the first row, if there is one.
    pub(crate) async fn optional<T: Record>(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<T>, Failure> {
        in_unit!(self, values, |connection, arguments| sqlx::query_as_with(sql, arguments)
            .fetch_optional(connection)
            .await)
    }

    /// The engine: for the few texts that must differ.
    pub(crate) fn engine(&self) -> Engine {
        match &self.work {
            Work::Sqlite(_) => Engine::Sqlite,
            Work::Postgres(_) => Engine::Postgres,
        }
    }

    /// Reads the one row there must be.
    pub(crate) async fn one<T: Record>(&mut self, sql: &'static str, values: Vec<Value>) -> Result<T, Failure> {
        self.optional(sql, values).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Runs a statement; the number of rows it touched.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, Failure> {
        self.run(sql.into_sql_str(), values).await
    }

    /// Runs a statement for many rows of equally many values, which are its only ones. `{rows}` in the text stands for the
    /// rows, as in `insert into t (a, b) values {rows}`. They go in powers of two, so that few texts fill the statement
    /// cache.
    pub(crate) async fn execute_many(&mut self, sql: &'static str, rows: Vec<Vec<Value>>) -> Result<u64, Failure> {
        let mut touched = 0;
        let mut rows = rows.into_iter();
        while let left @ 1.. = rows.len() {
            let count = if left >= ROWS_MAX { ROWS_MAX } else { 1 << left.ilog2() };
            let batch: Vec<_> = rows.by_ref().take(count).collect();
            let mut places = String::with_capacity(count * 64);
            let mut place = 0;
            for row in &batch {
                places.push_str(if places.is_empty() { "(" } else { ", (" });
                for (index, _) in row.iter().enumerate() {
                    place += 1;
                    places.push_str(if index == 0 { "" } else { ", " });
                    match &self.work {
                        // To SQLite `$1` is a name, and it finds each name by walking over all of them.
                        Work::Sqlite(_) => places.push('?'),
                        Work::Postgres(_) => {
                            let _ = write!(places, "${place}");
                        }
                    }
                }
                places.push(')');
            }
            // The text consists of a fixed one and of places counted here; every value is bound.
            let text = sqlx::AssertSqlSafe(sql.replacen("{rows}", &places, 1)).into_sql_str();
            touched += self.run(text, batch.into_iter().flatten().collect()).await?;
        }
        Ok(touched)
    }

    async fn run(&mut self, sql: SqlStr, values: Vec<Value>) -> Result<u64, Failure> {
        in_unit!(self, values, |connection, arguments| sqlx::query_with(sql, arguments)
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))
    }
}

const ROWS_MAX: usize = 128;

/// Why a statement failed: what a caller can tell apart, and a text for the log.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    text: String,
    /// What the statement refers to, if that may be gone.
    noun: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FailureKind {
    Unique,
    Reference,
    Unavailable,
    Other,
}

impl Failure {
    fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), noun: None }
    }

    /// The store is closed, or closing.
    pub(crate) fn closed() -> Self {
        Self::new(FailureKind::Unavailable, "the store is closed")
    }

    /// The writer was not to be had in time.
    pub(crate) fn busy() -> Self {
        Self::new(FailureKind::Unavailable, "the database is busy: the writer was not free in time")
    }

    /// A statement of the unit has failed before.
    pub(crate) fn spoiled() -> Self {
        Self::new(FailureKind::Other, "a statement of this unit has failed; it can only be dropped")
    }

    /// The error for a statement whose unique keys may clash: a conflict if that happened.
    pub(crate) fn conflict(self, code: &'static str, detail: impl Into<String>) -> Error {
        if self.kind == FailureKind::Unique { Error::conflict(code, detail) } else { self.into() }
    }

    /// Says which noun the statement refers to: the error if that is gone.
    pub(crate) fn refers_to(self, noun: &'static str) -> Self {
        Self { noun: Some(noun), ..self }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let kind = match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => FailureKind::Unique,
            sqlx::Error::Database(inner) if inner.is_foreign_key_violation() => FailureKind::Reference,
            sqlx::Error::Database(inner) if is_passing(inner.as_ref()) => FailureKind::Unavailable,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => FailureKind::Unavailable,
            _ => FailureKind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

/// Whether an error speaks of a state that may pass. On SQLite by the low byte of the code: busy (5), locked (6), input or
/// output error (10), disk full (13), cannot open (14). On PostgreSQL by SQLSTATE: connection (08), deadlock (40), resources
/// (53), shutdown (57), idle too long (25P03), a server that has become a standby (25006).
fn is_passing(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    match error.try_downcast_ref::<SqliteError>() {
        Some(_) => code.parse::<i64>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14)),
        None => ["08", "40", "53", "57", "25P03", "25006"].iter().any(|class| code.starts_with(class)),
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match (failure.kind, failure.noun) {
            (FailureKind::Unavailable, _) => Self::Unavailable(failure.text),
            (FailureKind::Reference, Some(noun)) => Self::NotFound(noun),
            _ => Self::Internal(failure.text),
        }
    }
}

/// The error for a stored value that means nothing.
pub(crate) fn corrupt(what: &str, text: &str) -> Error {
    Error::Internal(format!("the store holds {text:?} as {what}"))
}

/// A stored hash.
pub(crate) fn hash_of(bytes: &[u8]) -> claviger_domain::Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::Internal(format!("the store holds a hash of {} bytes", bytes.len())))
}

/// A stored id of the named noun.
macro_rules! id_of {
    ($type:ident, $text:expr) => {
        $type::parse($text).ok_or_else(|| $crate::sql::corrupt(stringify!($type), $text))
    };
}
pub(crate) use id_of;
