//! What a protecting proxy asks: a right and whose application must have it, read from a query. The few questions that are asked
//! over and over are remembered, and so are the headers of what is answered.

use crate::{Memo, pairs};
use claviger_app::verify::{Audience, Wanted};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::rate::RateLimit;
use claviger_domain::{Error, Result};
use http::HeaderMap;

/// What is asked, and how it is answered, for questions and rate limits seen before: proxies ask the same over and over.
#[derive(Debug, Default)]
pub struct Questions {
    asked: Memo<Box<str>, Known>,
    /// The headers of an admission, by the rate limit that they tell of.
    pub admissions: Memo<Option<RateLimit>, HeaderMap>,
}

/// A question whose permission is given by its place in the catalogue.
#[derive(Clone, Copy, Debug)]
struct Known {
    permission: usize,
    verb: Verb,
    audience: Audience,
    plain: bool,
}

/// A question that can be answered.
#[derive(Debug)]
pub struct Question<'a> {
    /// The right, and whose application must have it.
    pub wanted: Wanted<'a>,
    /// Whether 429 and 503 are answered as such.
    pub plain: bool,
    /// Whether it is among those seen before.
    known: bool,
}

impl Questions {
    /// Reads a query.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read<'a>(&self, query: &str, catalogue: &'a Catalogue) -> Result<Question<'a>> {
        if let Some(Known { permission, verb, audience, plain }) = self.asked.get(|known| **known == *query)
            && let Some(permission) = catalogue.get(permission)
        {
            return Ok(Question { wanted: Wanted { permission, verb, audience }, plain, known: true });
        }
        Question::read(query, catalogue)
    }

    /// Remembers a question that let somebody in: what strangers ask would take the place of what proxies do.
    pub fn remember(&self, query: &str, &Question { wanted, plain, known }: &Question<'_>) {
        if !known {
            let Wanted { permission, verb, audience } = wanted;
            self.asked.put(query.into(), Known { permission: permission.index, verb, audience, plain });
        }
    }
}

impl<'a> Question<'a> {
    /// Reads a query, whether it was seen before or not.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read(query: &str, catalogue: &'a Catalogue) -> Result<Self> {
        let (mut right, mut tenant, mut status) = (None, None, None);
        for pair in pairs(query) {
            let (name, value) = pair?;
            let slot = match name.as_ref() {
                "permission" => &mut right,
                "tenant" => &mut tenant,
                "status" => &mut status,
                _ => return Err(malformed("it takes permission, tenant and status, and no other parameter")),
            };
            if slot.replace(value).is_some() {
                return Err(malformed("a parameter is given twice"));
            }
        }
        let plain = match status.as_deref() {
            None => false,
            Some("plain") => true,
            Some(_) => return Err(malformed("status can only be plain")),
        };
        let audience = match tenant.as_deref() {
            Some("any") => Audience::Any,
            Some(id) => match TenantId::parse(id) {
                Some(id) => Audience::Within(id),
                None => return Err(malformed("tenant is neither an id nor any")),
            },
            None => return Err(malformed("tenant is missing: give a tenant's id, or any")),
        };
        let Some(right) = right else {
            return Err(malformed("permission is missing: give one such as org.audits:READ"));
        };
        let (permission, verb) = right
            .rsplit_once(':')
            .and_then(|(permission, verb)| Some((permission, Verb::parse(verb)?)))
            .ok_or_else(|| malformed("permission is not of the form NAME:VERB"))?;
        match catalogue.find(permission) {
            None => Err(malformed("there is no such permission; GET /v1/catalogue lists all")),
            Some(found) if !found.verbs.has(verb) => Err(malformed("the permission does not offer that verb")),
            Some(permission) => Ok(Self { wanted: Wanted { permission, verb, audience }, plain, known: false }),
        }
    }
}

fn malformed(detail: &str) -> Error {
    Error::Malformed { code: "verify_malformed", detail: format!("the question cannot be answered: {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<(String, Verb, Audience, bool)> {
        let catalogue = Catalogue::built_in();
        Question::read(query, &catalogue)
            .map(|q| (q.wanted.permission.name.clone(), q.wanted.verb, q.wanted.audience, q.plain))
    }

    #[test]
    fn a_question_has_a_right_and_an_audience() {
        let expected = ("org.audits".to_owned(), Verb::Read, Audience::Any, false);
        assert_eq!(asked("permission=org.audits:READ&tenant=any").unwrap(), expected);
        assert_eq!(asked("tenant=any&permission=org%2Eaudits%3AREAD").unwrap(), expected);
        assert!(asked("permission=org.audits:READ&tenant=any&status=plain").unwrap().3);
        let id = TenantId::from_u128(7);
        let (_, _, audience, _) = asked(&format!("permission=org.audits:READ&tenant={id}")).unwrap();
        assert_eq!(audience, Audience::Within(id));
    }

    #[test]
    fn only_what_let_somebody_in_is_remembered() {
        let (catalogue, questions) = (Catalogue::built_in(), Questions::default());
        for number in 0..1_000 {
            let strange = format!("permission=org.audits:READ&tenant={}", TenantId::from_u128(number));
            assert!(!questions.read(&strange, &catalogue).unwrap().known);
        }
        let query = "permission=org.audits:READ&tenant=any&status=plain";
        let question = questions.read(query, &catalogue).unwrap();
        questions.remember(query, &question);
        let again = questions.read(query, &catalogue).unwrap();
        assert!(again.known && again.plain && again.wanted.audience == Audience::Any);
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for bad in [
            "",
            "permission=org.audits:READ",
            "tenant=any",
            "permission=org.audits:READ&tenant=",
            "permission=org.audits:READ&tenant=ANY",
            "permission=org.audits:READ&tenant=any&tenant=any",
            "permission=org.audits:READ&permission=org.audits:READ&tenant=any",
            "permission=org.audits:READ&tenant=any&status=full",
            "permission=org.audits:READ&tenant=any&x=1",
            "permission=org.audits&tenant=any",
            "permission=org.audits:read&tenant=any",
            "permission=org.audits:DELETE&tenant=any",
            "permission=no.such:READ&tenant=any",
            "permission=org.audits:READ%00&tenant=any",
            "permission=%ff&tenant=any",
        ] {
            assert!(matches!(asked(bad), Err(Error::Malformed { .. })), "{bad}");
        }
    }
}
