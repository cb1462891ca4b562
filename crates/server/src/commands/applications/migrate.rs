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
    let report = client.list(&format!("/v1/tenants/{}/legacy-key-types/report", segment(tenant))).await;
    let found = match (report, &id) {
        // Whoever may not read it may still migrate one of the tenant.
        (Err(_), Some(_)) => Vec::new(),
        (report, _) => report?,
    };
    let wanted = chosen(&found, tenant, id);
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

/// Tenant and id of what is to be migrated: everything in the report, or the one that was named, whatever tenant beneath it
/// is of. What is not in the report is asked for all the same, for the server to say why it is not.
fn chosen(report: &[Value], tenant: &str, id: Option<String>) -> Vec<(String, String)> {
    let place = |one: &Value| (text(one, "tenant_id").to_owned(), text(one, "application_id").to_owned());
    let all = report.iter().map(place);
    let Some(id) = id else { return all.collect() };
    let found = all.into_iter().find(|(_, legacy)| legacy.eq_ignore_ascii_case(&id));
    vec![found.unwrap_or_else(|| (tenant.to_owned(), id))]
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
    fn one_is_found_in_whatever_tenant_it_is() {
        let report = [("t1", "a1"), ("t2", "a2")].map(|(t, a)| json!({"tenant_id": t, "application_id": a}));
        let pair = |t: &str, a: &str| (t.to_owned(), a.to_owned());
        assert_eq!(chosen(&report, "t1", None), [pair("t1", "a1"), pair("t2", "a2")]);
        assert_eq!(chosen(&report, "t1", Some("A2".into())), [pair("t2", "a2")]);
        assert_eq!(chosen(&report, "t1", Some("a3".into())), [pair("t1", "a3")]);
    }

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
