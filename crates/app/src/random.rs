//! The one place that draws randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use claviger_domain::{Error, Result};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes for ids that are drawn at once.
const DRAWN_AT_ONCE: usize = 320;

/// Where entropy comes from.
#[derive(Clone, Debug)]
pub enum Random {
    /// The operating system's generator.
    System,
    /// A test's counter, hashed: exact snapshots, no secrecy.
    Seeded(Arc<AtomicU64>),
}

impl Random {
    /// A generator that gives the same bytes in each run.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(AtomicU64::new(seed)))
    }

    /// 128 bits of entropy in hexadecimal digits.
    pub fn hex(&self) -> Result<String> {
        Ok(self.bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// So many bytes for an id, which is nobody's secret: drawn by the handful.
    pub fn id_bytes<const N: usize>(&self) -> Result<[u8; N]> {
        thread_local! {
            static DRAWN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if let Self::Seeded(_) = self {
            return self.bytes();
        }
        DRAWN.with_borrow_mut(|drawn| {
            if drawn.len() < N {
                *drawn = self.bytes::<DRAWN_AT_ONCE>()?.to_vec();
            }
            let rest = drawn.len().saturating_sub(N);
            let taken = drawn.drain(rest..);
            taken
                .as_slice()
                .try_into()
                .map_err(|_| Error::Internal("an id of more bytes than are drawn at once".into()))
        })
    }

    /// So many bytes of entropy.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        match self {
            Self::System => SystemRandom::new()
                .fill(&mut bytes)
                .map_err(|_| Error::Unavailable("the operating system gave no randomness".into()))?,
            Self::Seeded(counter) => {
                for chunk in bytes.chunks_mut(32) {
                    let block = counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &block);
                    chunk.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
                }
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_byte_of_an_id_is_given_twice() {
        let drawn: HashSet<[u8; 10]> = (0..1_000).map(|_| Random::System.id_bytes().unwrap()).collect();
        assert_eq!(drawn.len(), 1_000);
        assert!(Random::System.id_bytes::<400>().is_err(), "more than are drawn at once");
        assert_eq!(Random::seeded(1).id_bytes::<8>().unwrap(), Random::seeded(1).bytes::<8>().unwrap());
    }
}
