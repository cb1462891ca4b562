//! An entry as pages and files tell it.

use claviger_domain::audit::Entry;
use claviger_domain::time::Timestamp;
use serde_json::Value;

/// What an entry says.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) number: i64,
    pub(super) at: Timestamp,
    pub(super) action: String,
    pub(super) actor_kind: String,
    pub(super) actor: String,
    pub(super) actor_tenant: String,
    pub(super) target_kind: String,
    pub(super) target: String,
    pub(super) target_name: String,
    pub(super) address: String,
    pub(super) request: String,
    pub(super) request_id: String,
    pub(super) details: Value,
    pub(super) hash: [u8; 32],
}

impl Told {
    pub(super) fn of(entry: &Entry) -> Self {
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

    /// Who it was, where there is no id to show.
    pub(super) fn nameless(&self) -> &'static str {
        match self.actor_kind.as_str() {
            "system" => "the server",
            "stranger" => "a stranger",
            _ => "unknown",
        }
    }

    /// Whether it calls for somebody's attention.
    pub(super) fn alarms(&self) -> bool {
        self.details.get("alarm").and_then(Value::as_bool).unwrap_or(false)
    }

    /// How often, where it tells of more than one time.
    pub(super) fn count(&self) -> Option<i64> {
        self.details.get("count").and_then(Value::as_i64).filter(|count| *count > 1)
    }

    /// Why, where it says so in a word.
    pub(super) fn reason(&self) -> Option<&str> {
        self.details.get("reason").and_then(Value::as_str)
    }

    /// The details, to be read.
    pub(super) fn pretty(&self) -> String {
        serde_json::to_string_pretty(&self.details).unwrap_or_default()
    }
}
