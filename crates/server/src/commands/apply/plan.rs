//! The plan: what stands between what there is and what a file asks for. Pure, so that it can be tested without a server.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::document::{Item, Kind, Path, Wanted, fold, key, normal, title};

/// What the server holds, as far as a file deals with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Current {
    /// The tenants that exist, by path.
    pub(super) tenants: Vec<Tenant>,
    /// Names of the access levels that come with the server.
    pub(super) built_in: Vec<String>,
    /// The application whose credential is used: it is never taken away.
    pub(super) own_application: String,
}

/// A tenant with what it holds, as the server answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tenant {
    pub(super) path: Path,
    pub(super) id: String,
    pub(super) body: Map<String, Value>,
    pub(super) levels: Vec<Map<String, Value>>,
    pub(super) applications: Vec<Map<String, Value>>,
    pub(super) policy: Option<Map<String, Value>>,
    pub(super) token_settings: Option<Map<String, Value>>,
    pub(super) issuers: Vec<Map<String, Value>>,
    pub(super) providers: Vec<Map<String, Value>>,
}

impl Current {
    pub(super) fn tenant(&self, path: &[String]) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| key(&tenant.path) == key(path))
    }
}

impl Tenant {
    /// The access level that an id names.
    fn level_name(&self, id: &Value) -> Option<&Value> {
        self.levels.iter().find(|level| level.get("id") == Some(id)).and_then(|level| level.get("name"))
    }

    /// The thing of that kind and name, in the words of a file.
    fn find(&self, kind: Kind, name: &str) -> Option<Map<String, Value>> {
        let named = |list: &[Map<String, Value>]| {
            list.iter().find(|one| one.get("name").and_then(Value::as_str).map(fold) == Some(fold(name))).cloned()
        };
        match kind {
            Kind::Tenant => Some(self.body.clone()),
            Kind::CredentialPolicy => self.policy.clone(),
            Kind::TokenSettings => self.token_settings.clone(),
            Kind::AccessLevel => named(&self.levels),
            Kind::Application => named(&self.applications).map(|application| self.in_words(application)),
            Kind::TrustedIssuer => named(&self.issuers).map(|issuer| self.bound_by_name(issuer)),
            Kind::IdentityProvider => named(&self.providers).map(|provider| self.levels_by_name(provider)),
        }
    }

    /// A trusted issuer whose bindings name applications in place of their ids.
    fn bound_by_name(&self, mut issuer: Map<String, Value>) -> Map<String, Value> {
        let bindings = issuer.get_mut("bindings").and_then(Value::as_array_mut);
        for binding in bindings.into_iter().flatten().filter_map(Value::as_object_mut) {
            let id = binding.remove("application_id").unwrap_or_default();
            let found = self.applications.iter().find(|application| application.get("id") == Some(&id));
            let name = found.and_then(|application| application.get("name")).cloned();
            binding.insert("application".into(), name.unwrap_or(id));
        }
        issuer
    }

    /// An identity provider whose access levels are named in place of their ids.
    fn levels_by_name(&self, mut provider: Map<String, Value>) -> Map<String, Value> {
        let named = |ids: Option<Value>| -> Value {
            let ids = ids.as_ref().and_then(Value::as_array).into_iter().flatten();
            ids.map(|id| self.level_name(id).unwrap_or(id).clone()).collect()
        };
        let levels = named(provider.remove("default_access_level_ids"));
        provider.insert("default_access_levels".into(), levels);
        let rules = provider.get_mut("role_mapping").and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
            let levels = named(rule.remove("access_level_ids"));
            rule.insert("access_levels".into(), levels);
        }
        provider
    }

    /// An application with the name of its access level in place of the id.
    fn in_words(&self, mut application: Map<String, Value>) -> Map<String, Value> {
        let level = application.remove("access_level_id").filter(|id| !id.is_null());
        let name = level.map(|id| self.level_name(&id).cloned().unwrap_or(id));
        application.insert("access_level".into(), name.unwrap_or(Value::Null));
        application
    }
}

/// What is done about a thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Create,
    Update,
    Unchanged,
    /// It is not in the file, and stays.
    Drift,
    /// It is not in the file, and goes.
    Delete,
}

impl Action {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Drift => "not in the file",
            Self::Delete => "delete",
        }
    }
}

/// A member that differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) member: String,
    pub(super) from: Option<Value>,
    pub(super) to: Value,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) tenant: Path,
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) changes: Vec<Change>,
    /// The id of what exists.
    pub(super) id: Option<String>,
    /// The version that was looked at: another one is not changed.
    pub(super) version: Option<i64>,
    /// What cannot be had.
    pub(super) notes: Vec<String>,
}

impl Step {
    fn of(item: &Item, action: Action) -> Self {
        let (tenant, name) = (item.tenant.clone(), item.name.clone());
        let (changes, notes) = (Vec::new(), Vec::new());
        Self { kind: item.kind, tenant, name, action, changes, id: None, version: None, notes }
    }

