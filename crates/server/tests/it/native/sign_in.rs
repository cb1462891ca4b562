//! Sign-in of people by password: one answer to whoever fails, guesses that are counted before they are looked at, cookies that
//! nobody can fix beforehand.

use crate::fixture::{Answer, Client, Fixture, on_both, run, send};
use crate::people::{Person, SUPER_ADMIN, built_in, person, user};
use claviger_app::passwords::Passwords;
use claviger_app::random::Random;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::password::{Cost, Password, PasswordHash};
use claviger_domain::user::{Status, User};
use claviger_store::Engine;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    somebody_signs_in_and_out,
    h3_every_failure_looks_the_same,
    h5_strangers_shut_nobody_out,
    h6_guesses_are_counted_before_they_are_looked_at,
    h9_guesses_outlive_what_becomes_of_the_request,
    h8_who_cannot_sign_in_cannot_with_the_right_password,
    h10_whoever_finds_no_place_is_told_to_come_back,
    h11_a_cheap_hash_is_made_anew_once,
    h12_a_changed_password_ends_other_sessions,
    k1_a_session_is_new_after_each_sign_in,
    k3_no_other_site_signs_anybody_in,
    an_address_that_guesses_is_told_to_wait,
];

pub(crate) const PASSWORD: &str = "a long and quiet river";

/// Gives a user a password without the work of a real one, and lets it sign in.
pub(crate) async fn give_password(f: &Fixture, tenant: &str, user: &str, text: &str) {
    let cheap = Passwords::with(Random::seeded(9), Cost { memory_kib: 8, passes: 1, lanes: 1 }, 1);
    let hash = cheap.hash(&Password::presented("", text.to_owned()).unwrap()).await.unwrap().to_string();
    let (tenant, id) = (TenantId::parse(tenant).unwrap(), UserId::parse(user).unwrap());
    let now = f.app.clock().now();
    let mut tx = f.app.store().begin().await.unwrap();
    let before = tx.find_user(tenant, id).await.unwrap().unwrap();
    let version = before.version + 1;
    let active = User { status: Status::Active, activated_at: Some(now), version, ..before };
    tx.update_user(tenant, &active).await.unwrap();
    tx.put_user_password(tenant, id, Some(&hash), Some(now)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn hash_of(f: &Fixture, tenant: &str, user: &str) -> PasswordHash {
    let mut tx = f.app.store().begin().await.unwrap();
    let found = tx.find_user_password(TenantId::parse(tenant).unwrap(), UserId::parse(user).unwrap()).await.unwrap();
    PasswordHash::parse(&found.unwrap()).unwrap()
}

fn attempt(client: &Client, email: &str, password: &str) -> RequestBuilder {
    let body = json!({"email": email, "password": password});
    client.bare(Method::POST, "/v1/sign-in").header("origin", &client.base).json(&body)
}

pub(crate) async fn sign_in(client: &Client, email: &str, password: &str) -> Answer {
    send(attempt(client, email, password)).await
}

/// The value of a cookie that an answer sets.
pub(super) fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let prefix = format!("__Host-claviger_{name}=");
    set.filter_map(|text| text.strip_prefix(&prefix)).map(|text| text.split(';').next().unwrap().to_owned()).next()
}

fn holder(f: &Fixture, tenant: &str, user: &str, cookie: String) -> Person {
    let (tenant, id) = (tenant.to_owned(), user.to_owned());
    Person { tenant, id, session: String::new(), cookie, client: f.operator.clone() }
}

/// An organisation with somebody who has a password.
async fn start(f: &Fixture) -> (String, String) {
    let (org, _) = f.organization("Acme").await;
    let ada = user(f, &org, "Ada@acme.example", &[&built_in(f, "View All").await]).await;
    give_password(f, &org, &ada, PASSWORD).await;
    (org, ada)
}

async fn somebody_signs_in_and_out(f: Arc<Fixture>) {
    let (org, ada) = start(&f).await;
    let answer = sign_in(&f.operator, " ADA@acme.example", PASSWORD).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2);
    for text in cookies {
        let (_, attributes) = text.split_once("; ").unwrap();
        let mut attributes: Vec<_> = attributes.split("; ").collect();
        attributes.retain(|attribute| !attribute.starts_with("Max-Age="));
        assert!(text.starts_with("__Host-claviger_"), "K2: {text}");
        assert_eq!(attributes, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"], "K2: {text}");
    }
    let session = cookie(&answer, "session").unwrap();
    assert!(!answer.text.contains(&session), "the body holds no secret");
    let body = answer.expect(200);
    assert_eq!((&body["stage"], body["ends_at"].is_string()), (&json!("complete"), true));
    let signed_in = holder(&f, &org, &ada, session);
    let me = signed_in.get("/v1/me").await.expect(200);
    assert_eq!((&me["user"]["id"], &me["session"]["id"]), (&json!(ada), &body["session_id"]));
    assert_eq!(me["session"]["methods"], json!(["pwd"]));
    let audit = f.audit(&org).await;
    let entry = &audit[0];
    assert_eq!(
        (&entry["action"], &entry["actor"]["kind"], &entry["actor"]["id"]),
        (&json!("user.signed_in"), &json!("user"), &json!(ada))
    );
    assert_eq!((&entry["request"], &entry["details"]["session_id"]), (&json!("POST /v1/sign-in"), &body["session_id"]));
    assert_eq!(signed_in.post("/v1/sign-out", &json!({})).await.status, 204);
    assert_eq!(signed_in.get("/v1/me").await.status, 401);
    for (body, status) in [
        (json!({"email": "ada@acme.example"}), 422),
        (json!({"email": ["ada@acme.example"], "password": PASSWORD}), 422),
        (json!({"email": "ada@acme.example", "password": "x".repeat(2_000)}), 422),
        (json!({"email": "ada@acme.example", "password": PASSWORD, "admin": true}), 422),
    ] {
        let request = f.operator.bare(Method::POST, "/v1/sign-in").json(&body);
        assert_eq!(send(request).await.status, status, "{body}");
    }
}

/// What a client sees of an answer, but for what names the request.
pub(super) fn seen(answer: Answer) -> (u16, Vec<(String, String)>, Value) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let status = answer.status.as_u16();
    let mut body = answer.json();
    body["request_id"] = Value::Null;
    (status, headers, body)
}

