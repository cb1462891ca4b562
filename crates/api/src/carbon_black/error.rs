//! Refusals in this family's words: `error_code` and `message`, and for the routes of version 3 `success` and `message`.

use super::bad_request::BadRequest;
use crate::kit::{Asked, Face, Failure, status};
use axum::response::{IntoResponse, Response};
use claviger_domain::{Error, Refusal};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The words of `/audit_log/v1` and `/jobs/v1`.
#[derive(Debug)]
pub(super) struct Family;

/// The words of `/integrationServices/v3`.
#[derive(Debug)]
pub(super) struct FamilyV3;

impl Face for Family {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        let mut body = json!({ "error_code": code(error), "message": message(error, asked) });
        if let (Error::Invalid(fields), Value::Object(members)) = (error, &mut body) {
            members.extend(fields.first().map(|field| ("field".to_owned(), field.pointer.as_str().into())));
        }
        answer(family_status(error), &body)
    }
}

impl Face for FamilyV3 {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        answer(family_status(error), &json!({ "success": false, "message": message(error, asked) }))
    }
}

/// What keeps a handler from answering.
#[derive(Debug)]
pub(super) enum Refused {
    /// A verb refused.
    Verb(Error),
    /// The request is not one of this family's.
    Request(BadRequest),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Verb(error)
    }
}

impl From<BadRequest> for Refused {
    fn from(error: BadRequest) -> Self {
        Self::Request(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Verb(error) => Failure(error).into_response(),
            Self::Request(error) => answer(StatusCode::BAD_REQUEST, &error.to_json()),
        }
    }
}

/// An answer in JSON.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, JSON)], bytes).into_response(),
        Err(error) => Failure(Error::Internal(format!("an answer is no JSON: {error}"))).into_response(),
    }
}

/// A body that cannot be accepted is a bad request here, whatever the reason.
fn family_status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        other => status(other),
    }
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::NotFound(_) => "NOT_FOUND",
        Error::Conflict { .. } => "CONFLICT",
        Error::Invalid(_) => "INVALID_VALUE",
        Error::Malformed { code, .. } => match *code {
            "body_too_large" => "BODY_TOO_LARGE",
            "media_type_unsupported" => "UNSUPPORTED_MEDIA_TYPE",
            "method_not_allowed" => "METHOD_NOT_ALLOWED",
            "credential_ambiguous" => "AMBIGUOUS_CREDENTIAL",
            _ => "INVALID_BODY",
        },
        Error::Unauthenticated(_) => "UNAUTHORIZED",
        Error::Forbidden { .. } => "FORBIDDEN",
        Error::Limited { .. } => "TOO_MANY_REQUESTS",
        Error::PreconditionFailed { .. } => "PRECONDITION_FAILED",
        Error::Unavailable(_) => "SERVICE_UNAVAILABLE",
        Error::Internal(_) => "INTERNAL_ERROR",
    }
}

fn message(error: &Error, asked: &Asked<'_>) -> String {
    match error {
        Error::Unauthenticated(Refusal::Disabled) => "the API key is disabled".into(),
        Error::Unauthenticated(Refusal::Expired) => "the API key has expired".into(),
        Error::Unauthenticated(Refusal::TokenExpired) => "the token has expired".into(),
        Error::Unauthenticated(Refusal::TokenRevoked) => "the token has been revoked".into(),
        Error::Unauthenticated(Refusal::TenantSuspended) => "the organization is suspended".into(),
        Error::Unauthenticated(Refusal::KeyTypeRetired) => {
            "keys of this type have stopped working; an administrator can migrate the API key to a custom access level"
                .into()
        }
        Error::Unauthenticated(_) => {
            "the API key is missing or not valid; send X-Auth-Token: <secret key>/<API ID>".into()
        }
        Error::Unavailable(_) => "not available right now; send the request again".into(),
        Error::Internal(_) => format!("internal error; the request's id is {}", asked.id),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::RequestId;
    use claviger_domain::grants::{Right, Verb};
    use claviger_domain::rate::RateLimit;
    use http_body_util::BodyExt as _;

    const ASKED: Asked<'_> = Asked { id: RequestId(7), path: "/jobs/v1/orgs/K/jobs" };

    async fn rendered<F: Face>(error: Error) -> (u16, Value) {
        let response = F::render(&error, &ASKED);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    fn malformed(code: &'static str) -> Error {
        Error::Malformed { code, detail: "so".into() }
    }

    #[tokio::test]
    async fn every_refusal_has_its_status_and_code() {
        let limit = RateLimit { requests: 1, window_seconds: 1 };
        for (error, status, code) in [
            (Error::NotFound("job"), 404, "NOT_FOUND"),
            (Error::conflict("in_use", "in use"), 409, "CONFLICT"),
            (Error::invalid("/a", "wrong", "mend it"), 400, "INVALID_VALUE"),
            (malformed("malformed_json"), 400, "INVALID_BODY"),
            (malformed("credential_ambiguous"), 400, "AMBIGUOUS_CREDENTIAL"),
            (malformed("body_too_large"), 413, "BODY_TOO_LARGE"),
            (malformed("media_type_unsupported"), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (malformed("method_not_allowed"), 405, "METHOD_NOT_ALLOWED"),
            (Error::Unauthenticated(Refusal::WrongSecret), 401, "UNAUTHORIZED"),
            (Error::missing(Right::new("org.audits", Verb::Read)), 403, "FORBIDDEN"),
            (Error::Limited { limit, retry_after_seconds: 3 }, 429, "TOO_MANY_REQUESTS"),
            (Error::PreconditionFailed { current: 1 }, 412, "PRECONDITION_FAILED"),
            (Error::Unavailable("db".into()), 503, "SERVICE_UNAVAILABLE"),
            (Error::Internal("boom".into()), 500, "INTERNAL_ERROR"),
        ] {
            let shown = format!("{error:?}");
            let (found, body) = rendered::<Family>(error).await;
            assert_eq!((found, &body["error_code"]), (status, &json!(code)), "{shown}");
            assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{shown}");
        }
    }

    #[tokio::test]
    async fn the_body_says_what_helps_and_nothing_more() {
        let (_, forbidden) = rendered::<Family>(Error::missing(Right::new("org.audits", Verb::Read))).await;
        assert!(forbidden["message"].as_str().unwrap().contains("org.audits:READ"));
        let (_, invalid) = rendered::<Family>(Error::invalid("/a", "wrong", "mend it")).await;
        assert_eq!(invalid["field"], "/a");
        let (_, internal) = rendered::<Family>(Error::Internal("the password is x".into())).await;
        assert_eq!(internal["message"], format!("internal error; the request's id is {}", RequestId(7)));
        let mut strangers = Vec::new();
        for refusal in [
            Refusal::Absent,
            Refusal::Malformed,
            Refusal::UnknownClient,
            Refusal::WrongSecret,
            Refusal::AddressNotAllowed,
        ] {
            strangers.push(rendered::<Family>(Error::Unauthenticated(refusal)).await);
        }
        strangers.dedup();
        assert_eq!(strangers.len(), 1, "strangers are told nothing");
        assert_ne!(rendered::<Family>(Error::Unauthenticated(Refusal::Expired)).await, strangers.remove(0));
    }

    #[tokio::test]
    async fn version_3_has_its_own_body() {
        let (status, body) = rendered::<FamilyV3>(Error::Unauthenticated(Refusal::Disabled)).await;
        assert_eq!((status, body), (401, json!({ "success": false, "message": "the API key is disabled" })));
    }

    #[tokio::test]
    async fn bad_requests_answer_400() {
        let response = Refused::from(BadRequest::body("no JSON")).into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
}
