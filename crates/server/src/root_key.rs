//! Where the root key comes from: a file in the data directory made on first start, a file, a variable, a command.

use crate::config::{Config, RootKey as Source};
use claviger_app::random::Random;
use claviger_app::seal::RootKey;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A root key.
#[derive(Debug)]
pub struct Found {
    /// The key.
    pub key: RootKey,
    /// The file it was written to just now, if it is new.
    pub made: Option<PathBuf>,
}

/// Finds the root key; makes one where it is to be in the data directory and is not there yet.
///
/// # Errors
/// In words for the operator: when there is no key, it is open to others, or it is not 64 hexadecimal digits.
pub fn find(config: &Config, random: &Random) -> Result<Found, String> {
    let mut made = None;
    let text = match &config.root_key {
        Source::DataDir => {
            let path = config.data_dir.join("root.key");
            if !path.exists() {
                make(&path, random)?;
                made = Some(path.clone());
            }
            read(&path)?
        }
        Source::File(path) => read(path)?,
        Source::Env(name) => std::env::var(name).map_err(|error| format!("root_key: the variable {name}: {error}"))?,
        Source::Command(words) => run(words)?,
    };
    parse(text.trim())
        .map(|bytes| Found { key: RootKey::new(bytes), made })
        .ok_or_else(|| format!("root_key: {} does not hold 64 hexadecimal digits (256 bits)", config.root_key))
}

fn make(path: &Path, random: &Random) -> Result<(), String> {
    let fail = |error: io::Error| format!("{}: {error}", path.display());
    let key = random.bytes::<32>().map_err(|error| error.to_string())?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(fail)
}

fn read(path: &Path) -> Result<String, String> {
    let fail = |error: io::Error| format!("{}: {error}", path.display());
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{}: others may read it (mode {:03o}); run chmod 600 on it", path.display(), mode & 0o777));
    }
    fs::read_to_string(path).map_err(fail)
}

fn run(words: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("root_key: an empty command".into()) };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("root_key: {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("root_key: {program} ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("root_key: {program} printed something that is no text"))
}

fn parse(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (to, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *to = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sixty_four_digits() {
        assert_eq!(parse(&"0f".repeat(32)), Some([15; 32]));
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &format!("+f{}", "0f".repeat(31))] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_open_to_others_are_refused() {
        let directory = std::env::temp_dir().join(format!("claviger-root-key-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("root.key");
        make(&path, &Random::seeded(1)).unwrap();
        assert!(parse(read(&path).unwrap().trim()).is_some());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).unwrap_err().contains("chmod 600"));
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn commands_are_asked() {
        assert_eq!(run(&["printf".into(), "abc".into()]).unwrap(), "abc");
        assert!(run(&["false".into()]).unwrap_err().contains("ended with"));
    }
}
