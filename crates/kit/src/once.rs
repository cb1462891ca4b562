//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) of a POST.

use claviger_domain::Result;
use claviger_domain::idempotency::Once;
use http::HeaderName;
use http::request::Parts;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a request with that body, if it has one.
pub(crate) fn read(parts: &Parts, body: &[u8]) -> Result<Option<Once>> {
    let mut values = parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    // What is not text is no key either; the empty one is refused with the words for all of them.
    let key = value.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default();
    Once::parse(key, parts.method.as_str(), parts.uri.path(), body).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::Error;
    use http::{HeaderValue, Request};

    fn key(values: &[&str], path: &str, body: &[u8]) -> Result<Option<Once>> {
        let mut request = Request::post(path).body(()).unwrap();
        for value in values {
            request.headers_mut().append(&IDEMPOTENCY_KEY, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        read(&request.into_parts().0, body)
    }

    #[test]
    fn method_path_and_body_make_the_fingerprint() {
        let once = |path, body| key(&["k"], path, body).unwrap().unwrap();
        assert_eq!(once("/a", b"1"), once("/a", b"1"));
        assert_ne!(once("/a", b"1"), once("/a", b"2"));
        assert_ne!(once("/a", b"1"), once("/b", b"1"));
        assert_eq!(key(&[], "/a", b"1").unwrap(), None);
    }

    #[test]
    fn unusable_keys_are_refused() {
        for values in [&[""][..], &["é"], &["a", "a"], &[&"x".repeat(256)]] {
            assert!(matches!(key(values, "/a", b""), Err(Error::Invalid(_))), "{values:?}");
        }
    }
}
