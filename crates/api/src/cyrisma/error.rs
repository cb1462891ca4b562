//! Refusals in this family's words: `error` and `error_description`, and at the reset door the members of its answer, too.

use crate::kit::{Asked, Face, Failure, status};
use axum::body::Body;
use axum::response::Response;
use claviger_domain::Error;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::json;

const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="claviger""#);

/// What a handler comes to.
pub(super) type Answer = Result<Response, Failure>;

/// The words of `/app/partner`.
#[derive(Debug)]
pub(super) struct Partner;

/// The words of `/app/partner/login/regen-pass`.
#[derive(Debug)]
pub(super) struct Reset;

impl Face for Partner {
    fn render(error: &Error, _: &Asked<'_>) -> Response {
        let mut response =
            answer(partner_status(error), &json!({ "error": code(error), "error_description": describe(error) }));
        if matches!(error, Error::Unauthenticated(_)) || code(error) == NOT_OPENED {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}

impl Face for Reset {
    fn render(error: &Error, _: &Asked<'_>) -> Response {
        let description = describe(error);
        let body = json!({
            "success": "0",
            "message": description,
            "newPass": "",
            "error": code(error),
            "error_description": description,
        });
        answer(partner_status(error), &body)
    }
}

/// A JSON answer.
pub(super) fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The session has not opened the instance that it asks about.
pub(super) const NOT_OPENED: &str = "instance_not_authenticated";

/// What a client has done wrong is 400 in this family, but for a token that does not hold.
pub(super) fn partner_status(error: &Error) -> StatusCode {
    match error {
        Error::Malformed { code, .. } if *code == NOT_OPENED => StatusCode::UNAUTHORIZED,
        Error::Malformed { code: "method_not_allowed", .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::Malformed { .. } | Error::Invalid(_) | Error::Conflict { .. } | Error::PreconditionFailed { .. } => {
            StatusCode::BAD_REQUEST
        }
        other => status(other),
    }
}

pub(super) fn code(error: &Error) -> &'static str {
    const KNOWN: [&str; 11] = [
        "invalid_grant",
        "invalid_scope",
        "unsupported_grant_type",
        "password_reset_required",
        "instance_not_found",
        "instance_suspended",
        "not_an_organization",
        "user_not_found",
        "invalid_date_range",
        "invalid_grain",
        NOT_OPENED,
    ];
    match error {
        Error::Malformed { code, .. } | Error::Conflict { code, .. } if KNOWN.contains(code) => code,
        Error::Malformed { .. } | Error::Invalid(_) => "invalid_request",
        Error::Conflict { .. } | Error::PreconditionFailed { .. } => "conflict",
        Error::Unauthenticated(_) => "invalid_token",
        Error::Forbidden { .. } => "access_denied",
        Error::NotFound(_) => "not_found",
        Error::Limited { .. } => "rate_limited",
        Error::Unavailable(_) | Error::Internal(_) => "server_error",
    }
}

pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Unauthenticated(refusal) if refusal.is_owner() => {
            format!("the token is right, but: {}", refusal.code())
        }
        Error::Unauthenticated(_) => {
            "the token is missing, unknown or expired; send Authorization: access_token <token>".into()
        }
        Error::Unavailable(_) => "the server cannot answer this at the moment; send the same request again soon".into(),
        Error::Internal(_) => "the server failed".into(),
        Error::NotFound("resource") => "there is no such path".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::Refusal;
    use claviger_domain::rate::RateLimit;

    #[test]
    fn each_refusal_has_its_status_and_word() {
        let malformed = |code| Error::Malformed { code, detail: "so".into() };
        let limit = RateLimit { requests: 1, window_seconds: 1 };
        for (error, status, expected) in [
            (malformed("invalid_grant"), 400, "invalid_grant"),
            (malformed("body_too_large"), 400, "invalid_request"),
            (malformed("method_not_allowed"), 405, "invalid_request"),
            (malformed(NOT_OPENED), 401, NOT_OPENED),
            (Error::invalid("/x", "y", "z"), 400, "invalid_request"),
            (Error::conflict("instance_suspended", "so"), 400, "instance_suspended"),
            (Error::conflict("other", "so"), 400, "conflict"),
            (Error::Unauthenticated(Refusal::TokenInvalid), 401, "invalid_token"),
            (Error::NotFound("resource"), 404, "not_found"),
            (Error::Limited { limit, retry_after_seconds: 3 }, 429, "rate_limited"),
            (Error::Unavailable("x".into()), 503, "server_error"),
            (Error::Internal("the password is x".into()), 500, "server_error"),
        ] {
            assert_eq!((partner_status(&error).as_u16(), code(&error)), (status, expected), "{error:?}");
            assert!(!describe(&error).contains("password is"), "{error:?}");
        }
        let strangers = [Refusal::Absent, Refusal::TokenInvalid, Refusal::AddressNotAllowed, Refusal::UnknownClient];
        let texts: Vec<_> = strangers.iter().map(|refusal| describe(&Error::Unauthenticated(*refusal))).collect();
        assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
