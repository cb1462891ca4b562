//! C: tokens that this server did not make as they are, or did not make at all.

use super::{form, token, whoami};
use crate::fixture::{Client, Fixture, START, on_both};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use claviger_app::seal::RootKey;
use claviger_domain::id::TenantId;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    c1_the_algorithm_comes_from_the_key,
    c2_headers_point_nowhere,
    c3_claims_are_there_once_and_of_their_type,
    c4_tokens_of_others_are_not_ours,
    c6_one_spelling_for_one_token,
    c14_a_token_is_of_one_application_and_not_of_its_name,
];

/// The server's own signing key, as whoever holds the root key and the store could have it.
struct Forger {
    pair: Ed25519KeyPair,
    header: Value,
    claims: Value,
    text: String,
}

fn segment(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn read(segment: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}

impl Forger {
    async fn new(f: &Fixture, client: &Client) -> Self {
        let text = token(client, &[]).await;
        let hex = std::fs::read_to_string(f.data_dir.join("root.key")).unwrap();
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let root_key = RootKey::new(bytes.try_into().unwrap());
        let key = f.app.store().list_signing_keys().await.unwrap().remove(0);
        let seed = root_key.open(TenantId::from_u128(0), &format!("signing_keys/{}", key.kid), &key.sealed).unwrap();
        let parts: Vec<_> = text.split('.').collect();
        let (header, claims) = (read(parts[0]), read(parts[1]));
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), header, claims, text }
    }

    /// Signs what it is given.
    fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes())))
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        self.sign(&segment(&header), self.text.split('.').nth(1).unwrap())
    }

    fn with_payload(&self, json: &str) -> String {
        self.sign(self.text.split('.').next().unwrap(), &URL_SAFE_NO_PAD.encode(json))
    }
}

async fn start(f: &Fixture) -> (Client, Forger) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let forger = Forger::new(f, &client).await;
    whoami(&client, &forger.text).await.expect(200);
    (client, forger)
}

/// Each is refused as a stranger's, and introspection says nothing of it.
async fn refuses(client: &Client, what: &str, text: &str) {
    let answer = whoami(client, text).await;
    assert!(answer.header("www-authenticate").is_some(), "{what}");
    assert_eq!(answer.code(401), "unauthenticated", "{what}: {text}");
    let inspected = form(client, "/oauth2/introspect", &[("token", text)]).await.expect(200);
    assert_eq!(inspected, json!({"active": false}), "{what}");
}

async fn c1_the_algorithm_comes_from_the_key(f: Arc<Fixture>) {
    let (client, forger) = start(&f).await;
    let payload = forger.text.split('.').nth(1).unwrap().to_owned();
    for alg in ["none", "None", "NONE", "RS256", "ES256", "HS256", "eddsa", "EdDSA ", ""] {
        refuses(&client, alg, &forger.with_header(|header| header["alg"] = alg.into())).await;
    }
    for alg in ["none", "None", "NONE"] {
        let mut header = forger.header.clone();
        header["alg"] = alg.into();
        for signature in ["", "AA"] {
            refuses(&client, alg, &format!("{}.{payload}.{signature}", segment(&header))).await;
        }
    }
    let public = forger.pair.public_key().as_ref().to_vec();
    let der = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &public].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": URL_SAFE_NO_PAD.encode(&public)}).to_string();
    for (form, key) in [("raw", public), ("DER", der), ("PEM", pem.into_bytes()), ("JWK", jwk.into_bytes())] {
        let mut header = forger.header.clone();
        header["alg"] = "HS256".into();
        let signed = format!("{}.{payload}", segment(&header));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        refuses(&client, form, &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))).await;
    }
}

