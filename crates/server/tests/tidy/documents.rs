//! Rule about documents: a path of this repository that a Markdown file names, in a link, in backticks or in a code
//! block, exists. Globs (`crates/*/src`) and braces (`{a,b}`) are followed; `<placeholders>` and `…` are left alone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::tree::{entries, files, name, report, root, shown};

#[test]
fn every_path_named_in_a_document_exists() {
    let documents = files(&root(), ".md");
    let mut problems = Vec::new();
    for file in &documents {
        let text = fs::read_to_string(file).expect("a readable document");
        for (number, target) in targets(&text) {
            let missing = match target {
                Target::Link(ref link) => !linked(file, link).exists(),
                Target::Path(ref path) => !braces(path).iter().all(|path| matches(&located(path))),
            };
            if missing {
                problems.push(format!("{}:{number}: {} does not exist", shown(file), target.text()));
            }
        }
    }
    assert!(!documents.is_empty(), "no Markdown file was found");
    report(&problems, "Mend the document, or put the file where it says. Text that is no path must not look like one.");
}

#[derive(Debug, PartialEq)]
enum Target {
    Link(String),
    Path(String),
}

impl Target {
    fn text(&self) -> &str {
        match self {
            Self::Link(text) | Self::Path(text) => text,
        }
    }
}

/// What a document points at, with the line's number.
fn targets(text: &str) -> Vec<(usize, Target)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        // The odd pieces between backticks are code; in a block all is.
        let pieces = line.split('`').enumerate();
        for (index, piece) in pieces {
            if in_block || index % 2 == 1 {
                let paths = piece.split_whitespace().filter_map(repository_path);
                found.extend(paths.map(|path| (number, Target::Path(path))));
            }
        }
        if !in_block {
            found.extend(links(line).map(|link| (number, Target::Link(link))));
        }
    }
    found
}

/// The relative targets of `[text](target)` in a line, without their anchors.
fn links(line: &str) -> impl Iterator<Item = String> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ', '#']).next()?;
        let elsewhere = target.is_empty() || target.contains(':') || target.starts_with("//");
        (!elsewhere).then(|| target.to_owned())
    })
}

/// The word as a path, when it looks like one of this repository.
fn repository_path(word: &str) -> Option<String> {
    let word =
        word.trim_start_matches(['(', '"', '\'', '[']).trim_end_matches([')', '"', '\'', ']', ',', ';', '.', '!', '?']);
    // `file.rs:12` and `file.rs::function` name the file.
    let path = word.split([':', '#']).next()?.trim_start_matches("./").trim_end_matches('/');
    let mut parts = path.split('/');
    let (first, second) = (parts.next()?, parts.next());
    let in_tree = second.is_some() && ["crates", "docs", "scripts", "e2e", ".ci", ".config"].contains(&first);
    let in_crate =
        is_crate(first) && second.is_some_and(|folder| ["src", "tests", "benches", "migrations"].contains(&folder));
    let at_top =
        second.is_none() && first.ends_with(".md") && first.chars().next().is_some_and(|c| c.is_ascii_uppercase());
    let placeholder = path.contains(['<', '>', '…', '$', '\\']);
    ((in_tree || in_crate || at_top) && !placeholder).then(|| path.to_owned())
}

/// Documents call a crate by its folder, `store/src/sql.rs`, without the `crates/` before it.
fn is_crate(folder: &str) -> bool {
    ["domain", "store", "index", "app", "kit", "api", "console", "server"].contains(&folder)
}

fn located(path: &str) -> PathBuf {
    let first = path.split('/').next().unwrap_or_default();
    if is_crate(first) { root().join("crates").join(path) } else { root().join(path) }
}

fn linked(document: &Path, link: &str) -> PathBuf {
    match link.strip_prefix('/') {
        Some(from_root) => root().join(from_root),
        None => document.parent().unwrap_or(document).join(link),
    }
}

/// `a/{b,c}` as `a/b` and `a/c`.
fn braces(path: &str) -> Vec<String> {
    let parts =
        path.split_once('{').and_then(|(head, rest)| rest.split_once('}').map(|(choices, tail)| (head, choices, tail)));
    let Some((head, choices, tail)) = parts else { return vec![path.to_owned()] };
    choices.split(',').flat_map(|choice| braces(&format!("{head}{}{tail}", choice.trim()))).collect()
}

/// Whether something matches the path, in which `*` stands for any part of one name.
fn matches(path: &Path) -> bool {
    let mut candidates = vec![PathBuf::new()];
    for part in path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()) {
        candidates = match part.split_once('*') {
            None => candidates.iter().map(|folder| folder.join(&part)).filter(|path| path.exists()).collect(),
            Some((start, end)) => {
                let end = end.trim_start_matches('*');
                let fits = |path: &PathBuf| name(path).starts_with(start) && name(path).ends_with(end);
                candidates.iter().flat_map(|folder| entries(folder)).filter(fits).collect()
            }
        };
    }
    !candidates.is_empty()
}

#[test]
fn paths_are_found_in_links_backticks_and_blocks() {
    let text = "See [a](docs/x.md#top), [b](https://example.org/docs/y), `crates/*/src`, and `store/src/sql.rs::run`.\n\
                Plain docs/z.md is prose; `docs/<name>.md` a placeholder; `make test` a command.\n\
                ```sh\nscripts/postgres run ./scripts/wire\n```\n`CHANGELOG.md` and `text/csv`";
    let expected = [
        (1, Target::Path("crates/*/src".into())),
        (1, Target::Path("store/src/sql.rs".into())),
        (1, Target::Link("docs/x.md".into())),
        (4, Target::Path("scripts/postgres".into())),
        (4, Target::Path("scripts/wire".into())),
        (6, Target::Path("CHANGELOG.md".into())),
    ];
    assert_eq!(targets(text), expected);
    assert_eq!(braces("a/{b,c}.rs"), ["a/b.rs", "a/c.rs"]);
    assert!(matches(&located("crates/*/Cargo.toml")) && matches(&located("server/src")));
    assert!(!matches(&located("crates/*/Cargo.yaml")) && !matches(&located("docs/nothing.md")));
}
