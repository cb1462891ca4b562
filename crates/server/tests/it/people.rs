//! People for tests, with sessions as a browser has them.

use crate::fixture::{Answer, Client, Fixture, send};
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::user::{Status, User};
use claviger_domain::user_session::{Cookie, Method as Proof, PlainCookie, Stage, UserSession};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU8, Ordering};

/// The built-in access level that makes an owner.
pub(crate) const SUPER_ADMIN: &str = "Super Admin";

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) session: String,
    pub(crate) cookie: String,
    pub(crate) client: Client,
}

impl Person {
    /// Where the person stands.
    pub(crate) fn path(&self) -> String {
        format!("/v1/tenants/{}/users/{}", self.tenant, self.id)
    }

    /// A request of one of our own pages.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request =
            self.client.bare(method, path).header("cookie", format!("__Host-claviger_session={}", self.cookie));
        request.header("origin", &self.client.base).header("sec-fetch-site", "same-origin")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(self.request(method, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// The id of a built-in access level.
pub(crate) async fn built_in(f: &Fixture, name: &str) -> String {
    let levels = f.operator.get(&format!("/v1/tenants/{}/access-levels", f.root)).await.expect(200);
    let level = levels["items"].as_array().unwrap().iter().find(|level| level["name"] == name).unwrap();
    level["id"].as_str().unwrap().to_owned()
}

/// Makes a user with these roles.
pub(crate) async fn user(f: &Fixture, tenant: &str, email: &str, roles: &[&str]) -> String {
    let body = json!({"email": email, "first_name": "Ada", "access_level_ids": roles});
    let made = f.operator.post(&format!("/v1/tenants/{tenant}/users"), &body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Makes a user who has signed in.
pub(crate) async fn person(f: &Fixture, tenant: &str, email: &str, roles: &[&str]) -> Person {
    let id = user(f, tenant, email, roles).await;
    let (session, cookie) = session(f, tenant, &id).await;
    Person { tenant: tenant.to_owned(), id, session, cookie, client: f.operator.clone() }
}

/// Gives a user a session, as a sign-in would: its id and its token.
pub(crate) async fn session(f: &Fixture, tenant: &str, user: &str) -> (String, String) {
    session_as(f, tenant, user, |session| session).await
}

/// The person with another session, in which it has just proved anew who it is.
pub(crate) async fn stepped_up(f: &Fixture, person: &Person) -> Person {
    let now = Some(f.app.clock().now());
    let change = |session| UserSession { stepped_up_at: now, ..session };
    let (session, cookie) = session_as(f, &person.tenant, &person.id, change).await;
    Person { session, cookie, ..person.clone() }
}

/// The person with another session, which waits for its second factor.
pub(crate) async fn half_way(f: &Fixture, person: &Person) -> Person {
    let change = |session| UserSession { stage: Stage::SecondFactor, ..session };
    let (session, cookie) = session_as(f, &person.tenant, &person.id, change).await;
    Person { session, cookie, ..person.clone() }
}

/// As [`session`], of another kind.
pub(crate) async fn session_as(
    f: &Fixture,
    tenant: &str,
    user: &str,
    change: impl FnOnce(UserSession) -> UserSession,
) -> (String, String) {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (tenant, id) = (TenantId::parse(tenant).unwrap(), UserId::parse(user).unwrap());
    let now = f.app.clock().now();
    let mut tx = f.app.store().begin().await.unwrap();
    let before = tx.find_user(tenant, id).await.unwrap().unwrap();
    if before.status == Status::Invited {
        let version = before.version + 1;
        let active = User { status: Status::Active, activated_at: Some(now), version, ..before };
        tx.update_user(tenant, &active).await.unwrap();
    }
    let token = PlainCookie::mint(Cookie::Session, [number; 32]);
    let session = UserSession {
        id: UserSessionId::new(now, [number; 10]),
        stage: Stage::Complete,
        methods: vec![Proof::Password],
        created_at: now,
        last_seen_at: now,
        stepped_up_at: None,
        address: None,
        user_agent: "test".into(),
        ended_at: None,
    };
    let session = change(session);
    tx.insert_user_session(tenant, id, &session, &token.hash()).await.unwrap();
    tx.commit().await.unwrap();
    (session.id.to_string(), token.reveal())
}
