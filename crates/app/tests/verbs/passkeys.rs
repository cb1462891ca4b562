//! Passkeys: a ceremony is of one session and one origin, is used once, and a counter does not go back.

use crate::fixture::{Fixture, HERE, on_both};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use claviger_app::caller::{RequestLine, UserCaller};
use claviger_app::deeds::Visit;
use claviger_app::second_factors::Shown;
use claviger_domain::application::Reach;
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::user::{Status, User};
use claviger_domain::user_session::{Cookie, Method, PlainCookie, Stage, UserSession};
use claviger_domain::{Error, Refusal};
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(
    i13_a_passkey_answers_its_own_challenge_once,
    i13_what_others_have_signed_is_refused,
    a_passkey_is_registered_once
);

const HOST: &str = "claviger.example";
const ORIGIN: &str = "https://claviger.example";

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, at| (number << 8) | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[((number >> (18 - 6 * place)) & 63) as usize]));
        }
    }
    text
}

/// What a person's browser and security key do.
struct Authenticator {
    key: EcdsaKeyPair,
    id: [u8; 16],
    counter: u32,
}

impl Authenticator {
    fn new(id: u8) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        Self { key, id: [id; 16], counter: 0 }
    }

    fn data(&self, host: &str, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, host.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(kind: &str, options: &Value, origin: &str) -> Vec<u8> {
        let challenge = options["publicKey"]["challenge"].as_str().unwrap();
        let members = json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false });
        members.to_string().into_bytes()
    }

    fn create(&self, options: &Value, origin: &str) -> Value {
        // User present, user verified, a credential comes along.
        let mut data = self.data(HOST, 0x45);
        data.extend([0; 16]);
        data.extend(16_u16.to_be_bytes());
        data.extend(self.id);
        let point = self.key.public_key().as_ref();
        // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(&data);
        json!({
            "id": base64url(&self.id),
            "rawId": base64url(&self.id),
            "type": "public-key",
            "response": {
                "attestationObject": base64url(&object),
                "clientDataJSON": base64url(&Self::client_data("webauthn.create", options, origin)),
            },
        })
    }

    fn get(&mut self, options: &Value, host: &str, origin: &str) -> Value {
        self.counter += 1;
        let data = self.data(host, 0x05);
        let client = Self::client_data("webauthn.get", options, origin);
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": base64url(&self.id),
            "rawId": base64url(&self.id),
            "type": "public-key",
            "response": {
                "authenticatorData": base64url(&data),
                "clientDataJSON": base64url(&client),
                "signature": base64url(signature.as_ref()),
                "userHandle": null,
            },
        })
    }
}

fn visit() -> Visit {
    Visit { origin: HERE, user_agent: "test".into(), request: Arc::new(RequestLine::default()) }
}

/// A person of a tenant.
async fn person(f: &Fixture, tenant: TenantId, number: u8) -> UserId {
    let now = f.app.clock().now();
    let id = UserId::new(now, [number; 10]);
    let user = User {
        id,
        tenant_id: tenant,
        number: i64::from(number),
        email: format!("user{number}@example.com"),
        first_name: "Ada".into(),
        last_name: String::new(),
        phone: String::new(),
        status: Status::Active,
        reach: Reach::Own,
        roles: Vec::new(),
        password_set_at: None,
        activated_at: Some(now),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let mut tx = f.app.store().begin().await.unwrap();
    tx.insert_user(tenant, &user).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// A session of a person that waits for its second factor, or has just proved anew who it is.
async fn session(f: &Fixture, tenant: TenantId, user: UserId, number: u8, stage: Stage) -> UserCaller {
    let now = f.app.clock().now();
    let token = PlainCookie::mint(Cookie::Session, [number; 32]);
    let session = UserSession {
        id: UserSessionId::new(now, [number; 10]),
        stage,
        methods: vec![Method::Password],
        created_at: now,
        last_seen_at: now,
        stepped_up_at: Some(now).filter(|_| stage == Stage::Complete),
        address: None,
        user_agent: String::new(),
        ended_at: None,
    };
    let mut tx = f.app.store().begin().await.unwrap();
    tx.insert_user_session(tenant, user, &session, &token.hash()).await.unwrap();
    tx.commit().await.unwrap();
    f.app.authenticate_signing_in(&token.reveal(), HERE).await.unwrap()
}

fn is_wrong<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unauthenticated(Refusal::SecondFactorWrong)))
}

async fn registered(f: &Fixture) -> (TenantId, UserId, Authenticator) {
    let tenant = f.organization("Acme").await.id;
    let user = person(f, tenant, 1).await;
    let up = session(f, tenant, user, 1, Stage::Complete).await;
    let authenticator = Authenticator::new(7);
    let options = f.app.begin_passkey(&up, &visit()).await.unwrap();
    let answer = authenticator.create(&options, ORIGIN);
    let confirmed = f.app.create_passkey(&up, "Key".into(), answer, &visit()).await.unwrap();
    assert_eq!(confirmed.recovery_codes.unwrap().len(), 10);
    (tenant, user, authenticator)
}

