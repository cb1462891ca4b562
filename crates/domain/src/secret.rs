//! Secrets of applications: how they look, how they are kept, how a presented one is compared.
//!
//! A secret reads `clv_a_<43 base62><6 base62>`: 256 random bits and the CRC-32 of everything before it, 55 characters in
//! all, so that its SHA-256 takes a single block. It exists in clear exactly once, in a [`PlainSecret`], which can be
//! neither copied nor printed nor serialised and is spent by revealing it.

use sha2::{Digest, Sha256, block_api::compress256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// What every secret of an application starts with.
pub const PREFIX: &str = "clv_a_";
const RANDOM: usize = 43;
pub(crate) const CHECKSUM: usize = 6;
const CHECKED: usize = PREFIX.len() + RANDOM;
/// Characters of a whole secret.
pub const LENGTH: usize = CHECKED + CHECKSUM;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A secret in clear, between its making and the one answer that shows it.
pub struct PlainSecret(String);

impl PlainSecret {
    /// Makes a secret from 256 bits of entropy.
    pub fn mint(mut entropy: [u8; 32]) -> Self {
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        push_base62(&mut text, &mut entropy, RANDOM);
        let mut checksum = crc32fast::hash(text.as_bytes()).to_be_bytes();
        push_base62(&mut text, &mut checksum, CHECKSUM);
        entropy.zeroize();
        Self(text)
    }

    /// A secret whose text was kept sealed, opened to be shown again.
    pub fn opened(text: String) -> Self {
        Self(text)
    }

    /// The text, to be sealed for a tenant that retains it.
    pub fn sealable(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// What is stored in order to recognise the secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }

    /// What is stored, sealed, in order to verify assertions signed with the secret.
    pub fn mac_states(&self) -> MacStates {
        MacStates::of(self.0.as_bytes())
    }

    /// What may be shown for ever: the prefix and the last four characters.
    pub fn hint(&self) -> String {
        hint_of(&self.0)
    }

    /// Spends the secret: the text moves into the one answer that shows it.
    pub fn reveal(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainSecret(…)")
    }
}

impl Drop for PlainSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether `text` has the form and the checksum of a secret made here. Costs no look-up, so rubbish is refused first.
pub fn is_well_formed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(checked), Some(checksum)) = (bytes.get(..CHECKED), bytes.get(CHECKED..)) else { return false };
    bytes.len() == LENGTH
        && checked.starts_with(PREFIX.as_bytes())
        && checked.get(PREFIX.len()..).is_some_and(is_alphanumeric)
        && decode_checksum(checksum) == Some(crc32fast::hash(checked))
}

/// A secret recognised in a text, by its form and checksum alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Line of the text, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What may be shown of it.
    pub hint: String,
}

/// Finds our secrets in one line of any bytes. Needs no server: the checksum tells a secret from what only looks like one.
pub fn recognise(line: usize, bytes: &[u8]) -> Vec<Recognised> {
    let recognised = |(start, text)| Recognised { line, column: start + 1, hint: hint_of(text) };
    find(bytes).into_iter().map(recognised).collect()
}

/// A secret that stands in a text: what recognises it, and what may be shown of it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// SHA-256 of its text.
    pub hash: SecretHash,
    /// Prefix and last four characters.
    pub hint: String,
}

/// The secrets of ours that stand in any bytes, by form and checksum alone.
pub fn sightings(bytes: &[u8]) -> Vec<Sighting> {
    find(bytes).into_iter().map(|(_, text)| Sighting { hash: SecretHash::of(text), hint: hint_of(text) }).collect()
}

/// The text with each secret of ours cut down to what may be shown of it.
pub fn redact(text: &str) -> String {
    let secrets = find(text.as_bytes());
    secrets.into_iter().fold(text.to_owned(), |left, (_, secret)| left.replace(secret, &hint_of(secret)))
}

fn hint_of(text: &str) -> String {
    format!("{PREFIX}…{}", text.get(LENGTH - 4..).unwrap_or_default())
}

