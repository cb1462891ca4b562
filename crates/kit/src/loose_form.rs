//! Forms of clients that spell names as they like: `grant_type`, `GrantType` and `granttype` are one field. Sent as
//! `application/x-www-form-urlencoded`, as `multipart/form-data`, or as a JSON object.

use crate::{json, multipart, once, pairs};
use axum::body::Body;
use bytes::Bytes;
use claviger_domain::idempotency::Once;
use claviger_domain::{Error, Result};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value};

/// Most bytes of a form.
const FORM_MAX: usize = 64 << 10;
/// Most fields of a form.
const FIELDS_MAX: usize = 100;

/// A form, by folded names. A field without a value counts as one that is not there.
#[derive(Default)]
pub struct LooseForm(Vec<(String, String)>);

impl LooseForm {
    /// Reads the form of a request.
    ///
    /// # Errors
    /// `Malformed`.
    pub async fn read(headers: &HeaderMap, body: Body) -> Result<Self> {
        let bytes = Self::collect(body).await?;
        Self::parse(Self::content_type(headers)?, &bytes)
    }

    /// Reads the form of a request together with its query, which some clients use in its place. What both give must be the same.
    ///
    /// # Errors
    /// `Malformed`.
    pub async fn read_all(parts: &Parts, body: Body) -> Result<Self> {
        let mut form = Self::read(&parts.headers, body).await?;
        form.add_query(parts.uri.query().unwrap_or_default())?;
        Ok(form)
    }

    /// Reads the form of a POST that can be repeated under an idempotency key.
    ///
    /// # Errors
    /// `Malformed`.
    pub async fn read_once(parts: &Parts, body: Body) -> Result<(Self, Option<Once>)> {
        let bytes = Self::collect(body).await?;
        let form = Self::parse(Self::content_type(&parts.headers)?, &bytes)?;
        Ok((form, once::read(parts, &bytes)?))
    }

    fn add_query(&mut self, query: &str) -> Result<()> {
        for pair in pairs(query) {
            let (name, value) = pair.map_err(|_| malformed("the query is not percent-encoded UTF-8"))?;
            match self.get(&name) {
                Some(known) if known == value => {}
                Some(_) => return Err(malformed("a field is given twice")),
                None => self.add(&name, value.into_owned())?,
            }
        }
        Ok(())
    }

    fn content_type(headers: &HeaderMap) -> Result<&str> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let content_type = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        if values.next().is_some() {
            return Err(malformed("the request has more than one content type"));
        }
        Ok(content_type)
    }

    async fn collect(body: Body) -> Result<Bytes> {
        let body = Limited::new(body, FORM_MAX)
            .collect()
            .await
            .map_err(|_| malformed(&format!("the body has more than {FORM_MAX} bytes, or did not arrive whole")))?;
        Ok(body.to_bytes())
    }

    fn parse(content_type: &str, bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8"))?;
        let mut form = Self::default();
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/json" => {
                for (name, value) in json::parse::<Map<String, Value>>(bytes)? {
                    let value = match value {
                        Value::Null => continue,
                        Value::String(text) => text,
                        Value::Number(number) => number.to_string(),
                        Value::Bool(truth) => truth.to_string(),
                        Value::Array(_) | Value::Object(_) => {
                            return Err(malformed("the members of the body are no plain texts"));
                        }
                    };
                    form.add(&name, value)?;
                }
            }
            "multipart/form-data" => {
                let fields = multipart::boundary(content_type).and_then(|boundary| multipart::fields(text, boundary));
                let fields = fields.ok_or_else(|| malformed("the body is no multipart/form-data of plain fields"))?;
                for (name, value) in fields {
                    form.add(name, value.to_owned())?;
                }
            }
            "" | "application/x-www-form-urlencoded" => {
                for pair in pairs(text) {
                    let (name, value) = pair.map_err(|_| malformed("the form is not percent-encoded UTF-8"))?;
                    form.add(&name, value.into_owned())?;
                }
            }
            _ => return Err(malformed("send the body as application/x-www-form-urlencoded")),
        }
        Ok(form)
    }

    fn add(&mut self, name: &str, value: String) -> Result<()> {
        let name = fold(name);
        if self.0.len() >= FIELDS_MAX {
            return Err(malformed("the form has too many fields"));
        }
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(malformed("a field is given twice"));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of a field, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = fold(name);
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value that a field must have.
    pub fn require(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| malformed(&format!("the field {name} is missing")))
    }
}

impl std::fmt::Debug for LooseForm {
    /// Values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

fn malformed(detail: &str) -> Error {
    Error::Malformed { code: "invalid_request", detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, body: &str) -> Option<Vec<(String, String)>> {
        LooseForm::parse(content_type, body.as_bytes()).ok().map(|form| form.0)
    }

    #[test]
    fn names_are_one_in_any_spelling() {
        for name in ["grant_type", "GrantType", "GRANT_TYPE", "granttype", "_Grant_Type"] {
            let form = LooseForm::parse("", format!("{name}=a%20b&x=").as_bytes()).unwrap();
            assert_eq!(form.get("grant_type"), Some("a b"), "{name}");
            assert!(form.require("GrantType").is_ok() && form.require("x").is_err() && form.get("y").is_none());
        }
        assert!(read("", "grant_type=a&GrantType=a").is_none(), "twice");
        let many: Vec<_> = (0..101).map(|number| format!("p{number}=1")).collect();
        assert!(read("", &many.join("&")).is_none());
        assert_eq!(format!("{:?}", LooseForm::parse("", b"password=x").unwrap()), "[\"password\"]");
    }

    #[test]
    fn a_query_stands_in_for_a_form() {
        let query = |body: &str, query: &str| {
            let mut form = LooseForm::parse("", body.as_bytes()).unwrap();
            form.add_query(query).map(|()| form.get("instance_id").map(str::to_owned)).ok()
        };
        assert_eq!(query("", "InstanceID=a%2D1"), Some(Some("a-1".into())));
        assert_eq!(query("instance_id=a", "instance_id=a"), Some(Some("a".into())));
        assert_eq!(query("instance_id=a", "instance_id=b"), None, "which of the two?");
        assert_eq!(query("", "instance_id=%zz"), None);
        assert_eq!(query("", ""), Some(None));
    }

    #[test]
    fn bodies_of_three_kinds_mean_the_same() {
        let expected = Some(vec![("username".to_owned(), "a".to_owned()), ("clientid".to_owned(), "7".to_owned())]);
        assert_eq!(read("application/x-www-form-urlencoded; charset=utf-8", "Username=a&ClientId=7"), expected);
        let json = r#"{"Username": "a", "Scope": null, "client_id": 7}"#;
        assert_eq!(read("application/json", json), expected);
        let multipart = "--b\r\nContent-Disposition: form-data; name=\"Username\"\r\n\r\na\r\n--b\r\n\
                         Content-Disposition: form-data; name=\"client_id\"\r\n\r\n7\r\n--b--\r\n";
        assert_eq!(read("multipart/form-data; boundary=b", multipart), expected);
        for (content_type, body) in [
            ("text/plain", "a=b"),
            ("application/json", "[]"),
            ("application/json", r#"{"a": {}}"#),
            ("application/json", r#"{"a": "b", "a": "b"}"#),
            ("multipart/form-data", multipart),
            ("", "a=%zz"),
        ] {
            assert_eq!(read(content_type, body), None, "{content_type} {body}");
        }
        assert!(LooseForm::parse("", b"a=\xff").is_err());
    }
}
