//! Idempotency keys: a POST repeated with the same key has one effect and the first answer (the IETF httpapi draft).

use crate::{Error, Result};
use sha2::{Digest, Sha256};

/// How long a key is remembered, in seconds.
pub const LIFETIME_SECONDS: i64 = 86_400;
/// Most characters of a key.
pub const KEY_MAX: usize = 255;

/// A request that asked to be done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The client's key.
    pub key: String,
    /// SHA-256 over method, path and body: the same key with another request is refused.
    pub fingerprint: [u8; 32],
}

impl Once {
    /// Accepts the header's value for a request.
    pub fn parse(key: &str, method: &str, path: &str, body: &[u8]) -> Result<Self> {
        let printable = !key.is_empty() && key.len() <= KEY_MAX && key.bytes().all(|b| (0x20..0x7f).contains(&b));
        if !printable {
            let fix = format!("give 1 to {KEY_MAX} printable ASCII characters, such as a UUID");
            return Err(Error::invalid("Idempotency-Key", "not a usable key", fix));
        }
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes()] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(body);
        Ok(Self { key: key.to_owned(), fingerprint: hash.finalize().into() })
    }
}
