//! The HTTP side of the commands that talk to a running server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use crate::cli::ClientArgs;

/// The part of a credentials file that a client needs.
#[derive(Default, Deserialize)]
struct CredentialsFile {
    base_url: Option<String>,
    ca_file: Option<PathBuf>,
    operator: Option<Operator>,
}

#[derive(Deserialize)]
struct Operator {
    client_id: String,
    secret: String,
}

/// A client of one server with one identity.
pub(crate) struct HttpClient {
    http: reqwest::Client,
    base: String,
    identity: Identity,
}

/// As whom to call.
enum Identity {
    Secret { client_id: String, secret: String },
    Token(String),
}

impl HttpClient {
    /// Finds out where and as whom to call. `env` looks a variable up.
    pub(crate) fn new(args: &ClientArgs, env: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let file = match &args.credentials_file {
            None => CredentialsFile::default(),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
                serde_json::from_str(&text).map_err(|error| Failure::at(path, error))?
            }
        };
        let token = env("CLAVIGER_TOKEN").filter(|token| !token.is_empty());
        let secret = env("CLAVIGER_CLIENT_ID").zip(env("CLAVIGER_SECRET"));
        let identity = match (token, secret, file.operator) {
            (Some(token), _, _) => Identity::Token(token),
            (_, Some((client_id, secret)), _) => Identity::Secret { client_id, secret },
            (_, _, Some(Operator { client_id, secret })) => Identity::Secret { client_id, secret },
            _ => {
                let text = "no credentials: give --credentials-file, or set CLAVIGER_CLIENT_ID and CLAVIGER_SECRET, or CLAVIGER_TOKEN";
                return Err(Failure(text.to_owned()));
            }
        };
        let base = args.url.clone().or(file.base_url).ok_or_else(|| Failure("no server: give --url".to_owned()))?;
        let base = base.trim_end_matches('/').to_owned();
        let ca_file = args.ca_file.clone().or(file.ca_file);
        Ok(Self { http: build(ca_file.as_deref())?, base, identity })
    }

    /// Calls the native API; the body of a success comes back, null when there is none.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.change(method, path, body, None).await
    }

    /// All items of a list, page by page.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        self.list_where(path, &[]).await
    }

    /// Those of them that fit the parameters that are given.
    pub(crate) async fn list_where(&self, path: &str, given: &[(&str, Option<&str>)]) -> Result<Vec<Value>, Failure> {
        let given = given.iter().filter_map(|(name, value)| value.map(|value| format!("&{name}={}", segment(value))));
        let (given, mut items, mut cursor) = (given.collect::<String>(), Vec::new(), String::new());
        loop {
            let mut page = self.call(Method::GET, &format!("{path}?limit=1000{given}{cursor}"), None).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={}", segment(next)),
                None => return Ok(items),
            }
        }
    }

    /// As [`HttpClient::call`], done only to that version of the object.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<i64>,
    ) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method.clone(), &url);
        let mut request = match &self.identity {
            Identity::Secret { client_id, secret } => request.basic_auth(client_id, Some(secret)),
            Identity::Token(token) => request.bearer_auth(token),
        };
        if method == Method::POST {
            request = request.header("Idempotency-Key", idempotency_key()?);
        }
        if let Some(version) = version {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| Failure(format!("{url}: {}", causes(&error))))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| Failure(format!("{url}: {}", causes(&error))))?;
        if !status.is_success() {
            return Err(refusal(status, &text));
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| Failure(format!("{url}: not JSON: {error}")))
    }
}

/// A path segment or query value: everything but unreserved characters is escaped.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A client that trusts one CA and nothing else, or the system's CAs when none is named.
fn build(ca_file: Option<&Path>) -> Result<reqwest::Client, Failure> {
    let broken = |error: rustls::Error| Failure(format!("TLS cannot be set up: {error}"));
    let mut builder = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = ca_file {
        let pem = fs::read(path).map_err(|error| Failure::at(path, error))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| Failure::at(path, error))?;
            roots.add(certificate).map_err(|error| Failure::at(path, error))?;
        }
        if roots.is_empty() {
            return Err(Failure::at(path, "holds no certificate"));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(crate::tls::provider()))
            .with_safe_default_protocol_versions()
            .map_err(broken)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(config);
    } else {
        // A second installation finds the first one, which is the same.
        let _ = crate::tls::provider().install_default();
    }
    builder.build().map_err(|error| Failure(format!("no HTTP client: {}", causes(&error))))
}

/// What the server says is wrong, for a person.
fn refusal(status: StatusCode, text: &str) -> Failure {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let member = |name: &str| problem.get(name).and_then(Value::as_str);
    let mut lines =
        vec![format!("{} {}", status.as_u16(), member("title").or(status.canonical_reason()).unwrap_or_default())];
    let errors = problem.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if errors.is_empty() {
        lines.extend(member("detail").map(str::to_owned));
    }
    for error in errors {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("{}: {}; {}", part("pointer"), part("message"), part("fix")));
    }
    lines.extend(member("missing_permission").map(|permission| format!("missing permission: {permission}")));
    lines.extend(member("request_id").map(|id| format!("request {id}")));
    Failure(lines.join("\n"))
}

fn idempotency_key() -> Result<String, Failure> {
    let mut random = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Failure("no randomness".to_owned()))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

/// An error with its causes; the outermost alone rarely says what happened.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_full() {
        let text =
            r#"{"title":"Forbidden","detail":"no","missing_permission":"applications:CREATE","request_id":"ab"}"#;
        let Failure(told) = refusal(StatusCode::FORBIDDEN, text);
        assert_eq!(told, "403 Forbidden\nno\nmissing permission: applications:CREATE\nrequest ab");
        let text = r#"{"title":"Invalid members","detail":"/name: too long",
            "errors":[{"pointer":"/name","message":"too long","fix":"give less"}]}"#;
        let Failure(told) = refusal(StatusCode::UNPROCESSABLE_ENTITY, text);
        assert_eq!(told, "422 Invalid members\n/name: too long; give less");
        let Failure(told) = refusal(StatusCode::BAD_GATEWAY, "<html>");
        assert_eq!(told, "502 Bad Gateway");
    }
}
