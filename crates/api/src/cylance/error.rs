//! Refusals in this family's words: an object with `message`.

use crate::kit::{Asked, Face, Failure, status};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use claviger_domain::Error;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::json;

/// What a handler comes to.
pub(super) type Answer = Result<Response, Refused>;

const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="claviger""#);

/// The words of the User API.
#[derive(Debug)]
pub(super) struct UserApi;

impl Face for UserApi {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        let mut response = answer(user_api_status(error), &json!({ "message": message(error, asked) }));
        if let Error::Unauthenticated(refusal) = error
            && !refusal.wants_proof()
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}

/// What keeps a handler from answering.
#[derive(Debug)]
pub(super) enum Refused {
    /// A verb refused.
    Verb(Error),
    /// The assertion lives longer than this family allows.
    TooLong,
    /// The call's data are not kept here.
    NotServed,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Verb(error)
    }
}

impl From<Failure> for Refused {
    fn from(Failure(error): Failure) -> Self {
        Self::Verb(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Verb(error) => Failure(error).into_response(),
            Self::TooLong => {
                let message = "The lifetime of the token exceeds 30 minutes.";
                answer(StatusCode::BAD_REQUEST, &json!({ "message": message }))
            }
            Self::NotServed => {
                let message = "This server does not serve that resource.";
                answer(StatusCode::NOT_IMPLEMENTED, &json!({ "message": message }))
            }
        }
    }
}

/// An answer in JSON.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    answer_text(status, serde_json::to_string(body).unwrap_or_default())
}

/// The same of a text that is JSON already.
pub(super) fn answer_text(status: StatusCode, json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn user_api_status(error: &Error) -> StatusCode {
    match error {
        // A scope that is none, or more than the application holds.
        Error::Malformed { code: "invalid_scope" | "invalid_dpop_proof", .. } => StatusCode::FORBIDDEN,
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        other => status(other),
    }
}

fn message(error: &Error, asked: &Asked<'_>) -> String {
    match error {
        Error::Unauthenticated(refusal) if refusal.is_owner() => {
            format!("the credential is right, but: {}", refusal.code())
        }
        // What is known of public clients.
        Error::Unauthenticated(_) if asked.path == super::token::PATH => "Invalid JWT payload".into(),
        Error::Unauthenticated(_) => "The access token is missing, expired or not valid.".into(),
        Error::Unavailable(_) => "not available right now; send the request again".into(),
        Error::Internal(_) => format!("internal error; the request's id is {}", asked.id),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::RequestId;
    use claviger_domain::Refusal;

    #[test]
    fn statuses_are_those_of_the_family() {
        let asked = Asked { id: RequestId(7), path: "/auth/v2/token" };
        let malformed = |code| Error::Malformed { code, detail: "x".into() };
        for (error, expected) in [
            (malformed("malformed_json"), 400),
            (malformed("invalid_scope"), 403),
            (Error::invalid("/auth_token", "x", "y"), 400),
            (Error::Unauthenticated(Refusal::AssertionInvalid), 401),
            (Error::Unavailable("x".into()), 503),
        ] {
            let response = UserApi::render(&error, &asked);
            assert_eq!(response.status().as_u16(), expected);
            assert_eq!(response.headers()["content-type"], "application/json");
        }
        let strangers =
            [Refusal::UnknownClient, Refusal::AssertionInvalid, Refusal::AssertionReplayed, Refusal::Malformed];
        let messages: Vec<_> =
            strangers.iter().map(|refusal| message(&Error::Unauthenticated(*refusal), &asked)).collect();
        assert!(messages.iter().all(|text| text == "Invalid JWT payload"));
    }
}
