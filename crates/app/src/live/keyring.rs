//! The keyring: client id → record, in memory.
//!
//! Everything that changes the keyring reads the store again under the application's lock, after the change is durable, so
//! that the last to come always puts the newest state there and a late one can revive nothing.

use crate::live::levels::Levels;
use crate::live::record::{Held, Policy, Record};
use crate::live::table::{Keyed as _, Table};
use crate::live::tree::Tree;
use arc_swap::ArcSwapOption;
use claviger_domain::Result;
use claviger_domain::application::{Reach, Rights};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{GrantSet, Grants};
use claviger_domain::id::{AccessLevelId, ApplicationId, ClientId, TenantId};
use claviger_domain::key_type::LegacyType;
use claviger_domain::network::Networks;
use claviger_domain::rate::RateLimit;
use claviger_store::Store;
use claviger_store::credentials::Credential;
use papaya::HashMap;
use parking_lot::Mutex;
use std::collections::{HashMap as StdMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

const LOCKS: usize = 64;
/// How long an unknown client id is remembered, in nanoseconds: well below the time in which a new one must work.
const UNKNOWN_FOR: u64 = 100_000_000;
/// Most unknown client ids that are remembered.
const UNKNOWN_MAX: usize = 65_536;
/// Look-ups for secrets that are not of our form, which cost whoever sends them nothing.
const FOREIGN_LOOK_UPS: RateLimit = RateLimit { requests: 1_000, window_seconds: 1 };
/// Rows that are read at a time when everything is loaded.
const LOAD_PAGE: i64 = 5_000;

/// All applications.
pub struct Keyring {
    /// By the key of the client id.
    records: Table<Record>,
    /// Client id key by application, for those whose client id is not their own id.
    foreign: HashMap<u128, u128>,
    unknown: HashMap<u128, u64>,
    /// How far the look-ups for secrets that are not of our form have been used up.
    foreign_look_ups: Mutex<u64>,
    policies: Mutex<StdMap<PolicyKey, Weak<Policy>>>,
    locks: [tokio::sync::Mutex<()>; LOCKS],
    /// Applications that changed while everything is being loaded; none when it is not.
    touched: ArcSwapOption<Mutex<HashSet<ApplicationId>>>,
    complete: AtomicBool,
    /// Held while everything is being loaded.
    loading: tokio::sync::Mutex<()>,
    /// Counts how often everything was forgotten. Changed under all locks, read under one.
    generation: AtomicU64,
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct PolicyKey {
    level: Option<AccessLevelId>,
    inline: Option<GrantSet>,
    networks: Option<Networks>,
    rate_limit: Option<RateLimit>,
    reach: Reach,
    enabled: bool,
    legacy: Option<LegacyType>,
    dpop_bound: bool,
}

impl Default for Keyring {
    fn default() -> Self {
        Self {
            records: Table::default(),
            foreign: HashMap::new(),
            unknown: HashMap::new(),
            foreign_look_ups: Mutex::new(0),
            policies: Mutex::default(),
            locks: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            touched: ArcSwapOption::empty(),
            complete: AtomicBool::new(false),
            loading: tokio::sync::Mutex::default(),
            generation: AtomicU64::new(0),
        }
    }
}

/// What is needed to turn a stored credential into a record.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The store.
    pub store: &'a Store,
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The tree.
    pub tree: &'a Tree,
    /// The levels.
    pub levels: &'a Levels,
}

impl Keyring {
    /// Looks at the record that answers to a client id where it lies, if it is loaded. The keyring must not be asked
    /// meanwhile.
    pub fn with<T>(&self, client_id: &str, look: impl FnOnce(&Record) -> T) -> Option<T> {
        self.records
            .with(ClientId::key(client_id), |record| record.answers_to(client_id).then(|| look(record)))
            .flatten()
    }

    /// Looks at the record of an application whose client id has this key, if it is loaded; as [`Keyring::with`].
    pub fn with_key<T>(&self, key: u128, id: ApplicationId, look: impl FnOnce(&Record) -> T) -> Option<T> {
        self.records.with(key, |record| (record.id == id).then(|| look(record))).flatten()
    }

    /// Looks at the record of an application where it lies, if it is loaded.
    pub fn with_application<T>(&self, application: ApplicationId, look: impl FnOnce(&Record) -> T) -> Option<T> {
        let key = self.foreign.pin().get(&application.as_u128()).copied().unwrap_or(application.as_u128());
        self.with_key(key, application, look)
    }

    /// Whether a client id that is not loaded is known not to exist: because everything is loaded, or because it was
    /// looked up just now.
    pub fn is_unknown(&self, client_id: &str, monotonic: u64) -> bool {
        self.complete.load(Ordering::Acquire)
            || self.unknown.pin().get(&ClientId::key(client_id)).is_some_and(|until| *until > monotonic)
    }

    /// Whether everything is loaded.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Whether a client id may be looked up for the sake of a secret that is not of our form.
    pub fn affords_look_up(&self, monotonic: u64) -> bool {
        FOREIGN_LOOK_UPS.take(&mut self.foreign_look_ups.lock(), monotonic).allowed
    }

    /// How many applications are loaded.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none is loaded.
    pub fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// Looks a client id up in the store and loads its application. Any number of callers cause one look-up.
    pub async fn load(&self, around: Surroundings<'_>, client_id: &str, monotonic: u64) -> Result<()> {
        let key = ClientId::key(client_id);
        let stored = ClientId::canonical(client_id);
        let (tenant, application) = {
            let _lock = self.lock(key).lock().await;
            if self.with(client_id, |_| ()).is_some() || self.is_unknown(client_id, monotonic) {
                return Ok(());
            }
            match around.store.find_client(&stored).await? {
                None => {
                    self.remember_unknown(key, monotonic);
                    return Ok(());
                }
                Some((tenant, application)) if application.as_u128() == key => {
                    return self.refresh_locked(around, tenant, application).await;
                }
                Some(foreign) => foreign,
            }
        };
        self.refresh(around, tenant, application).await
    }

    /// Makes the record of an application what the store says now. To be called after each durable change of it.
    pub async fn refresh(&self, around: Surroundings<'_>, tenant: TenantId, application: ApplicationId) -> Result<()> {
        let _lock = self.lock(application.as_u128()).lock().await;
        self.refresh_locked(around, tenant, application).await
    }

    async fn refresh_locked(
        &self,
        around: Surroundings<'_>,
        tenant: TenantId,
        application: ApplicationId,
    ) -> Result<()> {
        if let Some(touched) = &*self.touched.load() {
            touched.lock().insert(application);
        }
        match around.store.find_credential(tenant, application).await? {
            Some(credential) => self.put(around, credential),
            None => self.remove(application),
        }
        Ok(())
    }

    /// Loads everything there is. Serves meanwhile; when this returns, what is not loaded does not exist, since whoever
    /// makes an application waits until every node has followed.
    pub async fn load_all(&self, around: Surroundings<'_>) -> Result<()> {
        let _loading = self.loading.lock().await;
        let generation = self.generation.load(Ordering::Acquire);
        let touched = Arc::new(Mutex::new(HashSet::new()));
        self.touched.store(Some(Arc::clone(&touched)));
        let mut after = None;
        loop {
            let page = around.store.load_credentials(after, LOAD_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.application.tenant_id, last.application.id));
            for credential in page {
                let _lock = self.lock(credential.application.id.as_u128()).lock().await;
                if self.generation.load(Ordering::Acquire) != generation {
                    return Ok(());
                }
                if !touched.lock().contains(&credential.application.id) {
                    self.put(around, credential);
                }
            }
        }
        let _lock = self.lock(0).lock().await;
        if self.generation.load(Ordering::Acquire) == generation {
            self.complete.store(true, Ordering::Release);
        }
        self.touched.store(None);
        Ok(())
    }

    /// Forgets everything, levels too, so that it is read from the store again when it is asked for.
    pub async fn forget_all(&self, levels: &Levels) {
        let mut held = Vec::with_capacity(LOCKS);
        for lock in &self.locks {
            held.push(lock.lock().await);
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.complete.store(false, Ordering::Release);
        self.records.clear();
        self.foreign.pin().clear();
        self.unknown.pin().clear();
        // Whoever is being served holds on to a policy, and with it to a level that nobody edits any more.
        self.policies.lock().clear();
        levels.forget_all();
    }

    fn lock(&self, bits: u128) -> &tokio::sync::Mutex<()> {
        let [first, rest @ ..] = &self.locks;
        let index = usize::try_from(bits % LOCKS as u128).unwrap_or(0);
        index.checked_sub(1).and_then(|index| rest.get(index)).unwrap_or(first)
    }

    fn remember_unknown(&self, key: u128, monotonic: u64) {
        let unknown = self.unknown.pin();
        if unknown.len() >= UNKNOWN_MAX {
            unknown.clear();
        }
        unknown.insert(key, monotonic.saturating_add(UNKNOWN_FOR));
    }

    fn put(&self, around: Surroundings<'_>, credential: Credential) {
        let application = &credential.application;
        let Some(tenant) = around.tree.find(application.tenant_id) else {
            tracing::error!(application = %application.id, tenant = %application.tenant_id, "an application without a tenant is not served");
            return self.remove(application.id);
        };
        let held = match &application.rights {
            Rights::Inline(grants) => Held::Inline(GrantSet::compile(grants, around.catalogue)),
            Rights::Legacy(kind) => Held::Inline(around.catalogue.legacy_grants(*kind)),
            Rights::Level(id) => {
                Held::Level(around.levels.cell(*id, credential.level_grants.as_ref().unwrap_or(&Grants::new())))
            }
        };
        let policy = self.intern(Policy::of(application, held));
        let id = application.id;
        let record = Record::of(credential, tenant, policy);
        let key = record.key();
        if record.foreign().is_some() {
            self.foreign.pin().insert(id.as_u128(), key);
        }
        if !self.records.put(record, |old, new| new.go_on_from(old)) {
            tracing::error!(application = %id, "there is no room in memory for more applications; this one is not served");
        }
        self.unknown.pin().remove(&key);
    }

    /// Forgets an application, so that its credential is refused until it is read again.
    pub async fn forget(&self, application: ApplicationId) {
        let _lock = self.lock(application.as_u128()).lock().await;
        self.remove(application);
    }

    /// Forgets every application of a tenant that is gone.
    pub async fn forget_tenant(&self, tenant: TenantId) {
        let of_tenant = self.records.gather(|record| (record.tenant.id == tenant).then_some(record.id));
        for application in of_tenant {
            self.forget(application).await;
        }
    }

    /// The same, under the application's lock: whoever puts it into place beside this would leave a record that is not
    /// found under its client id any more, and outlives the application.
    fn remove(&self, application: ApplicationId) {
        let key = self.foreign.pin().remove(&application.as_u128()).copied().unwrap_or(application.as_u128());
        self.records.remove(key);
    }

    /// One policy for all applications that agree on it.
    fn intern(&self, policy: Policy) -> Arc<Policy> {
        let (level, inline) = match &policy.held {
            Held::Level(cell) => (Some(cell.id), None),
            Held::Inline(set) => (None, Some(set.clone())),
        };
        let (networks, rate_limit) = (policy.networks.clone(), policy.rate_limit);
        let (reach, enabled, legacy, dpop_bound) = (policy.reach, policy.enabled, policy.legacy, policy.dpop_bound);
        let key = PolicyKey { level, inline, networks, rate_limit, reach, enabled, legacy, dpop_bound };
        let mut policies = self.policies.lock();
        if let Some(policy) = policies.get(&key).and_then(Weak::upgrade) {
            return policy;
        }
        let policy = Arc::new(policy);
        // Dead entries are swept when they could be half of all.
        if policies.len() == policies.capacity() {
            policies.retain(|_, policy| policy.strong_count() > 0);
        }
        policies.insert(key, Arc::downgrade(&policy));
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_unknown_ids_take_bounded_room() {
        let keyring = Keyring::default();
        for key in 0..1_000_000_u128 {
            keyring.remember_unknown(key, 1);
            assert!(keyring.unknown.len() <= UNKNOWN_MAX);
        }
        let last = uuid_text(999_999);
        assert!(keyring.is_unknown(&last, 1), "the newest is remembered");
        assert!(!keyring.is_unknown(&last, 1 + UNKNOWN_FOR), "and only for a moment");
    }

    fn uuid_text(bits: u128) -> String {
        ApplicationId::from_u128(bits).to_string()
    }
}
