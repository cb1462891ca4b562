//! Rules about packages: which of our crates may use which, and the licences and sources of everything we build from.

use std::{env, process::Command};

use serde_json::Value;

use crate::{
    spdx,
    tree::{read, report, root},
};

/// The staircase: each crate, and those of ours that it may use.
const MAY_USE: [(&str, &[&str]); 8] = [
    ("claviger-domain", &[]),
    ("claviger-store", &["claviger-domain"]),
    ("claviger-app", &["claviger-domain", "claviger-store"]),
    ("claviger-kit", &["claviger-domain", "claviger-app"]),
    ("claviger-api", &["claviger-domain", "claviger-app", "claviger-kit"]),
    ("claviger-console", &["claviger-domain", "claviger-app", "claviger-kit"]),
    (
        "claviger-server",
        &["claviger-domain", "claviger-store", "claviger-app", "claviger-kit", "claviger-api", "claviger-console"],
    ),
    ("claviger-e2e", &[]),
];

#[test]
fn crates_depend_downhill_only() {
    let metadata = metadata(&["--no-deps"]);
    let mut problems = Vec::new();
    for package in list(&metadata, "packages") {
        let name = text(package, "name");
        let Some((_, allowed)) = MAY_USE.iter().find(|(crate_name, _)| *crate_name == name) else {
            problems.push(format!("{name}: a new crate; say in MAY_USE of this test what it may use"));
            continue;
        };
        // `kind` is null for what goes into the product, otherwise "dev" or "build".
        let normal = list(package, "dependencies").iter().filter(|dependency| dependency["kind"].is_null());
        for used in normal.map(|dependency| text(dependency, "name")) {
            if used.starts_with("claviger-") && !allowed.contains(&used) {
                problems.push(format!("{name} uses {used}"));
            }
        }
    }
    report(
        &problems,
        "Each crate may use only what stands below it: move the code down, or pass it in as an argument.",
    );
}

#[test]
fn licences_and_sources_are_allowed() {
    let metadata = metadata(&[]);
    let deny: toml::Table =
        read("deny.toml", "it lists the allowed licences and sources").parse().expect("deny.toml is TOML");
    let general = strings(&deny["licenses"]["allow"]);
    let members: Vec<_> = list(&metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    let mut problems = Vec::new();
    for package in list(&metadata, "packages") {
        let name = text(package, "name");
        let shown = format!("{name} {}", text(package, "version"));
        let special = exceptions(&deny, name);
        let allowed = |licence: &str| general.iter().chain(&special).any(|known| known == licence);
        match package["license"].as_str().map(|expression| (expression, spdx::is_met(expression, &allowed))) {
            Some((_, Ok(true))) => {}
            Some((expression, Ok(false))) => problems.push(format!("{shown}: licence `{expression}` is not allowed")),
            Some((expression, Err(error))) => problems.push(format!("{shown}: licence `{expression}`: {error}")),
            None => problems.push(format!("{shown}: states no licence")),
        }
        match package["source"].as_str() {
            None if members.contains(&text(package, "id")) => {}
            None => problems.push(format!("{shown}: a path outside the workspace")),
            Some(source) => {
                let known = source.starts_with("registry+") && source.ends_with("/crates.io-index");
                if !known {
                    problems.push(format!("{shown}: source {source}"));
                }
            }
        }
    }
    assert!(members.len() < list(&metadata, "packages").len(), "cargo named no package but our own");
    report(&problems, "Choose another package, or argue for the licence or source in a change of deny.toml.");
}

/// The licences that deny.toml grants this one package; its entries may name a version as well (`name@1.2`).
fn exceptions(deny: &toml::Table, package: &str) -> Vec<String> {
    let entries = deny["licenses"].get("exceptions").and_then(toml::Value::as_array);
    let mine = entries.into_iter().flatten().filter(|entry| {
        let named = entry["crate"].as_str().unwrap_or_default();
        named.split('@').next() == Some(package)
    });
    mine.flat_map(|entry| strings(&entry["allow"])).collect()
}

fn strings(list: &toml::Value) -> Vec<String> {
    let items = list.as_array().expect("a list in deny.toml");
    items.iter().map(|item| item.as_str().expect("a text in a list of deny.toml").to_owned()).collect()
}

fn metadata(extra: &[&str]) -> Value {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["metadata", "--format-version", "1", "--locked"]).args(extra);
    let output = command.output().expect("cargo can be run");
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().unwrap_or_else(|| panic!("cargo metadata has no list `{member}`"))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("cargo metadata has no text `{member}`"))
}
