//! Rules about the source text: faces stay apart, SQL stays in the store, files stay short.

use std::{collections::BTreeSet, fs, path::Path};

use crate::tree::{entries, files, name, production_files, report, root, shown};

#[test]
fn faces_use_nothing_of_each_other() {
    let api = root().join("crates/api/src");
    let modules = entries(&api);
    let mut problems = Vec::new();
    for module in modules.iter().filter(|path| !matches!(name(path).as_str(), "lib.rs")) {
        let face = name(module).trim_end_matches(".rs").to_owned();
        let sources = if module.is_dir() { files(module, ".rs") } else { vec![module.clone()] };
        for file in sources {
            let text = without_comments(&file);
            let strangers: BTreeSet<_> =
                modules_named(&text).into_iter().filter(|used| *used != face && used != "kit").collect();
            problems.extend(strangers.iter().map(|used| format!("{}: uses crate::{used}", shown(&file))));
        }
    }
    assert!(
        modules.iter().any(|path| name(path) == "native"),
        "crates/api/src/native is missing: it is the native face"
    );
    report(&problems, "A face may use crate::kit and itself: move what two faces share into crates/kit/src.");
}

#[test]
fn text_is_marked_as_safe_sql_in_one_place_only() {
    let mut calls = Vec::new();
    let mut imports = Vec::new();
    for file in production_files() {
        for (number, line) in without_comments(&file).lines().enumerate() {
            let place = format!("{}:{}", shown(&file), number + 1);
            let is_import = line.contains("use ");
            let count = line.matches("AssertSqlSafe").count();
            if is_import && count > 0 {
                imports.push((place.clone(), line.contains("AssertSqlSafe as")));
            } else {
                calls.extend((0..count).map(|_| place.clone()));
            }
        }
    }
    let file_of = |place: &str| place.rsplit_once(':').map(|(file, _)| file.to_owned());
    let home = calls.first().and_then(|place| file_of(place));
    let astray = imports.iter().filter(|(place, renamed)| *renamed || file_of(place) != home);
    let mut problems: Vec<_> = astray.map(|(place, _)| format!("{place}: imports it")).collect();
    if calls.len() != 1 {
        problems.push(format!("AssertSqlSafe is used {} times: {}", calls.len(), calls.join(", ")));
    }
    report(
        &problems,
        "SQL that is put together at run time goes through the one function in crates/store/src that marks it.",
    );
}

#[test]
fn sql_stands_in_the_store_only() {
    let statements = ["\"select ", "\"insert into ", "\"update ", "\"delete from "];
    let store = root().join("crates/store/src");
    let mut problems = Vec::new();
    for file in production_files().iter().filter(|file| !file.starts_with(&store)) {
        for (number, line) in without_comments(file).lines().enumerate() {
            let found = statements.iter().any(|start| line.contains(start) || line.contains(&start.to_uppercase()));
            if found {
                problems.push(format!("{}:{}: {}", shown(file), number + 1, line.trim()));
            }
        }
    }
    report(&problems, "Give crates/store a function for the statement, named after what it does, and call that.");
}

#[test]
fn no_production_file_is_longer_than_400_lines() {
    let mut problems = Vec::new();
    for file in production_files() {
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        if lines > 400 {
            problems.push(format!("{}: {lines} lines", shown(&file)));
        }
    }
    report(&problems, "Divide it by noun or by step; tests may move to a file of their own. Aim at 120 lines.");
}

/// The modules of this crate that a source text reaches: what follows `crate::`, one or many in braces, or `super::`.
fn modules_named(text: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, marker) in text.match_indices("crate::").chain(text.match_indices("super::")) {
        let whole_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let rest = &text[at + marker.len()..];
        if !whole_word {
            continue;
        }
        let names = if let Some(group) = rest.strip_prefix('{') { outer_names(group) } else { vec![identifier(rest)] };
        // Only a chain of `super` that ends in a face's name leaves the face; what else it names lies inside.
        let faces = ["native", "carbon_black", "cylance", "cyrisma"];
        named.extend(names.into_iter().filter(|name| marker == "crate::" || faces.contains(&name.as_str())));
    }
    named
}

/// The first identifier of each item of a group, up to its closing brace.
fn outer_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 1;
    let mut at_start = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                names.push(identifier(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The text with its line comments cut off, line for line; a `//` after a colon is taken for an address in a string.
fn without_comments(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    let lines = text.lines().map(|line| {
        let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
        comment.map_or(line, |(at, _)| &line[..at])
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::kit::Body;\nuse crate::{\n  kit::{self, native::X},\n  cylance,\n};\nfn f() { super::super::native::g(); super::own() }";
    assert_eq!(modules_named(text), ["kit", "kit", "cylance", "native"]);
    assert!(modules_named("use claviger_crate::x; let y = mysuper::native;").is_empty());
}
