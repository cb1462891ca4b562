//! One application as the hot path sees it: 128 bytes, whatever it may do.

use crate::live::levels::LevelCell;
use crate::live::meter::Cell;
use crate::live::table::Keyed;
use crate::live::tree::TenantNode;
use claviger_domain::address::Origin;
use claviger_domain::application::{Application, Reach};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{ApplicationId, ClientId, SecretId};
use claviger_domain::jwk::Algorithm;
use claviger_domain::key_type::LegacyType;
use claviger_domain::lifetime::earlier;
use claviger_domain::network::Networks;
use claviger_domain::rate::RateLimit;
use claviger_domain::scope;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_store::credentials::{Credential, CredentialKey, CredentialSecret};
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
            Self::Level(cell) => cell.has(index, verb),
            Self::Inline(set) => set.has(index, verb),
        }
    }

    /// The grants as they are now.
    pub fn set(&self) -> GrantSet {
        match self {
            Self::Level(cell) => cell.grants(),
            Self::Inline(set) => set.clone(),
        }
    }
}

/// What many applications have in common: kept once for all that agree. What each call asks stands at the front.
#[derive(Debug)]
#[repr(C)]
pub struct Policy {
    /// Whether they may call.
    pub enabled: bool,
    /// The legacy type of their keys, if they are of one.
    pub legacy: Option<LegacyType>,
    /// Reach.
    pub reach: Reach,
    /// Networks: absent is any, empty is none.
    pub networks: Option<Networks>,
    /// Grants.
    pub held: Held,
    /// Rate limit.
    pub rate_limit: Option<RateLimit>,
    /// Whether their session tokens are bound to a key of the client.
    pub dpop_bound: bool,
    /// Inline grants as a scope, once somebody has asked for that.
    scope: OnceLock<Arc<str>>,
}

impl Policy {
    /// The policy of an application that holds these grants.
    pub fn of(application: &Application, held: Held) -> Self {
        Self {
            enabled: application.enabled,
            legacy: application.rights.legacy(),
            reach: application.reach,
            networks: application.allowed_networks.as_deref().map(Networks::compile),
            held,
            rate_limit: application.rate_limit,
            dpop_bound: application.dpop_bound,
            scope: OnceLock::new(),
        }
    }

    /// The grants as they are now, as a scope.
    pub fn scope(&self, catalogue: &Catalogue) -> Arc<str> {
        match &self.held {
            Held::Level(cell) => cell.scope(catalogue),
            Held::Inline(set) => Arc::clone(self.scope.get_or_init(|| scope::spell(set, catalogue).into())),
        }
    }
}

/// One live secret.
#[derive(Debug, Clone)]
pub struct LiveSecret {
    /// Id.
    pub id: SecretId,
    /// What recognises it.
    pub hash: SecretHash,
    /// When it stops by itself, or its application does; [`Record::end_of`] asks policies, too.
    pub end: Timestamp,
}

/// One live key.
#[derive(Debug, Clone)]
pub struct LiveKey {
    /// Id and end, as of a secret that nobody can present.
    pub live: LiveSecret,
    /// What assertions call it.
    pub kid: Box<str>,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The key itself.
    pub public: Box<[u8]>,
}

impl LiveKey {
    fn of(key: CredentialKey, ends: Timestamp) -> Self {
        let end = key.expires_at.map_or(ends, |end| end.min(ends));
        let live = LiveSecret { id: key.id, hash: SecretHash::IMPOSSIBLE, end };
        Self { live, kid: key.kid.into(), algorithm: key.algorithm, public: key.public.into() }
    }
}

/// The end of what does not end.
pub const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl LiveSecret {
    /// Stands where there is none: nobody knows a text of that hash.
    const NONE: Self =
        Self { id: SecretId::from_u128(0), hash: SecretHash::IMPOSSIBLE, end: Timestamp::from_micros(0) };
}

