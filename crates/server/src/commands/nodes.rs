//! `claviger nodes`: the servers of the store, over HTTP.

use super::applications::{cell, pretty, table};
use super::http_client::HttpClient;
use super::{Failure, print};
use crate::cli::{ClientArgs, Output};
use reqwest::Method;
use serde_json::Value;

const COLUMNS: [&str; 8] = ["name", "address", "version", "lag", "lease_ms", "in_charge", "clock_offset_ms", "id"];

/// Lists the nodes. `env` looks an environment variable up.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn run(args: &ClientArgs, env: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let found = HttpClient::new(args, env)?.call(Method::GET, "/v1/nodes", None).await?;
    if args.output == Output::Json {
        return print(&pretty(&found));
    }
    let items = found.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut rows = vec![COLUMNS.map(str::to_uppercase).to_vec()];
    rows.extend(items.iter().map(|item| COLUMNS.iter().map(|name| cell(item.get(*name))).collect()));
    print(&table(&rows))
}
