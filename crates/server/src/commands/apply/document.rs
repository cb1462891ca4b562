//! What a file asks for: its documents put together, checked, and brought into the form in which the server answers.

use std::collections::HashSet;

use claviger_domain::grants::Verb;
use claviger_domain::name::Name;
use claviger_domain::network::Network;
use claviger_domain::time::Timestamp;
use serde_json::{Map, Value, json};

pub(super) use super::kind::Kind;

/// Names of tenants that lead from the one that is applied to down to another; none for that one itself.
pub(super) type Path = Vec<String>;

/// One thing that a file asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// The tenant it belongs to; of a tenant the one above.
    pub(super) tenant: Path,
    /// Its name; empty for a policy, of which there is one.
    pub(super) name: String,
    /// What is said of it. What is not said is left as it is.
    pub(super) members: Map<String, Value>,
}

/// Everything that a file asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// By kind, tenants above before those beneath.
    pub(super) items: Vec<Item>,
    /// The kinds of which there is a list: of these, what is not listed is drift.
    pub(super) kinds: Vec<Kind>,
}

impl Wanted {
    /// Reads the documents of a file.
    pub(super) fn read(documents: Vec<Value>) -> Result<Self, String> {
        let mut wanted = Self::default();
        for document in documents {
            match document {
                Value::Null => {}
                Value::Object(lists) => wanted.take(lists)?,
                _ => return Err(format!("a document is not a mapping of {}", lists())),
            }
        }
        let mut seen = HashSet::new();
        for item in &wanted.items {
            if !seen.insert((item.kind, key(&item.tenant), fold(&item.name))) {
                return Err(format!("{} stands twice", item.title()));
            }
        }
        wanted.items.sort_by_key(|item| (item.kind, item.tenant.len()));
        Ok(wanted)
    }

    fn take(&mut self, lists_given: Map<String, Value>) -> Result<(), String> {
        for (list, items) in lists_given {
            let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.list() == list) else {
                return Err(format!("there is no list {list:?}; known are {}", lists()));
            };
            let items = match items {
                Value::Array(items) => items,
                Value::Null => Vec::new(),
                _ => return Err(format!("{list} is not a list")),
            };
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
            for (index, item) in items.into_iter().enumerate() {
                let item = Item::read(kind, item).map_err(|what| format!("{list}[{index}]: {what}"))?;
                self.items.push(item);
            }
        }
        Ok(())
    }

    /// The tenants that the file deals with.
    pub(super) fn tenants(&self) -> Vec<Path> {
        let mut paths: Vec<Path> = Vec::new();
        for item in &self.items {
            let path = match item.kind {
                Kind::Tenant => item.tenant.iter().chain([&item.name]).cloned().collect(),
                _ => item.tenant.clone(),
            };
            if !paths.iter().any(|known| key(known) == key(&path)) {
                paths.push(path);
            }
        }
        paths
    }
}

fn lists() -> String {
    Kind::ALL.map(Kind::list).join(", ")
}

impl Item {
    fn read(kind: Kind, value: Value) -> Result<Self, String> {
        let Value::Object(mut given) = value else { return Err("not a mapping".to_owned()) };
        let tenant = path(kind.place(), given.remove(kind.place()))?;
        let name = match (kind, given.remove("name")) {
            (kind, None) if kind.is_single() => String::new(),
            (kind, Some(_)) if kind.is_single() => {
                return Err(format!("{} of a tenant: there is no name; the tenant has one", kind.noun()));
            }
            (_, Some(Value::String(name))) => {
                let name = Name::parse("name", &name).map_err(|error| error.to_string())?;
                name.as_str().to_owned()
            }
            (_, Some(_)) => return Err("name: not a text; put it into quotes".to_owned()),
            (_, None) => return Err("it has no name".to_owned()),
        };
        let mut members = Map::new();
        for (member, value) in given {
            if !kind.members().contains(&member.as_str()) {
                let known = kind.members().join(", ");
                return Err(format!("there is no member {member:?}; known are name, {}, {known}", kind.place()));
            }
            let value = normal(&member, value);
            members.insert(member, value);
        }
        if members.contains_key("access_level") && members.contains_key("grants") {
            return Err("both access_level and grants are given; an application has one of them".to_owned());
        }
        Ok(Self { kind, tenant, name, members })
    }

