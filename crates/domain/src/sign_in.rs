//! Sign-ins: what a login begins and refreshes carry on. A sign-in has one refresh token at a time, and session tokens of
//! one generation after the other.
//!
//! A refresh token reads `clv_r_<22 base62><43 base62><6 base62>`: 128 random bits that stay the same for the whole sign-in,
//! 256 that are new each time, and the CRC-32 of everything before it. So one that was used before is known as such without
//! being kept. Only hashes are stored.

use crate::secret::{CHECKSUM, SecretHash, decode_checksum, is_alphanumeric, push_base62};
use crate::time::Timestamp;
use std::fmt;
use zeroize::Zeroize;

/// What every refresh token starts with.
pub const PREFIX: &str = "clv_r_";
const HANDLE: usize = 22;
const RANDOM: usize = 43;
const NAMED: usize = PREFIX.len() + HANDLE;
const CHECKED: usize = NAMED + RANDOM;
/// Characters of a whole refresh token.
pub const LENGTH: usize = CHECKED + CHECKSUM;

/// How long a refresh token may be used, in seconds.
pub const REFRESH_SECONDS: i64 = 86_400;
/// For how long session tokens go on working that a refresh has replaced, in seconds: calls may be under way.
pub const GRACE_SECONDS: i64 = 30;

/// A refresh token in clear, between its making and the one answer that shows it.
pub struct PlainRefresh(String);

/// What recognises a refresh token.
#[derive(Clone, Copy, Debug)]
pub struct RefreshHashes {
    /// Of what names the sign-in: the same for all of its refresh tokens.
    pub handle: SecretHash,
    /// Of the whole text.
    pub whole: SecretHash,
}

impl PlainRefresh {
    /// The first refresh token of a sign-in.
    pub fn mint(mut handle: [u8; 16], entropy: [u8; 32]) -> Self {
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        push_base62(&mut text, &mut handle, HANDLE);
        Self::complete(text, entropy)
    }

    /// The one that follows `presented`, which must be a refresh token.
    pub fn after(presented: &str, entropy: [u8; 32]) -> Self {
        let mut text = String::with_capacity(LENGTH);
        text.push_str(presented.get(..NAMED).unwrap_or_default());
        Self::complete(text, entropy)
    }

    fn complete(mut text: String, mut entropy: [u8; 32]) -> Self {
        push_base62(&mut text, &mut entropy, RANDOM);
        let mut checksum = crc32fast::hash(text.as_bytes()).to_be_bytes();
        push_base62(&mut text, &mut checksum, CHECKSUM);
        entropy.zeroize();
        Self(text)
    }

    /// What is stored of it.
    pub fn hashes(&self) -> RefreshHashes {
        hashes(&self.0)
    }

    /// Spends it: the text moves into the one answer that shows it.
    pub fn reveal(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for PlainRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainRefresh(…)")
    }
}

impl Drop for PlainRefresh {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn hashes(text: &str) -> RefreshHashes {
    RefreshHashes { handle: SecretHash::of(text.get(..NAMED).unwrap_or_default()), whole: SecretHash::of(text) }
}

/// What recognises a presented refresh token; none for what has not the form and checksum of one, which costs no look-up.
pub fn recognise(text: &str) -> Option<RefreshHashes> {
    let bytes = text.as_bytes();
    let (checked, checksum) = (bytes.get(..CHECKED)?, bytes.get(CHECKED..)?);
    let ours = bytes.len() == LENGTH
        && checked.starts_with(PREFIX.as_bytes())
        && checked.get(PREFIX.len()..).is_some_and(is_alphanumeric)
        && decode_checksum(checksum) == Some(crc32fast::hash(checked));
    ours.then(|| hashes(text))
}

/// Which session tokens of a sign-in are accepted. They are counted: those of one generation are replaced by the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The generation of the newest.
    pub generation: i64,
    /// Older ones than this are dead.
    pub dead_below: i64,
    /// All but the newest are dead from then on.
    pub ending_at: Timestamp,
    /// When the sign-in was ended; all of its tokens are dead then, whatever their generation.
    pub ended_at: Option<Timestamp>,
}

/// The first generation.
pub const FIRST: i64 = 1;

