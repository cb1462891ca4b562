//! Credentials as they stand in headers: `X-Auth-Token: SECRET/CLIENT_ID`, `Authorization: Basic`, and session tokens as
//! `Authorization: Bearer` or `access_token`, or as `DPoP` with a proof in a header of its own. Queries, cookies and bodies are never looked at, so a secret that stands there
//! is as good as none; people's sessions, which are cookies, are read elsewhere.

use crate::Head;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger_app::dpop::{BoundToken, PresentedProof};
use claviger_app::verify::{Presented, Proof};
use claviger_domain::Refusal;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};

/// Most that a Basic credential may decode to: a client id of 128 characters of four bytes each, and a secret.
const DECODED_MAX: usize = 642;

static X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
static DPOP: HeaderName = HeaderName::from_static("dpop");

/// Why no credential could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// None was presented, or it has no form that is known here.
    Refused(Refusal),
    /// More than one was presented.
    Ambiguous,
}

/// Reads the one credential that a request presents; `buffer` holds what Basic decodes to.
pub(crate) fn read<'a>(head: Head<'a>, buffer: &'a mut Vec<u8>) -> Result<Proof<'a>, Unreadable> {
    let headers = head.headers;
    let token = only(headers, &X_AUTH_TOKEN)?;
    let authorization = only(headers, &AUTHORIZATION)?;
    let found = match (token, authorization) {
        (None, None) => return Err(Unreadable::Refused(Refusal::Absent)),
        (Some(_), Some(_)) => return Err(Unreadable::Ambiguous),
        (Some(token), None) => text(token).and_then(auth_token).map(Proof::Secret),
        (None, Some(authorization)) => text(authorization).and_then(|text| {
            let (scheme, rest) = text.split_once(' ')?;
            let rest = rest.trim_matches(' ');
            if scheme.eq_ignore_ascii_case("basic") {
                basic(rest, buffer).map(Proof::Secret)
            } else if scheme.eq_ignore_ascii_case("dpop") {
                bound(head, rest).map(Proof::Bound)
            } else {
                token_of(scheme, rest)
            }
        }),
    };
    found.ok_or(Unreadable::Refused(Refusal::Malformed))
}

/// Whether a request presents a credential in a header, readable or not.
pub(crate) fn is_presented(headers: &HeaderMap) -> bool {
    headers.contains_key(&X_AUTH_TOKEN) || headers.contains_key(AUTHORIZATION)
}

/// The proof of possession that a request brings, whatever it is worth; none if it brings none.
///
/// # Errors
/// `Ambiguous` for more than one.
pub fn proof(head: Head<'_>) -> Result<Option<PresentedProof<'_>>, Unreadable> {
    let found = only(head.headers, &DPOP)?;
    let (method, path) = (head.method.as_str(), head.uri.path());
    Ok(found.map(|value| PresentedProof { text: text(value).unwrap_or_default(), method, path }))
}

/// `DPoP TOKEN` (RFC 9449). Whoever sends no proof, or several, sends none that holds.
fn bound<'a>(head: Head<'a>, token: &'a str) -> Option<BoundToken<'a>> {
    let none = PresentedProof { text: "", method: "", path: "" };
    let proof = proof(head).ok().flatten().unwrap_or(none);
    (!token.is_empty() && !token.contains(' ')).then_some(BoundToken { token, proof })
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Unreadable> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if first.is_some() && values.next().is_some() {
        return Err(Unreadable::Ambiguous);
    }
    Ok(first)
}

/// The text of a value that is ASCII, as `HeaderValue::to_str` has it, but not one byte at a time.
pub(crate) fn text(value: &HeaderValue) -> Option<&str> {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes).ok().filter(|_| bytes.is_ascii())
}

/// `SECRET/CLIENT_ID`. A secret never holds a slash, a foreign client id may.
pub fn auth_token(text: &str) -> Option<Presented<'_>> {
    text.split_once('/').map(|(secret, client_id)| Presented { client_id, secret })
}

/// `Bearer TOKEN` (RFC 6750), or as some clients spell the scheme.
fn token_of<'a>(scheme: &str, token: &'a str) -> Option<Proof<'a>> {
    let known = ["bearer", "access_token"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    (known && !token.is_empty() && !token.contains(' ')).then_some(Proof::Token(token))
}

