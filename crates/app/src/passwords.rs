//! Hashing of people's passwords: Argon2id, dear on purpose, and therefore let in one at a time and a few more in a queue.
//!
//! Hashes are made on threads of their own, one fewer than there are cores, so that requests which need none do not wait for
//! them. Whoever finds the queue full is told at once to come back. A password of nobody costs what anybody's does.

use crate::App;
use crate::random::Random;
use argon2::{Algorithm, Argon2, Params, Version};
use claviger_domain::password::{Cost, Password, PasswordHash};
use claviger_domain::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// How many may wait for each that is at work. A hash takes some thirtieth of a second, so nobody waits for long.
const QUEUE_EACH: usize = 16;
const SALT: usize = 16;
const TAG: usize = 32;

/// Makes and compares hashes.
#[derive(Debug)]
pub struct Passwords {
    random: Random,
    cost: Cost,
    /// What a password of nobody is compared with.
    nobody: PasswordHash,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

impl Passwords {
    /// Hashing at the usual cost, on all cores but one.
    pub fn new(random: Random) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(random, Cost::STANDARD, cores.saturating_sub(1).max(1))
    }

    /// Hashing at another cost, so many at once.
    pub fn with(random: Random, cost: Cost, at_once: usize) -> Self {
        Self {
            random,
            cost,
            nobody: PasswordHash { cost, salt: vec![0; SALT], tag: vec![0; TAG] },
            places: Arc::new(Semaphore::new(at_once)),
            waiting: AtomicUsize::new(0),
            queue: at_once * QUEUE_EACH,
        }
    }

    /// How many passwords may be at work or waiting at once.
    pub fn room(&self) -> usize {
        self.queue + self.queue / QUEUE_EACH
    }

    /// The hash of a new password, with a salt of its own.
    pub async fn hash(&self, password: &Password) -> Result<PasswordHash> {
        let salt = self.random.bytes::<SALT>()?.to_vec();
        let tag = self.compute(password, self.cost, salt.clone(), TAG).await?;
        Ok(PasswordHash { cost: self.cost, salt, tag })
    }

    /// Whether a password is the one of the hash. With no hash it is not, after the same work.
    pub async fn verify(&self, password: &Password, hash: Option<&PasswordHash>) -> Result<bool> {
        let against = hash.unwrap_or(&self.nobody);
        let tag = self.compute(password, against.cost, against.salt.clone(), against.tag.len()).await?;
        Ok(against.matches(&tag) & hash.is_some())
    }

    /// Whether a hash was made at another cost than new ones.
    pub fn needs_rehash(&self, hash: &PasswordHash) -> bool {
        hash.cost != self.cost
    }

    async fn compute(&self, password: &Password, cost: Cost, salt: Vec<u8>, length: usize) -> Result<Vec<u8>> {
        let place = self.place().await?;
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            argon2id(&password, cost, &salt, length)
        });
        work.await.map_err(|_| Error::Internal("hashing a password ended early".into()))?
    }

    /// A place at work, after a short queue; refused at once where that is full.
    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::join(&self.waiting, self.queue)?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map_err(|_| Error::Internal("hashing has been closed".into()))
    }
}

impl App {
    /// Hashing of people's passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.state.passwords
    }
}

/// One in the queue; whoever goes away leaves it.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(queue: &'a AtomicUsize, most: usize) -> Result<Self> {
        let joined = Self(queue);
        if queue.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Error::Unavailable("too many passwords are being hashed".into()));
        }
        Ok(joined)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn argon2id(password: &[u8], cost: Cost, salt: &[u8], length: usize) -> Result<Vec<u8>> {
    let fail = |error: argon2::Error| Error::Internal(format!("hashing a password failed: {error}"));
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(length)).map_err(fail)?;
    let mut tag = vec![0; length];
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hasher.hash_password_into(password, salt, &mut tag).map_err(fail)?;
    Ok(tag)
}

#[cfg(test)]
mod tests;
