//! Carries a plan out, step by step, each bound to the version that the plan was made for.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::document::{Kind, Path, fold, key};
use super::plan::{Action, Current, Plan, Step};
use crate::commands::Failure;
use crate::commands::http_client::{HttpClient, segment};

/// A secret that was made, with what it belongs to.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) tenant: Path,
    pub(super) application: String,
    pub(super) application_id: String,
    pub(super) client_id: String,
    pub(super) secret: String,
}

impl Made {
    /// One line of the secrets' file.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "tenant": self.tenant,
            "application": self.application,
            "application_id": self.application_id,
            "client_id": self.client_id,
            "secret": self.secret,
        })
    }
}

/// The ids behind names: of what there is, and of what has been made meanwhile.
struct Ids {
    tenants: HashMap<Path, String>,
    levels: HashMap<(Path, String), String>,
    applications: HashMap<(Path, String), String>,
}

impl Ids {
    fn of(current: &Current) -> Self {
        let (mut tenants, mut levels, mut applications) = (HashMap::new(), HashMap::new(), HashMap::new());
        for tenant in &current.tenants {
            let place = key(&tenant.path);
            tenants.insert(place.clone(), tenant.id.clone());
            for application in &tenant.applications {
                let text = |member: &str| application.get(member).and_then(Value::as_str).unwrap_or_default();
                applications.insert((place.clone(), fold(text("name"))), text("id").to_owned());
            }
            for level in &tenant.levels {
                let text = |member: &str| level.get(member).and_then(Value::as_str).unwrap_or_default();
                let built_in = level.get("built_in") == Some(&Value::Bool(true));
                // Those that come with the server are found from every tenant, also from one that is yet to be made.
                let names = [built_in.then(Path::new), Some(place.clone())];
                for place in names.into_iter().flatten() {
                    levels.insert((place, fold(text("name"))), text("id").to_owned());
                }
            }
        }
        Self { tenants, levels, applications }
    }

    fn tenant(&self, path: &[String]) -> Result<String, Failure> {
        let found = self.tenants.get(&key(path));
        found.map(|id| segment(id)).ok_or_else(|| Failure(format!("the tenant {path:?} is not there")))
    }

    fn level(&self, tenant: &[String], name: &str) -> Option<&String> {
        let own = self.levels.get(&(key(tenant), fold(name)));
        own.or_else(|| self.levels.get(&(Path::new(), fold(name))))
    }
}

