//! Refusals in the words of RFC 6749, 5.2: `error` and `error_description`.

use crate::kit::{Asked, Face, Failure, status};
use axum::body::Body;
use axum::response::Response;
use claviger_domain::Error;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, StatusCode};
use serde::Serialize;
use serde_json::json;

/// What a handler comes to.
pub(super) type Answer = Result<Response, Failure>;

static PRAGMA: HeaderName = HeaderName::from_static("pragma");

/// The words of `/oauth2` and `/.well-known`.
#[derive(Debug)]
pub(super) struct OAuth;

impl Face for OAuth {
    fn render(error: &Error, _: &Asked<'_>) -> Response {
        let body = json!({ "error": code(error), "error_description": describe(error) });
        answer(oauth_status(error), &body)
    }
}

/// A JSON answer that nobody keeps.
pub(super) fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    answer_text(status, serde_json::to_string(body).unwrap_or_default())
}

/// The same of a text that is JSON already.
pub(super) fn answer_text(status: StatusCode, json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(PRAGMA.clone(), HeaderValue::from_static("no-cache"));
    response
}

fn oauth_status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        other => status(other),
    }
}

fn code(error: &Error) -> &'static str {
    const KNOWN: [&str; 6] = [
        "invalid_dpop_proof",
        "invalid_scope",
        "invalid_grant",
        "invalid_target",
        "unsupported_grant_type",
        "unsupported_token_type",
    ];
    match error {
        Error::Malformed { code, .. } if KNOWN.contains(code) => code,
        Error::Malformed { .. } | Error::Invalid(_) | Error::Conflict { .. } | Error::PreconditionFailed { .. } => {
            "invalid_request"
        }
        Error::Unauthenticated(_) => "invalid_client",
        Error::Forbidden { .. } => "unauthorized_client",
        Error::NotFound(_) => "not_found",
        Error::Limited { .. } | Error::Unavailable(_) => "temporarily_unavailable",
        Error::Internal(_) => "server_error",
    }
}

fn describe(error: &Error) -> String {
    let text = match error {
        Error::Unauthenticated(refusal) if refusal.is_owner() => {
            format!("the credential is right, but: {}", refusal.code())
        }
        Error::Unauthenticated(_) => "no acceptable credential was presented".into(),
        Error::Unavailable(_) => "the server cannot answer this at the moment; send the same request again soon".into(),
        Error::Internal(_) => "the server failed".into(),
        other => other.to_string(),
    };
    // The characters that RFC 6749 allows there.
    text.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::Refusal;

    #[test]
    fn each_refusal_has_its_word() {
        let malformed = |code| Error::Malformed { code, detail: "a \"b\" \\ é".into() };
        for (error, expected, status) in [
            (malformed("invalid_scope"), "invalid_scope", 400),
            (malformed("credential_ambiguous"), "invalid_request", 400),
            (Error::Unauthenticated(Refusal::WrongSecret), "invalid_client", 401),
            (Error::Unavailable("x".into()), "temporarily_unavailable", 503),
            (Error::Internal("x".into()), "server_error", 500),
            (Error::invalid("/x", "y", "z"), "invalid_request", 400),
        ] {
            assert_eq!((code(&error), oauth_status(&error).as_u16()), (expected, status));
        }
        assert_eq!(describe(&malformed("invalid_scope")), "a ?b? ? ?");
        let strangers = [Refusal::Absent, Refusal::WrongSecret, Refusal::AddressNotAllowed, Refusal::TokenInvalid];
        let texts: Vec<_> = strangers.iter().map(|refusal| describe(&Error::Unauthenticated(*refusal))).collect();
        assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
