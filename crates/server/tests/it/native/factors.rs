//! Second factors: authenticators, codes by mail, recovery codes, the proof made anew, policies.

use crate::fixture::{Answer, Fixture, Node, on_both, run, send};
use crate::mails::{mails_to, newest};
use crate::people::{Person, half_way, person, stepped_up};
use claviger_store::Engine;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

on_both!(
    i11_an_authenticator_counts_once_it_is_confirmed,
    i1_the_present_and_the_last_code_are_accepted,
    i2_a_code_is_accepted_once,
    i4_checks_are_counted_for_the_account,
    i4_after_twenty_wrong_codes_none_is_looked_at,
    i5_a_wrong_code_counts_whatever_follows,
    i6_a_mailed_code_is_of_one_session_and_dies,
    i7_mailed_codes_are_capped,
    i8_a_session_alone_is_not_enough_for_what_is_dangerous,
    i9_recovery_codes_are_used_once,
    i12_factors_are_reset_by_whoever_may_and_told,
    j7_a_new_password_is_no_second_factor,
    k1_the_token_is_another_after_each_step,
    k4_what_ends_a_session_ends_it_at_once,
    k9_the_store_holds_no_session_that_could_be_used,
    a_stricter_policy_asks_for_what_is_missing,
    factors_and_sessions_hang_together,
    factors_are_renamed_and_seen_from_above,
    all_other_sessions_end_at_once,
);

/// The code of an authenticator, so many steps from now.
pub(crate) fn code(f: &Fixture, secret: &str, steps: i64) -> String {
    let seed = decode(secret);
    let step = f.app.clock().now().seconds().div_euclid(30) + steps;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &seed);
    let tag = aws_lc_rs::hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 0xf);
    let four = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", four % 1_000_000)
}