    /// How it is named to people.
    pub(super) fn title(&self) -> String {
        title(self.kind, &self.tenant, &self.name)
    }
}

/// How a thing is named to people.
pub(super) fn title(kind: Kind, tenant: &[String], name: &str) -> String {
    let quoted = |name: &str| format!("{:?}", shown(name));
    let place: Vec<_> = tenant.iter().map(|name| quoted(name)).collect();
    let of = if place.is_empty() { String::new() } else { format!(" of {}", place.join(" / ")) };
    if name.is_empty() { format!("{}{of}", kind.noun()) } else { format!("{} {}{of}", kind.noun(), quoted(name)) }
}

/// A text without what could move a cursor.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A tenant: a list of names, or one name.
fn path(member: &str, value: Option<Value>) -> Result<Path, String> {
    let wrong = || format!("{member}: give the names that lead to the tenant as a list, or one name");
    let names = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(name)) => vec![Value::String(name)],
        Some(Value::Array(names)) => names,
        Some(_) => return Err(wrong()),
    };
    let read = |name: Value| match name {
        Value::String(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        _ => Err(wrong()),
    };
    names.into_iter().map(read).collect()
}

/// What two spellings of a name have in common, as on the server.
pub(super) fn fold(name: &str) -> String {
    Name::parse("", name).map_or_else(|_| name.to_owned(), |name| name.key())
}

/// The same of a path.
pub(super) fn key(path: &[String]) -> Vec<String> {
    path.iter().map(|name| fold(name)).collect()
}

/// A member's value in the one form in which the server answers, so that what means the same is the same. What cannot be
/// read stays as it is: the server says what is wrong with it.
pub(super) fn normal(member: &str, value: Value) -> Value {
    match (member, value) {
        ("grants", Value::Object(grants)) => {
            grants.into_iter().map(|(name, verbs)| (name, sorted_verbs(verbs))).collect::<Map<_, _>>().into()
        }
        ("bindings", Value::Array(bindings)) => bindings.into_iter().map(binding).collect(),
        ("domains", Value::Array(domains)) => {
            let read = |domain: Value| domain.as_str().map_or(domain.clone(), |d| d.trim().to_ascii_lowercase().into());
            sorted(domains.into_iter().map(read).collect())
        }
        ("scopes", Value::Array(mut scopes)) => {
            scopes.retain(|scope| scope != "openid");
            scopes.insert(0, "openid".into());
            scopes.into()
        }
        ("default_access_levels", Value::Array(levels)) => sorted(levels),
        ("role_mapping", Value::Array(rules)) => rules.into_iter().map(rule).collect(),
        ("allowed_networks", Value::Array(networks)) => {
            let mut texts: Vec<Value> = Vec::with_capacity(networks.len());
            for network in networks {
                let text = network.as_str().and_then(|text| Network::parse("", text).ok());
                let network = text.map_or(network, |network| network.to_string().into());
                if !texts.contains(&network) {
                    texts.push(network);
                }
            }
            texts.into()
        }
        ("expires_at", Value::String(text)) => {
            Timestamp::parse(&text).map_or(text.into(), |time| time.to_string().into())
        }
        ("rate_limit", Value::Number(requests)) => json!({ "requests": requests, "window_seconds": 1 }),
        ("owner" | "access_level", Value::String(text)) => text.trim().into(),
        ("description", Value::Null) => "".into(),
        (_, value) => value,
    }
}

