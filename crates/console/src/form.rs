//! Forms: what a browser sends, and what was wrong with it, to be shown at the fields.

use crate::error::words;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use claviger_domain::error::Referrer;
use claviger_domain::idempotency::Once;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, BODY_MAX, Failure, cookies, pairs};
use http_body_util::{BodyExt as _, Limited};

/// Most values of a form: enough for every permission with every verb.
const VALUES_MAX: usize = 10_000;

/// Extracts a form that a page of our own has sent, and holds what a page fills its fields with.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

/// What was wrong with a form.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    /// What is wrong with it as a whole; empty for nothing.
    pub(crate) alert: String,
    /// What stands in the way.
    pub(crate) referrers: Vec<Referrer>,
    /// Field names and what is wrong with them.
    fields: Vec<(String, String)>,
}

impl FromRequest<Api> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        let failed = |error: Error| Failure(error).into_response();
        let (parts, body) = request.into_parts();
        cookies::check_own_form(api, (&parts).into()).map_err(failed)?;
        let bytes = Limited::new(body, BODY_MAX).collect().await.map_err(|_| {
            let detail = format!("the form has more than {BODY_MAX} bytes, or did not arrive whole");
            failed(Error::Malformed { code: "body_incomplete", detail })
        })?;
        Self::parse(&bytes.to_bytes()).map_err(failed)
    }
}

impl Form {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let malformed = |detail: &str| Error::Malformed { code: "form_malformed", detail: detail.to_owned() };
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("the form is not UTF-8"))?;
        let mut values = Vec::new();
        for pair in pairs(text) {
            let (name, value) = pair?;
            if values.len() >= VALUES_MAX {
                return Err(malformed("the form has too many values"));
            }
            values.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(values))
    }

    /// A form that shows these values.
    pub(crate) fn of<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The value of a field without what stands around it; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The value of a field as it was sent.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The value of a field that was filled in.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box is ticked, or a choice made.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|one| one == value)
    }

    /// What tells a form that is sent again from one that is sent anew: a browser that reloads the answer repeats it. Verbs of which that
    /// could be dangerous take it; the page that shows the form has put it there ([`Person::once`](crate::session::Person::once)).
    pub(crate) fn once(&self, path: &str) -> Result<Option<Once>> {
        let Some(key) = self.given("once") else { return Ok(None) };
        let body: Vec<_> = self.0.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        Once::parse(&format!("console {key}"), "POST", path, body.join("\0").as_bytes()).map(Some)
    }

    /// The version that a change is based on.
    pub(crate) fn version(&self) -> Result<Option<i64>> {
        let number =
            |text: &str| text.parse().map_err(|_| Error::invalid("version", "not a number", "reload the page"));
        self.given("version").map(number).transpose()
    }
}

impl std::fmt::Debug for Form {
    /// Values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Errors {
    /// What a form is told about a refusal, if that is for a form to tell; otherwise the refusal.
    pub(crate) fn of(error: Error) -> Result<Self> {
        match error {
            Error::Invalid(fields) => {
                let fields = fields.into_iter().map(|field| {
                    let name = field.pointer.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
                    (name, told(&field.message, &field.fix))
                });
                Ok(Self { alert: String::new(), referrers: Vec::new(), fields: fields.collect() })
            }
            Error::Conflict { .. } | Error::PreconditionFailed { .. } | Error::Forbidden { .. } => {
                let (_, alert) = words(&error);
                let referrers = if let Error::Conflict { referrers, .. } = error { referrers } else { Vec::new() };
                Ok(Self { alert, referrers, fields: Vec::new() })
            }
            other => Err(other),
        }
    }

    /// What is wrong with a form as a whole.
    pub(crate) fn alert(text: impl Into<String>) -> Self {
        Self { alert: text.into(), ..Self::default() }
    }

    /// Whether anything is wrong.
    pub(crate) fn any(&self) -> bool {
        !self.alert.is_empty() || !self.fields.is_empty()
    }

    /// What is wrong with a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, told)| told.as_str())
    }

    /// Fields and what is wrong with them.
    pub(crate) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }
}

fn told(message: &str, fix: &str) -> String {
    let message = crate::error::sentence(message);
    if fix.is_empty() { message } else { format!("{message} {}", crate::error::sentence(fix)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_in_their_order() {
        let form = Form::parse(b"name=+a+%3Cb%3E+&grant=x&grant=y&empty=").unwrap();
        assert_eq!((form.get("name"), form.given("empty")), ("a <b>", None));
        assert_eq!(form.all("grant").collect::<Vec<_>>(), ["x", "y"]);
        assert!(form.is("grant", "y") && !form.is("grant", "z"));
        assert!(Form::parse(b"a=%ff").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        let errors = Errors::of(Error::invalid("/allowed_networks/3", "no network", "give one")).unwrap();
        assert_eq!(errors.field("allowed_networks"), Some("No network. Give one."));
        assert!(Errors::of(Error::Unavailable("x".into())).is_err());
        assert_eq!(Errors::of(Error::conflict("x", "taken")).unwrap().alert, "Taken.");
    }
}
