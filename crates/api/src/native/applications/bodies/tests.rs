//! What bodies about applications mean, and what is refused.

use super::*;
use crate::native::applications::patch::ApplicationPatchBody;
use claviger_domain::Error;
use claviger_domain::application::ApplicationPatch;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn new(body: Value) -> Result<NewApplication> {
    let body: NewApplicationBody = serde_json::from_value(body).unwrap();
    body.parse(&Catalogue::built_in(), NOW)
}

fn patch(body: Value) -> Result<ApplicationPatch> {
    let body: ApplicationPatchBody = serde_json::from_value(body).unwrap();
    body.parse(&Catalogue::built_in(), NOW)
}

fn pointers<T: std::fmt::Debug>(result: Result<T>) -> Vec<String> {
    match result {
        Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn little_is_needed() {
    let made = new(json!({ "name": " SIEM ", "grants": { "org.audits": ["READ"] } })).unwrap();
    assert_eq!((made.name.as_str(), made.description.as_str(), made.enabled), ("SIEM", "", true));
    assert_eq!((made.reach, made.allowed_networks, made.rate_limit), (Reach::Own, None, None));
    let nulls = json!({ "name": "x", "grants": {}, "access_level_id": null, "allowed_networks": null, "owner": null });
    assert!(new(nulls).is_ok());
    let none = new(json!({ "name": "x", "grants": {}, "allowed_networks": [], "rate_limit": 5 })).unwrap();
    assert_eq!(none.allowed_networks, Some(Vec::new()));
    assert_eq!(none.rate_limit.unwrap().window_seconds, 1);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let wrong = json!({
        "name": " ", "description": "\u{0}", "owner": "nobody", "grants": { "no.such": ["READ"] },
        "allowed_networks": ["10.0.0.1/8", "x"], "expires_at": "2001-01-01T00:00:00Z",
        "rate_limit": { "requests": 0, "window_seconds": 1 },
    });
    let expected = [
        "/name",
        "/description",
        "/owner",
        "/grants/no.such",
        "/allowed_networks/0",
        "/allowed_networks/1",
        "/expires_at",
        "/rate_limit/requests",
    ];
    assert_eq!(pointers(new(wrong)), expected);
}

#[test]
fn rights_come_from_one_source() {
    let level = "00000000-0000-7000-8000-000000000001";
    assert_eq!(pointers(new(json!({ "name": "x" }))), ["/grants"]);
    assert_eq!(pointers(new(json!({ "name": "x", "grants": {}, "access_level_id": level }))), ["/grants"]);
    assert!(matches!(new(json!({ "name": "x", "access_level_id": level })).unwrap().rights, Rights::Level(_)));
    let switched = patch(json!({ "access_level_id": null, "grants": {} })).unwrap();
    assert!(matches!(switched.rights, Some(Rights::Inline(_))));
    assert_eq!(pointers(patch(json!({ "access_level_id": null }))), ["/grants"]);
    assert_eq!(pointers(patch(json!({ "access_level_id": level, "grants": {} }))), ["/grants"]);
    assert_eq!(patch(json!({})).unwrap().rights, None);
}

#[test]
fn null_clears_and_absence_keeps() {
    let kept = patch(json!({})).unwrap();
    assert!(kept.owner.is_none() && kept.allowed_networks.is_none() && kept.rate_limit.is_none());
    let all =
        json!({ "owner": null, "allowed_networks": null, "expires_at": null, "rate_limit": null, "description": null });
    let cleared = patch(all).unwrap();
    assert_eq!((cleared.owner, cleared.allowed_networks), (Some(None), Some(None)));
    assert_eq!((cleared.expires_at, cleared.rate_limit), (Some(None), Some(None)));
    assert_eq!(cleared.description.as_deref(), Some(""));
    assert!(patch(json!({ "confirm": true })).unwrap().confirm);
}
