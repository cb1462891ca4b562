//! The one place that draws randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use claviger_domain::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