async fn i13_a_passkey_answers_its_own_challenge_once(f: Fixture) {
    let (tenant, user, mut authenticator) = registered(&f).await;
    let half = session(&f, tenant, user, 2, Stage::SecondFactor).await;
    let other = session(&f, tenant, user, 3, Stage::SecondFactor).await;
    let options = f.app.ask_passkey(&half, &visit()).await.unwrap();
    f.app.ask_passkey(&other, &visit()).await.unwrap();
    let answer = authenticator.get(&options, HOST, ORIGIN);
    let shown = || Shown::Passkey(answer.clone());
    assert!(is_wrong(f.app.complete_sign_in(&other, shown(), &visit()).await), "the challenge is another session's");
    let advanced = f.app.complete_sign_in(&half, shown(), &visit()).await.unwrap();
    assert_eq!(
        (advanced.session.stage, advanced.session.methods),
        (Stage::Complete, vec![Method::Password, Method::Passkey])
    );
    let replayed = session(&f, tenant, user, 4, Stage::SecondFactor).await;
    f.app.ask_passkey(&replayed, &visit()).await.unwrap();
    assert!(
        is_wrong(f.app.complete_sign_in(&replayed, shown(), &visit()).await),
        "it was an answer to another challenge"
    );
    // A copy of the key, whose counter has not moved on.
    authenticator.counter = 0;
    let copied = session(&f, tenant, user, 5, Stage::SecondFactor).await;
    let options = f.app.ask_passkey(&copied, &visit()).await.unwrap();
    let answer = authenticator.get(&options, HOST, ORIGIN);
    assert!(is_wrong(f.app.complete_sign_in(&copied, Shown::Passkey(answer), &visit()).await));
    // Too late.
    f.app.clock().advance(901);
    let late = session(&f, tenant, user, 6, Stage::SecondFactor).await;
    let options = f.app.ask_passkey(&late, &visit()).await.unwrap();
    f.app.clock().advance(300);
    authenticator.counter = 9;
    let answer = authenticator.get(&options, HOST, ORIGIN);
    assert!(is_wrong(f.app.complete_sign_in(&late, Shown::Passkey(answer), &visit()).await));
}

async fn i13_what_others_have_signed_is_refused(f: Fixture) {
    let (tenant, user, mut authenticator) = registered(&f).await;
    let foreign = [
        (HOST, "https://badclaviger.example"),
        (HOST, "https://login.claviger.example"),
        (HOST, "http://claviger.example"),
        ("evil.example", ORIGIN),
    ];
    for (number, (host, origin)) in (2..).zip(foreign) {
        let half = session(&f, tenant, user, number, Stage::SecondFactor).await;
        let options = f.app.ask_passkey(&half, &visit()).await.unwrap();
        let answer = authenticator.get(&options, host, origin);
        assert!(is_wrong(f.app.complete_sign_in(&half, Shown::Passkey(answer), &visit()).await), "{host} {origin}");
    }
    // Another key under the same id.
    f.app.clock().advance(901);
    let half = session(&f, tenant, user, 9, Stage::SecondFactor).await;
    let options = f.app.ask_passkey(&half, &visit()).await.unwrap();
    let mut forged = Authenticator { counter: 40, ..Authenticator::new(7) };
    let answer = forged.get(&options, HOST, ORIGIN);
    assert!(is_wrong(f.app.complete_sign_in(&half, Shown::Passkey(answer), &visit()).await));
    for rubbish in [json!(null), json!({}), json!({ "id": "x" }), json!("x")] {
        assert!(f.app.complete_sign_in(&half, Shown::Passkey(rubbish), &visit()).await.is_err());
    }
    let right = session(&f, tenant, user, 10, Stage::SecondFactor).await;
    f.app.clock().advance(901);
    let _ = right;
    let right = session(&f, tenant, user, 11, Stage::SecondFactor).await;
    let options = f.app.ask_passkey(&right, &visit()).await.unwrap();
    let answer = authenticator.get(&options, HOST, ORIGIN);
    f.app.complete_sign_in(&right, Shown::Passkey(answer), &visit()).await.unwrap();
}

async fn a_passkey_is_registered_once(f: Fixture) {
    let (tenant, user, authenticator) = registered(&f).await;
    let other = person(&f, tenant, 2).await;
    let up = session(&f, tenant, other, 20, Stage::Complete).await;
    let options = f.app.begin_passkey(&up, &visit()).await.unwrap();
    let answer = authenticator.create(&options, ORIGIN);
    let taken = f.app.create_passkey(&up, "Key".into(), answer.clone(), &visit()).await;
    assert!(matches!(taken, Err(Error::Conflict { code: "passkey_taken", .. })), "{taken:?}");
    let options = f.app.begin_passkey(&up, &visit()).await.unwrap();
    let elsewhere = Authenticator::new(8).create(&options, "https://login.claviger.example");
    assert!(matches!(f.app.create_passkey(&up, String::new(), elsewhere, &visit()).await, Err(Error::Invalid(_))));
    assert!(f.app.asked(&up).await.unwrap().kinds.is_empty());
    let mine = session(&f, tenant, user, 21, Stage::SecondFactor).await;
    assert_eq!(f.app.asked(&mine).await.unwrap().kinds.len(), 1);
}
