//! Rules about the committed OpenAPI documents: they can be read, and each operation has its row in the matrix that the
//! authorisation tests go through.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::tree::{files, read, report, root, shown};

const MATRIX: &str = "crates/server/tests/authorization.toml";
const NATIVE: &str = "docs/openapi/native.json";
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

#[test]
fn openapi_documents_can_be_read() {
    let mut problems = Vec::new();
    let documents = files(&root().join("docs/openapi"), ".json");
    for file in &documents {
        let text = fs::read_to_string(file).expect("a readable file");
        match serde_json::from_str::<Value>(&text) {
            Ok(document) if document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")) => {}
            Ok(document) => problems.push(format!("{}: `openapi` is {}, not 3.1", shown(file), document["openapi"])),
            Err(error) => problems.push(format!("{}: {error}", shown(file))),
        }
    }
    assert!(!documents.is_empty(), "docs/openapi holds no document: run `make openapi`");
    report(&problems, "Write the documents with `make openapi`, never by hand.");
}

#[test]
fn every_operation_has_a_row_in_the_authorisation_matrix() {
    let (operations, mut problems) = operations();
    let matrix: toml::Table =
        read(MATRIX, "it says for each operation who may call it").parse().expect("the matrix is TOML");
    let rows = matrix.get("row").and_then(toml::Value::as_array).unwrap_or_else(|| panic!("{MATRIX} has no [[row]]"));
    let mut named = BTreeSet::new();
    for row in rows {
        let Some(operation) = row.get("operation").and_then(toml::Value::as_str) else {
            problems.push(format!("{MATRIX}: a row without `operation`: {row:?}"));
            continue;
        };
        if !named.insert(operation.to_owned()) {
            problems.push(format!("{MATRIX}: `{operation}` has two rows"));
        }
        if !operations.contains(operation) {
            problems.push(format!("{MATRIX}: `{operation}` is no operation of {NATIVE}"));
        }
        if let Err(problem) = rule(row) {
            problems.push(format!("{MATRIX}: `{operation}` {problem}"));
        }
    }
    problems.extend(
        operations.difference(&named).map(|operation| format!("{NATIVE}: `{operation}` has no row in {MATRIX}")),
    );
    report(
        &problems,
        "A row names the operation and one of: permission = \"name:VERB\", any_credential = true, public = true, person = true, door = true.",
    );
}

/// The operation ids of the native document, and what is wrong with them.
fn operations() -> (BTreeSet<String>, Vec<String>) {
    let text = read(NATIVE, "it is the committed contract; write it with `make openapi`");
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{NATIVE}: {error}"));
    let paths = document["paths"].as_object().unwrap_or_else(|| panic!("{NATIVE} has no paths"));
    let mut ids = BTreeSet::new();
    let mut problems = Vec::new();
    for (path, item) in paths {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            match item[*method]["operationId"].as_str() {
                Some(id) if ids.insert(id.to_owned()) => {}
                Some(id) => problems.push(format!("{NATIVE}: {method} {path}: the operationId `{id}` is taken")),
                None => problems.push(format!("{NATIVE}: {method} {path} has no operationId")),
            }
        }
    }
    assert!(!ids.is_empty(), "{NATIVE} has no operation");
    (ids, problems)
}

/// A row states exactly one rule.
fn rule(row: &toml::Value) -> Result<(), String> {
    let holds = |member: &str| row.get(member).and_then(toml::Value::as_bool) == Some(true);
    let permission = row.get("permission").and_then(toml::Value::as_str);
    let rules = ["public", "any_credential", "person", "door"].into_iter().filter(|rule| holds(rule)).count();
    let rules = rules + usize::from(permission.is_some());
    if rules != 1 {
        return Err(format!("states {rules} rules, not one"));
    }
    let verbs = ["CREATE", "READ", "UPDATE", "DELETE", "EXECUTE"];
    let known =
        |text: &str| text.rsplit_once(':').is_some_and(|(name, verb)| !name.is_empty() && verbs.contains(&verb));
    match permission {
        Some(text) if !known(text) => Err(format!("has permission = \"{text}\", which is not name:VERB")),
        _ => Ok(()),
    }
}
