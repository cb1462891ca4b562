//! The sentence that tells of an audit entry, in the manner of this family's own records: applications are connectors with
//! an API key. Actions that nobody has given a sentence yet are told by their name.

use serde_json::{Map, Value};

/// The sentence for an entry in its canonical form.
pub fn describe(entry: &Value) -> String {
    let told = Told(entry);
    match told.text("/action") {
        "application.created" => format!("Created {}", told.connector()),
        "application.updated" => format!("Updated {}{}", told.connector(), told.changes()),
        "application.deleted" => format!("Deleted {}", told.connector()),
        "secret.regenerated" => format!("Regenerated the API secret key of {}", told.connector()),
        "secret.revoked" => format!("Revoked an API secret key of {}", told.connector()),
        "access_level.created" if !told.text("/details/copied_from").is_empty() => {
            format!("Created access level {} as a copy of {}", told.name(), told.text("/details/copied_from"))
        }
        "access.denied" => told.denial(),
        "store.set_up" => format!("Set up the server for {}", told.name()),
        action => told.by_name(action),
    }
}

struct Told<'a>(&'a Value);

impl<'a> Told<'a> {
    fn text(&self, pointer: &str) -> &'a str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The target's name, or its id where it has none.
    fn name(&self) -> &'a str {
        match self.text("/target/name") {
            "" => self.text("/target/id"),
            name => name,
        }
    }

    fn connector(&self) -> String {
        let key = match self.text("/details/client_id") {
            "" => self.text("/target/id"),
            client_id => client_id,
        };
        format!("connector {} with api key {key}", self.name())
    }

    /// The members that an update changed.
    fn changes(&self) -> String {
        let members = self.0.pointer("/details").and_then(Value::as_object);
        let names = members.map(Map::keys).into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
        if names.is_empty() { String::new() } else { format!(" (changed: {})", names.join(", ")) }
    }

    fn denial(&self) -> String {
        let subject = match self.text("/actor/id") {
            "" => "An unknown client".to_owned(),
            id => format!("Connector {id}"),
        };
        let what = match self.text("/details/reason") {
            "credential_malformed" => "failed to log in with a malformed API secret key".to_owned(),
            "client_unknown" => "failed to log in with an unknown API ID".to_owned(),
            "secret_wrong" => "failed to log in with a wrong API secret key".to_owned(),
            "address_not_allowed" => "failed to log in from an address that is not authorized".to_owned(),
            "application_disabled" => "failed to log in because it is disabled".to_owned(),
            "credential_expired" => "failed to log in because its credential has expired".to_owned(),
            "tenant_suspended" => "failed to log in because its organization is suspended".to_owned(),
            "rate_limited" => "exceeded its rate limit".to_owned(),
            "above_own_rights" => "was denied giving rights above its own".to_owned(),
            "tenant_not_admitted" => "was denied a service that does not admit its organization".to_owned(),
            "many" => "was denied access for many different reasons".to_owned(),
            "" => "was denied access".to_owned(),
            right if right.contains(':') => format!("was denied {right}"),
            other => format!("was denied access: {}", other.replace('_', " ")),
        };
        match self.0.pointer("/details/count").and_then(Value::as_u64) {
            Some(count) if count > 1 => {
                let minute = self.text("/details/minute").get(..16).unwrap_or("an unknown minute");
                format!("{subject} {what} ({count} times in {minute}Z)")
            }
            _ => format!("{subject} {what}"),
        }
    }

    /// `forwarder.created` is "Created forwarder …".
    fn by_name(&self, action: &str) -> String {
        let (noun, verb) = action.split_once('.').unwrap_or((self.text("/target/kind"), action));
        let mut words = vec![capitalized(&spaced(verb)), spaced(noun), self.name().to_owned()];
        words.retain(|word| !word.is_empty());
        if words.is_empty() {
            return "Entry without an action".to_owned();
        }
        if action.ends_with(".updated") {
            return words.join(" ") + &self.changes();
        }
        words.join(" ")
    }
}

