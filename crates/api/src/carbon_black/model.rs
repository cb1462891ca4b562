//! An audit entry as this family shows it: one reading of the entry, two bodies.

use super::description::describe;
use claviger_domain::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// The action under which denials stand in the record.
const DENIED: &str = "access.denied";

/// What clients of this family are told of an audit entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the tenant's chain.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// First half of the entry's hash: the same entry has the same id for ever, and no two have one.
    pub event_id: u128,
    /// The client id, `system` for the server itself, `unknown` for a stranger.
    pub actor: String,
    /// From where, if known.
    pub actor_ip: Option<String>,
    /// The path that was called, if it was a call.
    pub request_url: Option<String>,
    /// What happened, in a sentence.
    pub description: String,
    /// Whether it was refused.
    pub flagged: bool,
    /// Whether it only sums up what another entry told already.
    pub verbose: bool,
}

/// A record of `/audit_log/v1`.
#[derive(Debug, Serialize)]
pub struct RecordBody<'a> {
    org_key: &'a str,
    actor_ip: Option<&'a str>,
    actor: &'a str,
    request_url: Option<&'a str>,
    description: &'a str,
    flagged: bool,
    verbose: bool,
    create_time: String,
}

/// A record of `/integrationServices/v3/auditlogs`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationBody<'a> {
    request_url: Option<&'a str>,
    event_time: i64,
    event_id: String,
    login_name: &'a str,
    org_name: &'a str,
    flagged: bool,
    client_ip: Option<&'a str>,
    verbose: bool,
    description: &'a str,
}

impl Record {
    /// Reads an entry: its place, time, canonical text and hash.
    pub fn read(number: i64, at: Timestamp, canonical: &str, hash: &[u8; 32]) -> Self {
        let entry: Value = serde_json::from_str(canonical).unwrap_or_default();
        let text = |pointer| entry.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let actor = text("/actor/id").unwrap_or(match text("/actor/kind") {
            Some("system") => "system",
            _ => "unknown",
        });
        let flagged = text("/action") == Some(DENIED);
        let count = entry.pointer("/details/count").and_then(Value::as_u64);
        Self {
            number,
            at,
            event_id: hash.iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte)),
            actor: actor.to_owned(),
            actor_ip: text("/address").map(str::to_owned),
            request_url: text("/request").map(|line| line.split_once(' ').map_or(line, |(_, path)| path).to_owned()),
            description: describe(&entry),
            flagged,
            verbose: flagged && count.is_some_and(|count| count > 1),
        }
    }

    /// As `/audit_log/v1` shows it.
    pub fn to_body<'a>(&'a self, org_key: &'a str) -> RecordBody<'a> {
        RecordBody {
            org_key,
            actor_ip: self.actor_ip.as_deref(),
            actor: &self.actor,
            request_url: self.request_url.as_deref(),
            description: &self.description,
            flagged: self.flagged,
            verbose: self.verbose,
            create_time: self.at.to_millis_text(),
        }
    }

    /// As `/integrationServices/v3/auditlogs` shows it.
    pub fn to_notification<'a>(&'a self, org_name: &'a str) -> NotificationBody<'a> {
        NotificationBody {
            request_url: self.request_url.as_deref(),
            event_time: self.at.millis(),
            event_id: format!("{:032x}", self.event_id),
            login_name: &self.actor,
            org_name,
            flagged: self.flagged,
            client_ip: self.actor_ip.as_deref(),
            verbose: self.verbose,
            description: &self.description,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in super::super) fn record(number: i64) -> Record {
        Record {
            number,
            at: Timestamp::from_millis(1_767_225_600_000 + number),
            event_id: 7,
            actor: "0199-abcd".into(),
            actor_ip: Some("192.0.2.7".into()),
            request_url: Some("/v1/tenants/1/applications".into()),
            description: "Created connector Splunk HEC with api key 0199-ffff".into(),
            flagged: false,
            verbose: false,
        }
    }

    fn read(entry: Value) -> Record {
        let mut hash = [0xab; 32];
        hash[0] = 1;
        Record::read(3, Timestamp::from_micros(1_767_225_600_123_456), &entry.to_string(), &hash)
    }

    #[test]
    fn both_bodies_are_the_vendors() {
        let record = read(json!({
            "action": "application.created", "actor": { "id": "0199-abcd", "kind": "application" },
            "address": "192.0.2.7", "details": { "client_id": "0199-ffff" }, "request": "POST /v1/tenants/1/applications",
            "target": { "id": "0199-ffff", "kind": "application", "name": "Splunk" },
        }));
        assert_eq!(
            serde_json::to_value(record.to_body("ABCD1234")).unwrap(),
            json!({
                "org_key": "ABCD1234", "actor_ip": "192.0.2.7", "actor": "0199-abcd",
                "request_url": "/v1/tenants/1/applications",
                "description": "Created connector Splunk with api key 0199-ffff",
                "flagged": false, "verbose": false, "create_time": "2026-01-01T00:00:00.123Z",
            })
        );
        assert_eq!(
            serde_json::to_value(record.to_notification("Example")).unwrap(),
            json!({
                "requestUrl": "/v1/tenants/1/applications", "eventTime": 1_767_225_600_123_i64,
                "eventId": "01abababababababababababababab".to_owned() + "ab", "loginName": "0199-abcd",
                "orgName": "Example", "flagged": false, "clientIp": "192.0.2.7", "verbose": false,
                "description": "Created connector Splunk with api key 0199-ffff",
            })
        );
    }

    #[test]
    fn denials_are_flagged_and_their_sums_verbose() {
        let denied = |kind: &str, count: u64| {
            read(json!({
                "action": "access.denied", "actor": { "id": "", "kind": kind }, "address": null, "request": "",
                "details": { "reason": "secret_wrong", "count": count, "minute": "2026-01-01T00:00:00.000000Z" },
                "target": { "id": "", "kind": "application", "name": "" },
            }))
        };
        let first = denied("stranger", 1);
        assert!(first.flagged && !first.verbose);
        assert_eq!((first.actor.as_str(), first.actor_ip, first.request_url), ("unknown", None, None));
        assert!(denied("stranger", 9).verbose);
        assert_eq!(denied("system", 1).actor, "system");
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_shown_all_the_same() {
        let record = Record::read(1, Timestamp::from_micros(0), "no JSON", &[0; 32]);
        assert_eq!((record.actor.as_str(), record.flagged), ("unknown", false));
        assert!(!record.description.is_empty());
    }
}
