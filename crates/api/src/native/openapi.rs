//! The contract: OpenAPI 3.1, made of the routes themselves, committed as docs/openapi/native.json and served without
//! credentials.

use crate::native::error::Problem;
use crate::native::routes;
use crate::native::usage::GrainWord;
use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi as _};

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = routes::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

/// The document as JSON, as it is committed and served.
pub fn openapi_json() -> String {
    TEXT.clone()
}

/// What the document says besides the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Claviger",
        version = "1",
        description = "Applications, access levels and verification. docs/api.md has the conventions.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/")),
    components(schemas(Problem<'static>, GrainWord)),
    security(("x_auth_token" = []), ("basic" = []), ("bearer" = []), ("session" = [])),
    tags(
        (name = "tenants", description = "The tree of tenants"),
        (name = "users", description = "People of a tenant"),
        (name = "me", description = "The person who is signed in"),
        (name = "applications", description = "Machine identities of a tenant"),
        (name = "secrets", description = "Secrets of applications, shown once"),
        (name = "keys", description = "Public keys of applications, in place of secrets"),
        (name = "session tokens", description = "How long they live, how they end, and the keys that sign them"),
        (name = "access levels", description = "Named sets of grants"),
        (name = "trusted issuers", description = "Whose signed tokens stand for applications"),
        (name = "single sign-on", description = "Where people of a tenant sign in once for everything"),
        (name = "insight", description = "Audit record and usage"),
        (name = "catalogue", description = "What can be granted"),
        (name = "verification", description = "Who calls, and whether it may"),
        (name = "about", description = "This document and the problems")
    ),
    modifiers(&Credentials)
)]
pub(crate) struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut OpenApi) {
        document.info.contact = None;
        let components = document.components.get_or_insert_default();
        let token = ApiKeyValue::with_description("X-Auth-Token", "`SECRET/CLIENT_ID`");
        components.add_security_scheme("x_auth_token", SecurityScheme::ApiKey(ApiKey::Header(token)));
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let session = ApiKeyValue::with_description("__Host-claviger_session", "A person's session");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
        components.add_security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    }
}

/// The header of a POST that can be repeated.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the kit reads")]
pub(crate) struct Creating {
    /// Makes the request repeatable for 24 hours: the same key with the same body has one effect and the first answer.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, nullable = false)]
    idempotency_key: Option<String>,
}

/// The header of a change that is bound to a version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the kit reads")]
pub(crate) struct Matching {
    /// The entity tag of the version to be changed, or `*`. Without it the newest version is changed.
    #[param(rename = "If-Match", nullable = false, example = "\"3\"")]
    if_match: Option<String>,
}

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

fn problems(rows: &[(u16, &str)]) -> Responses {
    let row = |(status, description): &(u16, &str)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(*description).content("application/problem+json", content);
        (status.to_string(), response.build().into())
    };
    rows.iter().map(row).collect()
}

const READING: [(u16, &str); 7] = [
    (400, "The request cannot be read"),
    (401, "No acceptable credential"),
    (403, "A permission is missing"),
    (404, "Not found, or out of reach"),
    (422, "Invalid parameters or members"),
    (429, "The rate limit is used up"),
    (503, "Not available at the moment"),
];

/// Refusals of a call that reads.
pub(crate) struct Reading;

impl IntoResponses for Reading {
    fn responses() -> Responses {
        problems(&READING)
    }
}

/// Refusals of a call that changes something.
pub(crate) struct Writing;

impl IntoResponses for Writing {
    fn responses() -> Responses {
        let mut all = problems(&READING);
        all.extend(problems(&[
            (409, "It contradicts the state of things"),
            (412, "If-Match names another version"),
            (413, "The body is too large"),
            (415, "The media type is not supported"),
        ]));
        all
    }
}

/// Answers to a proxy.
pub(crate) struct Verifying;

impl IntoResponses for Verifying {
    fn responses() -> Responses {
        let mut all = problems(&[
            (400, "The question cannot be answered: the proxy's configuration is wrong"),
            (401, "No acceptable credential"),
            (
                403,
                "A permission is missing, or the tenant is another; with X-Claviger-Reason: over the rate limit, or not available at the moment",
            ),
            (429, "With status=plain: the rate limit is used up"),
            (503, "With status=plain: not available at the moment"),
        ]);
        let header = |description: &str| utoipa::openapi::HeaderBuilder::new().description(Some(description)).build();
        let admitted = ResponseBuilder::new()
            .description("Admitted")
            .header("X-Claviger-Tenant", header("Id of the caller's tenant"))
            .header("X-Claviger-Application", header("Id of the caller's application"))
            .header("X-Claviger-Client-Id", header("The client id, where that is not the application's id"))
            .header("X-Claviger-Credential-Expires", header("When the credential stops, for its last 30 days"));
        all.insert("204".into(), admitted.build().into());
        all
    }
}

/// Read this document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "about", security(()),
    responses((status = 200, description = "Done", body = Object, content_type = "application/json")))]
pub(crate) async fn read_openapi() -> Response {
    let mut response = Response::new(Body::from(TEXT.as_str()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// What the document is made of before the routes are added.
pub(crate) fn base() -> OpenApi {
    Document::openapi()
}
