//! What all verbs and the hot path share.

use crate::clock::Clock;
use crate::live::denials::Denials;
use crate::live::issuers::Issuers;
use crate::live::keyring::{Keyring, Surroundings};
use crate::live::levels::Levels;
use crate::live::meter::Meter;
use crate::live::providers::Providers;
use crate::live::tokens::Tokens;
use crate::live::tree::Tree;
use crate::mail::Mailing;
use crate::metering::Logged;
use crate::nodes::Nodes;
use crate::passwords::Passwords;
use crate::random::Random;
use crate::revocations::Revocations;
use crate::seal::RootKey;
use crate::text_keys::TextKeys;
use crate::user_links::Afterwards;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use claviger_store::Store;
use claviger_store::usage_log::UsageBatch;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// The server's state; callers hold it too.
pub struct State {
    pub(crate) store: Store,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) root_key: RootKey,
    /// Hashing of people's passwords.
    pub(crate) passwords: Passwords,
    /// Sign-ins that may be under way at once; more could not be hashed for.
    pub(crate) sign_in_places: Semaphore,
    pub(crate) text_keys: TextKeys,
    pub(crate) tree: Tree,
    pub(crate) levels: Levels,
    pub(crate) keyring: Keyring,
    pub(crate) meter: Meter,
    pub(crate) denials: Denials,
    pub(crate) tokens: Tokens,
    pub(crate) issuers: Issuers,
    pub(crate) providers: Providers,
    pub(crate) operator: OnceLock<TenantId>,
    /// Where mails leave.
    pub(crate) mailing: Mailing,
    /// Work that goes on after an answer was given.
    pub(crate) afterwards: Afterwards,
    /// What keeps the server from its work, if anything does.
    pub(crate) fault: Mutex<Option<&'static str>>,
    /// This server among those of its store.
    pub(crate) nodes: Nodes,
    /// What was revoked, kept apart from the store.
    pub(crate) revocations: Revocations,
    /// What was counted and could not be written yet.
    pub(crate) unwritten: Mutex<Option<UsageBatch>>,
    /// What was written and not folded yet.
    pub(crate) logged: Logged,
}

impl State {
    /// The time that all nodes agree about, for what one compares with what another has written.
    pub(crate) fn shared_now(&self) -> Timestamp {
        self.nodes.shared_time(self.clock.now())
    }

    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { store: &self.store, catalogue: &self.catalogue, tree: &self.tree, levels: &self.levels }
    }
}
