//! What the server holds of what a file deals with.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Map, Value};

use super::document::{Kind, Path, Wanted, key};
use super::plan::{Current, Tenant};
use crate::commands::Failure;
use crate::commands::http_client::{HttpClient, segment};

/// Reads it; `base` is the tenant that the file is applied to, the caller's own if none is named.
pub(super) async fn read(client: &HttpClient, base: Option<&str>, wanted: &Wanted) -> Result<Current, Failure> {
    let whoami = client.call(Method::GET, "/v1/whoami", None).await?;
    let own = |member: &str| whoami.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut current = Current { own_application: own("application_id"), ..Current::default() };
    let base = base.map_or_else(|| own("tenant_id"), str::to_owned);
    let paths = wanted.tenants();
    let mut known = vec![(Path::new(), base.clone(), Map::new())];
    if paths.iter().any(|path| !path.is_empty()) {
        known.extend(beneath(client, &base).await?);
    }
    for (path, id, body) in known {
        // Access levels that come with the server are the same everywhere: the first tenant that is read has them.
        if paths.iter().any(|wanted| key(wanted) == key(&path)) || path.is_empty() {
            let tenant = tenant(client, wanted, Tenant { path, id, body, ..Tenant::default() }).await?;
            let built_in = tenant.levels.iter().filter(|level| level.get("built_in") == Some(&Value::Bool(true)));
            let names = built_in.filter_map(|level| level.get("name").and_then(Value::as_str));
            if current.built_in.is_empty() {
                current.built_in = names.map(str::to_owned).collect();
            }
            current.tenants.push(tenant);
        }
    }
    Ok(current)
}

/// The tenants beneath one, with the names that lead to them.
async fn beneath(client: &HttpClient, base: &str) -> Result<Vec<(Path, String, Map<String, Value>)>, Failure> {
    let bodies = list(client, "/v1/tenants").await?;
    let text = |body: &Map<String, Value>, member: &str| body.get(member).and_then(Value::as_str).map(str::to_owned);
    let parents: HashMap<_, _> = bodies
        .iter()
        .filter_map(|body| Some((text(body, "id")?, (text(body, "name")?, text(body, "parent_id")))))
        .collect();
    let path = |id: &str| {
        let (mut names, mut at) = (Path::new(), id.to_owned());
        while at != base {
            let (name, parent) = parents.get(&at)?;
            names.push(name.clone());
            at = parent.clone()?;
        }
        names.reverse();
        Some(names)
    };
    let placed = bodies.iter().filter_map(|body| {
        let id = text(body, "id")?;
        Some((path(&id)?, id, body.clone()))
    });
    Ok(placed.filter(|(path, _, _)| !path.is_empty()).collect())
}

async fn tenant(client: &HttpClient, wanted: &Wanted, mut tenant: Tenant) -> Result<Tenant, Failure> {
    let at = format!("/v1/tenants/{}", segment(&tenant.id));
    let asks = |kind| wanted.kinds.contains(&kind);
    // Applications and identity providers name access levels, so these are needed for each.
    if asks(Kind::AccessLevel) || asks(Kind::Application) || asks(Kind::IdentityProvider) {
        tenant.levels = list(client, &format!("{at}/access-levels")).await?;
    }
    // Bindings name applications.
    if asks(Kind::Application) || asks(Kind::TrustedIssuer) {
        tenant.applications = list(client, &format!("{at}/applications")).await?;
    }
    if asks(Kind::TrustedIssuer) {
        tenant.issuers = list(client, &format!("{at}/trusted-issuers")).await?;
    }
    if asks(Kind::IdentityProvider) {
        tenant.providers = list(client, &format!("{at}/identity-providers")).await?;
    }
    let path = key(&tenant.path);
    let has = |kind| wanted.items.iter().any(|item| item.kind == kind && key(&item.tenant) == path);
    if has(Kind::CredentialPolicy) {
        let policy = client.call(Method::GET, &format!("{at}/credential-policy"), None).await?;
        tenant.policy = policy.as_object().cloned();
    }
    if has(Kind::TokenSettings) {
        let settings = client.call(Method::GET, &format!("{at}/token-settings"), None).await?;
        tenant.token_settings = settings.as_object().cloned();
    }
    Ok(tenant)
}

/// All items of a list.
async fn list(client: &HttpClient, path: &str) -> Result<Vec<Map<String, Value>>, Failure> {
    let items = client.list(path).await?;
    Ok(items.into_iter().filter_map(|item| if let Value::Object(item) = item { Some(item) } else { None }).collect())
}