/// Where secrets of ours stand, and their texts.
fn find(bytes: &[u8]) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let Some(next) = rest.windows(PREFIX.len()).position(|window| window == PREFIX.as_bytes()) else { break };
        let start = at + next;
        let text = bytes.get(start..start + LENGTH).and_then(|text| std::str::from_utf8(text).ok());
        if let Some(text) = text.filter(|text| is_well_formed(text)) {
            found.push((start, text));
            at = start + LENGTH;
        } else {
            at = start + PREFIX.len();
        }
    }
    found
}

/// Looks at all of the bytes, which is quicker than stopping at the first that is none.
pub(crate) fn is_alphanumeric(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
}

pub(crate) fn decode_checksum(digits: &[u8]) -> Option<u32> {
    let mut value: u64 = 0;
    for digit in digits {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        value = value * 62 + u64::from(digit);
    }
    u32::try_from(value).ok()
}

/// Appends `digits` base62 digits of the big-endian number in `bytes`, which is used up.
pub(crate) fn push_base62(text: &mut String, bytes: &mut [u8], digits: usize) {
    let mut reversed = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut remainder: u32 = 0;
        for byte in bytes.iter_mut() {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(0);
            remainder = value % 62;
        }
        reversed.push(usize::try_from(remainder).unwrap_or(0));
    }
    text.extend(reversed.iter().rev().filter_map(|digit| ALPHABET.get(*digit)).map(|c| char::from(*c)));
    reversed.zeroize();
}

/// SHA-256 of a secret's text: all that is stored of a presented secret. Comparison takes constant time.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Equal to the hash of no text that anybody knows.
    pub const IMPOSSIBLE: Self = Self([0; 32]);

    /// The hash of a text as it was presented.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// A hash as it was stored; `None` unless it has 32 bytes.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash that 64 hexadecimal digits spell.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.as_chunks::<2>().0.iter().map(|[high, low]| high * 16 + low).collect();
        if digits.len() == 64 { Self::stored(&bytes) } else { None }
    }

    /// The 32 bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the two are equal, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        let (these, those) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let equal =
            these.iter().zip(those).map(|(this, that)| u64::from_ne_bytes(*this).ct_eq(&u64::from_ne_bytes(*that)));
        equal.fold(Choice::from(1), |all, one| all & one).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// The two SHA-256 states after the inner and the outer key block of HMAC-SHA-256 (RFC 2104): 64 bytes that verify any
/// message and cannot be turned back into the key. They could still forge, so they are stored sealed only.
pub struct MacStates([u8; 64]);

const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl MacStates {
    /// The states for an HMAC key.
    pub fn of(key: &[u8]) -> Self {
        let mut block = [0_u8; 64];
        if key.len() > 64 {
            block.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
        } else {
            block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        }
        let state = |pad: u8| {
            let mut state = INITIAL;
            compress256(&mut state, &[block.map(|byte| byte ^ pad)]);
            state
        };
        let mut bytes = [0_u8; 64];
        let words = state(0x36).into_iter().chain(state(0x5c));
        bytes.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_be_bytes()));
        block.zeroize();
        Self(bytes)
    }

    /// States as they were opened; `None` unless they have 64 bytes.
    pub fn opened(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 64 bytes to seal.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// HMAC-SHA-256 of `message` under the key whose states these are.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let (inner, outer) = self.0.split_at(32);
        finish(words(outer), &finish(words(inner), message))
    }

    /// Whether `tag` is the HMAC-SHA-256 of `message`, in constant time.
    pub fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        self.sign(message).ct_eq(tag).into()
    }
}

impl fmt::Debug for MacStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacStates(…)")
    }
}