/// Does everything that is pending. Each step is told when it is done, with the secret that it made, before the next begins.
pub(super) async fn carry_out(
    client: &HttpClient,
    current: &Current,
    plan: &Plan,
    mut tell: impl FnMut(&Step, Option<Made>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut ids = Ids::of(current);
    for step in plan.pending() {
        let done = one(client, &mut ids, current, step).await;
        let made = done.map_err(|Failure(what)| Failure(format!("{} {}: {what}", step.action.word(), step.title())))?;
        tell(step, made)?;
    }
    Ok(())
}

async fn one(client: &HttpClient, ids: &mut Ids, current: &Current, step: &Step) -> Result<Option<Made>, Failure> {
    match (step.kind, step.action) {
        (Kind::Tenant, Action::Create) => create_tenant(client, ids, step).await.map(|()| None),
        (Kind::Tenant, _) => {
            let path = format!("/v1/tenants/{}", id(step));
            client.change(Method::PATCH, &path, Some(&body(ids, step)?), step.version).await.map(|_| None)
        }
        (Kind::CredentialPolicy, _) => {
            let path = format!("/v1/tenants/{}/credential-policy", ids.tenant(&step.tenant)?);
            // What the file does not name stays: the call sets the whole policy.
            let mut whole = Map::new();
            let before = current.tenant(&step.tenant).and_then(|tenant| tenant.policy.clone()).unwrap_or_default();
            let known = |member: &String| Kind::CredentialPolicy.members().contains(&member.as_str());
            whole.extend(before.into_iter().filter(|(member, _)| known(member)));
            whole.extend(step.changes.iter().map(|change| (change.member.clone(), change.to.clone())));
            client.change(Method::PUT, &path, Some(&Value::Object(whole)), step.version).await.map(|_| None)
        }
        (Kind::TokenSettings, _) => {
            let path = format!("/v1/tenants/{}/token-settings", ids.tenant(&step.tenant)?);
            client.call(Method::PUT, &path, Some(&body(ids, step)?)).await.map(|_| None)
        }
        (kind, action) => {
            let list = match kind {
                Kind::AccessLevel => "access-levels",
                Kind::TrustedIssuer => "trusted-issuers",
                Kind::IdentityProvider => "identity-providers",
                _ => "applications",
            };
            let all = format!("/v1/tenants/{}/{list}", ids.tenant(&step.tenant)?);
            let path = format!("{all}/{}", id(step));
            match action {
                Action::Create => {
                    let made = client.call(Method::POST, &all, Some(&body(ids, step)?)).await?;
                    Ok(created(ids, step, &made))
                }
                Action::Delete => client.change(Method::DELETE, &path, None, step.version).await.map(|_| None),
                _ => client.change(Method::PATCH, &path, Some(&body(ids, step)?), step.version).await.map(|_| None),
            }
        }
    }
}

async fn create_tenant(client: &HttpClient, ids: &mut Ids, step: &Step) -> Result<(), Failure> {
    let Value::Object(mut members) = body(ids, step)? else { return Ok(()) };
    let kind = members.remove("kind");
    members.remove("name");
    let parent = ids.tenant(&step.tenant)?;
    let new = json!({ "name": step.name, "kind": kind, "parent_id": parent });
    let made = client.call(Method::POST, "/v1/tenants", Some(&new)).await?;
    let id = made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let path: Path = step.tenant.iter().chain([&step.name]).cloned().collect();
    ids.tenants.insert(key(&path), id.clone());
    members.retain(|member, value| made.get(member) != Some(value));
    if !members.is_empty() {
        let path = format!("/v1/tenants/{}", segment(&id));
        client.call(Method::PATCH, &path, Some(&Value::Object(members))).await?;
    }
    Ok(())
}

/// Remembers what was made; the secret of an application.
fn created(ids: &mut Ids, step: &Step, made: &Value) -> Option<Made> {
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if step.kind == Kind::AccessLevel {
        ids.levels.insert((key(&step.tenant), fold(&step.name)), text("/id"));
        return None;
    }
    if step.kind == Kind::Application {
        ids.applications.insert((key(&step.tenant), fold(&step.name)), text("/application/id"));
    }
    // There is none where secrets are forbidden.
    let secret = made.pointer("/secret/text").and_then(Value::as_str)?.to_owned();
    Some(Made {
        tenant: step.tenant.clone(),
        application: step.name.clone(),
        application_id: text("/application/id"),
        client_id: text("/application/client_id"),
        secret,
    })
}

fn id(step: &Step) -> String {
    segment(step.id.as_deref().unwrap_or_default())
}

/// The members of a step as the server takes them.
fn body(ids: &Ids, step: &Step) -> Result<Value, Failure> {
    let mut members = Map::new();
    if step.action == Action::Create && !step.kind.is_single() {
        members.insert("name".into(), step.name.clone().into());
    }
    for change in &step.changes {
        let (member, to) = match (change.member.as_str(), &change.to) {
            ("access_level", name @ Value::String(_)) => ("access_level_id", level_id(ids, &step.tenant, name)?),
            ("default_access_levels", names) => ("default_access_level_ids", level_ids(ids, &step.tenant, names)?),
            ("role_mapping", to) => ("role_mapping", rules_by_id(ids, &step.tenant, to)?),
            ("bindings", to) => ("bindings", bound_by_id(ids, &step.tenant, to)?),
            (member, to) => (member, to.clone()),
        };
        members.insert(member.to_owned(), to);
    }
    Ok(Value::Object(members))
}

/// The id of an access level; what is no name stays: the server says what is wrong with it.
fn level_id(ids: &Ids, tenant: &[String], name: &Value) -> Result<Value, Failure> {
    let Some(name) = name.as_str() else { return Ok(name.clone()) };
    let found = ids.level(tenant, name);
    found.map(|id| id.clone().into()).ok_or_else(|| Failure(format!("there is no access level {name:?}")))
}

fn level_ids(ids: &Ids, tenant: &[String], names: &Value) -> Result<Value, Failure> {
    let Some(names) = names.as_array() else { return Ok(names.clone()) };
    names.iter().map(|name| level_id(ids, tenant, name)).collect()
}

/// Rules with the ids of access levels in place of their names.
fn rules_by_id(ids: &Ids, tenant: &[String], rules: &Value) -> Result<Value, Failure> {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(names) = rule.remove("access_levels") {
            rule.insert("access_level_ids".into(), level_ids(ids, tenant, &names)?);
        }
    }
    Ok(rules)
}

/// Bindings with the ids of applications in place of their names.
fn bound_by_id(ids: &Ids, tenant: &[String], bindings: &Value) -> Result<Value, Failure> {
    let mut bindings = bindings.clone();
    for binding in bindings.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(Value::String(name)) = binding.remove("application") {
            let found = ids.applications.get(&(key(tenant), fold(&name)));
            let id = found.ok_or_else(|| Failure(format!("there is no application {name:?}")))?;
            binding.insert("application_id".into(), id.clone().into());
        }
    }
    Ok(bindings)
}
