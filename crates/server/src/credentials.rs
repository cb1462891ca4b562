//! The credentials file: where the server is and how to begin, for scripts and tests. Mode 0600, one JSON object.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What the file holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Scheme, a host that the certificate covers, and port.
    pub base_url: String,
    /// What to trust; none where the certificate is publicly trusted or there is no TLS.
    pub ca_file: Option<PathBuf>,
    /// The first application; absent if the store was set up without this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// The demo's applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// The operator's first application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The operator.
    pub tenant_id: String,
    /// The application's client id.
    pub client_id: String,
    /// Its secret.
    pub secret: String,
}

/// An application of the demo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The family of clients it is for: `carbon_black`, `cylance`, `cyrisma`, `oauth`.
    pub family: String,
    /// Its tenant.
    pub tenant_id: String,
    /// The tenant's org key.
    pub org_key: String,
    /// Its client id.
    pub client_id: String,
    /// Its secret.
    pub secret: String,
}

impl Credentials {
    /// What a file holds; nothing if there is none yet.
    ///
    /// # Errors
    /// In words for the operator: when it cannot be read or is not such a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        match fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => Ok(Self::default()),
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| format!("{}: not a credentials file: {error}; move it away", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Finds out whether the file could be written, without touching it.
    ///
    /// # Errors
    /// In words for the operator.
    pub fn try_place(path: &Path) -> Result<(), String> {
        create_beside(path).map(drop)
    }

    /// Writes the file anew, mode 0600: beside it first and then in its place, so that a reader sees all or nothing.
    ///
    /// # Errors
    /// In words for the operator.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let fail = |error: io::Error| format!("{}: {error}", path.display());
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        let mut file = create_beside(path)?;
        writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(fail)?;
        fs::rename(beside(path), path).map_err(fail)
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn create_beside(path: &Path) -> Result<fs::File, String> {
    let beside = beside(path);
    let fail = |error: io::Error| format!("{}: {error}", beside.display());
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_round_trip_and_stay_private() {
        let directory = std::env::temp_dir().join(format!("claviger-credentials-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("c.json");
        assert_eq!(Credentials::read(&path).unwrap(), Credentials::default());
        let operator = Operator { tenant_id: "t".into(), client_id: "c".into(), secret: "s".into() };
        let written =
            Credentials { base_url: "https://localhost:1".into(), operator: Some(operator), ..Credentials::default() };
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        written.write(&path).unwrap();
        assert_eq!(Credentials::read(&path).unwrap(), written);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "[]").unwrap();
        assert!(Credentials::read(&path).unwrap_err().contains("not a credentials file"));
        fs::remove_dir_all(&directory).unwrap();
    }
}
