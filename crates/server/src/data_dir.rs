//! The data directory: made with mode 0700, and one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The hold on a data directory; given up when dropped.
#[derive(Debug)]
pub struct DataDir {
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is not there, and holds it.
    ///
    /// # Errors
    /// In words for the operator: when it cannot be made, or another process holds it.
    pub fn hold(path: &Path) -> Result<Self, String> {
        let fail = |error: io::Error| format!("{}: {error}", path.display());
        if !path.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
        }
        let lock = path.join("lock");
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: file }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "{}: another claviger works on this data directory; stop it first, or speak to it over HTTP",
                path.display()
            )),
            Err(TryLockError::Error(error)) => Err(fail(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let path = std::env::temp_dir().join(format!("claviger-data-dir-{}", std::process::id()));
        let held = DataDir::hold(&path).unwrap();
        assert!(DataDir::hold(&path).unwrap_err().contains("another claviger"));
        drop(held);
        DataDir::hold(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
    }
}