fn decode(secret: &str) -> Vec<u8> {
    let bits: String = secret
        .bytes()
        .map(|c| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(char::from(c)).unwrap())
        .map(|n| format!("{n:05b}"))
        .collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

/// The session's cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let text = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {}", answer.text));
    let value = text.strip_prefix("__Host-claviger_session=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

async fn second_factor(person: &Person, body: Value) -> Answer {
    person.post("/v1/sign-in/second-factor", &body).await
}

fn totp(code: &str) -> Value {
    json!({ "kind": "totp", "code": code })
}

async fn policy(f: &Fixture, tenant: &str, word: &str) {
    f.operator.patch(&format!("/v1/tenants/{tenant}"), &json!({ "mfa_required": word })).await.expect(200);
}

async fn ada(f: &Fixture) -> Person {
    let (org, _) = f.organization("Acme").await;
    let ada = person(f, &org, "ada@example.com", &[]).await;
    // Mails lie in the order of their times.
    f.app.clock().advance(1);
    ada
}

/// Somebody with a confirmed authenticator: the person, the seed, the recovery codes.
async fn with_totp(f: &Fixture) -> (Person, String, Vec<String>) {
    let ada = stepped_up(f, &ada(f).await).await;
    let made = ada.post("/v1/me/factors/totp", &json!({ "name": "Phone" })).await.expect(201);
    let secret = made["secret"].as_str().unwrap().to_owned();
    let path = format!("/v1/me/factors/{}/confirm", made["factor"]["id"].as_str().unwrap());
    let answer = ada.post(&path, &json!({ "code": code(f, &secret, 0) })).await;
    let ada = Person { cookie: cookie(&answer), ..ada };
    let codes = answer.expect(200)["recovery_codes"].as_array().unwrap().clone();
    f.app.clock().advance(60);
    (ada, secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn i11_an_authenticator_counts_once_it_is_confirmed(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let new = json!({ "name": "Phone" });
    assert_eq!(ada.post("/v1/me/factors/totp", &new).await.code(401), "step_up_needed");
    let ada = stepped_up(&f, &ada).await;
    let answer = ada.post("/v1/me/factors/totp", &new).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.expect(201);
    let secret = made["secret"].as_str().unwrap().to_owned();
    let url = made["otpauth_url"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Claviger:ada@example.com?secret=") && url.contains(&secret), "{url}");
    assert_eq!(made["factor"]["confirmed"], false);
    let asked = ada.get("/v1/sign-in/second-factor").await.expect(200);
    assert_eq!((asked["wanted"].as_str(), asked["kinds"].as_array().unwrap().len()), (Some("nothing"), 0));
    let path = format!("/v1/me/factors/{}/confirm", made["factor"]["id"].as_str().unwrap());
    assert_eq!(ada.post(&path, &json!({ "code": "000000" })).await.code(401), "second_factor_wrong");
    let answer = ada.post(&path, &json!({ "code": code(&f, &secret, 0) })).await;
    let ada = Person { cookie: cookie(&answer), ..ada };
    let confirmed = answer.expect(200);
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(ada.post(&path, &json!({ "code": code(&f, &secret, 1) })).await.code(404), "not_found");
    let list = ada.get("/v1/me/factors").await;
    assert!(!list.text.contains(&secret), "the seed is not shown again");
    let list = list.expect(200);
    assert_eq!((list["items"].as_array().unwrap().len(), &list["recovery_codes_left"]), (1, &json!(10)));
    assert_eq!(newest(&f, "ada@example.com").await.subject, "A second factor was added");
    let audit = serde_json::to_string(&f.audit(&ada.tenant).await).unwrap();
    assert!(!audit.contains(&secret) && audit.contains("user.factor_confirmed"));
    // Another one needs the one before.
    f.app.clock().advance(600);
    assert_eq!(ada.post("/v1/me/factors/totp", &new).await.code(401), "step_up_needed");
}

async fn i1_the_present_and_the_last_code_are_accepted(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    for (steps, accepted) in [(-2, false), (1, false), (2, false), (-1, true), (0, true)] {
        let half = half_way(&f, &ada).await;
        let answer = second_factor(&half, totp(&code(&f, &secret, steps))).await;
        assert_eq!(answer.status.as_u16(), if accepted { 200 } else { 401 }, "{steps}: {}", answer.text);
    }
}

async fn i2_a_code_is_accepted_once(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    let right = code(&f, &secret, 0);
    let mut uses = Vec::new();
    for _ in 0..4 {
        let (half, right) = (half_way(&f, &ada).await, right.clone());
        uses.push(tokio::spawn(async move { second_factor(&half, totp(&right)).await.status.as_u16() }));
    }
    let mut statuses = Vec::new();
    for one in uses {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401]);
    let half = half_way(&f, &ada).await;
    assert_eq!(second_factor(&half, totp(&code(&f, &secret, -1))).await.status, 401, "nor that of an earlier step");
}

/// I2, I4 and I9 on three nodes: what one has accepted no other one accepts, and they count together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_nodes_accept_a_code_once_between_them() {
    run(Engine::Postgres, &[], async |f: Arc<Fixture>| {
        let (ada, secret, recovery) = with_totp(&f).await;
        let nodes = [f.join("two").await, f.join("three").await];
        let clients = [ada.client.clone(), nodes[0].client(&ada.client), nodes[1].client(&ada.client)];
        // They were started when the first one's clock had gone on already.
        nodes.iter().for_each(|node| {
            node.app.clock().advance(f.app.clock().now().seconds() - node.app.clock().now().seconds())
        });
        let later = || [&f.app, &nodes[0].app, &nodes[1].app].iter().for_each(|app| app.clock().advance(901));
        let at_once = async |body: Value| {
            let mut uses = Vec::new();
            for client in clients.iter().cycle().take(6) {
                let half = Person { client: client.clone(), ..half_way(&f, &ada).await };
                let body = body.clone();
                uses.push(tokio::spawn(async move { second_factor(&half, body).await.status.as_u16() }));
            }
            let statuses = futures_util::future::join_all(uses).await;
            statuses.into_iter().map(Result::unwrap).collect::<Vec<_>>()
        };
        let right = at_once(totp(&code(&f, &secret, 0))).await;
        assert_eq!(right.iter().filter(|status| **status == 200).count(), 1, "{right:?}");
        later();
        let right = at_once(json!({ "kind": "recovery_code", "code": recovery[0] })).await;
        assert_eq!(right.iter().filter(|status| **status == 200).count(), 1, "{right:?}");
        later();
        let wrong = [at_once(totp("000000")).await, at_once(totp("000001")).await].concat();
        assert_eq!(wrong.iter().filter(|status| **status == 401).count(), 5, "{wrong:?}");
        for node in nodes {
            node.stop().await;
        }
    })
    .await;
}

/// Puts a node's clock so many seconds ahead of the store's, and waits until the node has found out.
async fn put_ahead(node: &Node, seconds: i64, ready: bool) {
    node.app.clock().advance(seconds);
    node.app.clock().skew(seconds);
    let mut tries = 0;
    loop {
        let answer = node.operator.get("/readyz").await;
        let nodes = node.app.know_nodes().await.unwrap();
        let known = nodes.iter().find(|node| node.is_this).map(|this| this.node.clock_offset);
        if known == Some(seconds * 1_000_000) && answer.status == if ready { 200 } else { 503 } {
            return;
        }
        tries += 1;
        assert!(tries < 500, "{seconds}: {known:?} {}", answer.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// I14: a node whose clock is far from the store's answers nobody; one that is somewhat off goes by the store's, so that it accepts
/// the codes of the true time and no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i14_a_wrong_clock_widens_nothing() {
    run(Engine::Postgres, &[], async |f: Arc<Fixture>| {
        let (ada, secret, _) = with_totp(&f).await;
        let node = f.join("two").await;
        let client = node.client(&ada.client);
        // In the middle of a step, so that 29 seconds either way lead into another one.
        f.app.clock().advance(15 - f.app.clock().now().seconds().rem_euclid(30));
        let together = || node.app.clock().advance(f.app.clock().now().seconds() - node.app.clock().now().seconds());
        together();
        let half = async || Person { client: client.clone(), ..half_way(&f, &ada).await };
        for ahead in [90, -90] {
            put_ahead(&node, ahead, false).await;
            for steps in [-4, -3, -1, 0, 1, 3, 4] {
                let refused = second_factor(&half().await, totp(&code(&f, &secret, steps))).await;
                assert_eq!(refused.code(503), "unavailable", "{ahead} {steps}");
            }
            together();
            put_ahead(&node, 0, true).await;
        }
        for ahead in [29, -29] {
            f.app.clock().advance(900);
            together();
            put_ahead(&node, ahead, true).await;
            for (steps, expected) in [(-2, 401), (1, 401), (2, 401), (-1, 200), (0, 200)] {
                let answer = second_factor(&half().await, totp(&code(&f, &secret, steps))).await;
                assert_eq!(answer.status, expected, "{ahead} {steps}: {}", answer.text);
            }
            together();
            put_ahead(&node, 0, true).await;
        }
        node.stop().await;
    })
    .await;
}

async fn i4_checks_are_counted_for_the_account(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    let mut uses = Vec::new();
    for number in 0..20 {
        let half = half_way(&f, &ada).await;
        uses.push(tokio::spawn(
            async move { second_factor(&half, totp(&format!("{number:06}"))).await.status.as_u16() },
        ));
    }
    let mut looked_at = 0;
    for one in uses {
        match one.await.unwrap() {
            401 => looked_at += 1,
            429 => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(looked_at, 5);
    let half = half_way(&f, &ada).await;
    let answer = second_factor(&half, totp(&code(&f, &secret, 0))).await;
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.code(429), "rate_limited");
    f.app.clock().advance(901);
    let half = half_way(&f, &ada).await;
    second_factor(&half, totp(&code(&f, &secret, 0))).await.expect(200);
}

async fn i4_after_twenty_wrong_codes_none_is_looked_at(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    for _ in 0..4 {
        for _ in 0..5 {
            let half = half_way(&f, &ada).await;
            assert_eq!(second_factor(&half, totp("000000")).await.code(401), "second_factor_wrong");
        }
        f.app.clock().advance(901);
    }
    let half = half_way(&f, &ada).await;
    let right = totp(&code(&f, &secret, 0));
    assert_eq!(second_factor(&half, right).await.code(401), "second_factor_suspended");
    let told = mails_to(&f, "ada@example.com").await;
    assert_eq!(told.iter().filter(|mail| mail.subject == "Somebody is guessing your codes").count(), 1);
    // Whoever sets a new password by a link has shut out who knew the old one.
    let ask = json!({ "email": "ada@example.com" });
    crate::fixture::send(f.operator.bare(Method::POST, "/v1/password-resets").json(&ask)).await.expect(202);
    let token = newest(&f, "ada@example.com").await.token();
    let body = json!({ "token": token, "password": "correct horse battery staple" });
    crate::fixture::send(f.operator.bare(Method::POST, "/v1/password-resets/complete").json(&body)).await.expect(204);
    let half = half_way(&f, &ada).await;
    let asked = half.get("/v1/sign-in/second-factor").await.expect(200);
    assert_eq!(asked["wanted"], "authenticator", "J7: the second factor is still asked for");
    second_factor(&half, totp(&code(&f, &secret, 0))).await.expect(200);
}

async fn i5_a_wrong_code_counts_whatever_follows(f: Arc<Fixture>) {
    let (ada, _, _) = with_totp(&f).await;
    for _ in 0..5 {
        let half = half_way(&f, &ada).await;
        let request = half.request(Method::POST, "/v1/sign-in/second-factor").json(&totp("000000"));
        let sent = tokio::spawn(request.send());
        tokio::task::yield_now().await;
        sent.abort();
        let _ = sent.await;
    }
    // However many of those have arrived: there are five in all, and no more.
    let mut looked_at = 0;
    for _ in 0..10 {
        let half = half_way(&f, &ada).await;
        if second_factor(&half, totp("000000")).await.status == 401 {
            looked_at += 1;
        }
    }
    assert!(looked_at <= 5, "{looked_at}");
}

async fn i6_a_mailed_code_is_of_one_session_and_dies(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    policy(&f, &ada.tenant, "email").await;
    let (half, other) = (half_way(&f, &ada).await, half_way(&f, &ada).await);
    assert_eq!(half.get("/v1/sign-in/second-factor").await.expect(200)["wanted"], "mail_code");
    let mail = |code: &str| json!({ "kind": "mail_code", "code": code });
    half.post("/v1/sign-in/second-factor/mail", &json!({})).await.expect(202);
    let first = newest(&f, "ada@example.com").await.code();
    assert_eq!(second_factor(&other, mail(&first)).await.code(401), "second_factor_wrong");
    f.app.clock().advance(1);
    half.post("/v1/sign-in/second-factor/mail", &json!({})).await.expect(202);
    let second = newest(&f, "ada@example.com").await.code();
    assert_eq!(second_factor(&half, mail(&first)).await.code(401), "second_factor_wrong", "a newer one took its place");
    let answer = second_factor(&half, mail(&second)).await;
    let complete = Person { cookie: cookie(&answer), ..ada.clone() };
    assert_eq!(answer.expect(200)["stage"], "complete");
    complete.get("/v1/me").await.expect(200);
    f.app.clock().advance(901);
    let half = half_way(&f, &ada).await;
    half.post("/v1/sign-in/second-factor/mail", &json!({})).await.expect(202);
    let third = newest(&f, "ada@example.com").await.code();
    for _ in 0..5 {
        assert_eq!(second_factor(&half, mail("000000")).await.code(401), "second_factor_wrong");
    }
    // Were there no limit of the account, the code would be dead all the same.
    let (tenant, user) = (
        claviger_domain::id::TenantId::parse(&ada.tenant).unwrap(),
        claviger_domain::id::UserId::parse(&ada.id).unwrap(),
    );
    let mut tx = f.app.store().begin().await.unwrap();
    let mut guard = tx.lock_guard(tenant, user).await.unwrap();
    guard.times.clear();
    tx.put_guard(tenant, user, &guard).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(second_factor(&half, mail(&third)).await.code(401), "second_factor_wrong");
    f.app.clock().advance(901);
    let half = half_way(&f, &ada).await;
    half.post("/v1/sign-in/second-factor/mail", &json!({})).await.expect(202);
    let fourth = newest(&f, "ada@example.com").await.code();
    f.app.clock().advance(600);
    let late = second_factor(&half, mail(&fourth)).await;
    assert_eq!(late.status, 401, "{}", late.text);
}

async fn i7_mailed_codes_are_capped(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    policy(&f, &ada.tenant, "email").await;
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let half = half_way(&f, &ada).await;
        statuses.push(half.post("/v1/sign-in/second-factor/mail", &json!({})).await.status.as_u16());
    }
    assert_eq!((statuses[..3].to_vec(), statuses[3..].to_vec()), (vec![202; 3], vec![429; 7]));
}

async fn i8_a_session_alone_is_not_enough_for_what_is_dangerous(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    f.app.clock().advance(600);
    let list = ada.get("/v1/me/factors").await.expect(200);
    let path = format!("/v1/me/factors/{}", list["items"][0]["id"].as_str().unwrap());
    assert_eq!(ada.delete(&path).await.code(401), "step_up_needed");
    assert_eq!(ada.post("/v1/me/recovery-codes", &json!({})).await.code(401), "step_up_needed");
    assert_eq!(ada.post("/v1/me/email", &json!({ "email": "x@example.com" })).await.code(401), "step_up_needed");
    // Neither a code by mail nor the password is enough for somebody who has better.
    for body in
        [json!({ "kind": "mail_code", "code": "123456" }), json!({ "kind": "password", "password": "anything" })]
    {
        assert_eq!(ada.post("/v1/me/step-up", &body).await.code(409), "second_factor_other");
    }
    let answer = ada.post("/v1/me/step-up", &totp(&code(&f, &secret, 0))).await;
    let again = Person { cookie: cookie(&answer), ..ada.clone() };
    assert!(answer.expect(200)["stepped_up_until"].is_string());
    assert_eq!(ada.get("/v1/me").await.code(401), "session_ended", "K1: the token before is dead");
    again.delete(&path).await.expect(204);
    assert_eq!(newest(&f, "ada@example.com").await.subject, "A second factor was removed");
    let list = again.get("/v1/me/factors").await.expect(200);
    assert_eq!((list["items"].as_array().unwrap().len(), &list["recovery_codes_left"]), (0, &json!(0)));
}

async fn i9_recovery_codes_are_used_once(f: Arc<Fixture>) {
    let (ada, _, codes) = with_totp(&f).await;
    let recovery = |code: &str| json!({ "kind": "recovery_code", "code": code });
    let half = half_way(&f, &ada).await;
    second_factor(&half, recovery(&codes[0].to_uppercase().replace('-', " "))).await.expect(200);
    let half = half_way(&f, &ada).await;
    assert_eq!(second_factor(&half, recovery(&codes[0])).await.code(401), "second_factor_wrong");
    assert_eq!(newest(&f, "ada@example.com").await.subject, "A recovery code was used");
    let answer = second_factor(&half, recovery(&codes[1])).await;
    let ada = Person { cookie: cookie(&answer), ..ada };
    let asked = ada.get("/v1/me/factors").await.expect(200);
    assert_eq!(asked["recovery_codes_left"], 8);
    let fresh = ada.post("/v1/me/recovery-codes", &json!({})).await.expect(200);
    assert_eq!(fresh["recovery_codes"].as_array().unwrap().len(), 10);
    let half = half_way(&f, &ada).await;
    assert_eq!(second_factor(&half, recovery(&codes[2])).await.code(401), "second_factor_wrong");
}

async fn i12_factors_are_reset_by_whoever_may_and_told(f: Arc<Fixture>) {
    let (ada, _, _) = with_totp(&f).await;
    let path = format!("{}/factors", ada.path());
    let (_, reader) = f.application(&ada.tenant, "Reader", json!({ "users": ["READ"] })).await;
    assert_eq!(reader.delete(&path).await.code(403), "permission_missing");
    assert_eq!(ada.delete(&path).await.code(403), "permission_missing");
    for body in [json!({ "mfa_enrolled": false }), json!({ "factors": [] })] {
        assert_eq!(f.operator.patch(&ada.path(), &body).await.status, 422, "{body}");
    }
    f.operator.delete(&path).await.expect(204);
    assert_eq!(newest(&f, "ada@example.com").await.subject, "Your second factors were removed");
    assert_eq!(ada.get("/v1/me").await.code(401), "session_ended");
    assert_eq!(f.audit(&ada.tenant).await.iter().filter(|entry| entry["action"] == "user.factors_reset").count(), 1);
    let half = half_way(&f, &ada).await;
    assert_eq!(half.get("/v1/sign-in/second-factor").await.expect(200)["wanted"], "nothing");
}

async fn j7_a_new_password_is_no_second_factor(f: Arc<Fixture>) {
    const PASSWORD: &str = "correct horse battery staple";
    let (ada, secret, _) = with_totp(&f).await;
    let ask = async |path: &str, body: Value| {
        let origin = f.operator.base.clone();
        send(f.operator.bare(Method::POST, path).header("origin", origin).json(&body)).await
    };
    ask("/v1/password-resets", json!({ "email": "ada@example.com" })).await.expect(202);
    let token = newest(&f, "ada@example.com").await.token();
    f.app.clock().advance(1);
    let set = ask("/v1/password-resets/complete", json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!((set.status.as_u16(), set.header("set-cookie")), (204, None), "nobody is signed in by it");
    let entered = ask("/v1/sign-in", json!({ "email": "ada@example.com", "password": PASSWORD })).await;
    let half = Person { cookie: cookie(&entered), ..ada };
    assert_eq!(entered.expect(200)["stage"], "second_factor");
    assert_eq!(half.get("/v1/me").await.code(401), "second_factor_needed");
    let answer = second_factor(&half, totp(&code(&f, &secret, 0))).await;
    Person { cookie: cookie(&answer), ..half }.get("/v1/me").await.expect(200);
}

async fn k4_what_ends_a_session_ends_it_at_once(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let another = async || {
        let (session, cookie) = crate::people::session(&f, &ada.tenant, &ada.id).await;
        Person { session, cookie, ..ada.clone() }
    };
    let (leaving, staying) = (another().await, another().await);
    let left = leaving.post("/v1/sign-out", &json!({})).await;
    assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"), "{:?}", left.headers);
    assert_eq!(leaving.get("/v1/me").await.code(401), "session_ended");
    staying.get("/v1/me").await.expect(200);
    let disabled = another().await;
    f.operator.post(&format!("{}/disable", ada.path()), &json!({})).await.expect(200);
    for person in [&staying, &disabled, &ada] {
        assert_eq!(person.get("/v1/me").await.status, 401);
    }
    f.operator.post(&format!("{}/enable", ada.path()), &json!({})).await.expect(200);
    assert_eq!(staying.get("/v1/me").await.code(401), "session_ended", "it does not come back");
}

async fn k9_the_store_holds_no_session_that_could_be_used(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    assert!(!f.files_hold(&ada.cookie), "only its hash is kept");
    assert!(ada.get("/v1/me").await.status == 200);
    if let claviger_store::Location::Sqlite { .. } = f.location {
        assert!(f.files_hold(&ada.session), "the id is found where the token is not");
    }
}

async fn k1_the_token_is_another_after_each_step(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    let half = half_way(&f, &ada).await;
    assert_eq!(half.get("/v1/me").await.code(401), "second_factor_needed");
    let answer = second_factor(&half, totp(&code(&f, &secret, 0))).await;
    let complete = Person { cookie: cookie(&answer), ..half.clone() };
    complete.get("/v1/me").await.expect(200);
    assert_eq!(half.get("/v1/sign-in/second-factor").await.code(401), "session_ended");
}

async fn a_stricter_policy_asks_for_what_is_missing(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    ada.get("/v1/me").await.expect(200);
    policy(&f, &f.root, "totp").await;
    assert_eq!(
        ada.get("/v1/me").await.code(401),
        "second_factor_needed",
        "of a tenant above, and of a session that is there"
    );
    policy(&f, &ada.tenant, "email").await;
    assert_eq!(
        ada.get("/v1/sign-in/second-factor").await.expect(200)["wanted"],
        "enrolment",
        "never weaker than above"
    );
    let half = half_way(&f, &ada).await;
    let made = half.post("/v1/me/factors/totp", &json!({})).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    let path = format!("/v1/me/factors/{}/confirm", made["factor"]["id"].as_str().unwrap());
    let answer = half.post(&path, &json!({ "code": code(&f, secret, 0) })).await;
    let complete = Person { cookie: cookie(&answer), ..half.clone() };
    answer.expect(200);
    complete.get("/v1/me").await.expect(200);
    let delete = format!("/v1/me/factors/{}", made["factor"]["id"].as_str().unwrap());
    assert_eq!(complete.delete(&delete).await.code(409), "last_factor");
    // Whoever has one cannot set up another before showing it.
    let half = half_way(&f, &ada).await;
    assert_eq!(half.post("/v1/me/factors/totp", &json!({})).await.code(401), "second_factor_needed");
}

async fn factors_and_sessions_hang_together(f: Arc<Fixture>) {
    let first = ada(&f).await;
    let (session, other) = crate::people::session(&f, &first.tenant, &first.id).await;
    let other = Person { session, cookie: other, ..first.clone() };
    let up = stepped_up(&f, &first).await;
    let made = up.post("/v1/me/factors/totp", &json!({})).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    let path = format!("/v1/me/factors/{}/confirm", made["factor"]["id"].as_str().unwrap());
    up.post(&path, &json!({ "code": code(&f, secret, 0) })).await.expect(200);
    assert_eq!(other.get("/v1/me").await.code(401), "session_ended", "K4");
    // Nobody else's factor is found.
    let (org, _) = f.organization("Other").await;
    let eve = stepped_up(&f, &person(&f, &org, "eve@example.com", &[]).await).await;
    let delete = format!("/v1/me/factors/{}", made["factor"]["id"].as_str().unwrap());
    assert_eq!(eve.delete(&delete).await.code(404), "not_found");
    assert_eq!(eve.post(&path, &json!({ "code": "000000" })).await.code(404), "not_found");
    // Pages of other sites are refused.
    let foreign = first.client.bare(Method::POST, "/v1/password-resets").header("origin", "https://evil.example");
    let answer = crate::fixture::send(foreign.json(&json!({ "email": "ada@example.com" }))).await;
    assert_eq!(answer.code(403), "forbidden");
}

async fn factors_are_renamed_and_seen_from_above(f: Arc<Fixture>) {
    let (ada, secret, _) = with_totp(&f).await;
    let id = ada.get("/v1/me/factors").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/me/factors/{id}");
    let renamed = ada.send(Method::PATCH, &path, &json!({ "name": " Old phone " })).await.expect(200);
    assert_eq!((renamed["name"].as_str(), renamed["confirmed"].as_bool()), (Some("Old phone"), Some(true)));
    let long = json!({ "name": "x".repeat(65) });
    assert_eq!(ada.send(Method::PATCH, &path, &long).await.status, 422);
    let listed = f.operator.get(&format!("{}/factors", ada.path())).await;
    assert!(!listed.text.contains(&secret), "{}", listed.text);
    let listed = listed.expect(200);
    assert_eq!((&listed["items"][0]["name"], &listed["recovery_codes_left"]), (&json!("Old phone"), &json!(10)));
    let (beta, _) = f.organization("Beta").await;
    let eve = person(&f, &beta, "eve@example.com", &[]).await;
    assert_eq!(eve.send(Method::PATCH, &path, &json!({ "name": "Mine" })).await.status, 404);
    assert!(serde_json::to_string(&f.audit(&ada.tenant).await).unwrap().contains("user.factor_renamed"));
}

async fn all_other_sessions_end_at_once(f: Arc<Fixture>) {
    let ada = ada(&f).await;
    let other = stepped_up(&f, &ada).await;
    let ended = ada.delete("/v1/me/sessions").await.expect(200);
    assert_eq!(ended["ended"], 1);
    assert_eq!(other.get("/v1/me").await.status, 401);
    assert_eq!(ada.get("/v1/me/sessions").await.expect(200)["items"].as_array().unwrap().len(), 1);
}
