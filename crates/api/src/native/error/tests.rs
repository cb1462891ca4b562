//! Every variant of the domain's error as it looks on the wire.

use super::*;
use crate::kit::{RequestId, answer_failure};
use claviger_domain::Refusal;
use claviger_domain::grants::{Right, Verb};
use claviger_domain::rate::RateLimit;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

async fn rendered(error: Error) -> (u16, http::HeaderMap, Value) {
    let response = answer_failure::<Native>(&error, &Asked { id: RequestId(7), path: "/v1/x" });
    let (parts, body) = response.into_parts();
    let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(parts.headers[CONTENT_TYPE], "application/problem+json");
    assert_eq!(parts.headers["cache-control"], "no-store");
    (parts.status.as_u16(), parts.headers, body)
}

async fn body(error: Error) -> (u16, Value) {
    let (status, _, mut body) = rendered(error).await;
    for (name, expected) in
        [("status", json!(status)), ("instance", json!("/v1/x")), ("request_id", json!(format!("{:032x}", 7)))]
    {
        assert_eq!(body.as_object_mut().unwrap().remove(name), Some(expected));
    }
    assert_eq!(body["type"], format!("/v1/problems/{}", body["code"].as_str().unwrap()));
    assert_ne!(body["title"], "", "{body}");
    (status, body)
}

async fn code_of(error: Error) -> (u16, String) {
    let (status, body) = body(error).await;
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_variant_has_its_status_and_code() {
    let detail = String::new;
    let limit = RateLimit { requests: 5, window_seconds: 60 };
    let cases = [
        (Error::NotFound("tenant"), 404, "not_found"),
        (Error::conflict("application_name_taken", "x"), 409, "application_name_taken"),
        (Error::invalid("/name", "m", "f"), 422, "invalid"),
        (Error::Malformed { code: "malformed_json", detail: detail() }, 400, "malformed_json"),
        (Error::Malformed { code: "body_too_large", detail: detail() }, 413, "body_too_large"),
        (Error::Malformed { code: "media_type_unsupported", detail: detail() }, 415, "media_type_unsupported"),
        (Error::Malformed { code: "method_not_allowed", detail: detail() }, 405, "method_not_allowed"),
        (Error::missing(Right::new("org.audits", Verb::Read)), 403, "permission_missing"),
        (Error::Forbidden { missing: None, detail: detail() }, 403, "forbidden"),
        (Error::Limited { limit, retry_after_seconds: 9 }, 429, "rate_limited"),
        (Error::PreconditionFailed { current: 4 }, 412, "precondition_failed"),
        (Error::Unavailable(detail()), 503, "unavailable"),
        (Error::Internal(detail()), 500, "internal"),
    ];
    for (error, status, code) in cases {
        assert_eq!(code_of(error).await, (status, code.to_owned()));
    }
}

#[tokio::test]
async fn strangers_get_one_answer_and_owners_the_reason() {
    let (_, uniform) = body(Error::Unauthenticated(Refusal::Absent)).await;
    for refusal in [Refusal::Malformed, Refusal::UnknownClient, Refusal::WrongSecret, Refusal::AddressNotAllowed] {
        let (status, headers, _) = rendered(Error::Unauthenticated(refusal)).await;
        assert_eq!(
            (status, headers["www-authenticate"].to_str().unwrap()),
            (401, r#"Basic realm="claviger", charset="UTF-8""#)
        );
        assert_eq!(body(Error::Unauthenticated(refusal)).await.1, uniform);
    }
    assert_eq!(uniform["code"], "unauthenticated");
    for refusal in [Refusal::Disabled, Refusal::Expired, Refusal::TenantSuspended] {
        assert_eq!(code_of(Error::Unauthenticated(refusal)).await, (401, refusal.code().to_owned()));
    }
}

#[tokio::test]
async fn what_helps_is_said() {
    let (_, missing) = body(Error::missing(Right::new("org.audits", Verb::Read))).await;
    assert_eq!(missing["missing_permission"], "org.audits:READ");
    let (_, invalid) = body(Error::invalid("/name", "m", "f")).await;
    assert_eq!(invalid["errors"], json!([{ "pointer": "/name", "message": "m", "fix": "f" }]));
    let referrers = vec![Referrer { kind: "application", id: "1".into(), name: "SIEM".into() }];
    let conflict = Error::Conflict { code: "access_level_in_use", detail: "in use".into(), referrers };
    let (_, conflict) = body(conflict).await;
    assert_eq!(conflict["referrers"], json!([{ "kind": "application", "id": "1", "name": "SIEM" }]));
    assert_eq!(conflict["detail"], "in use");
    assert!(conflict.get("errors").is_none() && conflict.get("missing_permission").is_none());
}

#[tokio::test]
async fn waiting_times_stand_in_headers() {
    let limit = RateLimit { requests: 5, window_seconds: 60 };
    let (_, headers, _) = rendered(Error::Limited { limit, retry_after_seconds: 9 }).await;
    assert_eq!(headers["retry-after"], "9");
    assert_eq!(headers["ratelimit-policy"], r#""default";q=5;w=60"#);
    assert_eq!(headers["ratelimit"], r#""default";r=0;t=9"#);
    let (_, headers, _) = rendered(Error::Unavailable(String::new())).await;
    assert_eq!(headers["retry-after"], "1");
}

#[tokio::test]
async fn what_is_for_the_log_stays_there() {
    for error in
        [Error::Internal("constraint failed at /root".into()), Error::Unavailable("constraint failed at /root".into())]
    {
        let (_, _, body) = rendered(error).await;
        assert!(!body.to_string().contains("constraint"), "{body}");
    }
}
