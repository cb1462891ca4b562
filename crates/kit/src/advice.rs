//! What answers say of a credential that stops soon: `X-Claviger-Credential-Expires` for its end, and `Deprecation` (RFC
//! 9745), `Sunset` (RFC 8594) and `Link` for the end of its kind.

use claviger_domain::advice::{Advice, Sunset};
use http::header::{HeaderName, LINK};
use http::{HeaderMap, HeaderValue};
use std::sync::{Arc, OnceLock};

static EXPIRES: HeaderName = HeaderName::from_static("x-claviger-credential-expires");
static DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
static SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The page that says what is to be done with a credential whose kind has an end.
const PAGE: &str = "/v1/problems/key_type_retired";

/// Where the extractor of the caller leaves the advice for the answer's headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct AdviceSlot(Arc<OnceLock<Advice>>);

impl AdviceSlot {
    pub(crate) fn put(&self, advice: Advice) {
        let _ = self.0.set(advice);
    }

    pub(crate) fn get(&self) -> Option<Advice> {
        self.0.get().copied()
    }
}

/// Adds the headers of an advice.
pub fn advise(headers: &mut HeaderMap, advice: &Advice) {
    if let Some(value) = advice.expires_at.and_then(|end| HeaderValue::try_from(end.to_string()).ok()) {
        headers.insert(EXPIRES.clone(), value);
    }
    let Some(Sunset { deprecated_at, at }) = advice.sunset else { return };
    for (name, value) in [(&DEPRECATION, format!("@{}", deprecated_at.seconds())), (&SUNSET, at.to_http_date())] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name.clone(), value);
        }
    }
    // A page of a list has a link already.
    if let Ok(value) = HeaderValue::try_from(format!("<{PAGE}>; rel=\"deprecation\", <{PAGE}>; rel=\"sunset\"")) {
        headers.append(LINK, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::time::Timestamp;

    #[test]
    fn they_read_as_the_documents_have_them() {
        let mut headers = HeaderMap::new();
        let at = Timestamp::from_micros(1_767_225_600_000_000);
        let sunset = Sunset { deprecated_at: at, at: at.plus_seconds(86_400) };
        advise(&mut headers, &Advice { expires_at: Some(at), sunset: Some(sunset) });
        assert_eq!(headers["x-claviger-credential-expires"], "2026-01-01T00:00:00.000000Z");
        assert_eq!(headers["deprecation"], "@1767225600");
        assert_eq!(headers["sunset"], "Fri, 02 Jan 2026 00:00:00 GMT");
        let link =
            r#"</v1/problems/key_type_retired>; rel="deprecation", </v1/problems/key_type_retired>; rel="sunset""#;
        assert_eq!(headers["link"], link);
        let mut none = HeaderMap::new();
        advise(&mut none, &Advice::default());
        assert!(none.is_empty());
    }
}
