//! The keys that sign session tokens, in memory. A key found by a token's header is the only one that may have signed it: the
//! header says nothing else that anybody believes.

use arc_swap::ArcSwap;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, ParsedPublicKey};
use claviger_domain::signing::{Stage, Times};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result, jws, token};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Not revoked.
const NEVER: i64 = i64::MAX;
/// Nanoseconds after which the store is asked again for a key that is not known.
const ASK_AGAIN: u64 = 1_000_000_000;

/// One key. Its times may come nearer while tokens hold on to it.
pub struct SigningKey {
    /// What tokens call it.
    pub kid: String,
    /// The public key.
    pub public: [u8; 32],
    header: String,
    pair: Ed25519KeyPair,
    verifier: ParsedPublicKey,
    created_at: Timestamp,
    signs_from: Timestamp,
    signs_until: AtomicI64,
    retires_at: AtomicI64,
    revoked_at: AtomicI64,
}

impl SigningKey {
    /// The key of a seed.
    pub fn new(kid: String, public: [u8; 32], seed: &[u8], times: &Times) -> Result<Self> {
        let damaged = || Error::Internal(format!("the signing key {kid} is damaged"));
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, &public).map_err(|_| damaged())?;
        let verifier = ParsedPublicKey::new(&ED25519, public).map_err(|_| damaged())?;
        let key = Self {
            header: token::header(&kid),
            pair,
            verifier,
            public,
            created_at: times.created_at,
            signs_from: times.signs_from,
            signs_until: AtomicI64::new(0),
            retires_at: AtomicI64::new(0),
            revoked_at: AtomicI64::new(NEVER),
            kid,
        };
        key.set(times);
        Ok(key)
    }

    fn set(&self, times: &Times) {
        self.signs_until.store(times.signs_until.micros(), Ordering::Release);
        self.retires_at.store(times.retires_at.micros(), Ordering::Release);
        if let Some(at) = times.revoked_at {
            self.revoked_at.fetch_min(at.micros(), Ordering::AcqRel);
        }
    }

    /// When it does what.
    pub fn times(&self) -> Times {
        let revoked_at = self.revoked_at.load(Ordering::Acquire);
        Times {
            created_at: self.created_at,
            signs_from: self.signs_from,
            signs_until: Timestamp::from_micros(self.signs_until.load(Ordering::Acquire)),
            retires_at: Timestamp::from_micros(self.retires_at.load(Ordering::Acquire)),
            revoked_at: (revoked_at != NEVER).then(|| Timestamp::from_micros(revoked_at)),
        }
    }

    /// Whether what it signed is accepted.
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.revoked_at.load(Ordering::Acquire) == NEVER && now.micros() < self.retires_at.load(Ordering::Acquire)
    }

    /// The header's segment of what it signs.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Appends the signature over a text to it.
    pub fn sign(&self, text: &mut String) {
        let signature = self.pair.sign(text.as_bytes());
        text.push('.');
        jws::encode_into(signature.as_ref(), text);
    }

    /// Whether it has signed that.
    pub fn has_signed(&self, signed: &str, signature: &[u8; 64]) -> bool {
        self.verifier.verify_sig(signed.as_bytes(), signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// All keys.
#[derive(Debug, Default)]
pub struct SigningKeys {
    keys: ArcSwap<Vec<Arc<SigningKey>>>,
    /// Held while they are put.
    putting: Mutex<()>,
    doubted: AtomicBool,
    asked: AtomicU64,
    /// Whether the store is being asked.
    asking: AtomicBool,
}

impl SigningKeys {
    /// All of them, oldest first.
    pub fn all(&self) -> Arc<Vec<Arc<SigningKey>>> {
        self.keys.load_full()
    }

    /// Takes the keys as they are stored. Whoever holds on to one sees what has become of it, also where it is gone.
    pub fn put(&self, stored: Vec<SigningKey>) {
        let _putting = self.putting.lock();
        let before = self.keys.load_full();
        let taken = stored.into_iter().map(|key| match before.iter().find(|old| old.kid == key.kid) {
            Some(old) => {
                old.set(&key.times());
                Arc::clone(old)
            }
            None => Arc::new(key),
        });
        let taken: Vec<_> = taken.collect();
        for gone in before.iter().filter(|old| taken.iter().all(|key| key.kid != old.kid)) {
            gone.revoked_at.fetch_min(0, Ordering::AcqRel);
        }
        self.keys.store(Arc::new(taken));
        self.doubted.store(false, Ordering::Release);
    }

    /// What tokens call those that were not revoked.
    pub fn not_revoked(&self) -> Vec<String> {
        let keys = self.keys.load();
        let kept = keys.iter().filter(|key| key.revoked_at.load(Ordering::Acquire) == NEVER);
        kept.map(|key| key.kid.clone()).collect()
    }

    /// Whether nobody knows what has become of them.
    pub fn are_doubted(&self) -> bool {
        self.doubted.load(Ordering::Acquire)
    }

    /// Refuses all tokens until the keys are put again.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    /// The key that this header names, if it is known and accepted.
    pub fn find(&self, header: &str, now: Timestamp) -> Option<Arc<SigningKey>> {
        self.keys.load().iter().find(|key| key.header == header && key.is_accepted(now)).map(Arc::clone)
    }

    /// The key that signs now: of those whose time has come the newest. Where there is none, one whose time another server
    /// says has come.
    pub fn signer(&self, now: Timestamp) -> Option<Arc<SigningKey>> {
        let keys = self.keys.load();
        let newest = |by: Timestamp| {
            let signing = keys.iter().filter(|key| key.signs_from <= by && key.is_accepted(now));
            signing.max_by_key(|key| (key.signs_from, key.created_at)).map(Arc::clone)
        };
        newest(now).or_else(|| newest(now.plus_seconds(1)))
    }

    /// The keys that somebody else may need to verify what was signed or will be.
    pub fn published(&self, now: Timestamp) -> Vec<Arc<SigningKey>> {
        let published = |key: &&Arc<SigningKey>| {
            matches!(key.times().stage(now), Stage::Published | Stage::Signing | Stage::Retiring)
        };
        self.keys.load().iter().filter(published).map(Arc::clone).collect()
    }

    /// Whether it is time to ask the store for keys that another server may have made.
    pub fn may_be_asked(&self, monotonic: u64) -> bool {
        let last = self.asked.load(Ordering::Acquire);
        self.are_asked_for() || last == 0 || monotonic.saturating_sub(last) >= ASK_AGAIN
    }

    /// Whether the store is being asked right now: whoever misses a key waits for what it says.
    pub fn are_asked_for(&self) -> bool {
        self.asking.load(Ordering::Acquire)
    }

    /// Says whether the store is being asked.
    pub fn ask(&self, asking: bool) {
        self.asking.store(asking, Ordering::Release);
    }

    /// The same, for the one that will ask: now and then, however many tokens of unknown keys come.
    pub fn may_ask(&self, monotonic: u64) -> bool {
        let last = self.asked.load(Ordering::Acquire);
        (last == 0 || monotonic.saturating_sub(last) >= ASK_AGAIN)
            && self.asked.compare_exchange(last, monotonic.max(1), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
