//! Objects of bodies, member by member: what is not known is refused by name, and what is absent, null or empty is absent.

use super::bad_request::BadRequest;
use serde_json::{Map, Value};

/// Most elements of a list.
const LIST_MAX: usize = 1_000;
/// Most characters of a text.
const TEXT_MAX: usize = 1_024;

/// An object at a place in the body; the body itself has the empty one.
pub(super) struct Members<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    /// Reads an object that has no other members than these.
    pub(super) fn read(value: &'a Value, at: impl Into<String>, known: &[&str]) -> Result<Self, BadRequest> {
        let at = at.into();
        let Value::Object(members) = value else {
            return Err(BadRequest::new("INVALID_VALUE", at, "write an object"));
        };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(BadRequest::unknown_member(name, known)),
            None => Ok(Self { at, members }),
        }
    }

    /// Where a member stands.
    pub(super) fn field(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// A member that is neither absent nor null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn refuse<T>(&self, name: &str, message: &str) -> Result<T, BadRequest> {
        Err(BadRequest::new("INVALID_VALUE", self.field(name), message))
    }

    /// A text; an empty one is absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, BadRequest> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() > TEXT_MAX => {
                self.refuse(name, "the text has more than 1024 characters")
            }
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => self.refuse(name, "write a text"),
        }
    }

    /// True or false; absent is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, BadRequest> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => self.refuse(name, "write true or false"),
        }
    }

    /// A list; absent is empty.
    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], BadRequest> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(values)) if values.len() > LIST_MAX => self.refuse(name, "write at most 1000 elements"),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => self.refuse(name, "write a list"),
        }
    }

    /// A list of texts; absent is empty.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, BadRequest> {
        let text = |value: &Value| match value {
            Value::String(text) if text.chars().count() <= TEXT_MAX => Ok(text.clone()),
            _ => self.refuse(name, "write a list of texts"),
        };
        self.list(name)?.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_typed_and_known() {
        let body = json!({ "a": "x", "b": true, "c": ["y"], "d": null, "e": "" });
        let members = Members::read(&body, "", &["a", "b", "c", "d", "e"]).ok().unwrap();
        assert_eq!(
            (members.text("a").unwrap(), members.text("d").unwrap(), members.text("e").unwrap()),
            (Some("x"), None, None)
        );
        assert!(members.flag("b").unwrap() && !members.flag("d").unwrap());
        assert_eq!(members.texts("c").unwrap(), ["y"]);
        assert!(members.text("b").is_err() && members.flag("a").is_err() && members.list("a").is_err());
        assert!(members.texts("d").unwrap().is_empty());
        assert!(Members::read(&body, "", &["a"]).is_err());
        assert!(Members::read(&json!([]), "x", &[]).is_err());
        let inner = Members::read(&body, "profiles[0]", &["a", "b", "c", "d", "e"]).ok().unwrap();
        assert_eq!(inner.field("a"), "profiles[0].a");
    }
}
