//! What is wrong with a request of this family, in the words its clients know: `error_code`, `message`, `field`, and what
//! would have been right.

use serde_json::{Map, Value, json};

/// Characters of a client's own text that an answer repeats.
const ECHO_MAX: usize = 120;

/// A request that is answered with 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    code: &'static str,
    message: String,
    field: String,
    more: Map<String, Value>,
}

impl BadRequest {
    /// A member at `field` that is not acceptable; `message` says what is, in a sentence.
    pub fn new(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: field.into(), more: Map::new() }
    }

    /// A body that is not what the route reads at all.
    pub fn body(message: impl Into<String>) -> Self {
        Self::new("INVALID_BODY", "", message)
    }

    /// A word at `field` that is not one of `known`.
    pub fn unknown_word(field: impl Into<String>, word: &str, known: &[&str]) -> Self {
        let field = field.into();
        let mut error = Self::new("INVALID_ENUM_VALUE", field.as_str(), format!("Malformed JSON input: {field}"));
        error.more.insert("invalid_value".into(), echo(word).into());
        error.more.insert("known_values".into(), json!(known));
        error
    }

    /// A member that the object does not have.
    pub fn unknown_member(name: &str, known: &[&str]) -> Self {
        let name = echo(name);
        let message = format!("Malformed JSON input: {name}");
        let mut error = Self::new("UNEXPECTED_PROPERTY", name.as_str(), message);
        error.more.insert("property_name".into(), name.into());
        error.more.insert("known_properties".into(), json!(known));
        error
    }

    /// A query that cannot be read. The SDK knows it by its `reason`.
    pub fn query(message: impl Into<String>) -> Self {
        let mut error = Self::new("INVALID_QUERY", "query", message);
        error.more.insert("reason".into(), "query_malformed_syntax".into());
        error
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        let mut body = self.more.clone();
        body.insert("error_code".into(), self.code.into());
        body.insert("message".into(), self.message.as_str().into());
        if !self.field.is_empty() {
            body.insert("field".into(), self.field.as_str().into());
        }
        Value::Object(body)
    }
}

/// A client's own text as an answer may repeat it.
pub fn echo(text: &str) -> String {
    let mut cut: String = text.chars().filter(|c| !c.is_control()).take(ECHO_MAX).collect();
    if text.chars().nth(ECHO_MAX).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_the_familys() {
        let word = BadRequest::unknown_word("sort[0].order", "UP", &["ASC", "DESC"]);
        assert_eq!(
            word.to_json(),
            json!({
                "error_code": "INVALID_ENUM_VALUE", "message": "Malformed JSON input: sort[0].order",
                "field": "sort[0].order", "invalid_value": "UP", "known_values": ["ASC", "DESC"],
            })
        );
        let member = BadRequest::unknown_member("colour", &["actor"]);
        assert_eq!(
            member.to_json(),
            json!({
                "error_code": "UNEXPECTED_PROPERTY", "message": "Malformed JSON input: colour", "field": "colour",
                "property_name": "colour", "known_properties": ["actor"],
            })
        );
        assert_eq!(
            BadRequest::body("no JSON").to_json(),
            json!({ "error_code": "INVALID_BODY", "message": "no JSON" })
        );
    }

    #[test]
    fn what_is_repeated_is_short_and_printable() {
        assert_eq!(echo("a\u{1b}[31m\r\nb"), "a[31mb");
        assert_eq!(echo(&"x".repeat(500)).chars().count(), ECHO_MAX + 1);
    }
}
