//! `claviger policies …`: a tenant's credential policy, of a running server, over HTTP.

use reqwest::Method;
use serde_json::{Map, Value};

use super::applications::{shown, tenant};
use super::http_client::{HttpClient, segment};
use super::{Failure, print};
use crate::cli::{PoliciesArgs, PoliciesCommand};

/// What a policy says, and whether that is a number.
const MEMBERS: [(&str, bool); 7] = [
    ("max_application_lifetime_seconds", true),
    ("max_secret_lifetime_seconds", true),
    ("rotate_every_days", true),
    ("rotation_overlap_seconds", true),
    ("unused_after_days", true),
    ("on_leak", false),
    ("static_secrets", false),
];

/// Carries the command out. `env` looks an environment variable up.
///
/// # Errors
/// When the server cannot be reached or refuses, or a member is none.
pub async fn run(args: PoliciesArgs, env: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let client = HttpClient::new(&args.client, env)?;
    let path = format!("/v1/tenants/{}/credential-policy", segment(&tenant(&client, &args.client).await?));
    let found = match args.command {
        PoliciesCommand::Show => client.call(Method::GET, &path, None).await?,
        PoliciesCommand::Set { members, confirm } => {
            let given = read(&members)?;
            let before = client.call(Method::GET, &path, None).await?;
            let version = before.get("version").and_then(Value::as_i64);
            let mut whole = merged(&before, given);
            if confirm {
                whole.insert("confirm".into(), true.into());
            }
            client.change(Method::PUT, &path, Some(&Value::Object(whole)), version).await?
        }
    };
    print(&shown(&found, args.client.output))
}

/// The members that were given.
fn read(members: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut given = Map::new();
    for text in members {
        let known = || MEMBERS.map(|(name, _)| name).join(", ");
        let parts = text.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let found = parts.and_then(|(name, value)| Some((MEMBERS.iter().find(|(known, _)| *known == name)?, value)));
        let Some(((name, is_number), value)) = found else {
            return Err(Failure(format!("{text}: expected MEMBER=VALUE, where MEMBER is one of {}", known())));
        };
        let value = match (value, is_number) {
            ("none" | "null", _) => Value::Null,
            (text, false) => text.into(),
            (text, true) => match text.parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => return Err(Failure(format!("{name}={text}: expected a whole number, or none"))),
            },
        };
        if given.insert((*name).to_owned(), value).is_some() {
            return Err(Failure(format!("{name} is given twice")));
        }
    }
    Ok(given)
}

/// The whole policy, as the call sets it.
fn merged(before: &Value, given: Map<String, Value>) -> Map<String, Value> {
    let own = |(name, _): (&str, bool)| Some((name.to_owned(), before.get(name)?.clone()));
    let mut whole: Map<_, _> = MEMBERS.into_iter().filter_map(own).collect();
    whole.extend(given);
    whole
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(members: &[&str]) -> Result<Value, String> {
        let members: Vec<_> = members.iter().map(|member| (*member).to_owned()).collect();
        read(&members).map(Value::Object).map_err(|Failure(what)| what)
    }

    #[test]
    fn members_are_read_by_their_kind() {
        let read = given(&["rotate_every_days=90", "on_leak = quarantine", "unused_after_days=none"]).unwrap();
        assert_eq!(read, json!({"rotate_every_days": 90, "on_leak": "quarantine", "unused_after_days": null}));
        for (bad, what) in [
            (&["rotate=9"][..], "one of max_application"),
            (&["rotate_every_days"], "MEMBER=VALUE"),
            (&["rotate_every_days=soon"], "whole number"),
            (&["on_leak=revoke", "on_leak=none"], "twice"),
        ] {
            assert!(given(bad).unwrap_err().contains(what), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let before =
            json!({"tenant_id": "t", "on_leak": "revoke", "rotate_every_days": 30, "version": 2, "effective": {}});
        let given = read(&["rotate_every_days=90".to_owned()]).unwrap();
        assert_eq!(Value::Object(merged(&before, given)), json!({"on_leak": "revoke", "rotate_every_days": 90}));
    }
}