async fn h3_every_failure_looks_the_same(f: Arc<Fixture>) {
    let (org, _) = start(&f).await;
    for (name, suspended) in [("disabled", false), ("locked", false), ("elsewhere", true)] {
        let tenant = if suspended { f.organization("Gone").await.0 } else { org.clone() };
        let id = user(&f, &tenant, &format!("{name}@acme.example"), &[]).await;
        give_password(&f, &tenant, &id, PASSWORD).await;
        if name == "disabled" {
            f.operator.post(&format!("/v1/tenants/{tenant}/users/{id}/disable"), &json!({})).await.expect(200);
        }
        if suspended {
            f.operator.patch(&format!("/v1/tenants/{tenant}"), &json!({"status": "suspended"})).await.expect(200);
        }
    }
    user(&f, &org, "invited@acme.example", &[]).await;
    let without = user(&f, &org, "without@acme.example", &[]).await;
    give_password(&f, &org, &without, PASSWORD).await;
    let mut tx = f.app.store().begin().await.unwrap();
    tx.put_user_password(TenantId::parse(&org).unwrap(), UserId::parse(&without).unwrap(), None, None).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..10 {
        sign_in(&f.operator, "locked@acme.example", "wrong").await;
    }
    let expected = seen(sign_in(&f.operator, "nobody@acme.example", "wrong").await);
    assert_eq!((expected.0, &expected.2["code"]), (401, &json!("sign_in_failed")));
    for (email, password) in [
        ("ada@acme.example", "wrong"),
        ("locked@acme.example", PASSWORD),
        ("disabled@acme.example", PASSWORD),
        ("invited@acme.example", PASSWORD),
        ("without@acme.example", PASSWORD),
        ("elsewhere@acme.example", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
    ] {
        assert_eq!(seen(sign_in(&f.operator, email, password).await), expected, "{email}");
    }
    let told = f.audit(&org).await;
    let reasons: Vec<_> = told.iter().filter_map(|entry| entry["details"]["reason"].as_str()).collect();
    for reason in ["password_wrong", "too_many_guesses", "user_disabled", "user_invited", "password_missing"] {
        assert!(reasons.contains(&reason), "{reason} in {reasons:?}");
    }
    let strangers = f.audit(&f.root).await;
    assert!(strangers.iter().any(|entry| entry["details"]["reason"] == "sign_in_failed"));
}

async fn h5_strangers_shut_nobody_out(f: Arc<Fixture>) {
    let (_, _) = start(&f).await;
    let device = cookie(&sign_in(&f.operator, "ada@acme.example", PASSWORD).await, "device").unwrap();
    for _ in 0..10 {
        assert_eq!(sign_in(&f.operator, "ada@acme.example", "wrong").await.status, 401);
    }
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 401, "used up");
    let known = |password: &str| {
        attempt(&f.operator, "ada@acme.example", password).header("cookie", format!("__Host-claviger_device={device}"))
    };
    let entered = send(known(PASSWORD)).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    assert_eq!(cookie(&entered, "device"), None, "it is known already");
    // A device is no way to guess without end, and none to guess at others.
    for _ in 0..10 {
        assert_eq!(send(known("wrong")).await.status, 401);
    }
    assert_eq!(send(known(PASSWORD)).await.status, 401);
    f.app.clock().advance(900);
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 200, "a quarter of an hour later");
}