    /// How it is named to people.
    pub(super) fn title(&self) -> String {
        title(self.kind, &self.tenant, &self.name)
    }

    /// As a program reads it.
    pub(super) fn to_json(&self) -> Value {
        let changes = self.changes.iter().map(|c| json!({ "member": c.member, "from": c.from, "to": c.to }));
        json!({
            "action": self.action.word().replace(' ', "_"),
            "kind": self.kind.noun().replace(' ', "_"),
            "tenant": self.tenant,
            "name": self.name,
            "id": self.id,
            "changes": changes.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

/// All steps, in the order in which they are done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// How many steps come to that.
    pub(super) fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// The steps that change something.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Step> {
        let changes = |step: &&Step| matches!(step.action, Action::Create | Action::Update | Action::Delete);
        self.steps.iter().filter(changes)
    }
}

/// Compares what there is with what is wanted; what could never be carried out is refused, all of it at once.
pub(super) fn plan(current: &Current, wanted: &Wanted, prune: bool) -> Result<Plan, Vec<String>> {
    let (mut steps, mut impossible) = (Vec::new(), Vec::new());
    for item in &wanted.items {
        match step(current, wanted, item) {
            Ok(step) => steps.push(step),
            Err(what) => impossible.push(format!("{}: {what}", item.title())),
        }
    }
    steps.extend(unlisted(current, wanted, prune));
    if impossible.is_empty() { Ok(Plan { steps }) } else { Err(impossible) }
}

fn step(current: &Current, wanted: &Wanted, item: &Item) -> Result<Step, String> {
    let at: Path = match item.kind {
        Kind::Tenant => item.tenant.iter().chain([&item.name]).cloned().collect(),
        _ => item.tenant.clone(),
    };
    let is_planned = |path: &[String]| {
        let made = |other: &Item| {
            other.kind == Kind::Tenant
                && path
                    .split_last()
                    .is_some_and(|(name, parent)| key(&other.tenant) == key(parent) && fold(&other.name) == fold(name))
        };
        wanted.items.iter().any(made)
    };
    if current.tenant(&item.tenant).is_none() && !is_planned(&item.tenant) {
        return Err("there is no such tenant, and the file does not make it".to_owned());
    }
    for level in levels(item) {
        check_level(current, wanted, item, level)?;
    }
    for name in bound(item) {
        check_application(current, wanted, item, name)?;
    }
    let Some(found) = current.tenant(&at).and_then(|tenant| tenant.find(item.kind, &item.name)) else {
        return create(item);
    };
    let mut step = Step::of(item, Action::Unchanged);
    step.id = found.get("id").and_then(Value::as_str).map(str::to_owned);
    step.version = found.get("version").and_then(Value::as_i64);
    for (member, to) in &item.members {
        let from = found.get(member).cloned().map(|value| normal(member, value));
        let same = match (member.as_str(), &from, to) {
            ("access_level", Some(Value::String(from)), Value::String(to)) => fold(from) == fold(to),
            ("bindings" | "role_mapping" | "default_access_levels", Some(from), to) => {
                named_alike(from) == named_alike(to)
            }
            (_, from, to) => from.as_ref() == Some(to),
        };
        match member.as_str() {
            _ if same => {}
            "kind" => return Err("the kind of a tenant cannot be changed".to_owned()),
            "client_id" if item.kind == Kind::Application => {
                let has = from.as_ref().and_then(Value::as_str).unwrap_or_default();
                step.notes.push(format!("its client id is {has:?}, which cannot be changed"));
            }
            "key_type" => {
                let has = from.as_ref().and_then(Value::as_str).unwrap_or_default();
                step.notes.push(format!("its key type is {has:?}, which only `applications migrate` changes"));
            }
            _ => step.changes.push(Change { member: member.clone(), from, to: to.clone() }),
        }
    }
    if let Some(name) = found.get("name").and_then(Value::as_str).filter(|name| *name != item.name) {
        let to = item.name.clone().into();
        step.changes.push(Change { member: "name".into(), from: Some(name.into()), to });
    }
    if !step.changes.is_empty() {
        step.action = Action::Update;
    }
    Ok(step)
}

fn create(item: &Item) -> Result<Step, String> {
    let mut step = Step::of(item, Action::Create);
    let has = |member: &str| item.members.contains_key(member);
    match item.kind {
        Kind::Tenant if !has("kind") => return Err("a tenant to be made needs a kind".to_owned()),
        Kind::AccessLevel if !has("grants") => return Err("an access level to be made needs grants".to_owned()),
        Kind::TrustedIssuer if !has("issuer") => {
            return Err("a trusted issuer to be made needs issuer, the iss of its tokens".to_owned());
        }
        Kind::IdentityProvider if !["issuer", "client_id", "domains"].into_iter().all(has) => {
            return Err("an identity provider to be made needs issuer, client_id and domains".to_owned());
        }
        Kind::Application if !["grants", "access_level", "key_type"].into_iter().any(has) => {
            return Err("an application to be made needs access_level, grants or key_type".to_owned());
        }
        _ => {}
    }
    if item.kind == Kind::IdentityProvider {
        step.notes.push("it gets no client secret; set that by the API".to_owned());
    }
    for (member, to) in &item.members {
        if member == "client_id" && item.kind == Kind::Application {
            step.notes.push("it gets a client id of its own; import it to keep one".to_owned());
        } else {
            step.changes.push(Change { member: member.clone(), from: None, to: to.clone() });
        }
    }
    Ok(step)
}

fn check_level(current: &Current, wanted: &Wanted, item: &Item, level: &str) -> Result<(), String> {
    let same = |name: &str| fold(name) == fold(level);
    let listed = wanted
        .items
        .iter()
        .any(|other| other.kind == Kind::AccessLevel && key(&other.tenant) == key(&item.tenant) && same(&other.name));
    let exists = current.tenant(&item.tenant).is_some_and(|t| t.find(Kind::AccessLevel, level).is_some());
    if listed || exists || current.built_in.iter().any(|name| same(name)) {
        return Ok(());
    }
    Err(format!("its tenant has no access level {level:?}, and the file does not make it"))
}

/// The names of access levels in an item.
fn levels(item: &Item) -> impl Iterator<Item = &str> {
    fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
        value.and_then(Value::as_array).into_iter().flatten()
    }
    let of_rules = list(item.members.get("role_mapping")).flat_map(|rule| list(rule.get("access_levels")));
    let given = list(item.members.get("default_access_levels")).chain(of_rules);
    item.members.get("access_level").into_iter().chain(given).filter_map(Value::as_str)
}

/// The names of applications in an issuer's bindings.
fn bound(item: &Item) -> impl Iterator<Item = &str> {
    let bindings = item.members.get("bindings").and_then(Value::as_array);
    bindings.into_iter().flatten().filter_map(|binding| binding.get("application").and_then(Value::as_str))
}

/// What names applications or access levels, with their names as they are compared.
fn named_alike(value: &Value) -> Value {
    let folded = |text: &Value| text.as_str().map_or_else(|| text.clone(), |name| fold(name).into());
    let one = |item: &Value| {
        let Value::Object(members) = item else { return folded(item) };
        let mut members = members.clone();
        for (member, value) in &mut members {
            match value {
                Value::Array(names) if member == "access_levels" => {
                    names.iter_mut().for_each(|name| *name = folded(name))
                }
                Value::String(_) if member == "application" => *value = folded(value),
                _ => {}
            }
        }
        Value::Object(members)
    };
    value.as_array().into_iter().flatten().map(one).collect()
}

fn check_application(current: &Current, wanted: &Wanted, item: &Item, name: &str) -> Result<(), String> {
    let listed = wanted.items.iter().any(|other| {
        other.kind == Kind::Application && key(&other.tenant) == key(&item.tenant) && fold(&other.name) == fold(name)
    });
    let exists = current.tenant(&item.tenant).is_some_and(|tenant| tenant.find(Kind::Application, name).is_some());
    if listed || exists {
        return Ok(());
    }
    Err(format!("its tenant has no application {name:?}, and the file does not make it"))
}

/// What the tenants of the file hold that the file does not list: issuers first, since they refer to applications, and these to
/// access levels, as providers do.
fn unlisted(current: &Current, wanted: &Wanted, prune: bool) -> Vec<Step> {
    let listed: HashSet<_> = wanted.items.iter().map(|item| (item.kind, key(&item.tenant), fold(&item.name))).collect();
    let mut steps = Vec::new();
    for kind in [Kind::IdentityProvider, Kind::TrustedIssuer, Kind::Application, Kind::AccessLevel]
        .into_iter()
        .filter(|kind| wanted.kinds.contains(kind))
    {
        for tenant in wanted.tenants().iter().filter_map(|path| current.tenant(path)) {
            let all = match kind {
                Kind::IdentityProvider => &tenant.providers,
                Kind::TrustedIssuer => &tenant.issuers,
                Kind::Application => &tenant.applications,
                _ => &tenant.levels,
            };
            for one in all.iter().filter(|one| one.get("built_in") != Some(&Value::Bool(true))) {
                let text = |member: &str| one.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (name, id) = (text("name"), text("id"));
                if listed.contains(&(kind, key(&tenant.path), fold(&name))) {
                    continue;
                }
                let own = kind == Kind::Application && id == current.own_application;
                let action = if prune && !own { Action::Delete } else { Action::Drift };
                let item = Item { kind, tenant: tenant.path.clone(), name, members: Map::new() };
                let mut step = Step::of(&item, action);
                step.version = one.get("version").and_then(Value::as_i64);
                step.id = Some(id);
                if own {
                    step.notes.push("its credential is the one in use here, so it stays".to_owned());
                }
                steps.push(step);
            }
        }
    }
    steps
}
