//! Which node this is. The id lies in the data directory, bound to that very directory and to this run of the machine: a
//! copy of the directory, and a machine that was cloned or started anew, are other nodes.

use claviger_app::random::Random;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The id of the node whose data lies there, which must be held. A process that takes an earlier one's place within the same
/// run of the machine has its id, so that nobody waits for the one that is gone.
///
/// # Errors
/// In words for the operator: when the file cannot be read or written.
pub fn find(data_dir: &Path, random: &Random) -> Result<String, String> {
    let path = data_dir.join("node");
    let fail = |error: io::Error| format!("{}: {error}", path.display());
    let place = fs::metadata(data_dir).map_err(fail)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let bound_to = format!("{}:{}:{}", place.dev(), place.ino(), boot.trim());
    let known = fs::read_to_string(&path).unwrap_or_default();
    if let Some((id, place)) = known.trim().split_once(' ')
        && place == bound_to
        && !boot.is_empty()
    {
        return Ok(id.to_owned());
    }
    let bits = u128::from_be_bytes(random.bytes::<16>().map_err(|error| error.to_string())?);
    let id = format!("{bits:032x}");
    let _ = fs::remove_file(&path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
    writeln!(file, "{id} {bound_to}").and_then(|()| file.sync_all()).map_err(fail)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_another_node() {
        let path = std::env::temp_dir().join(format!("claviger-node-id-{}", std::process::id()));
        let (one, two) = (path.join("one"), path.join("two"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&two).unwrap();
        let random = Random::System;
        let id = find(&one, &random).unwrap();
        assert_eq!(find(&one, &random).unwrap(), id, "the same after a restart");
        fs::copy(one.join("node"), two.join("node")).unwrap();
        assert_ne!(find(&two, &random).unwrap(), id);
        fs::write(one.join("node"), "damaged").unwrap();
        assert_ne!(find(&one, &random).unwrap(), id);
        fs::remove_dir_all(&path).unwrap();
    }
}