impl Drop for MacStates {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn words(bytes: &[u8]) -> [u32; 8] {
    let mut words = [0; 8];
    words.iter_mut().zip(bytes.chunks_exact(4)).for_each(|(word, bytes)| {
        *word = bytes.iter().fold(0, |word, byte| (word << 8) | u32::from(*byte));
    });
    words
}

/// Finishes SHA-256 over `message` from a state that has taken one 64-byte block already.
fn finish(mut state: [u32; 8], message: &[u8]) -> [u8; 32] {
    let blocks = message.chunks_exact(64);
    let rest = blocks.remainder();
    for block in blocks {
        if let Ok(block) = <&[u8; 64]>::try_from(block) {
            compress256(&mut state, std::slice::from_ref(block));
        }
    }
    let mut tail = Vec::with_capacity(128);
    tail.extend_from_slice(rest);
    tail.push(0x80);
    tail.resize(if rest.len() < 56 { 56 } else { 120 }, 0);
    let bits = (u64::try_from(message.len()).unwrap_or(u64::MAX).wrapping_add(64)).wrapping_mul(8);
    tail.extend_from_slice(&bits.to_be_bytes());
    for block in tail.chunks_exact(64) {
        if let Ok(block) = <&[u8; 64]>::try_from(block) {
            compress256(&mut state, std::slice::from_ref(block));
        }
    }
    let mut digest = [0_u8; 32];
    digest.chunks_exact_mut(4).zip(state).for_each(|(to, word)| to.copy_from_slice(&word.to_be_bytes()));
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_have_the_documented_form() {
        let secret = PlainSecret::mint([0xab; 32]);
        assert_eq!(format!("{secret:?}"), "PlainSecret(…)");
        let hint = secret.hint();
        let text = secret.reveal();
        assert_eq!(text.len(), LENGTH);
        assert!(text.starts_with("clv_a_") && hint.ends_with(&text[LENGTH - 4..]));
        assert!(is_well_formed(&text));
        assert!(is_well_formed(&PlainSecret::mint([0; 32]).reveal()));
        assert!(is_well_formed(&PlainSecret::mint([255; 32]).reveal()));
    }

    #[test]
    fn rfc_4231_vectors_hold() {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let tag = MacStates::of(b"Jefe").sign(b"what do ya want for nothing?");
        assert_eq!(hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let tag = MacStates::of(&[0xaa; 131]).sign(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&tag), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    fn plain_hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
        let mut block = [0_u8; 64];
        block[..key.len()].copy_from_slice(key);
        let inner: [u8; 32] = Sha256::digest([&block.map(|b| b ^ 0x36)[..], message].concat()).into();
        Sha256::digest([&block.map(|b| b ^ 0x5c)[..], &inner].concat()).into()
    }

    #[test]
    fn states_equal_plain_hmac_for_every_length() {
        let message = [0x5a_u8; 300];
        let states = MacStates::opened(MacStates::of(b"clv_a_key").as_bytes()).unwrap();
        for length in 0..message.len() {
            assert_eq!(states.sign(&message[..length]), plain_hmac(b"clv_a_key", &message[..length]), "{length}");
        }
        assert!(states.verifies(b"m", &plain_hmac(b"clv_a_key", b"m")));
        assert!(!states.verifies(b"m", &[0; 32]));
    }

    #[test]
    fn secrets_are_recognised_in_any_text() {
        let one = PlainSecret::mint([1; 32]).reveal();
        let two = PlainSecret::mint([2; 32]).reveal();
        let line = format!("export A={one}; B=clv_a_{one}{two} clv_a_{}", &two[..40]);
        let found = recognise(7, line.as_bytes());
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!((found[0].line, found[0].column), (7, 10));
        assert!(found[2].hint.ends_with(&two[LENGTH - 4..]));
        assert!(recognise(1, one.to_lowercase().as_bytes()).is_empty());
        assert!(recognise(1, b"\xff\xfeclv_a_\xff").is_empty());
    }

    proptest! {
        #[test]
        fn one_changed_character_is_refused(entropy in any::<[u8; 32]>(), at in 0..LENGTH, with in any::<u8>()) {
            let text = PlainSecret::mint(entropy).reveal();
            let mut bytes = text.clone().into_bytes();
            bytes[at] = with & 0x7f;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(is_well_formed(&changed), changed == text);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,80}") {
            prop_assert!(!is_well_formed(&text));
        }
    }
}
