//! The only SQL of Claviger: SQLite and PostgreSQL behind one text.
//!
//! A verb takes a [`Tx`] from [`Store::begin`], calls functions named after what they do to rows, and commits; what only
//! reads may ask the [`Store`] itself. Each function takes the tenant first; the few that cross tenants stand in
//! [`system`]. Inside a unit rows are taken in this order: nouns, journal, audit head, revision. No rule lives here.
//!
//! A unit sees what earlier units of the same shared commit have written, before that is durable. Whoever answers from
//! what a unit read, and not only from what it wrote, commits the unit before answering.

pub mod access_levels;
pub mod access_profiles;
pub mod access_record;
pub mod application_lists;
pub mod applications;
pub mod audit;
pub mod bulk;
pub mod changes;
pub mod credential_policies;
pub mod credentials;
pub mod endpoints;
mod engine;
pub mod findings;
mod group;
pub mod idempotency;
pub mod identity_providers;
pub mod jobs;
pub mod journal;
pub mod key_types;
pub mod leaks;
pub mod level_uses;
pub mod lifetimes;
pub mod mails;
pub mod nodes;
pub mod notices;
pub mod provisionings;
pub mod public_keys;
pub mod purges;
pub mod queue_cursors;
pub mod replay;
mod schema;
pub mod secrets;
pub mod shred;
pub mod sign_ins;
pub mod signed_heads;
pub mod signing_keys;
mod sql;
pub mod system;
pub mod tenant_lists;
pub mod tenants;
#[cfg(feature = "test")]
pub mod testing;
pub mod tokens;
pub mod trusted_issuers;
pub mod usage;
pub mod usage_log;
pub mod usage_sums;
pub mod user_challenges;
pub mod user_factors;
pub mod user_identities;
pub mod user_links;
pub mod user_sessions;
pub mod user_standings;
pub mod users;
pub mod visibility;

pub use engine::{FILE as SQLITE_FILE, Location, Options, Store};
pub use schema::SchemaState;
pub use sql::{Engine, Tx};
