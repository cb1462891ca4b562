//! `claviger tenants …`: the tenants of a running server, over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use super::applications::{cell, pretty, table};
use super::http_client::{HttpClient, segment};
use super::{Failure, print};
use crate::cli::{Output, TenantsArgs, TenantsCommand};

const COLUMNS: [&str; 6] = ["id", "name", "kind", "status", "parent_id", "external_id"];

/// Carries the command out. `env` looks an environment variable up.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn run(args: TenantsArgs, env: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let client = HttpClient::new(&args.client, env)?;
    let (output, one) = (args.client.output, |id: &str| format!("/v1/tenants/{}", segment(id)));
    let stand =
        async |id: &str, verb: &str| client.call(Method::POST, &format!("{}/{verb}", one(id)), Some(&json!({}))).await;
    let shown = match &args.command {
        TenantsCommand::List { search, parent, kind, status } => {
            let given = [("q", search), ("parent_id", parent), ("kind", kind), ("status", status)];
            let items = client.list_where("/v1/tenants", &given.map(|(name, value)| (name, value.as_deref()))).await?;
            return print(&listed(&items, output));
        }
        TenantsCommand::Show { id } => client.call(Method::GET, &one(id), None).await?,
        TenantsCommand::Suspend { id } => stand(id, "suspend").await?,
        TenantsCommand::Reactivate { id } => stand(id, "reactivate").await?,
        TenantsCommand::Delete { id } => client.call(Method::DELETE, &one(id), None).await?,
    };
    print(&told(&shown, output))
}

fn listed(items: &[Value], output: Output) -> String {
    if output == Output::Json {
        return pretty(&json!({ "items": items, "next_cursor": null }));
    }
    let mut rows = vec![COLUMNS.map(str::to_uppercase).to_vec()];
    rows.extend(items.iter().map(|item| COLUMNS.iter().map(|name| cell(item.get(*name))).collect()));
    table(&rows)
}

/// A tenant, a member a line; what is not set is left out.
fn told(tenant: &Value, output: Output) -> String {
    if output == Output::Json {
        return pretty(tenant);
    }
    let members = tenant.as_object().into_iter().flatten();
    let empty =
        |value: &Value| value.is_null() || value.as_object().is_some_and(|inner| inner.values().all(Value::is_null));
    let rows: Vec<_> =
        members.filter(|(_, value)| !empty(value)).map(|(name, value)| vec![name.clone(), cell(Some(value))]).collect();
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_told_without_what_is_not_set() {
        let tenant = json!({"id": "1", "name": "Acme", "country": null, "address": {"city": null}, "trial": false});
        let text = told(&tenant, Output::Table);
        assert!(text.contains("Acme") && text.contains("trial"), "{text}");
        assert!(!text.contains("country") && !text.contains("address"), "{text}");
        assert_eq!(listed(&[tenant], Output::Table).lines().count(), 2);
    }
}
