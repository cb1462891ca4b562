//! The hot path: a protecting proxy asks whether a caller may do something.
//!
//! Nothing here is framed, boxed or formatted on the way to an admission: the query is read where it lies, and the ids of
//! the answer share one buffer. The body of a question is never read. The edge asks [`answer`] before any router does.

use crate::kit::{
    Api, Asked, Face, Head, Presentation, Question, Questions, RateHeaders, RateText, advise, answer_failure,
    authenticate,
};
use crate::native::error::respond;
use crate::native::openapi::Verifying;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use claviger_app::verify::{Admission, NotAdmitted};
use claviger_domain::rate::RateLimit;
use claviger_domain::{Error, Refusal, Result};
use http::header::{CACHE_CONTROL, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use utoipa::IntoParams;
use uuid::Uuid;

static X_CLAVIGER_TENANT: HeaderName = HeaderName::from_static("x-claviger-tenant");
static X_CLAVIGER_APPLICATION: HeaderName = HeaderName::from_static("x-claviger-application");
static X_CLAVIGER_CLIENT_ID: HeaderName = HeaderName::from_static("x-claviger-client-id");
static X_CLAVIGER_REASON: HeaderName = HeaderName::from_static("x-claviger-reason");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Where the question is asked.
pub(crate) const PATH: &str = "/v1/verify";

/// What is asked. For the document alone: the query is read by hand.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `question` reads")]
pub(crate) struct VerifyQuery {
    /// The right the caller must hold.
    #[param(example = "org.audits:READ")]
    permission: String,
    /// Whose application it must be: a tenant's id (that tenant or one beneath it), or `any`.
    #[param(example = "any")]
    tenant: String,
    /// `plain` for proxies that pass on 429 and 503; without it these two are answered as 403.
    status: Option<String>,
}

/// Ask whether a caller may do something
///
/// For reverse proxies (nginx `auth_request`, Traefik `forwardAuth`, Envoy `ext_authz`, Caddy `forward_auth`), which pass on
/// the caller's credential and take both parameters from their own configuration. Over the rate limit, and while the server
/// cannot know, the answer is 403 with `X-Claviger-Reason` and `Retry-After`; with `status=plain` it is 429 or 503.
#[utoipa::path(get, path = "/v1/verify", tag = "verification", params(VerifyQuery), responses(Verifying))]
pub(crate) async fn verify(State(api): State<Api>, request: Request) -> Response {
    let (parts, _unread) = request.into_parts();
    match answer(&api, (&parts).into()) {
        Some(response) => response,
        // Boxed, so that the hot path does not carry its room about.
        None => Box::pin(look_up_and_answer(api, parts)).await,
    }
}

/// Ask whether a caller may do something
///
/// As by GET, for proxies that ask with the method of the request they protect. The body is not read.
#[utoipa::path(post, path = "/v1/verify", tag = "verification", params(VerifyQuery), responses(Verifying))]
pub(crate) async fn verify_by_post(state: State<Api>, request: Request) -> Response {
    verify(state, request).await
}

/// The answer, if it can be given from memory.
pub(crate) fn answer(api: &Api, head: Head<'_>) -> Option<Response> {
    let query = head.uri.query().unwrap_or_default();
    let question = api.questions.read(query, api.app.catalogue()).ok()?;
    match ask(api, head, &question)? {
        Ok(admission) => {
            api.questions.remember(query, &question);
            Some(admit(api, &admission))
        }
        Err(refused) => Some(refuse(head, question.plain, &refused)),
    }
}

fn ask(api: &Api, head: Head<'_>, question: &Question<'_>) -> Option<Result<Admission, NotAdmitted>> {
    let mut buffer = Vec::new();
    match Presentation::read(api, head, &mut buffer) {
        Ok(Presentation { presented, origin, user_agent }) => {
            api.app.admit(presented, origin, user_agent, question.wanted)
        }
        Err(error) => Some(Err(error.into())),
    }
}

/// The answer to a question that is none, or about an application that is not in memory. The credential comes first: a
/// stranger learns nothing of how the question is put.
async fn look_up_and_answer(api: Api, parts: Parts) -> Response {
    let question = Question::read(parts.uri.query().unwrap_or_default(), api.app.catalogue());
    let plain = question.as_ref().is_ok_and(|question| question.plain);
    let caller = authenticate(&api, &parts).await;
    let refused = match (caller, question) {
        (Err(error), _) => error.into(),
        (Ok(caller), Err(error)) => NotAdmitted { error, quota: caller.quota(), advice: caller.advice().map(Box::new) },
        (Ok(caller), Ok(question)) => match api.app.admit_caller(&caller, question.wanted) {
            Ok(admission) => return admit(&api, &admission),
            Err(refused) => refused,
        },
    };
    refuse((&parts).into(), plain, &refused)
}

fn refuse(head: Head<'_>, plain: bool, NotAdmitted { error, quota, advice }: &NotAdmitted) -> Response {
    let mut response = match error {
        // A proxy passes on what a client sent, and knows no answer for it but 401.
        Error::Malformed { code: "credential_ambiguous", .. } => {
            refusal(head, plain, &Error::Unauthenticated(Refusal::Malformed))
        }
        other => refusal(head, plain, other),
    };
    if let Some((limit, quota)) = quota {
        RateHeaders::of(*limit, quota.remaining, quota.reset_seconds).add_to(response.headers_mut());
    }
    if let Some(advice) = advice {
        advise(response.headers_mut(), advice);
    }
    response
}

/// The headers of an admission, with the values that differ from call to call still to be put in, in this order: tenant,
/// application, and the state of the rate limit if there is one.
fn admission(questions: &Questions, limit: Option<RateLimit>) -> HeaderMap {
    if let Some(headers) = questions.admissions.get(|known| *known == limit) {
        return headers;
    }
    let mut headers = HeaderMap::new();
    for name in [&X_CLAVIGER_TENANT, &X_CLAVIGER_APPLICATION] {
        headers.insert(name, HeaderValue::from_static(""));
    }
    if let Some(limit) = limit {
        RateHeaders::of(limit, 0, 0).add_to(&mut headers);
    }
    headers.insert(CACHE_CONTROL, NO_STORE);
    questions.admissions.put(limit, headers.clone());
    headers
}

fn admit(api: &Api, Admission { tenant, application, foreign, quota, advice }: &Admission) -> Response {
    let mut headers = admission(&api.questions, quota.map(|(limit, _)| limit));
    let (mut tenant_text, mut application_text) = (Uuid::encode_buffer(), Uuid::encode_buffer());
    let state = quota.map(|(_, quota)| RateText::state(quota.remaining, quota.reset_seconds));
    let texts = [
        Uuid::from_u128(tenant.as_u128()).hyphenated().encode_lower(&mut tenant_text).as_bytes(),
        Uuid::from_u128(application.as_u128()).hyphenated().encode_lower(&mut application_text).as_bytes(),
        state.as_ref().map_or(&[], RateText::as_bytes),
    ];
    // A map is walked in the order in which it was filled, and so nothing is hashed.
    for (value, text) in headers.values_mut().zip(texts).filter(|(_, text)| !text.is_empty()) {
        if let Ok(text) = HeaderValue::from_bytes(text) {
            *value = text;
        }
    }
    if let Some(foreign) = foreign
        && let Ok(client_id) = HeaderValue::from_str(foreign.as_str())
    {
        headers.insert(&X_CLAVIGER_CLIENT_ID, client_id);
    }
    if let Some(advice) = advice {
        advise(&mut headers, advice);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}

fn refusal(head: Head<'_>, plain: bool, error: &Error) -> Response {
    let asked = Asked { id: head.id, path: head.uri.path() };
    let mut response = if plain {
        answer_failure::<crate::native::Native>(error, &asked)
    } else {
        answer_failure::<ForProxies>(error, &asked)
    };
    let reason = match error {
        Error::Limited { .. } => HeaderValue::from_static("rate_limited"),
        Error::Unavailable(_) => HeaderValue::from_static("unavailable"),
        _ => return response,
    };
    response.headers_mut().insert(X_CLAVIGER_REASON.clone(), reason);
    response
}

/// Refusals for proxies that know 401 and 403 and make a 500 of everything else.
struct ForProxies;

impl Face for ForProxies {
    fn render(error: &Error, asked: &Asked<'_>) -> Response {
        match error {
            Error::Limited { .. } | Error::Unavailable(_) => respond(StatusCode::FORBIDDEN, error, asked),
            _ => crate::native::Native::render(error, asked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_told_no_other_status_than_it_knows() {
        let (parts, _) = Request::new(Body::empty()).into_parts();
        for (plain, status) in [(false, 403), (true, 503)] {
            let response = refusal((&parts).into(), plain, &Error::Unavailable(String::new()));
            assert_eq!(
                (response.status().as_u16(), &response.headers()["x-claviger-reason"]),
                (status, &HeaderValue::from_static("unavailable"))
            );
            assert_eq!(response.headers()["retry-after"], "1");
        }
        let response = refusal((&parts).into(), false, &Error::Unauthenticated(Refusal::Absent));
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("www-authenticate"));
    }
}
