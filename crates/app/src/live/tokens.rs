//! All that memory knows of session tokens.

use crate::live::accesses::Accesses;
use crate::live::exchanges::Exchanges;
use crate::live::guesses::Guesses;
use crate::live::macs::Macs;
use crate::live::replay::Replay;
use crate::live::sessions::{Sessions, TokenHash, TokenHashing};
use crate::live::sign_ins::SignIns;
use crate::live::signing::SigningKeys;
use crate::live::token_rules::TokenRules;
use claviger_domain::signing::Rhythm;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::OnceCell;

/// How tokens are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// Who signs them and for whom: the server's public URL, without a slash at its end.
    pub issuer: String,
    /// How signing keys follow each other.
    pub rhythm: Rhythm,
}

/// What memory knows of session tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    settings: OnceLock<TokenSettings>,
    hashing: OnceLock<TokenHashing>,
    /// The keys that sign them.
    pub keys: SigningKeys,
    /// Those that were verified.
    pub sessions: Sessions,
    /// What keeps them out before their time.
    pub rules: TokenRules,
    /// What is dead of those that belong to sign-ins, and on what these may report.
    pub sign_ins: SignIns,
    /// Bad guesses at the doors that give tokens.
    pub guesses: Guesses,
    /// What the doors have given and refused.
    pub exchanges: Exchanges,
    /// Entries of the access record that wait.
    pub accesses: Accesses,
    /// What was accepted once, where this server alone decides that.
    pub replay: Replay,
    /// Whether what a clean stop had saved of that has been taken over.
    pub replay_taken: OnceCell<()>,
    /// The highest stamp that a token was given here, in microseconds since 1970.
    stamped: AtomicI64,
    /// What verifies texts that clients sign with their secrets.
    pub macs: Macs,
}

impl Tokens {
    /// Says how tokens are made; once.
    pub fn set(&self, settings: TokenSettings) -> Result<()> {
        let twice = || Error::Internal("the settings of tokens are said twice".into());
        self.hashing.set(TokenHashing::new()?).map_err(|_| twice())?;
        self.settings.set(settings).map_err(|_| twice())
    }

    /// What a token's text is found by.
    pub fn hash(&self, text: &str) -> Result<TokenHash> {
        self.hashing.get().ok_or_else(not_ready)?.hash(text)
    }

    /// Remembers the stamp of a token that is signed.
    pub fn stamp(&self, at: Timestamp) {
        self.stamped.fetch_max(at.micros(), Ordering::AcqRel);
    }

    /// The last stamp that was given here, also where the clock was set back since.
    pub fn last_stamp(&self) -> Timestamp {
        Timestamp::from_micros(self.stamped.load(Ordering::Acquire))
    }

    /// How tokens are made, once that was said.
    pub fn settings(&self) -> Result<&TokenSettings> {
        self.settings.get().ok_or_else(not_ready)
    }
}

fn not_ready() -> Error {
    Error::Unavailable("session tokens are not ready yet".into())
}
