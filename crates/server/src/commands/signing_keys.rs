//! `claviger signing-keys …`: the keys that sign session tokens, of a running server, over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use super::http_client::HttpClient;
use super::{Failure, print};
use crate::cli::{Output, SigningKeysArgs, SigningKeysCommand};

/// Carries the command out. `env` looks an environment variable up.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn run(args: SigningKeysArgs, env: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let client = HttpClient::new(&args.client, env)?;
    let answer = match &args.command {
        SigningKeysCommand::List => client.call(Method::GET, "/v1/signing-keys", None).await?,
        SigningKeysCommand::Rotate => client.call(Method::POST, "/v1/signing-keys/rotate", Some(&json!({}))).await?,
        SigningKeysCommand::Revoke { kid } => {
            if kid.is_empty() || !kid.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(Failure(format!("{kid}: not a key's name; `claviger signing-keys list` shows them")));
            }
            client.call(Method::POST, &format!("/v1/signing-keys/{kid}/revoke"), Some(&json!({}))).await?
        }
    };
    print(&shown(&answer, args.client.output))
}

fn shown(answer: &Value, output: Output) -> String {
    if output == Output::Json {
        return format!("{answer:#}\n");
    }
    let keys: Vec<&Value> = match answer.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().collect(),
        None if answer.get("kid").is_some() => vec![answer],
        None => ["revoked", "made"].iter().filter_map(|name| answer.get(*name)).filter(|key| !key.is_null()).collect(),
    };
    let text = |key: &Value, member: &str| key.get(member).and_then(Value::as_str).unwrap_or("-").to_owned();
    let mut out =
        format!("{:<16}  {:<9}  {:<27}  {:<27}  {}\n", "KID", "STATE", "SIGNS FROM", "SIGNS UNTIL", "RETIRES AT");
    for key in keys {
        let [kid, state, from, until, retires] =
            ["kid", "state", "signs_from", "signs_until", "retires_at"].map(|member| text(key, member));
        out.push_str(&format!("{kid:<16}  {state:<9}  {from:<27}  {until:<27}  {retires}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_table() {
        let key = json!({"kid": "aa", "state": "signing", "signs_from": "a", "signs_until": "b", "retires_at": "c"});
        for answer in [json!({"items": [key]}), key.clone(), json!({"revoked": key, "made": null})] {
            let table = shown(&answer, Output::Table);
            assert_eq!(table.lines().count(), 2, "{table}");
            assert!(table.contains("signing"));
        }
        assert_eq!(shown(&json!({"revoked": key, "made": key}), Output::Table).lines().count(), 3);
    }
}