async fn h6_guesses_are_counted_before_they_are_looked_at(f: Arc<Fixture>) {
    let (org, _) = start(&f).await;
    let burst = (0..40).map(|_| send(attempt(&f.operator, "ada@acme.example", "wrong")));
    let answers = futures_util::future::join_all(burst).await;
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    let busy = answers.iter().filter(|answer| answer.status == 503).count();
    assert_eq!(refused + busy, 40);
    let audit = f.audit(&org).await;
    f.app.clock().advance(60);
    let later = f.audit(&org).await;
    let count = |reason: &str| {
        let of = |entries: &[Value]| -> u64 {
            let entries = entries.iter().filter(|entry| entry["details"]["reason"] == reason);
            entries.filter_map(|entry| entry["details"]["count"].as_u64()).max().unwrap_or(0)
        };
        of(&later).max(of(&audit))
    };
    assert_eq!(count("password_wrong"), 10.min(refused as u64), "verified");
    assert_eq!(count("too_many_guesses"), refused as u64 - 10.min(refused as u64));
}

async fn h9_guesses_outlive_what_becomes_of_the_request(f: Arc<Fixture>) {
    let (_, _) = start(&f).await;
    for _ in 0..9 {
        sign_in(&f.operator, "ada@acme.example", "wrong").await;
    }
    // A right one in between is not held against anybody, and forgives nothing.
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 200);
    sign_in(&f.operator, "ada@acme.example", "wrong").await;
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 401);
    f.app.clock().advance(-3_600);
    assert_eq!(
        sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status,
        401,
        "a clock set back forgives nothing"
    );
}

async fn h8_who_cannot_sign_in_cannot_with_the_right_password(f: Arc<Fixture>) {
    let (org, ada) = start(&f).await;
    let entered = sign_in(&f.operator, "ada@acme.example", PASSWORD).await;
    let signed_in = holder(&f, &org, &ada, cookie(&entered, "session").unwrap());
    let device = cookie(&entered, "device").unwrap();
    f.operator.post(&format!("{}/disable", signed_in.path()), &json!({})).await.expect(200);
    assert_eq!(signed_in.get("/v1/me").await.status, 401, "the session");
    let again = attempt(&f.operator, "ada@acme.example", PASSWORD);
    assert_eq!(send(again.header("cookie", format!("__Host-claviger_device={device}"))).await.status, 401, "the door");
    f.operator.delete(&signed_in.path()).await;
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 401);
}

