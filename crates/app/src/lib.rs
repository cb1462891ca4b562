//! The verbs of Claviger and the live state that the hot path reads.
//!
//! A verb is a method of [`App`] in the file of its noun: it takes the [`caller::Caller`] first, asks for the right, and
//! does its work as one transaction with one audit entry ([`unit`]). No file here names a vendor's dialect.

pub mod access_levels;
pub mod access_record;
pub mod application_lists;
pub mod applications;
pub mod assertions;
pub mod audit;
pub mod audit_chain;
pub mod background;
pub mod bulk;
pub mod caller;
pub mod clock;
pub mod configuration;
pub mod credential_policy;
pub mod deeds;
pub mod doors;
pub mod dpop;
pub mod email_changes;
pub mod endpoints;
pub mod export;
pub mod factors;
pub mod findings;
pub mod first_person;
mod guesses;
pub mod heads;
pub mod identity_providers;
pub mod import;
pub mod instances;
mod issuer_keys;
pub mod issuer_trials;
pub mod jobs;
pub mod key_types;
pub mod leaks;
pub mod level_uses;
pub mod lifetimes;
pub mod live;
pub mod mail;
mod metering;
pub mod migration;
pub mod nodes;
pub mod notices;
pub mod operator;
pub mod outgoing;
mod passkeys;
pub mod passwords;
pub mod people_beneath;
pub mod provisionings;
pub mod public_keys;
pub mod purges;
pub mod random;
mod renewal;
mod replay;
pub mod restore;
mod revocations;
pub mod rotation;
pub mod seal;
pub mod second_factors;
pub mod secrets;
pub mod sessions;
pub mod setup;
pub mod shrink;
pub mod sign_ins;
pub mod signing_keys;
pub mod simulations;
pub mod sso;
mod state;
pub mod structure;
pub mod temporary;
pub mod tenants;
pub mod text_keys;
pub mod tokens;
pub mod trusted_issuers;
pub mod unit;
pub mod usage;
pub mod usage_sums;
pub mod user_grants;
pub mod user_links;
pub mod user_passwords;
pub mod user_sessions;
pub mod user_sign_in;
pub mod user_standings;
pub mod users;
pub mod verify;
pub mod visibility;
pub mod workload;

use crate::caller::RequestLine;
use crate::clock::Clock;
use crate::live::denials::Denials;
use crate::live::issuers::Issuers;
use crate::live::keyring::Keyring;
use crate::live::levels::Levels;
use crate::live::meter::Meter;
use crate::live::providers::Providers;
use crate::live::tokens::Tokens;
use crate::live::tree::Tree;
use crate::nodes::{Identity, Nodes};
use crate::random::Random;
use crate::revocations::Revocations;
use crate::seal::RootKey;
use crate::state::State;
use crate::text_keys::TextKeys;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::{Error, Result};
use claviger_store::Store;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

/// The server without its sockets.
pub struct App {
    pub(crate) state: Arc<State>,
    pub(crate) no_request: Arc<RequestLine>,
    pub(crate) refreshing: tokio::sync::Mutex<()>,
    /// Held while what was counted is written, so that whoever asks for it to be written waits for what is under way.
    pub(crate) writing: tokio::sync::Mutex<()>,
    pub(crate) folding: tokio::sync::Mutex<()>,
    /// Held while what a tenant has removed is destroyed.
    pub(crate) removing: tokio::sync::Mutex<()>,
    pub(crate) heads: heads::HeadSigner,
}

/// What a server is made of.
pub struct Parts {
    /// The store, migrated.
    pub store: Store,
    /// The catalogue.
    pub catalogue: Catalogue,
    /// The root key.
    pub root_key: RootKey,
    /// The text keys.
    pub text_keys: TextKeys,
    /// The clock.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

impl App {
    /// Opens the server on a store: proves the root key and reads the tree of tenants. Applications are loaded by
    /// [`App::load_keyring`], which may go on while the server serves.
    pub async fn open(parts: Parts) -> Result<Arc<Self>> {
        Self::open_as(parts, Identity::default()).await
    }

    /// As [`App::open`], as a server that the others of its store know by name.
    pub async fn open_as(parts: Parts, identity: Identity) -> Result<Arc<Self>> {
        let store_id = setup::store_id(&parts.store, &parts.random).await?;
        let (history, revisions) = parts.store.look().await?;
        let kept = identity.revocations.clone();
        let revocations = Revocations::open(kept.as_deref(), &store_id, history, &revisions)?;
        let nodes = Nodes::enter(&parts.store, &parts.clock, identity).await?;
        let (store, id, run) = (parts.store.clone(), nodes.identity.id.clone(), nodes.run);
        let opened = Self::open_on(parts, nodes, revocations).await;
        if opened.is_err() {
            // Nobody is to wait for a server that has never served.
            let _ = store.remove_node(&id, run).await;
        }
        opened
    }

