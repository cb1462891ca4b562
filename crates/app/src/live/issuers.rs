//! Trusted issuers in memory: who may sign for which tenant, what their tokens stand for, and the keys they sign with. A
//! session token that was got by a binding works only while the binding is here.

use crate::live::foreign::has_signed;
use crate::outgoing::{Failed, Outgoing};
use arc_swap::ArcSwap;
use claviger_domain::foreign_key::{ForeignKey, read_set};
use claviger_domain::foreign_token::{Header, Mismatch};
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::issuer_keys::Known;
use claviger_domain::jws::Compact;
use claviger_domain::outgoing::Target;
use claviger_domain::trusted_issuer::{KeySource, TrustedIssuer};
use claviger_domain::{Error, Result};
use papaya::HashMap;
use parking_lot::Mutex;
use std::collections::HashMap as StdMap;
use std::sync::{Arc, OnceLock, Weak};

/// Where keys come from: two tenants that trust the same issuer in the same way share them.
type Place = (Target, KeySource);

/// All of it.
#[derive(Debug, Default)]
pub struct Issuers {
    outgoing: OnceLock<Outgoing>,
    /// By tenant and issuer.
    trusted: HashMap<(u128, String), Arc<LiveIssuer>>,
    /// Bindings by id: what they lead to.
    bindings: HashMap<u128, ApplicationId>,
    /// By id: what was taken of an issuer, to be taken away again. Held while anything is changed.
    taken: Mutex<StdMap<IssuerId, Arc<LiveIssuer>>>,
    places: Mutex<StdMap<Place, Weak<IssuerKeys>>>,
}

/// A trusted issuer with its keys.
#[derive(Debug)]
pub struct LiveIssuer {
    /// What is stored of it.
    pub issuer: TrustedIssuer,
    /// Its keys.
    pub keys: Arc<IssuerKeys>,
}

/// Keys of an issuer, as far as they are known here.
#[derive(Debug, Default)]
pub struct IssuerKeys {
    /// What is known.
    pub state: ArcSwap<KeyState>,
    /// Held while they are asked for, so that one does that for all.
    pub asking: tokio::sync::Mutex<()>,
}

/// What is known of an issuer's keys.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// The keys.
    pub keys: Arc<[ForeignKey]>,
    /// When they were had.
    pub known: Known,
    /// Why they were not had the last time they were asked for.
    pub failed: Option<Failed>,
}

impl LiveIssuer {
    fn place(&self) -> (u128, String) {
        (self.issuer.tenant_id.as_u128(), self.issuer.trust.issuer.as_str().to_owned())
    }
}

impl KeyState {
    /// Whether there is a key that may have signed this.
    pub fn has(&self, header: &Header) -> bool {
        self.fitting(header).next().is_some()
    }

    fn fitting(&self, header: &Header) -> impl Iterator<Item = &ForeignKey> {
        let named = |key: &&ForeignKey| header.kid.is_none() || key.kid == header.kid;
        self.keys.iter().filter(|key| key.serves(header.algorithm)).filter(named)
    }

    /// Refuses what none of the keys has signed. Without a name there must be one key only that could have.
    pub fn verify(&self, header: &Header, parts: Compact<'_>) -> Result<(), Mismatch> {
        let fitting: Vec<_> = self.fitting(header).take(4).collect();
        match fitting.as_slice() {
            [] => Err(Mismatch::Key),
            [_, _, ..] if header.kid.is_none() => Err(Mismatch::Key),
            some if some.iter().any(|key| has_signed(key, header.algorithm, parts)) => Ok(()),
            _ => Err(Mismatch::Signature),
        }
    }
}

impl Issuers {
    /// Says how keys are fetched; once.
    pub fn set(&self, outgoing: Outgoing) -> Result<()> {
        self.outgoing.set(outgoing).map_err(|_| Error::Internal("the way out is said twice".into()))
    }

    /// How keys are fetched, once that was said.
    pub fn outgoing(&self) -> Result<&Outgoing> {
        self.outgoing.get().ok_or_else(|| Error::Unavailable("trusted issuers are not ready yet".into()))
    }

