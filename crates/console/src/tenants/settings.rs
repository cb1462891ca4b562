//! The settings of a tenant as a text that is edited whole: what has changed of it, as the merge patch that brings it about.

use claviger_domain::{Error, Result};
use serde_json::{Map, Value};

/// The settings as they are edited; none are an empty text.
pub(super) fn written(settings: &Map<String, Value>) -> String {
    if settings.is_empty() { String::new() } else { serde_json::to_string_pretty(settings).unwrap_or_default() }
}

/// The settings that a text stands for.
pub(super) fn parse(pointer: &str, text: &str) -> Result<Map<String, Value>> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::invalid(pointer, "the settings are no object", "write { \"name\": value, … }")),
        Err(error) => Err(Error::invalid(pointer, format!("not JSON: {error}"), "write { \"name\": value, … }")),
    }
}

/// The merge patch (RFC 7396) that makes one of the other; none where they are the same.
pub(super) fn patch(before: &Map<String, Value>, after: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut patch = Map::new();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in after {
        match (before.get(name), value) {
            (Some(known), value) if known == value => {}
            (Some(Value::Object(known)), Value::Object(wanted)) => {
                if let Some(inner) = self::patch(known, wanted) {
                    patch.insert(name.clone(), Value::Object(inner));
                }
            }
            (_, value) => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    (!patch.is_empty()).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_patch_says_what_has_changed() {
        let before = object(json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]}));
        let after = object(json!({"b": {"c": 2, "f": 4}, "e": [1, 2], "g": "h"}));
        let expected = object(json!({"a": null, "b": {"d": null, "f": 4}, "e": [1, 2], "g": "h"}));
        assert_eq!(patch(&before, &after), Some(expected));
        assert_eq!(patch(&before, &before), None);
        assert_eq!(parse("/settings", &written(&before)).unwrap(), before);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(parse("/settings", " \r\n").unwrap().is_empty());
        for bad in ["[]", "1", "{", "{\"a\": }"] {
            assert!(parse("/settings", bad).is_err(), "{bad}");
        }
    }
}