async fn h11_a_cheap_hash_is_made_anew_once(f: Arc<Fixture>) {
    let (org, ada) = start(&f).await;
    assert_ne!(hash_of(&f, &org, &ada).await.cost, Cost::STANDARD);
    assert_eq!(sign_in(&f.operator, "ada@acme.example", "wrong").await.status, 401);
    assert_ne!(hash_of(&f, &org, &ada).await.cost, Cost::STANDARD, "only whoever knows the password renews its hash");
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 200);
    let renewed = hash_of(&f, &org, &ada).await;
    assert_eq!(renewed.cost, Cost::STANDARD);
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 200);
    assert!(hash_of(&f, &org, &ada).await == renewed, "once");
}

async fn h12_a_changed_password_ends_other_sessions(f: Arc<Fixture>) {
    let (org, ada) = start(&f).await;
    let one =
        holder(&f, &org, &ada, cookie(&sign_in(&f.operator, "ada@acme.example", PASSWORD).await, "session").unwrap());
    let two =
        holder(&f, &org, &ada, cookie(&sign_in(&f.operator, "ada@acme.example", PASSWORD).await, "session").unwrap());
    let new = "an even longer and quieter river";
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let put = async |person: &Person, body: Value| person.send(Method::PUT, "/v1/me/password", &body).await;
    for (body, pointer) in [
        (json!({"new_password": new}), "current_password"),
        (change("wrong", new), "/current_password"),
        (change(PASSWORD, "short"), "/new_password"),
        (change(PASSWORD, "ada@acme.example"), "/new_password"),
    ] {
        let refused = put(&one, body.clone()).await.expect(422);
        assert!(refused.to_string().contains(pointer), "{body}: {refused}");
    }
    assert_eq!(put(&one, change(PASSWORD, new)).await.status, 204);
    assert_eq!((one.get("/v1/me").await.status.as_u16(), two.get("/v1/me").await.status.as_u16()), (200, 401));
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 401);
    assert_eq!(sign_in(&f.operator, "ada@acme.example", new).await.status, 200);
    for _ in 0..10 {
        assert_eq!(put(&one, change("wrong", new)).await.status, 422);
    }
    assert_eq!(put(&one, change(new, PASSWORD)).await.status, 422, "too many guesses from a session");
    let audit = f.audit(&org).await;
    assert!(audit.iter().any(|entry| entry["action"] == "user.password_changed"));
    assert!(!format!("{audit:?}").contains(new));
}

async fn k1_a_session_is_new_after_each_sign_in(f: Arc<Fixture>) {
    let (org, ada) = start(&f).await;
    let fixed = format!("clv_s_{}", "A".repeat(49));
    let with = |cookies: &str| attempt(&f.operator, "ada@acme.example", PASSWORD).header("cookie", cookies.to_owned());
    let entered = send(with(&format!("__Host-claviger_session={fixed}"))).await;
    let first = cookie(&entered, "session").unwrap();
    assert_ne!(first, fixed);
    assert_eq!(holder(&f, &org, &ada, fixed).get("/v1/me").await.status, 401);
    let second = cookie(&send(with(&format!("__Host-claviger_session={first}"))).await, "session").unwrap();
    assert_ne!(first, second);
    assert_eq!(holder(&f, &org, &ada, first).get("/v1/me").await.status, 401, "the one before is dead");
    assert_eq!(holder(&f, &org, &ada, second).get("/v1/me").await.status, 200);
}

async fn k3_no_other_site_signs_anybody_in(f: Arc<Fixture>) {
    let (_, _) = start(&f).await;
    let body = json!({"email": "ada@acme.example", "password": PASSWORD});
    let bare = || f.operator.bare(Method::POST, "/v1/sign-in");
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let refused = send(bare().header(name, value).json(&body)).await;
        assert_eq!((refused.status.as_u16(), cookie(&refused, "session")), (403, None), "{name}: {value}");
    }
    for media in ["text/plain", "application/x-www-form-urlencoded"] {
        let refused = send(bare().header("content-type", media).body(body.to_string())).await;
        assert_eq!(refused.status, 415, "{media}");
    }
    assert_eq!(send(bare().json(&body)).await.status, 200, "a client that is no browser");
}

