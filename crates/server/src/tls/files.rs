//! A certificate chain and its key in two PEM files, followed as they change.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, provider};

/// What tells one version of the two files from the next: inode, size and time of change of each.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

pub(crate) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    seen: Mutex<Stamp>,
}

impl Files {
    pub(crate) fn new(certificate: &Path, key: &Path) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned(), seen: Mutex::default() }
    }

    /// Reads the pair.
    pub(crate) fn load(&self) -> Result<CertifiedKey, TlsError> {
        // Stamped before reading: a change in between is seen as one next time.
        *self.seen.lock() = self.stamp();
        let chain = CertificateDer::pem_slice_iter(&read(&self.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::at(&self.certificate, error))?;
        if chain.is_empty() {
            return Err(TlsError::at(&self.certificate, "holds no certificate"));
        }
        refuse_open_key(&self.key, 0o007)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| TlsError::at(&self.key, error))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            TlsError::at(&self.key, format!("does not go with {}: {error}", self.certificate.display()))
        })
    }

    /// Reads the pair if a file has changed since the last look, successful or not.
    pub(crate) fn load_if_changed(&self) -> Result<Option<CertifiedKey>, TlsError> {
        let changed = *self.seen.lock() != self.stamp();
        if changed { self.load().map(Some) } else { Ok(None) }
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
        })
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::at(path, error))
}

/// Refuses a key file that has any of these permission bits.
pub(crate) fn refuse_open_key(path: &Path, forbidden: u32) -> Result<(), TlsError> {
    let mode = fs::metadata(path).map_err(|error| TlsError::at(path, error))?.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    let wanted = mode & !forbidden;
    Err(TlsError::at(path, format!("a private key that others may read (mode {mode:o}); chmod {wanted:o} it")))
}
