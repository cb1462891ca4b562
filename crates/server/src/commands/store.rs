//! Commands that open the store themselves: `claviger migrate` and `claviger audit verify`.

use super::{Failure, print};
use crate::cli::StoreArgs;
use crate::config::{Config, Overrides};
use crate::data_dir::DataDir;
use crate::server::open_store;
use claviger_app::heads::{Verification, verify_chains};
use claviger_store::{SchemaState, Store};

/// Brings the store to this version's schema.
///
/// # Errors
/// In words for the operator.
pub async fn migrate(args: &StoreArgs) -> Result<(), Failure> {
    let (_held, store) = open(args).await?;
    let applied = store.migrate().await.map_err(|error| Failure(error.to_string()))?;
    store.close().await;
    let mut text: String = applied.iter().map(|name| format!("applied {name}\n")).collect();
    text.push_str("the store has this version's schema\n");
    print(&text)
}

/// Verifies the chain of every tenant and its signed heads; whether all are whole.
///
/// # Errors
/// In words for the operator, when the store cannot be read.
pub async fn verify_audit(args: &StoreArgs, public_key: Option<&str>) -> Result<bool, Failure> {
    let (_held, store) = open(args).await?;
    let fail = |error: claviger_domain::Error| Failure(error.to_string());
    match store.check_schema().await.map_err(fail)? {
        SchemaState::Current => {}
        state => {
            return Err(Failure(format!("the store's schema is not this version's ({state:?}); nothing was verified")));
        }
    }
    let found = verify_chains(&store, public_key).await.map_err(fail)?;
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

/// Opens the store. An embedded one is held, so that no server runs on it meanwhile.
async fn open(args: &StoreArgs) -> Result<(Option<DataDir>, Store), Failure> {
    let overrides: Overrides = args.overrides();
    let config = Config::load(args.config.config.as_deref(), std::env::vars(), overrides)
        .map_err(|error| Failure(error.to_string()))?;
    let held = match config.database {
        Some(_) => None,
        None if !config.data_dir.join(claviger_store::SQLITE_FILE).exists() => {
            return Err(Failure(format!("{}: there is no store in this directory", config.data_dir.display())));
        }
        None => Some(DataDir::hold(&config.data_dir).map_err(Failure)?),
    };
    let store = open_store(&config).await?;
    Ok((held, store))
}
