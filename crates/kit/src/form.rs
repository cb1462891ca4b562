//! Forms: `application/x-www-form-urlencoded`, bounded, each parameter once.

use crate::pairs;
use axum::body::Body;
use claviger_domain::{Error, Result};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};

/// Most bytes of a form.
const FORM_MAX: usize = 64 << 10;
/// Most parameters of a form.
const PARAMETERS_MAX: usize = 100;

/// A form. A parameter without a value counts as one that is not there (RFC 6749, 3.1).
#[derive(Clone)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form of a request. Not an extractor: its head is asked for the credential, too.
    ///
    /// # Errors
    /// `Malformed`.
    pub async fn read(headers: &HeaderMap, body: Body) -> Result<Self> {
        check_media_type(headers)?;
        let body = Limited::new(body, FORM_MAX).collect().await.map_err(|_| {
            let detail = format!("the form has more than {FORM_MAX} bytes, or did not arrive whole");
            Error::Malformed { code: "body_incomplete", detail }
        })?;
        Self::parse(&body.to_bytes())
    }

    /// Reads the text of a form.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("the form is not UTF-8"))?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in pairs(text) {
            let (name, value) = pair.map_err(|_| malformed("the form is not percent-encoded UTF-8"))?;
            if parameters.len() >= PARAMETERS_MAX {
                return Err(malformed("the form has too many parameters"));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(malformed("a parameter is given twice"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The value that a parameter must have.
    pub fn require(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| malformed(&format!("the parameter {name} is missing")))
    }
}

impl std::fmt::Debug for Form {
    /// Values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn malformed(detail: &str) -> Error {
    Error::Malformed { code: "invalid_request", detail: detail.to_owned() }
}

fn check_media_type(headers: &HeaderMap) -> Result<()> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let essence = values.next().and_then(|value| value.to_str().ok()?.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") && values.next().is_none() {
        return Ok(());
    }
    let detail = "send the body as application/x-www-form-urlencoded".into();
    Err(Error::Malformed { code: "media_type_unsupported", detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_given_once() {
        let form = Form::parse(b"scope=a%3AREAD+b&grant_type=&x=1").unwrap();
        assert_eq!((form.get("scope"), form.get("grant_type"), form.get("y")), (Some("a:READ b"), None, None));
        assert!(form.require("x").is_ok() && form.require("grant_type").is_err());
        for bad in [&b"a=1&a=1"[..], b"a=1&a=", b"a=%zz", b"a=\xff", b"a=%ff"] {
            assert!(Form::parse(bad).is_err(), "{bad:?}");
        }
        let many: Vec<_> = (0..101).map(|number| format!("p{number}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
        assert_eq!(format!("{:?}", Form::parse(b"client_secret=x").unwrap()), "[\"client_secret\"]");
    }
}
