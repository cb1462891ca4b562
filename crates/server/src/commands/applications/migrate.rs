//! `claviger applications migrate`: from legacy key types to custom, one application or all; shown first, done with `--apply`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{cell, pretty, segment, table, text};
use crate::cli::Output;
use crate::commands::http_client::HttpClient;
use crate::commands::{Failure, print};

/// Carries the command out.
pub(super) async fn run(
    client: &HttpClient,
    tenant: &str,
    id: Option<String>,
    apply: bool,
    output: Output,
) -> Result<(), Failure> {
    let of_tenant = format!("/v1/tenants/{}", segment(tenant));
    let wanted = match id {
        Some(id) => vec![(tenant.to_owned(), id)],
        None => {
            let found = client.list(&format!("{of_tenant}/legacy-key-types/report")).await?;
            found
                .iter()
                .map(|one| (text(one, "tenant_id").to_owned(), text(one, "application_id").to_owned()))
                .collect()
        }
    };
    let mut answers = Vec::new();
    let mut failures = Vec::new();
    for (tenant, id) in wanted {
        let path = format!("/v1/tenants/{}/applications/{}/migrate", segment(&tenant), segment(&id));
        match client.call(Method::POST, &path, Some(&json!({ "dry_run": !apply }))).await {
            Ok(answer) => answers.push(answer),
            Err(Failure(why)) => failures.push(format!("{id}: {why}")),
        }
    }
    print(&shown(&answers, apply, output))?;
    if failures.is_empty() { Ok(()) } else { Err(Failure(failures.join("\n"))) }
}

fn shown(answers: &[Value], apply: bool, output: Output) -> String {
    if output == Output::Json {
        return pretty(&json!({ "items": answers }));
    }
    let mut rows = vec![["ID", "NAME", "KEY_TYPE", "ACCESS_LEVEL", "DONE"].map(str::to_owned).to_vec()];
    rows.extend(answers.iter().map(|answer| {
        let level = match (answer.pointer("/access_level/name"), answer.pointer("/access_level/id")) {
            (Some(name), Some(Value::Null)) => format!("{} (new)", cell(Some(name))),
            (name, _) => cell(name),
        };
        let member = |pointer| cell(answer.pointer(pointer));
        vec![
            member("/application/id"),
            member("/application/name"),
            member("/application/key_type"),
            level,
            member("/migrated"),
        ]
    }));
    let mut shown = table(&rows);
    if !apply && !answers.is_empty() {
        shown.push_str("\nNothing was changed. Repeat with --apply to do it.\n");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_says_so() {
        let answer = json!({
            "dry_run": true, "migrated": false,
            "application": {"id": "a1", "name": "Old \u{7}SIEM", "key_type": "siem"},
            "access_level": {"id": null, "name": "SIEM key", "grants": {}},
        });
        let text = shown(std::slice::from_ref(&answer), false, Output::Table);
        assert!(text.contains("SIEM key (new)") && text.contains("Old SIEM") && text.contains("--apply"), "{text}");
        assert!(!shown(&[answer], true, Output::Table).contains("--apply"));
    }
}
