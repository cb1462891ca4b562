//! Sign-in of people at their organisation's identity provider: where a browser is sent, and what becomes of it when it is back.
//!
//! A browser comes back by a link of another site, so that no cookie with `SameSite=Strict` is with it, and none would be with
//! what it is redirected to. Therefore it gets a page of this server, which goes on by itself.

use crate::kit::{Api, Body, Failure, RequestId, circumstances, cookies, pairs, status};
use crate::native::answer::{Answer, json};
use crate::native::openapi::{Reading, Writing};
use crate::native::sign_in::Door;
use axum::body::Body as Content;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use claviger_app::sso::{Comeback, Entered, Start, Way};
use claviger_domain::sso::parse_return_to;
use claviger_domain::{Error, Result};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SsoStart)]
pub(crate) struct StartBody {
    /// The e-mail address.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// Where the browser is to go on to afterwards: a path of this server. Without one it stays on a page that says that it is
    /// done.
    #[serde(default)]
    #[schema(max_length = 512, example = "/console")]
    return_to: Option<String>,
    /// Whether the provider must ask who it is although it may know. Whoever proves that there has proved anew who it is here, too.
    #[serde(default)]
    fresh: bool,
}

/// By what somebody signs in.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SignInMethod)]
pub(crate) enum MethodWord {
    /// By password, at `POST /v1/sign-in`.
    Password,
    /// At an identity provider.
    Sso,
}

/// How somebody with such an address signs in. It says nothing of whether there is such a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignInWay)]
pub(crate) struct WayBody {
    /// By what.
    method: MethodWord,
    /// Where to send the browser, where it is at an identity provider. It may take ten minutes, and comes back to this browser alone.
    #[schema(required = true)]
    redirect_url: Option<String>,
}

/// Begin to sign in by an e-mail address
///
/// Says whether addresses of its domain lead to an identity provider, and sends the browser there. Sets the cookie
/// `__Host-claviger_sso`, which the browser must bring back.
#[utoipa::path(post, path = "/v1/sign-in/sso", tag = "me", security(()), request_body = StartBody,
    responses((status = 200, description = "Done", body = WayBody, headers(("Set-Cookie" = String))), Writing))]
pub(crate) async fn begin_sso(State(api): State<Api>, Door(parts): Door, Body(body): Body<StartBody>) -> Answer {
    let (origin, _) = circumstances(&api, (&parts).into());
    let return_to = body.return_to.map(|path| parse_return_to("/return_to", &path)).transpose()?;
    match api.app.begin_sso(Start { email: body.email, return_to, fresh: body.fresh, origin }).await? {
        Way::Password => json(StatusCode::OK, &WayBody { method: MethodWord::Password, redirect_url: None }),
        Way::Provider { url, browser } => {
            let body = WayBody { method: MethodWord::Sso, redirect_url: Some(url) };
            let mut response = json(StatusCode::OK, &body)?;
            cookies::set_sso(response.headers_mut(), browser);
            Ok(response)
        }
    }
}

/// The head of a request with which a browser comes back from elsewhere.
pub(crate) struct Back(Parts);

impl FromRequestParts<Api> for Back {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        Ok(Self(parts.clone()))
    }
}

/// Come back from an identity provider
///
/// The provider sends the browser here. Sets the session's cookie as `POST /v1/sign-in` does, and answers with a page that goes on.
/// Why a sign-in failed is not said here; the audit record of the provider's tenant has the reason.
#[utoipa::path(get, path = "/v1/sign-in/sso/callback", tag = "me", security(()),
    params(
        ("state" = String, Query, description = "As it was sent along"),
        ("code" = Option<String>, Query, description = "What is exchanged for an ID token"),
        ("error" = Option<String>, Query, description = "Why there is no code"),
        ("iss" = Option<String>, Query, description = "Who sends the browser back (RFC 9207)")
    ),
    responses((status = 200, description = "Done: a page that goes on", body = String, content_type = "text/html",
        headers(("Set-Cookie" = String))), Reading))]
pub(crate) async fn finish_sso(State(api): State<Api>, Back(parts): Back) -> Answer {
    match come_back(&api, &parts).await {
        Ok(Entered { token, return_to, .. }) => {
            let mut response = page(StatusCode::OK, "You are signed in", &going_on(return_to.as_deref()));
            cookies::set_session(response.headers_mut(), token);
            cookies::clear_sso(response.headers_mut());
            Ok(response)
        }
        Err(error) if wants_page(&parts) => {
            let id = parts.extensions.get::<RequestId>().copied().unwrap_or_default();
            let body = format!(
                "<p>Go back and try once more. If it fails again, tell your administrator: the audit record of your organization \
                 says why. The request is {id}.</p>"
            );
            let mut response = page(status(&error), "You could not be signed in", &body);
            cookies::clear_sso(response.headers_mut());
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

async fn come_back(api: &Api, parts: &Parts) -> Result<Entered> {
    let query = parts.uri.query().unwrap_or_default();
    let state = parameter(query, "state")?;
    if state.is_none() {
        let fix = "begin anew with POST /v1/sign-in/sso; this is where the identity provider sends the browser back to";
        return Err(Error::invalid("state", "the state is missing", fix));
    }
    let (origin, user_agent) = circumstances(api, parts.into());
    let id = parts.extensions.get::<RequestId>().copied().unwrap_or_default().to_string();
    let comeback = Comeback {
        state,
        code: parameter(query, "code")?,
        issuer: parameter(query, "iss")?,
        browser: cookies::sso(&parts.headers).map(str::to_owned),
        session: cookies::session(&parts.headers).ok().flatten().map(str::to_owned),
        origin,
        user_agent: user_agent.to_owned(),
        request: (id, format!("{} {}", parts.method, parts.uri.path())),
    };
    api.app.finish_sso(comeback).await
}

/// The parameter of a name. Providers add others of their own, which are passed over.
fn parameter(query: &str, name: &str) -> Result<Option<String>> {
    let mut found = None;
    for pair in pairs(query) {
        let (key, value) = pair?;
        if key != name {
            continue;
        }
        if found.is_some() {
            return Err(Error::invalid(name, "the parameter is given twice", "give it once"));
        }
        found = Some(value.into_owned());
    }
    Ok(found)
}

fn wants_page(parts: &Parts) -> bool {
    parts.headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

fn going_on(return_to: Option<&str>) -> String {
    match return_to.map(escape) {
        Some(path) => {
            format!("<meta http-equiv=\"refresh\" content=\"0; url={path}\"><p><a href=\"{path}\">Go on</a></p>")
        }
        None => "<p>You can close this window.</p>".to_owned(),
    }
}

fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}

/// A page that runs nothing, shows itself in no frame, and does not tell where it came from: its address holds a code.
fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{body}</html>"
    );
    let mut response = Response::new(Content::from(text));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_given_once() {
        assert_eq!(parameter("a=1&state=x%20y&z", "state").unwrap().as_deref(), Some("x y"));
        assert_eq!(parameter("a=1", "state").unwrap(), None);
        assert!(parameter("state=1&state=2", "state").is_err());
    }

    #[test]
    fn a_path_stays_within_its_quotes() {
        let body = going_on(Some("/a?b=1&c=\"><script>"));
        assert!(body.contains("url=/a?b=1&amp;c=&quot;&gt;&lt;script&gt;\"") && !body.contains("<script>"), "{body}");
    }
}
