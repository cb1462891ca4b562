//! `If-Match` and entity tags (RFC 9110, 13.1.1 and 8.8.3): the tag of a noun is its version.

use crate::Failure;
use axum::extract::FromRequestParts;
use claviger_domain::Error;
use http::HeaderValue;
use http::header::IF_MATCH;
use http::request::Parts;

/// A version that no noun has: for tags that are well-formed and not ours.
const NEVER: i64 = -1;

/// Extracts the version that `If-Match` expects; none without the header, or with `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precondition(pub Option<i64>);

/// The entity tag of a version.
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(Failure(malformed()));
        }
        Ok(Self(value.map_or(Ok(None), parse)?))
    }
}

/// `*`, or one entity tag. A weak tag is well-formed and matches nothing, since `If-Match` compares strongly.
fn parse(value: &HeaderValue) -> Result<Option<i64>, Error> {
    let text = value.to_str().map_err(|_| malformed())?.trim_matches([' ', '\t']);
    if text == "*" {
        return Ok(None);
    }
    let (weak, tag) = text.strip_prefix("W/").map_or((false, text), |tag| (true, tag));
    let tag = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
    if tag.contains(['"', ' ']) {
        return Err(malformed());
    }
    let plain = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit()) && !tag.starts_with('0');
    let version = tag.parse().ok().filter(|_| plain && !weak).unwrap_or(NEVER);
    Ok(Some(version))
}

fn malformed() -> Error {
    Error::Malformed {
        code: "if_match_malformed",
        detail: "If-Match takes one entity tag as ETag gave it, such as \"3\", or *".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    async fn extracted(values: &[&str]) -> Result<Option<i64>, ()> {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append(IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        let (mut parts, ()) = request.into_parts();
        Precondition::from_request_parts(&mut parts, &()).await.map(|found| found.0).map_err(|_| ())
    }

    #[tokio::test]
    async fn one_tag_or_a_star_is_taken() {
        assert_eq!(extracted(&[]).await, Ok(None));
        assert_eq!(extracted(&["*"]).await, Ok(None));
        assert_eq!(extracted(&["\"3\""]).await, Ok(Some(3)));
        assert_eq!(etag(3), "\"3\"");
    }

    #[tokio::test]
    async fn tags_that_are_not_ours_match_nothing() {
        for foreign in ["W/\"3\"", "\"abc\"", "\"03\"", "\"\"", "\"+3\"", "\"99999999999999999999\""] {
            assert_eq!(extracted(&[foreign]).await, Ok(Some(NEVER)), "{foreign}");
        }
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        for bad in ["3", "\"3", "3\"", "\"1\", \"2\"", "", "**", "w/\"3\""] {
            assert_eq!(extracted(&[bad]).await, Err(()), "{bad}");
        }
        assert_eq!(extracted(&["\"3\"", "\"3\""]).await, Err(()));
    }
}