async fn c2_headers_point_nowhere(f: Arc<Fixture>) {
    let (client, forger) = start(&f).await;
    let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": URL_SAFE_NO_PAD.encode(forger.pair.public_key())});
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!(format!("{}/.well-known/jwks.json", client.base))),
        ("x5u", json!("http://127.0.0.1:1/")),
        ("x5c", json!(["AA"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("typ", json!("JWT")),
        ("kid", json!("another")),
        ("kid", Value::Null),
    ] {
        refuses(&client, name, &forger.with_header(|header| header[name] = value.clone())).await;
    }
    let swapped = format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":{}}}"#, forger.header["kid"]);
    let payload = forger.text.split('.').nth(1).unwrap();
    refuses(&client, "order", &forger.sign(&URL_SAFE_NO_PAD.encode(swapped), payload)).await;
}

async fn c3_claims_are_there_once_and_of_their_type(f: Arc<Fixture>) {
    let (client, forger) = start(&f).await;
    let good = forger.claims.to_string();
    whoami(&client, &forger.with_payload(&good)).await.expect(200);
    for name in ["exp", "iat", "iat_us"] {
        for value in [json!("1800000900"), Value::Null, json!([]), json!({}), json!(-1), json!(1.5), json!(1e300)] {
            let mut claims = forger.claims.clone();
            claims[name] = value.clone();
            refuses(&client, &format!("{name} {value}"), &forger.with_payload(&claims.to_string())).await;
        }
        let mut claims = forger.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        refuses(&client, &format!("no {name}"), &forger.with_payload(&claims.to_string())).await;
    }
    for more in [r#""nbf":"0""#, r#""nbf":null"#, r#""exp":1800000900"#, r#""scope":null"#, r#""sub":"x""#] {
        refuses(&client, more, &forger.with_payload(&good.replacen('{', &format!("{{{more},"), 1))).await;
    }
    let long = json!({"exp": START.seconds() + 7_200, "iat": START.seconds()});
    let mut claims = forger.claims.clone();
    claims.as_object_mut().unwrap().extend(long.as_object().unwrap().clone());
    refuses(&client, "two hours", &forger.with_payload(&claims.to_string())).await;
    for payload in ["", "[]", "null", "{", "{}", &"[".repeat(2_000)] {
        refuses(&client, payload, &forger.with_payload(payload)).await;
    }
}

async fn c4_tokens_of_others_are_not_ours(f: Arc<Fixture>) {
    let (client, forger) = start(&f).await;
    for (name, value) in [
        ("aud", json!("https://other.example")),
        ("aud", json!([forger.claims["aud"], "https://other.example"])),
        ("aud", json!([forger.claims["aud"]])),
        ("iss", json!("https://other.example")),
        ("iss", json!(format!("{}/", client.base))),
        ("client_id", json!("another")),
        ("sub", json!("another")),
    ] {
        let mut claims = forger.claims.clone();
        claims[name] = value;
        refuses(&client, name, &forger.with_payload(&claims.to_string())).await;
    }
    // The same key id from another deployment.
    let other = Forger { pair: Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap(), ..forger };
    refuses(&client, "another key", &other.with_payload(&other.claims.to_string())).await;
}

async fn c6_one_spelling_for_one_token(f: Arc<Fixture>) {
    let (client, forger) = start(&f).await;
    let text = forger.text.as_str();
    let parts: Vec<_> = text.split('.').collect();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let with = |bytes: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let last = signature.chars().last().unwrap();
    // The last character carries two bits that say nothing.
    let twin = char::from(u8::try_from(u32::from(last)).unwrap() + 1);
    for (what, bad) in [
        ("short", with(&bytes[..63])),
        ("long", with(&[&bytes[..], &[0]].concat())),
        ("halves", with(&[&bytes[32..], &bytes[..32]].concat())),
        ("padded", format!("{signed}.{}", URL_SAFE.encode(&bytes))),
        ("trailing bits", format!("{signed}.{}{twin}", &signature[..signature.len() - 1])),
        ("extra", format!("{text}.AA")),
        ("dot", format!("{text}.")),
        ("two segments", format!("{}.{}", parts[0], parts[2])),
        ("tab", format!("{signed}.\t{signature}")),
    ] {
        let answer = whoami(&client, &bad).await;
        assert_eq!(answer.status, 401, "{what}");
    }
    let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    assert_eq!(whoami(&client, &flattened).await.status, 401);
    assert_eq!(whoami(&client, &"a".repeat(5_000)).await.status, 401);
    whoami(&client, text).await.expect(200);
}

async fn c14_a_token_is_of_one_application_and_not_of_its_name(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (id, client) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    let text = token(&client, &[]).await;
    whoami(&client, &text).await.expect(200);
    assert_eq!(f.operator.delete(&format!("/v1/tenants/{org}/applications/{id}")).await.status, 204);
    let (_, again) = f.application(&org, "SIEM", json!({"org.audits": ["READ"]})).await;
    assert_eq!(whoami(&again, &text).await.code(401), "unauthenticated");
    whoami(&again, &token(&again, &[]).await).await.expect(200);
}
