//! An entry as pages and files tell it.

use super::Actor;
use claviger_domain::audit::Entry;
use claviger_domain::time::Timestamp;
use serde_json::Value;

/// What an entry says.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) number: i64,
    pub(crate) at: Timestamp,
    pub(crate) action: String,
    pub(crate) actor_kind: String,
    pub(crate) actor: String,
    pub(crate) actor_tenant: String,
    pub(crate) target_kind: String,
    pub(crate) target: String,
    pub(crate) target_name: String,
    pub(crate) address: String,
    pub(crate) request: String,
    pub(crate) request_id: String,
    pub(crate) details: Value,
    pub(crate) hash: [u8; 32],
}

impl Told {
    pub(crate) fn of(entry: &Entry) -> Self {
        let text = |pointer: &str| entry.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            number: entry.number,
            at: entry.at,
            action: text("/action"),
            actor_kind: text("/actor/kind"),
            actor: text("/actor/id"),
            actor_tenant: text("/actor/tenant_id"),
            target_kind: text("/target/kind"),
            target: text("/target/id"),
            target_name: text("/target/name"),
            address: text("/address"),
            request: text("/request"),
            request_id: text("/request_id"),
            details: entry.body.get("details").cloned().unwrap_or_default(),
            hash: entry.hash,
        }
    }

    /// Who it was.
    pub(crate) fn actor(&self) -> Actor<'_> {
        (&self.actor_kind, &self.actor_tenant, &self.actor)
    }

    /// Who it was, where there is no id to show.
    pub(crate) fn nameless(&self) -> &'static str {
        match self.actor_kind.as_str() {
            "system" => "the server",
            "stranger" => "a stranger",
            _ => "unknown",
        }
    }

    /// Whether it calls for somebody's attention.
    pub(crate) fn alarms(&self) -> bool {
        self.details.get("alarm").and_then(Value::as_bool).unwrap_or(false)
    }

    /// How often, where it tells of a minute in which something happened more than once.
    pub(crate) fn count(&self) -> Option<i64> {
        self.details.get("minute")?;
        self.details.get("count").and_then(Value::as_i64).filter(|count| *count > 1)
    }

    /// Why, where it says so in a word.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.details.get("reason").and_then(Value::as_str)
    }

    /// Whether there is more to say.
    pub(crate) fn has_details(&self) -> bool {
        self.details.as_object().is_some_and(|details| !details.is_empty())
    }

    /// The details, to be read.
    pub(crate) fn pretty(&self) -> String {
        serde_json::to_string_pretty(&self.details).unwrap_or_default()
    }
}
