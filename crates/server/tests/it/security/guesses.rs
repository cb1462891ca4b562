//! B11: bad credentials at the doors that exchange them for session tokens.

use crate::fixture::{Answer, Client, Fixture, run, send};
use crate::keys::{Key, sign_with_secret};
use crate::oauth::encode;
use claviger_store::Engine;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const PROXY: &[(&str, &str)] = &[("CLAVIGER_TRUSTED_PROXIES", "127.0.0.1")];
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An address on the application's list.
const INSIDE: &str = "203.0.113.9";
static JTI: AtomicU64 = AtomicU64::new(0);

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn b11_guessing_is_limited_and_locks_nobody_out() {
        super::run(super::Engine::Sqlite, super::PROXY, super::b11_guessing_is_limited_and_locks_nobody_out).await;
    }
}
mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn b11_guessing_is_limited_and_locks_nobody_out() {
        super::run(super::Engine::Postgres, super::PROXY, super::b11_guessing_is_limited_and_locks_nobody_out).await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Basic,
    Post,
    Key,
    Introspection,
    Cylance,
    AppId,
}

struct Scene<'a> {
    f: &'a Fixture,
    org: String,
    client: Client,
    key: Key,
}

impl Scene<'_> {
    fn form(&self, path: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let request = self.client.bare(Method::POST, path);
        request.header("content-type", "application/x-www-form-urlencoded").body(encode(parameters))
    }

    /// Presents a credential of `client_id` at a door, as somebody at `address`.
    async fn present(&self, door: Door, client_id: &str, right: bool, address: &str) -> Answer {
        let wrong = format!("{}x", self.client.secret);
        let secret = if right { &self.client.secret } else { &wrong };
        let now = self.f.app.clock().now().seconds();
        let jti = JTI.fetch_add(1, Ordering::Relaxed).to_string();
        let grant = ("grant_type", "client_credentials");
        let request = match door {
            Door::Basic => self.form("/oauth2/token", &[grant]).basic_auth(client_id, Some(secret)),
            Door::Introspection => {
                self.form("/oauth2/introspect", &[("token", "x")]).basic_auth(client_id, Some(secret))
            }
            Door::Post => self.form("/oauth2/token", &[grant, ("client_id", client_id), ("client_secret", secret)]),
            Door::AppId => self.form("/csp/gateway/am/api/auth/token", &[grant]).basic_auth(client_id, Some(secret)),
            Door::Key => {
                let claims = json!({
                    "iss": client_id, "sub": client_id, "aud": self.client.base, "jti": jti, "exp": now + 300,
                });
                let header = json!({"alg": "EdDSA"});
                let text = if right { self.key.sign(&header, &claims) } else { Key::edwards().sign(&header, &claims) };
                let more = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", text.as_str())];
                self.form("/oauth2/token", &[grant, more[0], more[1]])
            }
            Door::Cylance => {
                let claims = json!({
                    "exp": now + 1_800, "iat": now, "iss": "http://cylance.com", "sub": client_id, "tid": self.org, "jti": jti,
                });
                let text = sign_with_secret(secret, &json!({"alg": "HS256", "typ": "JWT"}), &claims);
                self.client.bare(Method::POST, "/auth/v2/token").body(json!({ "auth_token": text }).to_string())
            }
        };
        send(request.header("X-Forwarded-For", address)).await
    }

    /// The statuses of so many bad ones from one address, and then of two from each of fifty others.
    async fn guess(&self, door: Door, client_id: &str, times: usize) -> Vec<u16> {
        let mut found = Vec::new();
        for _ in 0..times {
            found.push(self.present(door, client_id, false, "198.51.100.7").await.status.as_u16());
        }
        for other in 0..100 {
            let address = format!("192.0.2.{}", other % 50);
            found.push(self.present(door, client_id, false, &address).await.status.as_u16());
        }
        found
    }
}

fn masked(answer: Answer) -> (u16, Vec<String>, Value) {
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status.as_u16(), names, answer.json())
}

async fn b11_guessing_is_limited_and_locks_nobody_out(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "SIEM", "grants": {}, "allowed_networks": ["203.0.113.0/24"]});
    let (id, client) = f.application_with(&org, body).await;
    let key = Key::edwards();
    let registered = json!({"name": "CI", "jwk": key.jwk()});
    f.operator.post(&format!("/v1/tenants/{org}/applications/{id}/keys"), &registered).await.expect(201);
    let nobody = "01890000-0000-7000-8000-000000000000";
    let known = client.client_id.clone();
    let scene = Scene { f: &f, org, client, key };
    let doors = [Door::Basic, Door::Post, Door::Key, Door::Introspection, Door::Cylance, Door::AppId];
    for door in doors {
        let times = if door == Door::Cylance { 1_000 } else { 60 };
        let statuses = scene.guess(door, &known, times).await;
        assert!(statuses[..30].iter().all(|status| *status == 401), "{door:?} {statuses:?}");
        assert!(statuses[30..].iter().all(|status| *status == 429), "{door:?} {statuses:?}");
        // The victim goes on, and whoever has a right secret at a wrong address is one of the others.
        let mut answers = Vec::new();
        for (right, address) in [(false, "192.0.2.9"), (true, "192.0.2.9")] {
            let refused = scene.present(door, &known, right, address).await;
            assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
            answers.push(masked(refused));
        }
        assert_eq!(answers[0], answers[1], "{door:?}");
        for _ in 0..3 {
            scene.present(door, &known, true, INSIDE).await.expect(200);
        }
        f.app.clock().advance(61);
        assert_eq!(scene.present(door, &known, false, "198.51.100.7").await.status, 401, "{door:?} a minute later");
        f.app.clock().advance(61);
        assert_eq!(scene.guess(door, nobody, times).await, statuses, "{door:?} whether there is such a name or not");
        f.app.clock().advance(61);
    }
}