    async fn open_on(parts: Parts, nodes: Nodes, revocations: Revocations) -> Result<Arc<Self>> {
        let catalogue = Arc::new(parts.catalogue);
        let passwords = passwords::Passwords::new(parts.random.clone());
        let state = State {
            store: parts.store,
            levels: Levels::new(Arc::clone(&catalogue)),
            catalogue,
            clock: parts.clock,
            sign_in_places: tokio::sync::Semaphore::new(passwords.room()),
            passwords,
            random: parts.random,
            root_key: parts.root_key,
            text_keys: parts.text_keys,
            tree: Tree::default(),
            keyring: Keyring::default(),
            meter: Meter::default(),
            denials: Denials::default(),
            tokens: Tokens::default(),
            issuers: Issuers::default(),
            providers: Providers::default(),
            operator: OnceLock::new(),
            mailing: mail::Mailing::default(),
            afterwards: user_links::Afterwards::default(),
            unwritten: parking_lot::Mutex::default(),
            logged: metering::Logged::default(),
            fault: parking_lot::Mutex::default(),
            nodes,
            revocations,
        };
        setup::prove_root_key(&state).await?;
        jobs::end_abandoned(&state).await?;
        let heads = heads::HeadSigner::open(&state).await?;
        let app = Arc::new(Self {
            state: Arc::new(state),
            no_request: Arc::default(),
            refreshing: tokio::sync::Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            folding: tokio::sync::Mutex::default(),
            removing: tokio::sync::Mutex::default(),
            heads,
        });
        app.load_tree().await?;
        app.load_trusted_issuers().await?;
        app.refuse_beside_retaining().await?;
        app.join().await?;
        // Whoever is in charge: the key may be this node's alone, and what is done twice is done once.
        if let Err(error) = app.finish_removals().await {
            tracing::error!(%error, "removed texts of secrets could not be destroyed yet; it will be tried again");
        }
        Ok(app)
    }

    /// Reads all tenants, and learns who the operator is.
    pub async fn load_tree(&self) -> Result<()> {
        let (mut after, mut waiting) = (None, Vec::new());
        loop {
            let page = self.state.store.load_tenants(after, 5_000).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            waiting.extend(page);
        }
        let known: HashSet<_> = waiting.iter().map(|tenant| tenant.id).collect();
        for gone in self.state.tree.others_than(&known) {
            self.forget_tenant(gone).await;
        }
        // Parents are older than their children, but ids of one millisecond have no order.
        loop {
            let before = waiting.len();
            waiting.retain(|tenant| !self.state.tree.put(tenant));
            if waiting.is_empty() {
                break;
            }
            if waiting.len() == before {
                return Err(Error::Internal(format!("{before} tenants stand under no known tenant")));
            }
        }
        let (mut after, mut policies) = (None, Vec::new());
        loop {
            let page = self.state.store.load_credential_policies(after, 5_000).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            policies.extend(page);
        }
        self.state.tree.put_policies(policies);
        self.state.tree.put_all_legacy(&self.state.store.load_legacy_rules().await?);
        if let Some(operator) = self.state.store.find_operator().await? {
            let _ = self.state.operator.set(operator.id);
        }
        Ok(())
    }

    /// Loads every application into memory.
    pub async fn load_keyring(&self) -> Result<()> {
        self.state.keyring.load_all(self.state.surroundings()).await
    }

    /// The catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.state.catalogue
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.state.store
    }

    /// Whether the server can do its work; if not, why, in words fit for anyone.
    pub fn ready(&self) -> std::result::Result<(), String> {
        if let Err(Error::Unavailable(why)) = self.may_answer() {
            return Err(why);
        }
        match *self.state.fault.lock() {
            None => Ok(()),
            Some(what) => Err(what.to_owned()),
        }
    }

    /// How many applications are in memory.
    pub fn applications_loaded(&self) -> usize {
        self.state.keyring.len()
    }

    /// How many access levels are in memory.
    pub fn access_levels_loaded(&self) -> usize {
        self.state.levels.len()
    }

    /// The tenant of an org key, if it is the caller's own or within its reach.
    pub fn find_org(&self, caller: &caller::Caller, org_key: &str) -> Result<Arc<live::tree::TenantNode>> {
        let node = self.state.tree.find_org(org_key).ok_or(Error::NotFound("organization"))?;
        caller.reach(node.id).map_err(|_| Error::NotFound("organization"))
    }
}

/// Refuses where `If-Match` names another version than the stored one.
pub(crate) fn check_version(if_match: Option<i64>, current: i64) -> Result<()> {
    match if_match {
        Some(expected) if expected != current => Err(Error::PreconditionFailed { current }),
        _ => Ok(()),
    }
}
