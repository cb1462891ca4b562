//! Facts about the store: one body per fact, run on each engine. PostgreSQL is asked for by `CLAVIGER_TEST_POSTGRES`, the
//! URL of a role that may make databases; without it those tests say that they are skipped.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this crate is nothing but tests")]

/// Runs each named fact, an `async fn(Store)`, on each engine: as `sqlite::fact` and as `postgres::fact`.
macro_rules! facts {
    ($($fact:ident),* $(,)?) => {
        facts!(@on sqlite, Sqlite, $($fact),*);
        facts!(@on postgres, Postgres, $($fact),*);
    };
    (@on $module:ident, $engine:ident, $($fact:ident),*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() {
                    let fresh = claviger_store::testing::open_fresh(claviger_store::Engine::$engine).await;
                    if let Some((store, _guard)) = fresh {
                        super::$fact(store).await;
                    }
                }
            )*
        }
    };
}

mod access_levels;
mod access_profiles;
mod application_lists;
mod applications;
mod audit;
mod bulk;
mod changes;
mod credential_policies;
mod credentials;
mod endpoints;
mod engine;
mod findings;
mod fixtures;
mod group;
mod idempotency;
mod identity_providers;
mod jobs;
mod journal;
mod key_types;
mod leaks;
mod level_uses;
mod lifetimes;
mod mails;
mod nodes;
mod notices;
mod provisionings;
mod public_keys;
mod purges;
mod queue_cursors;
mod rates;
mod replay;
mod schema;
mod secrets;
mod sign_ins;
mod signed_heads;
mod system;
mod tenant_lists;
mod tenants;
mod tokens;
mod trusted_issuers;
mod usage;
mod usage_sums;
mod user_links;
mod users;
mod visibility;
