//! Single sign-on at identity providers.

mod flow;
mod idp;
mod refusals;
mod required;
mod roles;
mod settings;

use self::idp::Idp;
use super::sign_in::cookie;
use crate::fixture::{Answer, Fixture, send};
use crate::people::Person;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An organisation whose people sign in at a provider.
struct Scene {
    org: String,
    idp: Arc<Idp>,
    /// The provider as it was made.
    provider: Value,
}

/// A sign-in that has begun.
struct Begun {
    /// What the browser takes along.
    query: HashMap<String, String>,
    /// The cookie of the browser.
    cookie: String,
}

impl Scene {
    /// With further members of the provider.
    async fn set(f: &Fixture, more: Value) -> Self {
        let idp = Idp::start().await;
        let mut body = json!({
            "name": "Acme", "issuer": idp.url, "client_id": "claviger", "client_secret": "hush: hush",
            "domains": ["acme.example"],
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (org, _) = f.organization(body["domains"][0].as_str().unwrap()).await;
        let provider = f.operator.post(&format!("/v1/tenants/{org}/identity-providers"), &body).await.expect(201);
        Self { org, idp, provider }
    }

    fn path(&self) -> String {
        format!("/v1/tenants/{}/identity-providers/{}", self.org, self.provider["id"].as_str().unwrap())
    }

    async fn change(&self, f: &Fixture, patch: Value) -> Value {
        f.operator.patch(&self.path(), &patch).await.expect(200)
    }

    async fn begin(&self, f: &Fixture, email: &str) -> Begun {
        let answer = ask(f, &json!({"email": email})).await;
        let cookie = cookie(&answer, "sso").expect("a cookie");
        let body = answer.expect(200);
        assert_eq!(body["method"], "sso");
        let url = Url::parse(body["redirect_url"].as_str().unwrap()).unwrap();
        assert!(url.as_str().starts_with(&format!("{}/authorize?", self.idp.url)), "{url}");
        Begun { query: url.query_pairs().into_owned().collect(), cookie }
    }

    fn claims(&self, f: &Fixture, begun: &Begun, email: &str) -> Value {
        let now = f.app.clock().now().seconds();
        json!({
            "iss": self.idp.url, "sub": format!("subject of {email}"), "aud": "claviger", "nonce": begun.query["nonce"],
            "iat": now, "exp": now + 300, "email": email, "email_verified": true,
            "given_name": "Ada", "family_name": "Lovelace",
        })
    }

    /// Has the provider give this for a code, and brings the code back.
    async fn back_with(&self, f: &Fixture, begun: &Begun, answer: Value) -> Answer {
        let code = self.code(begun, answer);
        come_back(f, &begun.cookie, &[("state", &begun.query["state"]), ("code", &code)]).await
    }

    /// A code for which the provider gives this.
    fn code(&self, begun: &Begun, answer: Value) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let code = format!("code {}", NUMBER.fetch_add(1, Ordering::SeqCst));
        self.idp.codes.lock().insert(code.clone(), (begun.query["code_challenge"].clone(), answer));
        code
    }

    /// Signs somebody in of whom the provider says this besides, or otherwise.
    async fn sign_in(&self, f: &Fixture, email: &str, besides: Value) -> Answer {
        let begun = self.begin(f, email).await;
        let mut claims = self.claims(f, &begun, email);
        for (name, value) in besides.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let token = self.idp.token(&claims);
        let mut answer = json!({"token_type": "Bearer", "id_token": token});
        if !self.idp.told.lock().is_empty() {
            answer["access_token"] = json!("a");
        }
        self.back_with(f, &begun, answer).await
    }

    /// The same, for somebody who gets in.
    async fn enter(&self, f: &Fixture, email: &str, besides: Value) -> Person {
        let answer = self.sign_in(f, email, besides).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let client = f.operator.clone();
        let cookie = cookie(&answer, "session").unwrap();
        let mut person = Person { tenant: self.org.clone(), id: String::new(), session: String::new(), cookie, client };
        let me = person.get("/v1/me").await.expect(200);
        person.id = me["user"]["id"].as_str().unwrap().to_owned();
        person
    }

    /// The reasons of the denials in the organisation's record.
    async fn reasons(&self, f: &Fixture) -> Vec<String> {
        let entries = f.audit(&self.org).await;
        entries.iter().filter_map(|entry| entry["details"]["reason"].as_str().map(str::to_owned)).collect()
    }
}

/// Asks how an address signs in.
async fn ask(f: &Fixture, body: &Value) -> Answer {
    let request = f.operator.bare(Method::POST, "/v1/sign-in/sso");
    send(request.header("origin", &f.operator.base).json(body)).await
}

/// Comes back from a provider as a browser does.
async fn come_back(f: &Fixture, cookie: &str, query: &[(&str, &str)]) -> Answer {
    let mut url = Url::parse(&format!("{}/v1/sign-in/sso/callback", f.operator.base)).unwrap();
    url.query_pairs_mut().extend_pairs(query);
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let request = f.operator.bare(Method::GET, &path).header("cookie", format!("__Host-claviger_sso={cookie}"));
    send(request.header("sec-fetch-site", "cross-site")).await
}
