//! Commands that open the store themselves: `claviger migrate` and `claviger audit verify`.

use super::{Failure, print};
use crate::cli::StoreArgs;
use crate::config::{Config, environment};
use crate::data_dir::DataDir;
use crate::server::{REVOCATIONS, open_store};
use claviger_app::clock::Clock;
use claviger_app::heads::{Verification, verify_chains};
use claviger_app::random::Random;
use claviger_app::restore;
use claviger_store::{SchemaState, Store};

/// Brings the store to this version's schema.
///
/// # Errors
/// In words for the operator.
pub async fn migrate(args: &StoreArgs) -> Result<(), Failure> {
    let config = configure(args)?;
    let (_held, store) = open(&config).await?;
    let applied = store.migrate().await?;
    store.close().await;
    let mut text: String = applied.iter().map(|name| format!("applied {name}\n")).collect();
    text.push_str("the store has this version's schema\n");
    print(&text)
}

/// Revokes in a restored store what the data directory's file of revocations knows beyond it.
///
/// # Errors
/// In words for the operator.
pub async fn confirm_restore(args: &StoreArgs) -> Result<(), Failure> {
    let config = configure(args)?;
    let _held = DataDir::hold(&config.data_dir).map_err(Failure)?;
    let store = open_store(&config).await?;
    store.migrate().await?;
    let file = config.data_dir.join(REVOCATIONS);
    let done = restore::confirm(&store, &Clock::system(), &Random::System, &file).await?;
    store.close().await;
    print(&match done {
        None => "the store is not behind what this data directory knows; nothing was done\n".to_owned(),
        Some(done) => format!(
            "revoked again: {} secrets, {} applications disabled, {} access levels narrowed, {} tenants suspended, \
             {} bindings taken away, {} identity providers put back, {} users disabled, {} passwords taken away\n\
             every session token has ended: {} signing keys revoked\n\
             run this on the data directory of every other server of the store, then start them\n",
            done.secrets,
            done.applications,
            done.access_levels,
            done.tenants,
            done.bindings,
            done.providers,
            done.users,
            done.passwords,
            done.signing_keys
        ),
    })
}

/// Verifies the chain of every tenant and its signed heads; whether all are whole.
///
/// # Errors
/// In words for the operator, when the store cannot be read.
pub async fn verify_audit(args: &StoreArgs, public_key: Option<&str>) -> Result<bool, Failure> {
    let config = configure(args)?;
    if config.database.is_none() && !config.data_dir.join(claviger_store::SQLITE_FILE).exists() {
        return Err(Failure::at(&config.data_dir, "there is no store in this directory; name one with --data-dir"));
    }
    let (_held, store) = open(&config).await?;
    let unfit = match store.check_schema().await? {
        SchemaState::Current => None,
        SchemaState::Behind(missing) => {
            Some(format!("lacks {missing} migrations of this version; run claviger migrate"))
        }
        SchemaState::Newer(version) => {
            Some(format!("holds migration {version:04} of a newer version; verify with that version"))
        }
    };
    if let Some(why) = unfit {
        return Err(Failure(format!("the store's schema {why}; nothing was verified")));
    }
    let found = verify_chains(&store, public_key).await?;
    store.close().await;
    print(&report(&found))?;
    Ok(found.faults.is_empty())
}

fn report(found: &Verification) -> String {
    let mut text: String = found.faults.iter().map(|fault| format!("BROKEN {fault}\n")).collect();
    let outcome = if found.faults.is_empty() { "whole" } else { "NOT whole" };
    text.push_str(&format!(
        "{outcome}: {} chains, {} entries, {} signed heads\n",
        found.chains, found.entries, found.signed_heads
    ));
    text
}

fn configure(args: &StoreArgs) -> Result<Config, Failure> {
    Config::load(args.config.config.as_deref(), environment(), args.overrides())
        .map_err(|error| Failure(error.to_string()))
}

/// Opens the store. An embedded one is held, so that no server runs on it meanwhile.
async fn open(config: &Config) -> Result<(Option<DataDir>, Store), Failure> {
    let held = match config.database {
        Some(_) => None,
        None => Some(DataDir::hold(&config.data_dir).map_err(Failure)?),
    };
    Ok((held, open_store(config).await?))
}
