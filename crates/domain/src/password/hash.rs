//! What is kept of a password: its Argon2id hash (RFC 9106) in the usual spelling, with salt and cost beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;

/// Most bytes of salt or hash that are read.
const BYTES_MAX: usize = 64;

/// What a hash costs whoever makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes that could be filled at once.
    pub lanes: u32,
}

impl Cost {
    /// What new hashes cost: 19 MiB, two passes, one lane.
    pub const STANDARD: Self = Self { memory_kib: 19 * 1_024, passes: 2, lanes: 1 };
    /// The most that a stored hash may ask of the server.
    const MOST: Self = Self { memory_kib: 1_024 * 1_024, passes: 16, lanes: 16 };

    fn is_affordable(self) -> bool {
        (8 * self.lanes..=Self::MOST.memory_kib).contains(&self.memory_kib)
            && (1..=Self::MOST.passes).contains(&self.passes)
            && (1..=Self::MOST.lanes).contains(&self.lanes)
    }
}

/// The hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// What it cost.
    pub cost: Cost,
    /// Its salt.
    pub salt: Vec<u8>,
    /// The hash itself.
    pub tag: Vec<u8>,
}

impl PasswordHash {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let head = [parts.next()?, parts.next()?, parts.next()?];
        let (costs, salt, tag) = (parts.next()?, parts.next()?, parts.next()?);
        if head != ["", "argon2id", "v=19"] || parts.next().is_some() {
            return None;
        }
        let mut costs = costs.split(',');
        let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let cost = Cost { memory_kib: cost("m=")?, passes: cost("t=")?, lanes: cost("p=")? };
        let bytes =
            |text: &str| STANDARD_NO_PAD.decode(text).ok().filter(|bytes| (8..=BYTES_MAX).contains(&bytes.len()));
        let hash = Self { cost, salt: bytes(salt)?, tag: bytes(tag)? };
        (costs.next().is_none() && cost.is_affordable()).then_some(hash)
    }

    /// Whether a hash made of the same salt at the same cost is this one, in constant time.
    pub fn matches(&self, tag: &[u8]) -> bool {
        self.tag.ct_eq(tag).into()
    }

    /// Whether it was made at another cost than new ones are, and is to be made anew when the password is next at hand.
    pub fn needs_rehash(&self) -> bool {
        self.cost != Cost::STANDARD
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let (salt, tag) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(&self.tag));
        write!(f, "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${tag}")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
