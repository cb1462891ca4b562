//! Request bodies: JSON by content type, bounded, strict ([`crate::json`]).

use crate::{Failure, json, once};
use axum::RequestExt as _;
use axum::body::Body as Bytestream;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use claviger_domain::idempotency::Once;
use claviger_domain::{Error, Result};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

/// Most bytes of a body.
pub const BODY_MAX: usize = 1 << 20;

/// Extracts a body.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// Extracts the body of a POST that can be repeated under an idempotency key.
#[derive(Debug)]
pub struct Post<T> {
    /// The body.
    pub body: T,
    /// The key, if the request has one.
    pub once: Option<Once>,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (_, bytes) = read(request).await?;
        Ok(Self(json::parse(&bytes)?))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Post<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, bytes) = read(request).await?;
        Ok(Self { body: json::parse(&bytes)?, once: once::read(&parts, &bytes)? })
    }
}

/// Reads a JSON body whatever it is called: some clients name no media type, or the wrong one.
///
/// # Errors
/// `Malformed`, `Invalid`.
pub async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Bytestream) -> Result<T> {
    json::parse(&read_bytes(headers, body).await?)
}

async fn read(request: Request) -> Result<(Parts, Bytes)> {
    check_media_type(request.method(), request.headers())?;
    let (parts, body) = request.with_limited_body().into_parts();
    let bytes = read_bytes(&parts.headers, body).await?;
    Ok((parts, bytes))
}

async fn read_bytes(headers: &HeaderMap, body: Bytestream) -> Result<Bytes> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_MAX as u64) {
        return Err(too_large());
    }
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_length_limit(&*error) => Err(too_large()),
        Err(_) => Err(Error::Malformed {
            code: "body_incomplete",
            detail: "the body ended early or came too slowly; send it again".into(),
        }),
    }
}

/// The edge bounds bodies too, so the limit that was hit may lie further down.
fn is_length_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<LengthLimitError>())
}

fn too_large() -> Error {
    Error::Malformed { code: "body_too_large", detail: format!("the body has more than {BODY_MAX} bytes") }
}

/// Bodies are JSON: an absent content type counts as that. A PATCH is a merge patch (RFC 7396), so other patch formats
/// must not pass for JSON there.
fn check_media_type(method: &Method, headers: &HeaderMap) -> Result<()> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let patch = *method == Method::PATCH;
    let accepted = match essence.as_str() {
        "application/json" => true,
        "application/merge-patch+json" => patch,
        other => !patch && other.ends_with("+json"),
    };
    if accepted && values.next().is_none() {
        return Ok(());
    }
    let wanted = if patch { "application/merge-patch+json or application/json" } else { "application/json" };
    Err(Error::Malformed { code: "media_type_unsupported", detail: format!("send the body as {wanted}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http::HeaderValue;
    use serde_json::Value;

    async fn post(content_type: Option<&str>, body: Bytestream) -> Result<Value> {
        let mut request = Request::post("/").body(body).unwrap();
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        Body::from_request(request, &()).await.map(|Body(value)| value).map_err(|Failure(error)| error)
    }

    fn code(result: &Result<Value>) -> &'static str {
        match result {
            Err(Error::Malformed { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn json_is_taken_under_its_names() {
        for good in
            [None, Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("application/x+json")]
        {
            assert!(post(good, "{}".into()).await.is_ok(), "{good:?}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""] {
            assert_eq!(code(&post(Some(bad), "{}".into()).await), "media_type_unsupported", "{bad}");
        }
    }

    #[test]
    fn a_patch_is_a_merge_patch() {
        let check = |content_type| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            check_media_type(&Method::PATCH, &headers).is_ok()
        };
        assert!(check("application/json") && check("application/merge-patch+json"));
        assert!(!check("application/json-patch+json") && !check("text/plain"));
    }

    #[tokio::test]
    async fn size_is_bounded_whether_announced_or_not() {
        let long = format!("\"{}\"", "x".repeat(BODY_MAX));
        assert_eq!(code(&post(None, long.clone().into()).await), "body_too_large");
        let chunks = stream::iter(
            long.into_bytes().chunks(1_000).map(<[u8]>::to_vec).map(Ok::<_, std::io::Error>).collect::<Vec<_>>(),
        );
        assert_eq!(code(&post(None, Bytestream::from_stream(chunks)).await), "body_too_large");
        let fits = format!("\"{}\"", "x".repeat(BODY_MAX - 2));
        assert!(post(None, fits.into()).await.is_ok());
        let broken = stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
        assert_eq!(code(&post(None, Bytestream::from_stream(broken)).await), "body_incomplete");
    }
}
