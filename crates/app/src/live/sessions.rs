//! Session tokens that have been verified, by the SHA-256 of their text: a token is verified once, and then found.
//!
//! Two generations bound the memory: what is used moves into the young one, and when that is full it becomes the old one and
//! the old one is forgotten. Only tokens that were verified enter, so nobody can push them out with garbage.

use crate::dpop::Thumbprint;
use crate::live::hashing::KeyHashing;
use crate::live::signing::SigningKey;
use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use claviger_domain::grants::GrantSet;
use claviger_domain::id::{ApplicationId, ClientId, SecretId, SignInId, TenantId, TokenId};
use claviger_domain::time::Timestamp;
use papaya::HashMap;
use parking_lot::Mutex;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Most tokens of a generation.
const GENERATION: usize = 65_536;

/// What a verified token says. What its application may do now is asked of its record, each time.
#[derive(Debug)]
pub struct Session {
    /// Its own id.
    pub token: TokenId,
    /// The tenant.
    pub tenant: TenantId,
    /// The application.
    pub application: ApplicationId,
    /// The application's client id.
    pub client_id: ClientId,
    /// The place of the client id in the keyring.
    pub place: u128,
    /// The secret that it was got with.
    pub secret: SecretId,
    /// The key that signed it.
    pub key: Arc<SigningKey>,
    /// What it is narrowed to; none for everything that the application may do.
    pub limit: Option<GrantSet>,
    /// The thumbprint of the key that it is bound to; none for whoever bears it.
    pub binding: Option<Thumbprint>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The sign-in that it belongs to, and which generation of its tokens.
    pub sign_in: Option<(SignInId, i64)>,
}

impl Session {
    /// Under what its list of instances is kept: its sign-in, or itself.
    pub fn list_id(&self) -> SignInId {
        self.sign_in.map_or(SignInId::from_u128(self.token.as_u128()), |(id, _)| id)
    }
}

/// SHA-256 of a token's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of this text.
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let half = self.0.first_chunk().map_or(0, |half| u128::from_le_bytes(*half));
        state.write_u128(half);
    }
}

type Generation = HashMap<TokenHash, Arc<Session>, KeyHashing>;

/// All verified tokens.
#[derive(Debug, Default)]
pub struct Sessions {
    young: ArcSwap<Generation>,
    old: ArcSwap<Generation>,
    turning: Mutex<()>,
}

impl Sessions {
    /// The token of that hash, if it was verified.
    pub fn find(&self, hash: &TokenHash) -> Option<Arc<Session>> {
        if let Some(found) = self.young.load().pin().get(hash) {
            return Some(Arc::clone(found));
        }
        let found = self.old.load().pin().get(hash).map(Arc::clone)?;
        self.insert(*hash, Arc::clone(&found));
        Some(found)
    }

    /// Takes a token that was verified.
    pub fn insert(&self, hash: TokenHash, session: Arc<Session>) {
        let young = self.young.load();
        young.pin().insert(hash, session);
        if young.len() >= GENERATION {
            self.turn();
        }
    }

    fn turn(&self) {
        let _turning = self.turning.lock();
        let young = self.young.load_full();
        if young.len() >= GENERATION {
            self.old.store(young);
            self.young.store(Arc::default());
        }
    }

    /// How many are in memory, those twice that are in both generations.
    pub fn len(&self) -> usize {
        self.young.load().len() + self.old.load().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::signing::{Rhythm, Times};

    fn session(number: u128) -> Arc<Session> {
        let now = Timestamp::from_micros(0);
        let seed = [7; 32];
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref().try_into().unwrap();
        let key = SigningKey::new("k".into(), public, &seed, &Times::of(now, now, Rhythm::default())).unwrap();
        Arc::new(Session {
            token: TokenId::from_u128(number),
            tenant: TenantId::from_u128(1),
            application: ApplicationId::from_u128(1),
            client_id: ClientId::stored(String::new()),
            place: 1,
            secret: SecretId::from_u128(1),
            key: Arc::new(key),
            limit: None,
            binding: None,
            issued_at: now,
            expires_at: now,
            sign_in: None,
        })
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let sessions = Sessions::default();
        let (kept, used) = (session(1), TokenHash::of("used"));
        sessions.insert(used, Arc::clone(&kept));
        for number in 0..4 * GENERATION {
            sessions.insert(TokenHash::of(&number.to_string()), Arc::clone(&kept));
            assert!(sessions.len() <= 2 * GENERATION);
            if number % 1_000 == 0 {
                assert!(sessions.find(&used).is_some(), "{number}");
            }
        }
        assert!(sessions.find(&TokenHash::of("0")).is_none());
        assert!(sessions.find(&TokenHash::of("never")).is_none());
    }
}
