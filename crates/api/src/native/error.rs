//! Refusals as problem documents (RFC 9457).

use crate::kit::{Asked, Face, status};
use crate::native::problems;
use axum::body::Body;
use axum::response::Response;
use claviger_domain::error::Referrer;
use claviger_domain::{Error, FieldError};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// The native dialect.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl Face for Native {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        respond(status(error), error, asked)
    }
}

/// A refusal under a status that may be another than its own.
pub(crate) fn respond(status: StatusCode, error: &Error, asked: &Asked<'_>) -> Response {
    let text = serde_json::to_vec(&Problem::of(status, error, asked)).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// A refusal, as RFC 9457 has it. `code` is stable; texts may change.
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// Path of a page that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/v1/problems/not_found")]
    kind: String,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and what to do.
    detail: String,
    /// The path that was asked for.
    instance: &'a str,
    /// Stable name of the problem.
    #[schema(example = "not_found")]
    code: &'static str,
    /// Names the request in the server's log and audit record.
    request_id: String,
    /// What is wrong with which member, parameter or header.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: Vec<ProblemField<'a>>,
    /// On 403: the right that the credential lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "org.audits:READ")]
    missing_permission: Option<String>,
    /// On 409: what refers to the object.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    referrers: Vec<ProblemReferrer<'a>>,
}

/// What is wrong with one member, parameter or header.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemField<'a> {
    /// JSON pointer into the body, or the name of a parameter or header.
    #[schema(example = "/name")]
    pointer: &'a str,
    /// What is wrong.
    message: &'a str,
    /// What to do about it.
    fix: &'a str,
}

/// Something that refers to an object and keeps it from being deleted.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemReferrer<'a> {
    /// The kind of noun.
    kind: &'a str,
    /// Its id.
    id: &'a str,
    /// Its name.
    name: &'a str,
}

impl<'a> Problem<'a> {
    fn of(status: StatusCode, error: &'a Error, asked: &Asked<'a>) -> Self {
        let code = code(error);
        let (errors, missing_permission, referrers) = match error {
            Error::Invalid(fields) => (fields.iter().map(field).collect(), None, Vec::new()),
            Error::Forbidden { missing, .. } => (Vec::new(), missing.as_ref().map(ToString::to_string), Vec::new()),
            Error::Conflict { referrers, .. } => (Vec::new(), None, referrers.iter().map(referrer).collect()),
            _ => (Vec::new(), None, Vec::new()),
        };
        Self {
            kind: problems::page_of(code),
            title: problems::title_of(code),
            status: status.as_u16(),
            detail: detail(error),
            instance: asked.path,
            code,
            request_id: asked.id.to_string(),
            errors,
            missing_permission,
            referrers,
        }
    }
}

/// The stable code of a refusal. A stranger is not told why it is one.
pub(crate) fn code(error: &Error) -> &'static str {
    match error {
        Error::NotFound(_) => "not_found",
        Error::Conflict { code, .. } | Error::Malformed { code, .. } => code,
        Error::Invalid(_) => "invalid",
        Error::Unauthenticated(refusal) if refusal.is_owner() => refusal.code(),
        Error::Unauthenticated(_) => "unauthenticated",
        Error::Forbidden { missing: Some(_), .. } => "permission_missing",
        Error::Forbidden { missing: None, .. } => "forbidden",
        Error::Limited { .. } => "rate_limited",
        Error::PreconditionFailed { .. } => "precondition_failed",
        Error::Unavailable(_) => "unavailable",
        Error::Internal(_) => "internal",
    }
}

fn detail(error: &Error) -> String {
    match error {
        Error::Unauthenticated(refusal) if refusal.is_owner() => problems::title_of(refusal.code()).to_owned(),
        Error::Unauthenticated(_) => {
            "no acceptable credential was presented; send X-Auth-Token: SECRET/CLIENT_ID, Authorization: Basic, or Authorization: Bearer with a session token".into()
        }
        // What these two say is for the server's log.
        Error::Unavailable(_) => "the server cannot answer this at the moment; send the same request again soon".into(),
        Error::Internal(_) => "the server failed; request_id finds the reason in its log".into(),
        other => other.to_string(),
    }
}

fn field(field: &FieldError) -> ProblemField<'_> {
    ProblemField { pointer: &field.pointer, message: &field.message, fix: &field.fix }
}

fn referrer(referrer: &Referrer) -> ProblemReferrer<'_> {
    ProblemReferrer { kind: referrer.kind, id: &referrer.id, name: &referrer.name }
}

#[cfg(test)]
mod tests;
