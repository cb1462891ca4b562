//! Session tokens that have been verified, by a keyed hash of their text: a token is verified once, and then found.
//!
//! Two generations bound the memory. Only tokens that were verified enter, so nobody can push them out with garbage.

use crate::dpop::Thumbprint;
use crate::live::generations::Generations;
use crate::live::signing::SigningKey;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use claviger_domain::grants::GrantSet;
use claviger_domain::id::{ApplicationId, ClientId, SecretId, SignInId, TenantId, TokenId};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
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

/// What tells the texts of tokens apart: GMAC (NIST SP 800-38D) under a key that this process has drawn, always at the same nonce. As
/// a universal hash of 128 bits it needs no more than that nobody sees what comes out: two texts that meet can then only be guessed.
/// It takes a third of the time that SHA-256 takes.
#[derive(Debug)]
pub struct TokenHashing(LessSafeKey);

/// The hash of a token's text, good in this process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash(u128);

impl TokenHashing {
    /// With a new key.
    pub fn new() -> Result<Self> {
        let unavailable = |_| Error::Unavailable("the operating system gave no randomness".into());
        let mut key = [0; 16];
        rand::fill(&mut key).map_err(unavailable)?;
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(unavailable)?)))
    }

    /// Of this text.
    pub fn hash(&self, text: &str) -> Result<TokenHash> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(text.as_bytes()), &mut []).ok();
        let tag = tag.as_ref().and_then(|tag| tag.as_ref().first_chunk());
        let tag = tag.ok_or_else(|| Error::Internal("hashing a token failed".into()))?;
        Ok(TokenHash(u128::from_le_bytes(*tag)))
    }
}

/// All verified tokens.
pub type Sessions = Generations<TokenHash, Session, GENERATION>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_tell_texts_apart_and_processes_too() {
        let hashing = TokenHashing::new().unwrap();
        let long = "x".repeat(4_096);
        let texts = ["", "a", "b", "aa", "a.b.c", "a.b.d", "a\0", &long, &long[1..]];
        for (place, text) in texts.iter().enumerate() {
            for (other, with) in texts.iter().enumerate() {
                let alike = hashing.hash(text).unwrap() == hashing.hash(with).unwrap();
                assert_eq!(alike, place == other, "{place} {other}");
            }
            assert_ne!(TokenHashing::new().unwrap().hash(text).unwrap(), hashing.hash(text).unwrap());
        }
    }
}