/// A binding with what may be left out, and without what only the server says.
fn binding(mut binding: Value) -> Value {
    if let Some(members) = binding.as_object_mut() {
        members.retain(|member, _| !["id", "last_use"].contains(&member.as_str()));
        let text = members.get("description").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        members.insert("description".into(), text.into());
    }
    binding
}

/// A rule with its access levels in one order.
fn rule(mut rule: Value) -> Value {
    if let Some(Value::Array(levels)) = rule.get_mut("access_levels") {
        *levels = sorted(std::mem::take(levels)).as_array().cloned().unwrap_or_default();
    }
    rule
}

/// What has no order, by names as they are compared.
fn sorted(mut texts: Vec<Value>) -> Value {
    let folded = |text: &Value| text.as_str().map(fold);
    texts.sort_by_key(folded);
    texts.dedup_by_key(|text| folded(text));
    texts.into()
}

fn sorted_verbs(verbs: Value) -> Value {
    match verbs {
        Value::Array(mut verbs) => {
            let place = |verb: &Value| {
                let verb = verb.as_str().and_then(Verb::parse);
                Verb::ALL.iter().position(|known| Some(*known) == verb)
            };
            verbs.sort_by_key(place);
            verbs.dedup();
            verbs.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::apply::yaml;

    fn read(text: &str) -> Result<Wanted, String> {
        Wanted::read(yaml::parse(text)?)
    }

    #[test]
    fn documents_are_put_together_in_the_order_of_making() {
        let wanted = read(
            "applications: [{name: SIEM, tenant: Acme, access_level: View All}]\n---\n\
             tenants:\n- {name: Below, parent: [Acme], kind: instance}\n- {name: ' Acme ', kind: organization}\n",
        )
        .unwrap();
        let titles: Vec<_> = wanted.items.iter().map(Item::title).collect();
        assert_eq!(titles, ["tenant \"Acme\"", "tenant \"Below\" of \"Acme\"", "application \"SIEM\" of \"Acme\""]);
        assert_eq!(wanted.kinds, [Kind::Application, Kind::Tenant]);
        assert_eq!(wanted.tenants(), [vec!["Acme".to_owned()], vec!["Acme".to_owned(), "Below".to_owned()]]);
    }

    #[test]
    fn members_take_the_form_of_the_server() {
        let wanted = read(
            "applications:\n- name: A\n  grants: {org.audits: [UPDATE, READ, READ]}\n  rate_limit: 5\n  \
             allowed_networks: [192.0.2.1, '2001:DB8::/32', 192.0.2.1/32]\n  expires_at: 2099-01-01T01:00:00+01:00\n  \
             owner: ' a@b '\n  description:\n",
        )
        .unwrap();
        let expected = json!({
            "grants": {"org.audits": ["READ", "UPDATE"]}, "rate_limit": {"requests": 5, "window_seconds": 1},
            "allowed_networks": ["192.0.2.1/32", "2001:db8::/32"], "expires_at": "2099-01-01T00:00:00.000000Z",
            "owner": "a@b", "description": ""
        });
        assert_eq!(Value::Object(wanted.items[0].members.clone()), expected);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (bad, what) in [
            ("applicatoins: []", "known are tenants"),
            ("applications: {}", "not a list"),
            ("- a", "not a mapping"),
            ("applications: [7]", "applications[0]"),
            ("applications: [{}]", "no name"),
            ("applications: [{name: 7}]", "quotes"),
            ("applications: [{name: ''}]", "empty"),
            ("applications: [{name: A, secret: x}]", "\"secret\""),
            ("applications: [{name: A, tenant: {a: b}}]", "tenant"),
            ("applications: [{name: A, access_level: x, grants: {}}]", "both"),
            ("applications: [{name: A}, {name: ' a'}]", "stands twice"),
            ("credential_policies: [{name: x}]", "policy"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(what), "{bad}: {error}");
        }
        assert!(read("").unwrap().items.is_empty() && read("applications:").unwrap().items.is_empty());
    }
}