async fn h10_whoever_finds_no_place_is_told_to_come_back(f: Arc<Fixture>) {
    let (org, ada) = start(&f).await;
    let person = holder(&f, &org, &ada, crate::people::session(&f, &org, &ada).await.1);
    let storm = (0..120).map(|number| {
        let request = attempt(&f.operator, &format!("nobody{number}@acme.example"), PASSWORD);
        tokio::spawn(send(request))
    });
    let storm: Vec<_> = storm.collect();
    for _ in 0..20 {
        assert_eq!(person.get("/v1/me").await.status, 200, "others are answered meanwhile");
    }
    let answers = futures_util::future::join_all(storm).await.into_iter().map(Result::unwrap);
    let (hashed, refused): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 401);
    assert!(!hashed.is_empty() && !refused.is_empty(), "{} of 120 were hashed", hashed.len());
    for answer in refused {
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert_eq!(answer.status, 503);
    }
    sign_in(&f.operator, "ada@acme.example", PASSWORD).await.expect(200);
}

async fn an_address_that_guesses_is_told_to_wait(f: Arc<Fixture>) {
    let (_, _) = start(&f).await;
    // As if they had been guessed, for each costs a hash.
    let mut tx = f.app.store().begin().await.unwrap();
    let key = claviger_domain::guess::key("password address", "127.0.0.1");
    tx.lock_guesses(&key).await.unwrap();
    let now = f.app.clock().now();
    tx.put_guesses(&key, &vec![now.micros(); 200], now).await.unwrap();
    tx.commit().await.unwrap();
    let told = sign_in(&f.operator, "ada@acme.example", PASSWORD).await;
    assert_eq!(told.header("retry-after"), Some("901"));
    assert_eq!(told.code(429), "rate_limited");
}

/// H9 and D2 on three nodes: they count together, and what one ends is over on all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_count_and_end_together() {
    run(Engine::Postgres, &[], async |f: Arc<Fixture>| {
        let (org, ada) = start(&f).await;
        let nodes = [f.join("two").await, f.join("three").await];
        let clients = [f.operator.clone(), nodes[0].client(&f.operator), nodes[1].client(&f.operator)];
        let entered = sign_in(&clients[1], "ada@acme.example", PASSWORD).await;
        let session = cookie(&entered, "session").unwrap();
        let on = |client: &Client| Person { client: client.clone(), ..holder(&f, &org, &ada, session.clone()) };
        for client in &clients {
            assert_eq!(on(client).get("/v1/me").await.status, 200);
        }
        let guesses = (0..30).map(|number| sign_in(&clients[number % 3], "ada@acme.example", "wrong"));
        futures_util::future::join_all(guesses).await;
        assert_eq!(sign_in(&clients[2], "ada@acme.example", PASSWORD).await.status, 401, "10 in all, not 10 each");
        let owner = person(&f, &org, "owner@acme.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
        let owner = Person { client: clients[2].clone(), ..owner };
        for round in 0..20 {
            let client = &clients[round % 3];
            let (_, cookie) = crate::people::session(&f, &org, &ada).await;
            let person = Person { cookie, ..on(client) };
            let path = format!("{}/{}", person.path(), if round % 2 == 0 { "disable" } else { "enable" });
            assert_eq!(owner.post(&path, &json!({})).await.status, 200);
            for client in &clients {
                let here = Person { client: client.clone(), ..person.clone() };
                let expected = if round % 2 == 0 { 401 } else { 200 };
                assert_eq!(here.get("/v1/me").await.status, expected, "round {round}");
            }
        }
        for node in nodes {
            node.stop().await;
        }
    })
    .await;
}
