//! The audit record: one entry per change, chained by hashes, so that whoever edits the past is found out.
//!
//! An entry's hash is SHA-256 over the hash before it and the entry's canonical form. The canonical form is JSON with
//! sorted members and no blanks; what it holds is fixed here, and no secret can get in because its type has no text.

use crate::id::TenantId;
use crate::time::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Characters that are kept of any text somebody else chose.
pub const TEXT_MAX: usize = 512;

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `application`, or `system` for the server itself, or `stranger` for whoever could not be told.
    pub kind: &'static str,
    /// The client id, or nothing.
    pub id: String,
    /// The tenant the actor belongs to.
    pub tenant_id: Option<TenantId>,
}

/// What was acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind of noun.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name at the time.
    pub name: String,
}

/// An entry before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What: noun and past participle, such as `application.created`.
    pub action: &'static str,
    /// Upon what.
    pub target: Target,
    /// From which address.
    pub address: Option<IpAddr>,
    /// The request it was done in, as the answer named it; empty for the server's own doing.
    pub request_id: String,
    /// Method and path of that request; empty for the server's own doing.
    pub request: String,
    /// Further members, each chosen by the verb that writes the entry.
    pub details: Map<String, Value>,
}

impl NewEntry {
    /// What the server did of itself, without a request.
    pub fn by_system(at: Timestamp, action: &'static str, target: Target, details: Map<String, Value>) -> Self {
        let actor = Actor { kind: "system", id: String::new(), tenant_id: None };
        Self { at, actor, action, target, address: None, request_id: String::new(), request: String::new(), details }
    }
}

/// An entry in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in its tenant's chain, from 1, without gaps.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// The canonical form, whose members are those of [`NewEntry`].
    pub body: Value,
    /// Hash of the chain up to and with this entry.
    pub hash: [u8; 32],
}

/// The hash before the first entry of a chain.
pub const GENESIS: [u8; 32] = [0; 32];

impl NewEntry {
    /// The canonical form of the entry at place `number` of `tenant`'s chain.
    pub fn canonical(&self, tenant: TenantId, number: i64) -> Value {
        json!({
            "action": self.action,
            "actor": {
                "id": clean(&self.actor.id),
                "kind": self.actor.kind,
                "tenant_id": self.actor.tenant_id.map(|id| id.to_string()),
            },
            "address": self.address.map(|address| address.to_string()),
            "at": self.at.to_string(),
            "details": self.details.iter().map(|(name, value)| (name.clone(), clean_value(value))).collect::<Map<_, _>>(),
            "number": number,
            "request": clean(&self.request),
            "request_id": self.request_id,
            "target": { "id": clean(&self.target.id), "kind": self.target.kind, "name": clean(&self.target.name) },
            "tenant_id": tenant.to_string(),
        })
    }
}

/// The hash that follows `previous` when `canonical` is appended.
pub fn link(previous: &[u8; 32], canonical: &str) -> [u8; 32] {
    Sha256::new().chain_update(previous).chain_update(canonical.as_bytes()).finalize().into()
}

/// Text that somebody else chose, made safe to keep: control characters as `\u{..}` escapes, cut at [`TEXT_MAX`].
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(TEXT_MAX));
    for c in text.chars().take(TEXT_MAX) {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            cleaned.extend(c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

fn clean_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(values) => values.iter().map(clean_value).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (clean(name), clean_value(value))).collect(),
        other => other.clone(),
    }
}

/// What narrows a list of entries; what is absent narrows nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// The actor's id.
    pub actor: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The target's id.
    pub target: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> NewEntry {
        NewEntry {
            at: Timestamp::from_micros(1),
            actor: Actor { kind: "application", id: "a\r\nb".into(), tenant_id: None },
            action: "application.created",
            target: Target { kind: "application", id: "1".into(), name: "\u{1b}[31mred".into() },
            address: None,
            request_id: String::new(),
            request: String::new(),
            details: Map::from_iter([("user_agent".to_owned(), Value::from("x".repeat(1_000_000)))]),
        }
    }

    #[test]
    fn the_canonical_form_is_sorted_bounded_and_printable() {
        let tenant = TenantId::from_u128(7);
        let text = entry().canonical(tenant, 1).to_string();
        assert!(text.len() < 2_000);
        assert!(!text.chars().any(char::is_control) && text.contains("a\\\\u{d}\\\\u{a}b"), "{text}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back.to_string(), text, "reading and writing again changes nothing");
    }

    #[test]
    fn every_change_changes_the_hash() {
        let tenant = TenantId::from_u128(7);
        let hash = |number, previous: &[u8; 32]| link(previous, &entry().canonical(tenant, number).to_string());
        assert_ne!(hash(1, &GENESIS), hash(2, &GENESIS));
        assert_ne!(hash(1, &GENESIS), hash(1, &hash(1, &GENESIS)));
    }
}