    /// The issuer of that name that a tenant trusts.
    pub fn find(&self, tenant: TenantId, issuer: &str) -> Option<Arc<LiveIssuer>> {
        self.trusted.pin().get(&(tenant.as_u128(), issuer.to_owned())).map(Arc::clone)
    }

    /// The issuer of that id, if it is in memory.
    pub fn get(&self, id: IssuerId) -> Option<Arc<LiveIssuer>> {
        self.taken.lock().get(&id).map(Arc::clone)
    }

    /// Whether a binding leads to an application.
    pub fn leads(&self, binding: u128, application: ApplicationId) -> bool {
        self.bindings.pin().get(&binding).is_some_and(|leads| *leads == application)
    }

    /// Whether any binding leads to an application.
    pub fn binds(&self, application: ApplicationId) -> bool {
        self.bindings.pin().values().any(|leads| *leads == application)
    }

    /// Takes an issuer as it is stored, in place of what was taken of it before.
    pub fn put(&self, issuer: TrustedIssuer) {
        let mut taken = self.taken.lock();
        let old = taken.remove(&issuer.id);
        if !issuer.trust.enabled {
            old.iter().for_each(|old| self.forget(old, None));
            return;
        }
        let keys = self.keys(&issuer);
        let live = Arc::new(LiveIssuer { issuer, keys });
        old.iter().for_each(|old| self.forget(old, Some(&live)));
        for binding in &live.issuer.bindings {
            self.bindings.pin().insert(binding.id.as_u128(), binding.application_id);
        }
        self.trusted.pin().insert(live.place(), Arc::clone(&live));
        taken.insert(live.issuer.id, live);
    }

    /// Trusts an issuer no longer.
    pub fn remove(&self, id: IssuerId) {
        let mut taken = self.taken.lock();
        if let Some(old) = taken.remove(&id) {
            self.forget(&old, None);
        }
    }

    /// Trusts those alone.
    pub fn keep_only(&self, kept: &[IssuerId]) {
        let gone: Vec<_> = self.taken.lock().keys().filter(|id| !kept.contains(id)).copied().collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// Trusts none of a tenant that is gone.
    pub fn forget_tenant(&self, tenant: TenantId) {
        let taken = self.taken.lock();
        let gone: Vec<_> =
            taken.values().filter(|live| live.issuer.tenant_id == tenant).map(|live| live.issuer.id).collect();
        drop(taken);
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// Takes away what was taken of an issuer, but for what stays of it.
    fn forget(&self, old: &LiveIssuer, new: Option<&LiveIssuer>) {
        if new.is_none_or(|new| new.place() != old.place()) {
            self.trusted.pin().remove(&old.place());
        }
        let stays = |id: BindingId| new.is_some_and(|new| new.issuer.bindings.iter().any(|kept| kept.id == id));
        for binding in old.issuer.bindings.iter().filter(|binding| !stays(binding.id)) {
            self.bindings.pin().remove(&binding.id.as_u128());
        }
    }

    fn keys(&self, issuer: &TrustedIssuer) -> Arc<IssuerKeys> {
        if let KeySource::Pinned(text) = &issuer.trust.keys {
            let known = Known { fresh_until: Some(i64::MAX), tried_at: Some(i64::MAX) };
            let keys = read_set(text.as_bytes()).unwrap_or_default().into();
            let state = ArcSwap::from_pointee(KeyState { keys, known, failed: None });
            return Arc::new(IssuerKeys { state, ..IssuerKeys::default() });
        }
        let place = (issuer.trust.issuer.clone(), issuer.trust.keys.clone());
        let mut places = self.places.lock();
        if let Some(keys) = places.get(&place).and_then(Weak::upgrade) {
            return keys;
        }
        places.retain(|_, keys| keys.strong_count() > 0);
        let keys = Arc::new(IssuerKeys::default());
        places.insert(place, Arc::downgrade(&keys));
        keys
    }
}
