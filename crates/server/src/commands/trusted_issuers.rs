//! `claviger trusted-issuers …`: the issuers that a tenant trusts, of a running server, over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use super::applications::{cell, listed, pretty, read, shown, table, tenant};
use super::http_client::{HttpClient, segment};
use super::{Failure, print};
use crate::cli::{Output, TrustedIssuersArgs, TrustedIssuersCommand};

/// Carries the command out; whether a token that was tried would not be accepted. `env` looks an environment variable up.
///
/// # Errors
/// When the server cannot be reached or refuses, or a file cannot be used.
pub async fn run(args: TrustedIssuersArgs, env: impl Fn(&str) -> Option<String>) -> Result<bool, Failure> {
    let client = HttpClient::new(&args.client, env)?;
    let all = format!("/v1/tenants/{}/trusted-issuers", segment(&tenant(&client, &args.client).await?));
    let one = |id: &str| format!("{all}/{}", segment(id));
    let output = args.client.output;
    match args.command {
        TrustedIssuersCommand::List => {
            let items = client.list(&all).await?;
            print(&listed(&items, &["id", "name", "issuer", "enabled", "single_use", "updated_at"], output))?;
        }
        TrustedIssuersCommand::Show { id } => {
            print(&shown(&client.call(Method::GET, &one(&id), None).await?, output))?;
        }
        TrustedIssuersCommand::Test { id, application, token } => {
            let text = read(&token)?;
            let body = json!({ "token": text.trim(), "application_id": application });
            let trial = client.call(Method::POST, &format!("{}/test", one(&id)), Some(&body)).await?;
            print(&told(&trial, output))?;
            return Ok(trial.get("accepted") != Some(&Value::Bool(true)));
        }
        TrustedIssuersCommand::Delete { id } => {
            client.call(Method::DELETE, &one(&id), None).await?;
        }
    }
    Ok(false)
}

/// What trying a token came to.
fn told(trial: &Value, output: Output) -> String {
    if output == Output::Json {
        return pretty(trial);
    }
    let list = |member: &str| trial.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let step = |step: &Value| ["step", "outcome", "code", "detail"].map(|member| part(step, member)).to_vec();
    let mut out = table(&list("steps").iter().map(step).collect::<Vec<_>>());
    for binding in list("bindings") {
        let failing: Vec<_> = binding.get("failing_claims").and_then(Value::as_array).into_iter().flatten().collect();
        let claims: Vec<_> = failing.into_iter().map(|claim| cell(Some(claim))).collect();
        let how = if claims.is_empty() { "fits".to_owned() } else { format!("does not fit: {}", claims.join(", ")) };
        let (id, application) = (cell(binding.get("id")), cell(binding.get("application_id")));
        out.push_str(&format!("binding {id} to {application} {how}\n"));
    }
    out
}

fn part(object: &Value, member: &str) -> String {
    object.get(member).map_or_else(String::new, |value| cell(Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_told_step_by_step() {
        let trial = json!({
            "accepted": false, "application_id": null,
            "steps": [{"step": "form", "outcome": "passed"}, {"step": "binding", "outcome": "failed", "code": "c", "detail": "d"}],
            "bindings": [{"id": "b1", "application_id": "a1", "fits": true, "failing_claims": []},
                         {"id": "b2", "application_id": "a2", "fits": false, "failing_claims": ["sub", "env"]}],
        });
        let expected =
            "form     passed\nbinding  failed  c  d\nbinding b1 to a1 fits\nbinding b2 to a2 does not fit: sub, env\n";
        assert_eq!(told(&trial, Output::Table), expected);
    }
}