impl Standing {
    /// That of a sign-in which begins.
    pub const NEW: Self =
        Self { generation: FIRST, dead_below: FIRST, ending_at: Timestamp::from_micros(0), ended_at: None };

    /// Whether session tokens of a generation are accepted no more.
    pub fn is_over(&self, generation: i64, now: Timestamp) -> bool {
        self.ended_at.is_some()
            || generation < self.dead_below
            || (generation < self.generation && self.ending_at <= now)
    }

    /// That after a refresh. What is replaced lives for the grace, or for what is left of one that runs already: nothing that
    /// is dead comes to life again, and nothing lives longer by being replaced twice.
    #[must_use]
    pub fn refreshed(self, now: Timestamp) -> Self {
        let grace = now.plus_seconds(GRACE_SECONDS);
        let runs = self.dead_below < self.generation && self.ending_at > now;
        Self {
            generation: self.generation + 1,
            dead_below: if runs { self.dead_below } else { self.generation },
            ending_at: if runs { self.ending_at.min(grace) } else { grace },
            ended_at: self.ended_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn refresh_tokens_follow_each_other_under_one_handle() {
        let first = PlainRefresh::mint([7; 16], [1; 32]);
        assert_eq!(format!("{first:?}"), "PlainRefresh(…)");
        let (handle, whole) = (first.hashes().handle, first.hashes().whole);
        let text = first.reveal();
        assert!(text.starts_with(PREFIX) && text.len() == LENGTH, "{text}");
        let read = recognise(&text).unwrap();
        assert!(read.handle.matches(&handle) && read.whole.matches(&whole));
        let next = PlainRefresh::after(&text, [2; 32]);
        assert!(next.hashes().handle.matches(&handle) && !next.hashes().whole.matches(&whole));
        assert!(recognise(&next.reveal()).is_some());
    }

    #[test]
    fn garbage_is_none() {
        let text = PlainRefresh::mint([7; 16], [1; 32]).reveal();
        let swapped = text.replace("clv_r_", "clv_a_");
        for bad in ["", "clv_r_", &text[..text.len() - 1], &format!("{text}0"), &format!(" {text}"), &swapped] {
            assert!(recognise(bad).is_none(), "{bad:?}");
        }
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            assert!(recognise(std::str::from_utf8(&bytes).unwrap()).is_none(), "{place}");
        }
    }

    #[test]
    fn what_is_replaced_ends_after_the_grace() {
        let once = Standing::NEW.refreshed(at(0));
        assert!(!once.is_over(1, at(29)) && once.is_over(1, at(30)) && !once.is_over(2, at(10_000)));
        let twice = once.refreshed(at(20));
        assert!(!twice.is_over(1, at(29)) && twice.is_over(1, at(30)), "not longer for being replaced twice");
        assert!(!twice.is_over(2, at(29)) && !twice.is_over(3, at(10_000)));
        let later = once.refreshed(at(100));
        assert!(later.is_over(1, at(100)) && !later.is_over(2, at(129)) && later.is_over(2, at(130)));
        let ended = Standing { ended_at: Some(at(5)), ..once };
        assert!(ended.is_over(2, at(5)) && ended.refreshed(at(6)).is_over(3, at(6)));
    }

    proptest! {
        #[test]
        fn the_dead_stay_dead_and_the_newest_lives(pauses in prop::collection::vec(0_i64..60, 1..20)) {
            let (mut standing, mut now) = (Standing::NEW, 0);
            let mut dead_since = std::collections::BTreeMap::new();
            for pause in pauses {
                for second in 0..=pause {
                    for generation in FIRST..standing.generation {
                        let over = standing.is_over(generation, at(now + second));
                        prop_assert!(over || !dead_since.contains_key(&generation), "{generation} came back");
                        if over {
                            dead_since.entry(generation).or_insert(now + second);
                        }
                    }
                    prop_assert!(!standing.is_over(standing.generation, at(now + second)));
                }
                now += pause;
                standing = standing.refreshed(at(now));
            }
            let all_dead = (FIRST..standing.generation).all(|generation| standing.is_over(generation, at(now + 30)));
            prop_assert!(all_dead);
        }
    }
}
