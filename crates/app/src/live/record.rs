//! One application as the hot path sees it: about 150 bytes, whatever it may do.

use crate::live::levels::LevelCell;
use crate::live::meter::Cell;
use crate::live::tree::TenantNode;
use claviger_domain::application::Reach;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{ApplicationId, ClientId, SecretId};
use claviger_domain::network::Networks;
use claviger_domain::rate::RateLimit;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_store::credentials::{Credential, CredentialSecret};
use std::sync::{Arc, OnceLock};

/// Where the grants of a policy come from.
#[derive(Debug, Clone)]
pub enum Held {
    /// From a level, which may be edited.
    Level(Arc<LevelCell>),
    /// From the application itself.
    Inline(GrantSet),
}

impl Held {
    /// Whether the grants have `verb` on the permission at `index` of the catalogue.
    pub fn has(&self, index: usize, verb: Verb) -> bool {
        match self {
            Self::Level(cell) => cell.grants().has(index, verb),
            Self::Inline(set) => set.has(index, verb),
        }
    }

    /// The grants as they are now.
    pub fn set(&self) -> GrantSet {
        match self {
            Self::Level(cell) => GrantSet::clone(&cell.grants()),
            Self::Inline(set) => set.clone(),
        }
    }
}

/// What many applications have in common: kept once for all that agree.
#[derive(Debug)]
pub struct Policy {
    /// Grants.
    pub held: Held,
    /// Networks: absent is any, empty is none.
    pub networks: Option<Networks>,
    /// Rate limit.
    pub rate_limit: Option<RateLimit>,
    /// Reach.
    pub reach: Reach,
}

/// One live secret.
#[derive(Debug, Clone)]
pub struct LiveSecret {
    /// Id.
    pub id: SecretId,
    /// What recognises it.
    pub hash: SecretHash,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
}

/// One application.
#[derive(Debug)]
pub struct Record {
    /// Id.
    pub id: ApplicationId,
    /// Its tenant.
    pub tenant: Arc<TenantNode>,
    /// What it may do, from where and how often.
    pub policy: Arc<Policy>,
    /// The secret that nearly every application has.
    pub first: Option<LiveSecret>,
    /// The second one, while a rotation lasts.
    pub second: Option<Box<LiveSecret>>,
    /// When it stops.
    pub expires_at: Option<Timestamp>,
    /// Its client id where that is not its id.
    pub foreign: Option<Box<ClientId>>,
    /// Whether it may call.
    pub enabled: bool,
    /// Its counters, made at its first call.
    pub cell: OnceLock<Arc<Cell>>,
}

impl Record {
    /// The record of a credential.
    pub fn of(credential: Credential, tenant: Arc<TenantNode>, policy: Arc<Policy>) -> Self {
        let application = credential.application;
        let is_foreign = ClientId::key(application.client_id.as_str()) != application.id.as_u128();
        let live =
            |secret: CredentialSecret| LiveSecret { id: secret.id, hash: secret.hash, expires_at: secret.expires_at };
        let mut secrets = credential.secrets.into_iter().map(live);
        Self {
            id: application.id,
            tenant,
            policy,
            first: secrets.next(),
            second: secrets.next().map(Box::new),
            expires_at: application.expires_at,
            foreign: is_foreign.then(|| Box::new(application.client_id)),
            enabled: application.enabled,
            cell: OnceLock::new(),
        }
    }

    /// What the application presents.
    pub fn client_id(&self) -> ClientId {
        self.foreign.as_deref().cloned().unwrap_or_else(|| ClientId::of(self.id))
    }

    /// Whether `presented` is its client id: the look-up goes by 128 bits, this by the text.
    pub fn answers_to(&self, presented: &str) -> bool {
        match &self.foreign {
            Some(client_id) => client_id.as_str() == presented,
            None => ClientId::key(presented) == self.id.as_u128(),
        }
    }

    /// The live secret with that hash. Both are compared in any case.
    pub fn secret(&self, presented: &SecretHash) -> Option<&LiveSecret> {
        let first = self.first.as_ref().filter(|secret| secret.hash.matches(presented));
        let second = self.second.as_deref().filter(|secret| secret.hash.matches(presented));
        first.or(second)
    }

    /// The live secret of that id.
    pub fn secret_of(&self, id: SecretId) -> Option<&LiveSecret> {
        self.first.iter().chain(self.second.as_deref()).find(|secret| secret.id == id)
    }

    /// Whether it has a rate limit, whose state must outlive a change of the record.
    pub fn rate_limited(&self) -> bool {
        self.policy.rate_limit.is_some()
    }

    /// The counters.
    pub fn cell(&self) -> &Arc<Cell> {
        self.cell.get_or_init(|| Arc::new(Cell::new(self.tenant.id, self.id)))
    }
}