impl LiveSecret {
    /// Whether there is a text that is presented, and not only something that stands for a key.
    pub fn is_presented(&self) -> bool {
        !self.hash.matches(&SecretHash::IMPOSSIBLE)
    }
}

/// One application: two lines of the cache, since there may be millions. What points elsewhere stands in the first.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Record {
    /// Id.
    pub id: ApplicationId,
    /// What it may do, from where and how often.
    pub policy: Arc<Policy>,
    /// Its tenant.
    pub tenant: Arc<TenantNode>,
    cell: OnceLock<Arc<Cell>>,
    rare: Option<Box<Rare>>,
    /// The secret that nearly every application has.
    first: LiveSecret,
}

/// What few applications have.
#[derive(Clone, Debug)]
struct Rare {
    /// The second secret, while a rotation lasts.
    second: Option<LiveSecret>,
    /// The client id where that is not the application's id, and its key.
    foreign: Option<(ClientId, u128)>,
    /// When the application stops, if it does.
    expires_at: Option<Timestamp>,
    /// Its public keys.
    keys: Arc<[LiveKey]>,
    /// The secret that can only be changed; there is one at most.
    temporary: Option<SecretId>,
}

const _: () = assert!(size_of::<Record>() == 128);

impl Keyed for Record {
    fn key(&self) -> u128 {
        self.rare.as_ref().and_then(|rare| rare.foreign.as_ref()).map_or(self.id.as_u128(), |(_, key)| *key)
    }
}

impl Record {
    /// The record of a credential.
    pub fn of(credential: Credential, tenant: Arc<TenantNode>, policy: Arc<Policy>) -> Self {
        let application = credential.application;
        let key = ClientId::key(application.client_id.as_str());
        let expires_at = application.expires_at;
        let ends = expires_at.unwrap_or(NEVER);
        let live = |secret: CredentialSecret| {
            let end = secret.expires_at.map_or(ends, |end| end.min(ends));
            LiveSecret { id: secret.id, hash: secret.hash, end }
        };
        let temporary = credential.secrets.iter().find(|secret| secret.temporary).map(|secret| secret.id);
        let mut secrets = credential.secrets.into_iter().map(live);
        let first = secrets.next().unwrap_or(LiveSecret::NONE);
        let second = secrets.next();
        let foreign = (key != application.id.as_u128()).then_some((application.client_id, key));
        let keys: Arc<[LiveKey]> = credential.keys.into_iter().map(|key| LiveKey::of(key, ends)).collect();
        let dated = expires_at.is_some() || temporary.is_some();
        let is_rare = second.is_some() || foreign.is_some() || dated || !keys.is_empty();
        let rare = is_rare.then(|| Box::new(Rare { second, foreign, expires_at, keys, temporary }));
        Self { id: application.id, tenant, policy, first, rare, cell: OnceLock::new() }
    }

    /// Its client id where that is not its id.
    pub fn foreign(&self) -> Option<&ClientId> {
        self.rare.as_ref().and_then(|rare| rare.foreign.as_ref()).map(|(client_id, _)| client_id)
    }