/// What stands after `Basic`: base64 of `CLIENT_ID:SECRET` (RFC 7617).
fn basic<'a>(encoded: &str, buffer: &'a mut Vec<u8>) -> Option<Presented<'a>> {
    if base64::decoded_len_estimate(encoded.len()) > DECODED_MAX {
        return None;
    }
    STANDARD.decode_vec(encoded, buffer).ok()?;
    let decoded = std::str::from_utf8(buffer).ok()?;
    decoded.split_once(':').map(|(client_id, secret)| Presented { client_id, secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestId;
    use http::{Method, Uri};
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn parsed(pairs: &[(&'static str, &str)]) -> Result<(String, String), Unreadable> {
        let mut buffer = Vec::new();
        let headers = headers(pairs);
        let (method, uri) = (Method::GET, Uri::from_static("/v1/whoami?x=1"));
        let head = Head { method: &method, uri: &uri, headers: &headers, peer: None, id: RequestId::default() };
        read(head, &mut buffer).map(|found| match found {
            Proof::Secret(found) => (found.client_id.to_owned(), found.secret.to_owned()),
            Proof::Token(token) => ("token".to_owned(), token.to_owned()),
            Proof::Bound(BoundToken { token, proof }) => {
                (format!("{token} by {} {}", proof.method, proof.path), proof.text.to_owned())
            }
        })
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let expected = Ok(("id".to_owned(), "secret".to_owned()));
        assert_eq!(parsed(&[("x-auth-token", "secret/id")]), expected);
        for scheme in ["Basic", "basic", "BASIC"] {
            let value = format!("{scheme} {}", STANDARD.encode("id:secret"));
            assert_eq!(parsed(&[("authorization", &value)]), expected);
        }
        assert_eq!(parsed(&[("x-auth-token", "secret/a/b")]), Ok(("a/b".to_owned(), "secret".to_owned())));
        let value = format!("Basic {}", STANDARD.encode("id:se:cret"));
        assert_eq!(parsed(&[("authorization", &value)]), Ok(("id".to_owned(), "se:cret".to_owned())));
    }

    #[test]
    fn tokens_are_taken_under_their_schemes() {
        let expected = Ok(("token".to_owned(), "a.b.c".to_owned()));
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c  ", "access_token a.b.c", "Access_Token   a.b.c "] {
            assert_eq!(parsed(&[("authorization", value)]), expected, "{value}");
        }
        assert_eq!(parsed(&[("cookie", "access_token=a.b.c")]), Err(Unreadable::Refused(Refusal::Absent)));
    }

    #[test]
    fn bound_tokens_come_with_their_proof() {
        let pairs = [("authorization", "DPoP a.b.c"), ("dpop", "d.e.f")];
        assert_eq!(parsed(&pairs), Ok(("a.b.c by GET /v1/whoami".to_owned(), "d.e.f".to_owned())));
        let nothing = Ok(("a.b.c by  ".to_owned(), String::new()));
        assert_eq!(parsed(&pairs[..1]), nothing);
        assert_eq!(parsed(&[pairs[0], pairs[1], ("dpop", "g.h.i")]), nothing, "of two none holds");
        assert_eq!(parsed(&[("authorization", "DPoP ")]), Err(Unreadable::Refused(Refusal::Malformed)));
    }

    #[test]
    fn more_than_one_is_ambiguous() {
        let basic = format!("Basic {}", STANDARD.encode("id:secret"));
        let ambiguous = Err(Unreadable::Ambiguous);
        assert_eq!(parsed(&[("x-auth-token", "secret/id"), ("authorization", &basic)]), ambiguous);
        assert_eq!(parsed(&[("x-auth-token", "secret/id"), ("authorization", "Bearer x")]), ambiguous);
        assert_eq!(parsed(&[("x-auth-token", "secret/id"), ("x-auth-token", "secret/id")]), ambiguous);
        assert_eq!(parsed(&[("authorization", &basic), ("authorization", &basic)]), ambiguous);
    }

    #[test]
    fn what_cannot_be_read_is_malformed_and_nothing_is_absent() {
        assert_eq!(parsed(&[]), Err(Unreadable::Refused(Refusal::Absent)));
        assert_eq!(parsed(&[("cookie", "x-auth-token=secret/id")]), Err(Unreadable::Refused(Refusal::Absent)));
        let malformed = Err(Unreadable::Refused(Refusal::Malformed));
        assert_eq!(parsed(&[("x-auth-token", "secret")]), malformed);
        assert_eq!(parsed(&[("x-auth-token", "sécret/id")]), malformed);
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer  ",
            "Token abc",
            "Bearer\tabc",
            "Basic",
            "Basic ",
            "Basic !!!!",
            "Basic aWQ=",
            "Basicaaaa",
            "basic \u{fc}",
        ] {
            assert_eq!(parsed(&[("authorization", bad)]), malformed, "{bad}");
        }
        let long = format!("Basic {}", STANDARD.encode(format!("{}:x", "i".repeat(DECODED_MAX))));
        assert_eq!(parsed(&[("authorization", &long)]), malformed);
        let not_text = format!("Basic {}", STANDARD.encode(b"id:\xff\xfe"));
        assert_eq!(parsed(&[("authorization", &not_text)]), malformed);
    }

    proptest! {
        #[test]
        fn any_header_is_answered(token in "[ -~]{0,80}", authorization in "[Bb]asic [ -~]{0,80}") {
            let _ = parsed(&[("x-auth-token", &token)]);
            let _ = parsed(&[("authorization", &authorization)]);
        }
    }
}
