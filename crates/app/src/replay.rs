//! What may be accepted once is: by one server from memory, by several from the store they share.
//!
//! On SQLite memory decides. A clean stop saves it, and the next start takes it over; after any other end nobody knows what was
//! accepted, so that nothing is accepted that could have been before this start. On PostgreSQL a row decides, in a table that
//! holds its own birth and is empty after a crash of the database.

use crate::App;
use crate::live::replay::{Acceptance, ReplayKey};
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

/// Something that may be accepted once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single<'a> {
    /// What kind of thing it is.
    pub(crate) kind: &'static str,
    /// Who made it.
    pub(crate) maker: &'a str,
    /// Whose room in memory it takes.
    pub(crate) tenant: TenantId,
    /// What makes it different from all others of its maker.
    pub(crate) jti: &'a str,
    /// The earliest time at which it could have been accepted.
    pub(crate) could_be: Timestamp,
    /// From when on nobody accepts it.
    pub(crate) ends_at: Timestamp,
}

impl App {
    /// Accepts something, if that was not done before by any server of the store.
    pub(crate) async fn accept_once(&self, single: &Single<'_>, now: Timestamp) -> Result<bool> {
        let Single { kind, maker, tenant, jti, could_be, ends_at } = *single;
        let (state, key) = (&self.state, ReplayKey::of(kind, maker, jti));
        // Boxed, so that what memory answers does not carry the room of the store's statements about.
        if state.nodes.shared {
            return Box::pin(self.accept_once_of_all(key, could_be, ends_at)).await;
        }
        if !state.tokens.replay_taken.initialized() {
            Box::pin(state.tokens.replay_taken.get_or_try_init(|| self.take_replay())).await?;
        }
        match state.tokens.replay.accept(tenant.as_u128(), key, could_be, ends_at, now) {
            Acceptance::First => Ok(true),
            Acceptance::Again => Ok(false),
            Acceptance::Full => {
                Err(Error::Unavailable("too many assertions are remembered; shorter lives make room sooner".into()))
            }
        }
    }

    /// The same where several servers share the store.
    async fn accept_once_of_all(&self, key: ReplayKey, could_be: Timestamp, ends_at: Timestamp) -> Result<bool> {
        let state = &self.state;
        if state.store.accept_once(key.as_bytes(), ends_at, could_be).await? {
            return Ok(true);
        }
        if state.store.find_replay_birth().await?.is_none() {
            tracing::warn!(
                "the database has forgotten which assertions were accepted; those made before now are refused"
            );
            let mut tx = state.store.begin().await?;
            // By the clock of all nodes, and not as it was when the call came.
            tx.begin_replay(state.shared_now()).await?;
            tx.commit().await?;
        }
        Ok(false)
    }

    /// Takes over what a clean stop has saved. It is gone from the store from then on: only the next clean stop saves it.
    async fn take_replay(&self) -> Result<()> {
        let (state, now) = (&self.state, self.state.clock.now());
        let Some(birth) = state.store.find_replay_birth().await? else {
            tracing::warn!("the last server was not stopped but ended; assertions made before this start are refused");
            state.tokens.replay.be_born(state.nodes.started_at);
            return Ok(());
        };
        let saved = state.store.list_accepted(now).await?;
        let read = saved.iter().filter_map(|(id, ends_at)| Some((ReplayKey::stored(id)?, *ends_at)));
        state.tokens.replay.restore(&read.collect::<Vec<_>>());
        state.tokens.replay.be_born(birth);
        let mut tx = state.store.begin().await?;
        tx.forget_replay().await?;
        tx.commit().await
    }

    /// Saves what was accepted, when nothing more will be.
    pub(crate) async fn save_replay(&self) -> Result<()> {
        let state = &self.state;
        if state.nodes.shared || state.tokens.replay_taken.get().is_none() {
            return Ok(());
        }
        let all = state.tokens.replay.all(state.clock.now());
        let accepted: Vec<_> = all.iter().map(|(key, ends_at)| (*key.as_bytes(), *ends_at)).collect();
        let mut tx = state.store.begin().await?;
        tx.save_replay(state.tokens.replay.birth(), &accepted).await?;
        tx.commit().await
    }

    /// Forgets what has ended, in the store that several servers share.
    pub(crate) async fn sweep_replay(&self) -> Result<()> {
        if !self.state.nodes.shared {
            return Ok(());
        }
        let mut tx = self.state.store.begin().await?;
        // As long ago as the clocks of two servers may differ, and then some.
        tx.sweep_replay(self.state.clock.now().plus_seconds(-120)).await?;
        self.still_in_charge(&mut tx).await?;
        tx.commit().await
    }
}