    /// When the application stops, if it does.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.rare.as_ref().and_then(|rare| rare.expires_at)
    }

    /// What the application presents.
    pub fn client_id(&self) -> ClientId {
        self.foreign().cloned().unwrap_or_else(|| ClientId::of(self.id))
    }

    /// Whether `presented`, whose key is this record's, is its client id: the look-up goes by 128 bits, this by the text.
    pub fn answers_to(&self, presented: &str) -> bool {
        self.foreign().is_none_or(|client_id| client_id.as_str() == ClientId::canonical(presented))
    }

    /// Whether its networks allow calls from there.
    pub fn is_allowed_from(&self, origin: Origin) -> bool {
        let networks = self.policy.networks.as_ref();
        networks.is_none_or(|networks| origin.address().is_some_and(|address| networks.contains(address)))
    }

    /// The live secret with that hash. Both are compared in any case.
    pub fn secret(&self, presented: &SecretHash) -> Option<&LiveSecret> {
        let first = self.first.hash.matches(presented).then_some(&self.first);
        let second = self.second().filter(|secret| secret.hash.matches(presented));
        first.or(second)
    }

    /// The live secret of that id, or what stands for the live key of that id.
    pub fn secret_of(&self, id: SecretId) -> Option<&LiveSecret> {
        std::iter::once(&self.first).chain(self.second()).chain(self.live_keys()).find(|secret| secret.id == id)
    }

    /// Whether a secret can do nothing but be changed.
    pub fn is_temporary(&self, secret: SecretId) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.temporary == Some(secret))
    }

    /// All live secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &LiveSecret> {
        std::iter::once(&self.first).chain(self.second()).filter(|secret| secret.id != LiveSecret::NONE.id)
    }

    /// Whether its tenant or one above forbids secrets.
    pub fn forbids_secrets(&self) -> bool {
        self.tenant.with_bounds(|bounds| bounds.secrets_forbidden).unwrap_or(false)
    }

    /// When the application itself really stops, whatever proves it.
    pub fn own_end(&self) -> Timestamp {
        let ceiling = self.tenant.with_bounds(|bounds| bounds.application_ceiling(self.id.made_at())).flatten();
        earlier(ceiling, self.expires_at()).unwrap_or(NEVER)
    }

    /// The application's keys.
    pub fn keys(&self) -> &[LiveKey] {
        self.rare.as_ref().map_or(&[], |rare| &rare.keys)
    }

    fn live_keys(&self) -> impl Iterator<Item = &LiveSecret> {
        self.keys().iter().map(|key| &key.live)
    }

    /// Everything that proves the application: its live secrets, and what stands for its live keys.
    pub fn live_secrets(&self) -> impl Iterator<Item = &LiveSecret> {
        self.secrets().chain(self.live_keys())
    }

    /// When a secret really stops: by itself, with its application, or by what its tenant's policies allow at most.
    pub fn end_of(&self, secret: &LiveSecret) -> Timestamp {
        let bound = self.tenant.with_bounds(|bounds| {
            let application = bounds.application_ceiling(self.id.made_at());
            earlier(application, bounds.secret_end(secret.id.made_at()))
        });
        bound.flatten().map_or(secret.end, |bound| bound.min(secret.end))
    }

    fn second(&self) -> Option<&LiveSecret> {
        self.rare.as_ref().and_then(|rare| rare.second.as_ref())
    }

    /// The counters, made at its first call.
    pub fn cell(&self) -> &Arc<Cell> {
        self.cell.get_or_init(|| Arc::new(Cell::new(self.tenant.id, self.id)))
    }

    /// Begins to read what a call asks for later, so that it is there by then.
    pub fn fetch(&self) {
        self.cell.get().inspect(|cell| cell.fetch());
        std::hint::black_box(self.policy.held.has(0, Verb::Read));
    }

    /// The counters, if it was called since it was loaded.
    pub fn cell_in_use(&self) -> Option<&Arc<Cell>> {
        self.cell.get()
    }

    /// The same, to be kept by a caller.
    pub fn share(&self) -> Arc<Self> {
        Arc::new(Self {
            id: self.id,
            tenant: Arc::clone(&self.tenant),
            policy: Arc::clone(&self.policy),
            first: self.first.clone(),
            rare: self.rare.clone(),
            cell: OnceLock::from(Arc::clone(self.cell())),
        })
    }

    /// Goes on counting where `old` is, so that nothing is forgotten when a record takes another's place.
    pub fn go_on_from(&self, old: &Self) {
        // Made now for an application with a limit, so that old and new share it whoever is called next.
        if old.policy.rate_limit.is_some() || old.cell.get().is_some() {
            let _ = self.cell.set(Arc::clone(old.cell()));
        }
        if let Some(cell) = old.cell.get().filter(|_| !Arc::ptr_eq(&self.policy, &old.policy)) {
            cell.forget_networks();
        }
    }
}
