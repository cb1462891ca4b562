//! C11 on several nodes: a proof of possession is taken by one of them, once.

use super::{Three, three};
use crate::fixture::{HERE, verify};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use claviger_app::dpop::{BoundToken, PresentedProof};
use claviger_app::sessions::Wish;
use claviger_app::verify::Proof;
use claviger_domain::dpop::token_hash;
use claviger_domain::jws;
use claviger_domain::token::LIFETIME_DEFAULT;
use claviger_domain::{Error, Refusal};
use futures_util::future::join_all;
use serde_json::json;

const WISH: Wish<'static> =
    Wish { door: "test", scope: None, lifetime: None, usual: LIFETIME_DEFAULT, user_agent: "", source: "" };

fn prove(pair: &Ed25519KeyPair, now: i64, method: &str, path: &str, token: Option<&str>, jti: &str) -> String {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": jws::encode(pair.public_key().as_ref())});
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk});
    let mut claims = json!({"jti": jti, "htm": method, "htu": format!("https://claviger.example{path}"), "iat": now});
    if let Some(token) = token {
        claims["ath"] = json!(token_hash(token));
    }
    let part = |value: &serde_json::Value| jws::encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = jws::encode(pair.sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_a_proof_is_taken_by_one_node() {
    let Some(Three { f, nodes }) = three().await else { return };
    let tenant = f.organization("Acme").await.id;
    let (made, client_id) = f.application(tenant, "SIEM", &[("org.audits", &["READ"])]).await;
    let secret = made.secret.text.reveal();
    let (pair, now) = (Ed25519KeyPair::generate().unwrap(), f.app.clock().now());
    for round in 0..super::rounds().min(100) / 5 {
        // Where a token is asked for: one of the three gives one.
        let text = prove(&pair, now.seconds(), "POST", "/oauth2/token", None, &format!("ask {round}"));
        let asking = PresentedProof { text: &text, method: "POST", path: "/oauth2/token" };
        let taken = join_all(nodes.iter().map(|node| node.verify_proof(asking, tenant, now))).await;
        let mut bindings: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(bindings.len(), 1, "round {round}");
        let binding = bindings.pop().unwrap();
        let node = &nodes[round % 3];
        let caller = verify(node, &client_id, &secret).await.unwrap();
        let token = node.issue_bound_token(&caller, &WISH, Some(&binding)).unwrap().text;
        // Where it is used, at the same moment and afterwards.
        let text = prove(&pair, now.seconds(), "GET", "/v1/whoami", Some(&token), &format!("use {round}"));
        let proof = PresentedProof { text: &text, method: "GET", path: "/v1/whoami" };
        let bound = Proof::Bound(BoundToken { token: &token, proof });
        let once = join_all(nodes.iter().map(|node| node.authenticate(bound, HERE, "test"))).await;
        let again = join_all(nodes.iter().map(|node| node.authenticate(bound, HERE, "test"))).await;
        assert_eq!(once.iter().filter(|answer| answer.is_ok()).count(), 1, "round {round}: {once:?}");
        for refused in once.into_iter().chain(again).filter_map(Result::err) {
            assert!(matches!(refused, Error::Unauthenticated(Refusal::ProofInvalid)), "round {round}: {refused:?}");
        }
        // A new proof is good everywhere.
        for (number, node) in nodes.iter().enumerate() {
            let jti = format!("more {round} {number}");
            let text = prove(&pair, now.seconds(), "GET", "/v1/whoami", Some(&token), &jti);
            let proof = PresentedProof { text: &text, method: "GET", path: "/v1/whoami" };
            let bound = Proof::Bound(BoundToken { token: &token, proof });
            node.authenticate(bound, HERE, "test").await.unwrap();
        }
    }
}
