//! Reading the repository: its root, its files, and the one way in which a check reports what it found.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the crate lies two folders down")
}

/// The text of a file named from the root; a missing one fails the check with `why` it should be there.
pub fn read(path: &str, why: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read ({error}): {why}"))
}

/// All files under a folder whose name ends so, sorted; build folders and hidden ones are left out.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = name(&path);
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                // Cargo marks its target folder with that file when the folder is called otherwise.
                let built = ["target", "node_modules"].contains(&name.as_str()) || path.join("CACHEDIR.TAG").exists();
                if !built && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What lies directly in a folder; nothing when there is no such folder.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.expect("a readable folder").path()).collect()
}

/// The Rust files of every crate's `src`, that is all that goes into the product.
pub fn production_files() -> Vec<PathBuf> {
    entries(&root().join("crates")).iter().flat_map(|folder| files(&folder.join("src"), ".rs")).collect()
}

/// The last component of a path.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A path as people write it: from the root, with forward slashes.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Fails when anything was found, with each finding on its own line and the way out at the end.
#[track_caller]
pub fn report(problems: &[String], remedy: &str) {
    assert!(problems.is_empty(), "\n{}\n\n{remedy}\n", problems.join("\n"));
}
