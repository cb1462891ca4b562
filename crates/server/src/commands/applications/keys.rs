//! `claviger applications keys …`: public keys of an application.

use reqwest::Method;
use serde_json::{Value, json};

use super::{listed, print, read, shown};
use crate::cli::{KeysCommand, Output};
use crate::commands::Failure;
use crate::commands::http_client::{HttpClient, segment};

/// Carries the command out; `all` is the path of the tenant's applications.
pub(super) async fn run(client: &HttpClient, all: &str, command: KeysCommand, output: Output) -> Result<(), Failure> {
    let keys = |id: &str| format!("{all}/{}/keys", segment(id));
    match command {
        KeysCommand::List { id } => {
            let found = client.call(Method::GET, &keys(&id), None).await?;
            let items = found.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            print(&listed(items, &["id", "name", "kid", "algorithm", "created_at", "expires_at"], output))
        }
        KeysCommand::Add { id, name, jwk, expires_at } => {
            let text = read(&jwk)?;
            let key: Value = serde_json::from_str(&text).map_err(|error| Failure::at(&jwk, error))?;
            let body = json!({ "name": name, "jwk": key, "expires_at": expires_at });
            let made = client.call(Method::POST, &keys(&id), Some(&body)).await?;
            print(&shown(&made, output))
        }
        KeysCommand::Delete { id, key } => {
            client.call(Method::DELETE, &format!("{}/{}", keys(&id), segment(&key)), None).await.map(|_| ())
        }
    }
}
