//! The API as an operator's script calls it: JSON and forms over one kept TLS connection.

use crate::Outcome;
use crate::load::Door;
use crate::stores::{self, Credential};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection that speaks for one credential.
pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
    basic: String,
}

impl Client {
    pub(crate) async fn connect(door: &Door, credential: &Credential) -> Outcome<Self> {
        Ok(Self { stream: door.connect().await?, basic: basic(credential) })
    }

    /// Calls with a JSON body; the body of the answer, which must be a success.
    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &Value) -> Outcome<Value> {
        self.send(&format!("{method} {path}"), "application/json", &body.to_string()).await
    }

    /// Exchanges the credential for a session token.
    pub(crate) async fn token(&mut self) -> Outcome<String> {
        let form = "grant_type=client_credentials";
        let answer = self.send("POST /oauth2/token", "application/x-www-form-urlencoded", form).await?;
        Ok(text(&answer, "/access_token")?.to_owned())
    }

    /// The same for another credential.
    pub(crate) fn speak_for(&mut self, credential: &Credential) {
        self.basic = basic(credential);
    }

    async fn send(&mut self, line: &str, media_type: &str, body: &str) -> Outcome<Value> {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.basic,
            body.len()
        );
        let (head, body) = exchange(&mut self.stream, &request).await?;
        if !head.starts_with("HTTP/1.1 20") {
            return Err(format!("{line} was answered with: {head}\n{body}").into());
        }
        if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&body)?) }
    }
}

/// Sends a request and reads the whole answer: its head, and its body as text.
pub(crate) async fn exchange(stream: &mut TlsStream<TcpStream>, request: &str) -> Outcome<(String, String)> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(4_096);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            let line = request.lines().next().unwrap_or_default();
            return Err(format!("the connection ended during {line}").into());
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: Option<usize> = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok((head.to_owned(), body.to_owned()));
        }
    }
}

/// A text in an answer.
pub(crate) fn text<'a>(answer: &'a Value, pointer: &str) -> Outcome<&'a str> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("no {pointer} in {answer}").into())
}

/// What stands behind `Basic`.
pub(crate) fn basic(Credential { client_id, secret }: &Credential) -> String {
    STANDARD.encode(format!("{client_id}:{secret}"))
}

/// An application that was made over the API.
pub(crate) struct Made {
    /// Where it stands in the API.
    pub(crate) path: String,
    pub(crate) tenant_id: String,
    pub(crate) credential: Credential,
}

/// Makes an organisation with so many applications, each with twenty permissions and eight networks.
pub(crate) async fn furnish(client: &mut Client, count: usize) -> Outcome<Vec<Made>> {
    let operator = client.call("GET", "/v1/whoami", &Value::Null).await?;
    let parent = text(&operator, "/tenant_id")?;
    let new = json!({ "name": "Measured", "kind": "organization", "parent_id": parent });
    let tenant = client.call("POST", "/v1/tenants", &new).await?;
    let tenant_id = text(&tenant, "/id")?.to_owned();
    let tenant = format!("/v1/tenants/{tenant_id}");
    client.call("PATCH", &tenant, &json!({ "application_limit": count })).await?;
    let grants = stores::grants(&claviger_domain::catalogue::Catalogue::load(&[])?);
    let grants = claviger_domain::grants::grants_to_json(&grants);
    let networks: Vec<_> = stores::networks(0)?.iter().map(ToString::to_string).collect();
    let mut made = Vec::with_capacity(count);
    for number in 0..count {
        let name = format!("application {number}");
        let new = json!({ "name": name, "description": "", "grants": grants, "allowed_networks": networks });
        let answer = client.call("POST", &format!("{tenant}/applications"), &new).await?;
        let id = text(&answer, "/application/id")?;
        let client_id = text(&answer, "/application/client_id")?.to_owned();
        let secret = text(&answer, "/secret/text")?.to_owned();
        let (path, tenant_id) = (format!("{tenant}/applications/{id}"), tenant_id.clone());
        made.push(Made { path, tenant_id, credential: Credential { client_id, secret } });
    }
    Ok(made)
}
