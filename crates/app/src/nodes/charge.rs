//! What one node does for all: signing heads, folding usage, sweeping. A lease in the store says which one; each unit of
//! such work looks whether it still does, so that one that was late finds itself shut out.

use crate::App;
use claviger_domain::{Error, Result};
use claviger_store::{Store, Tx};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{sleep, timeout};

pub(super) const NAME: &str = "upkeep";
/// How often it is asked for, and how long it lasts.
const TAKE_EACH: Duration = Duration::from_secs(2);
const SECONDS: i64 = 10;

impl App {
    /// Whether this node does what one does for all.
    pub fn is_in_charge(&self) -> bool {
        let nodes = &self.state.nodes;
        !nodes.shared || nodes.charge.load(Ordering::Acquire) > 0
    }

    /// Refuses a unit of such work where another node has taken it over.
    pub(crate) async fn still_in_charge(&self, tx: &mut Tx) -> Result<()> {
        let nodes = &self.state.nodes;
        if !nodes.shared || tx.holds_lease(NAME, nodes.charge.load(Ordering::Acquire)).await? {
            return Ok(());
        }
        nodes.charge.store(0, Ordering::Release);
        Err(Error::Unavailable("another node does this now".into()))
    }

    /// Takes the work over if nobody does it, or keeps it.
    pub(crate) async fn take_charge(&self, store: &Store) -> Result<()> {
        let nodes = &self.state.nodes;
        let now = store.database_time().await?;
        let taken = store.take_lease(NAME, nodes.run, now, now.plus_seconds(SECONDS)).await?;
        nodes.charge.store(taken.unwrap_or(0), Ordering::Release);
        Ok(())
    }
}

/// Asks for it until the app is gone.
pub(super) async fn keep(app: Weak<App>, mut link: Store) {
    loop {
        let Some(strong) = app.upgrade().filter(|app| !app.state.nodes.has_left()) else { return };
        let taken = timeout(TAKE_EACH, strong.take_charge(&link)).await;
        if !matches!(taken, Ok(Ok(()))) {
            strong.state.nodes.charge.store(0, Ordering::Release);
            link = strong.state.store.beside();
        }
        let state = Arc::clone(&strong.state);
        drop(strong);
        tokio::select! {
            () = sleep(TAKE_EACH) => {}
            () = state.nodes.leaving.notified() => return,
        }
    }
}
