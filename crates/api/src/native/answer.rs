//! Answers of the native API: JSON with entity tags, places of what was made, pages with their links.

use crate::kit::{Failure, etag};
use crate::native::members::PageOf;
use axum::body::Body;
use axum::response::Response;
use claviger_app::unit::Kept;
use claviger_domain::Error;
use claviger_domain::page::Page;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, LINK, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a handler comes to.
pub(crate) type Answer = Result<Response, Failure>;

/// A JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    let text = serde_json::to_vec(body).map_err(|error| Error::Internal(format!("writing an answer: {error}")))?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A noun at a version.
pub(crate) fn versioned<T: Serialize>(version: i64, body: &T) -> Answer {
    let mut response = json(StatusCode::OK, body)?;
    response.headers_mut().insert(ETAG, etag(version));
    Ok(response)
}

/// Nothing to say.
pub(crate) fn no_content() -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Where what was made stands: its collection, and the pointer to its id in the answer.
pub(crate) struct Made {
    /// Path of the collection.
    pub(crate) collection: String,
    /// JSON pointer to the id.
    pub(crate) id: &'static str,
}

impl Made {
    /// Answers a creation.
    pub(crate) fn created<T: Serialize>(&self, body: &T) -> Answer {
        let body =
            serde_json::to_value(body).map_err(|error| Error::Internal(format!("writing an answer: {error}")))?;
        let mut response = json(StatusCode::CREATED, &body)?;
        self.place(&body, response.headers_mut());
        Ok(response)
    }

    /// Answers the repetition of a creation as the first answer was, but without the secret.
    pub(crate) fn replayed(&self, kept: Kept) -> Answer {
        let body = serde_json::from_str(&kept.body).unwrap_or(Value::Null);
        let mut response = replayed(kept)?;
        self.place(&body, response.headers_mut());
        Ok(response)
    }

    fn place(&self, body: &Value, headers: &mut HeaderMap) {
        let id = body.pointer(self.id).and_then(Value::as_str);
        if let Some(Ok(place)) = id.map(|id| HeaderValue::try_from(format!("{}/{id}", self.collection))) {
            headers.insert(LOCATION, place);
            headers.insert(ETAG, etag(1));
        }
    }
}

/// The kept answer of a request that was done before.
pub(crate) fn replayed(kept: Kept) -> Answer {
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
    Ok(response)
}

/// An answer as it is kept for whoever repeats the request.
pub(crate) fn keep<T: Serialize>(status: StatusCode, body: &T) -> Kept {
    Kept { status: status.as_u16(), body: serde_json::to_string(body).unwrap_or_default() }
}

/// A page, with the link to the next one (RFC 8288).
pub(crate) fn page<T: Serialize>(uri: &Uri, page: Page<T>) -> Answer {
    let link = link(uri, page.next.as_deref());
    with_link(json(StatusCode::OK, &PageOf { items: page.items, next_cursor: page.next })?, link)
}

/// Sets the link of a page.
pub(crate) fn with_link(mut response: Response, link: Option<HeaderValue>) -> Answer {
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// The link to the next page: the same query with another cursor.
pub(crate) fn link(uri: &Uri, next: Option<&str>) -> Option<HeaderValue> {
    let next = next?;
    let rest = uri.query().unwrap_or_default().split('&');
    let kept: String = rest
        .filter(|pair| !pair.is_empty() && *pair != "cursor" && !pair.starts_with("cursor="))
        .flat_map(|pair| [pair, "&"])
        .collect();
    HeaderValue::try_from(format!("<{}?{kept}cursor={next}>; rel=\"next\"", uri.path())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_query() {
        let link = |uri: &'static str| link(&Uri::from_static(uri), Some("ab")).unwrap();
        assert_eq!(link("/v1/tenants"), "</v1/tenants?cursor=ab>; rel=\"next\"");
        let narrowed = link("/v1/tenants?limit=5&cursor=00&action=a%20b");
        assert_eq!(narrowed, "</v1/tenants?limit=5&action=a%20b&cursor=ab>; rel=\"next\"");
        assert_eq!(super::link(&Uri::from_static("/v1/tenants"), None), None);
    }

    #[test]
    fn a_replay_says_so_and_where_the_thing_is() {
        let made = Made { collection: "/v1/things".into(), id: "/thing/id" };
        let kept = keep(StatusCode::CREATED, &serde_json::json!({ "thing": { "id": "7" } }));
        let response = made.replayed(kept).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["idempotency-replayed"], "true");
        assert_eq!(response.headers()[LOCATION], "/v1/things/7");
    }
}
