//! The file of text keys: for each tenant that retains the texts of its secrets one key, and for each that has removed them
//! the signed head that says so.
//!
//! A text is sealed under the root key and its tenant's text key together. The file lies beside the data and is left out of
//! backups: with a tenant's text key gone, no copy of the store can be opened any more, whoever has the root key. Without
//! the file the texts are lost and everything else goes on. It is written as a whole, in the place of the one before, which
//! is overwritten.

use crate::heads::hex;
use crate::random::Random;
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroize as _;

/// Name of the file in the data directory.
pub const FILE: &str = "text-keys.json";
const VERSION: u32 = 1;

/// The text keys, in memory and in their file.
pub struct TextKeys {
    path: Option<PathBuf>,
    known: Mutex<Known>,
}

/// The audit head that was signed when a tenant's texts were removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// When.
    pub at: Timestamp,
    /// Number of the audit entry.
    pub number: i64,
    /// Hash of the chain, in hexadecimal.
    pub hash: String,
    /// The signature over it, in hexadecimal.
    pub signature: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    version: u32,
    keys: BTreeMap<String, String>,
    removed: BTreeMap<String, Removal>,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.keys.values_mut().for_each(|key| key.zeroize());
    }
}

impl TextKeys {
    /// Reads the file, if there is one; without a path everything stays in memory.
    pub fn open(path: Option<PathBuf>) -> Result<Self> {
        let mut known = Known { version: VERSION, keys: BTreeMap::new(), removed: BTreeMap::new() };
        if let Some(path) = &path {
            match fs::read(path) {
                Ok(mut text) => {
                    let read: Result<Known, _> = serde_json::from_slice(&text);
                    text.zeroize();
                    refuse_open(path)?;
                    known = read.ok().filter(|known| known.version == VERSION).ok_or_else(|| damaged(path))?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(path, &error)),
            }
        }
        Ok(Self { path, known: Mutex::new(known) })
    }

    /// Whether the tenant has a key: if not, it retains nothing.
    pub(crate) fn has(&self, tenant: TenantId) -> bool {
        self.known.lock().keys.contains_key(&tenant.to_string())
    }

    /// Whether the tenant's texts were removed, whatever the store says.
    pub(crate) fn is_removed(&self, tenant: TenantId) -> bool {
        self.known.lock().removed.contains_key(&tenant.to_string())
    }

    /// The tenant's key.
    pub(crate) fn find(&self, tenant: TenantId) -> Option<[u8; 32]> {
        let known = self.known.lock();
        let digits = known.keys.get(&tenant.to_string())?;
        let mut key = [0; 32];
        for (to, at) in key.iter_mut().zip((0..).step_by(2)) {
            *to = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        }
        (digits.len() == 64).then_some(key)
    }

    /// Makes a key for the tenant, if it has none and never removed one.
    pub(crate) fn make(&self, tenant: TenantId, random: &Random) -> Result<()> {
        let key = hex(&random.bytes::<32>()?);
        self.change(|known| {
            // A removal may have come to its end while somebody still thought that it might retain.
            if !known.removed.contains_key(&tenant.to_string()) {
                known.keys.entry(tenant.to_string()).or_insert(key);
            }
        })
    }

    /// Destroys the tenant's key, for ever.
    pub(crate) fn remove(&self, tenant: TenantId, removal: Removal) -> Result<()> {
        self.change(|known| {
            if let Some(mut key) = known.keys.remove(&tenant.to_string()) {
                key.zeroize();
            }
            known.removed.entry(tenant.to_string()).or_insert(removal);
        })
    }

    /// Memory follows the file: what could not be written did not happen.
    fn change(&self, change: impl FnOnce(&mut Known)) -> Result<()> {
        let mut known = self.known.lock();
        let mut changed = known.clone();
        change(&mut changed);
        if let Some(path) = &self.path {
            write(path, &changed).map_err(|error| failed(path, &error))?;
        }
        *known = changed;
        Ok(())
    }
}

/// Refuses a file that others can read: whoever has the keys and a copy of the store needs only the root key more.
fn refuse_open(path: &Path) -> Result<()> {
    let mode = fs::metadata(path).map_err(|error| failed(path, &error))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::Unavailable(format!("{}: others may read it (mode {mode:03o}); run chmod 600 on it", path.display())))
}

/// Puts the new file into the place of the old one, and then overwrites what the old one was.
fn write(path: &Path, known: &Known) -> io::Result<()> {
    let old = match OpenOptions::new().write(true).open(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let beside = path.with_extension("new");
    let mut text = serde_json::to_vec_pretty(known)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = file.write_all(&text).and_then(|()| file.sync_all());
    text.zeroize();
    written?;
    fs::rename(&beside, path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    old.map_or(Ok(()), overwrite)
}

fn overwrite(mut old: File) -> io::Result<()> {
    let length = usize::try_from(old.metadata()?.len()).unwrap_or(0);
    old.rewind()?;
    old.write_all(&vec![0; length])?;
    old.sync_all()
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable(format!("the file of text keys {}: {error}", path.display()))
}

fn damaged(path: &Path) -> Error {
    Error::Unavailable(format!(
        "{} is not a file of text keys of this version; put a copy of the right one there, or take it away: then the \
         retained texts of secrets are lost, and nothing else",
        path.display()
    ))
}

impl std::fmt::Debug for TextKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextKeys").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removal() -> Removal {
        Removal { at: Timestamp::from_micros(1), number: 3, hash: "00".into(), signature: "11".into() }
    }

    #[test]
    fn keys_survive_and_die_in_their_file() {
        let directory = std::env::temp_dir().join(format!("claviger-text-keys-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(FILE);
        let _ = fs::remove_file(&path);
        let (one, other, random) = (TenantId::from_u128(1), TenantId::from_u128(2), Random::seeded(1));
        let keys = TextKeys::open(Some(path.clone())).unwrap();
        assert!(!keys.has(one) && !path.exists());
        keys.make(one, &random).unwrap();
        keys.make(other, &random).unwrap();
        let key = keys.find(one).unwrap();
        keys.make(one, &random).unwrap();
        assert_eq!(keys.find(one), Some(key), "a key that is there stays");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let old = File::open(&path).unwrap();
        let again = TextKeys::open(Some(path.clone())).unwrap();
        assert_eq!(again.find(one), Some(key));
        again.remove(one, removal()).unwrap();
        assert!(again.is_removed(one) && again.find(one).is_none() && again.find(other).is_some());
        let left = io::read_to_string(old).unwrap();
        assert!(!left.is_empty() && left.bytes().all(|byte| byte == 0), "the old file was overwritten");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&hex(&key)) && text.contains(&one.to_string()));
        assert!(TextKeys::open(Some(path.clone())).unwrap().is_removed(one));
        again.make(one, &random).unwrap();
        assert!(!again.has(one), "a tenant that has removed its texts gets no key any more");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(TextKeys::open(Some(path.clone())).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

        fs::write(&path, "{}").unwrap();
        assert!(TextKeys::open(Some(path)).unwrap_err().to_string().contains("take it away"));
        fs::remove_dir_all(directory).unwrap();
    }
}
