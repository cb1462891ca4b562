//! The two questions an orchestrator asks: is the process alive, and should it get traffic.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};

/// Tells whether the server can do its work; if not, why, in words that may be shown to anyone.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// `/healthz` answers 204 as cheaply as the listener can; `/readyz` asks `ready` and answers 200 or 503.
pub fn router(ready: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| std::future::ready(StatusCode::NO_CONTENT)))
        .route("/readyz", get(move || std::future::ready(readyz(&ready))))
}

fn readyz(ready: &Readiness) -> Response {
    let (status, kind, body) = match ready() {
        Ok(()) => (StatusCode::OK, "application/json", serde_json::json!({ "status": "ready" })),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "application/problem+json",
            serde_json::json!({
                "type": "/v1/problems/unavailable",
                "title": "Not ready",
                "status": 503,
                "code": "unavailable",
                "detail": why,
            }),
        ),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(ready: Readiness, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = router(ready).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn health_is_bare_and_readiness_says_why() {
        let unready: Readiness = Arc::new(|| Err("the database is away".to_owned()));
        assert_eq!(ask(Arc::clone(&unready), "/healthz").await, (StatusCode::NO_CONTENT, String::new()));
        let (status, body) = ask(unready, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("the database is away"), "{body}");
        assert_eq!(ask(Arc::new(|| Ok(())), "/readyz").await.0, StatusCode::OK);
    }
}
