//! Session tokens that have been verified, by the SHA-256 of their text: a token is verified once, and then found.
//!
//! Two generations bound the memory. Only tokens that were verified enter, so nobody can push them out with garbage.

use crate::dpop::Thumbprint;
use crate::live::generations::Generations;
use crate::live::signing::SigningKey;
use aws_lc_rs::digest::{SHA256, digest};
use claviger_domain::grants::GrantSet;
use claviger_domain::id::{ApplicationId, ClientId, SecretId, SignInId, TenantId, TokenId};
use claviger_domain::time::Timestamp;
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

/// All verified tokens.
pub type Sessions = Generations<TokenHash, Session, GENERATION>;