fn spaced(name: &str) -> String {
    name.replace(['_', '.'], " ")
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(action: &str, details: Value) -> String {
        describe(&json!({
            "action": action, "actor": { "id": "0199-a", "kind": "application" }, "details": details,
            "target": { "id": "0199-b", "kind": "application", "name": "Splunk" },
        }))
    }

    #[test]
    fn changes_have_their_sentences() {
        let key = json!({ "client_id": "0199-b" });
        assert_eq!(told("application.created", key), "Created connector Splunk with api key 0199-b");
        assert_eq!(
            told("application.created", json!({ "client_id": "ABC" })),
            "Created connector Splunk with api key ABC"
        );
        assert_eq!(
            told("application.updated", json!({ "enabled": { "from": true, "to": false }, "name": {} })),
            "Updated connector Splunk with api key 0199-b (changed: enabled, name)"
        );
        assert_eq!(told("application.updated", json!({})), "Updated connector Splunk with api key 0199-b");
        assert_eq!(told("application.deleted", json!({})), "Deleted connector Splunk with api key 0199-b");
        assert_eq!(
            told("secret.regenerated", json!({ "secret_id": "1" })),
            "Regenerated the API secret key of connector Splunk with api key 0199-b"
        );
        assert_eq!(
            told("secret.revoked", json!({ "secret_id": "1" })),
            "Revoked an API secret key of connector Splunk with api key 0199-b"
        );
        assert_eq!(told("access_level.created", json!({ "name": "Splunk" })), "Created access level Splunk");
        assert_eq!(
            told("access_level.created", json!({ "copied_from": "77" })),
            "Created access level Splunk as a copy of 77"
        );
        assert_eq!(
            told("access_level.updated", json!({ "grants": {} })),
            "Updated access level Splunk (changed: grants)"
        );
        assert_eq!(told("access_level.deleted", json!({})), "Deleted access level Splunk");
        assert_eq!(told("tenant.created", json!({ "kind": "organization" })), "Created tenant Splunk");
        assert_eq!(told("tenant.updated", json!({ "status": {} })), "Updated tenant Splunk (changed: status)");
        assert_eq!(told("store.set_up", json!({})), "Set up the server for Splunk");
    }

    #[test]
    fn denials_say_who_and_why_and_how_often() {
        let denied = |reason: &str| told("access.denied", json!({ "reason": reason, "count": 1 }));
        assert_eq!(denied("org.audits:READ"), "Connector 0199-a was denied org.audits:READ");
        assert_eq!(denied("secret_wrong"), "Connector 0199-a failed to log in with a wrong API secret key");
        assert_eq!(denied("something_new"), "Connector 0199-a was denied access: something new");
        assert_eq!(
            told(
                "access.denied",
                json!({ "reason": "rate_limited", "count": 27, "minute": "2026-01-01T09:08:00.000000Z" })
            ),
            "Connector 0199-a exceeded its rate limit (27 times in 2026-01-01T09:08Z)"
        );
        let stranger =
            json!({ "action": "access.denied", "actor": { "id": "" }, "details": { "reason": "client_unknown" } });
        assert_eq!(describe(&stranger), "An unknown client failed to log in with an unknown API ID");
    }

    #[test]
    fn what_has_no_sentence_is_told_by_its_name() {
        assert_eq!(told("data_forwarder.created", json!({})), "Created data forwarder Splunk");
        assert_eq!(told("webhook.key_rotated", json!({})), "Key rotated webhook Splunk");
        assert_eq!(told("restarted", json!({})), "Restarted application Splunk");
        assert_eq!(
            describe(&json!({ "action": "forwarder.paused", "target": { "id": "5", "name": "" } })),
            "Paused forwarder 5"
        );
        assert_eq!(describe(&Value::Null), "Entry without an action");
    }
}
