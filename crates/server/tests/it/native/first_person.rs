//! The first person of the operator, who comes in by a printed link.

use crate::fixture::{Fixture, on_both, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![the_first_person_comes_in_once, a_link_is_for_a_while_and_the_newest_alone];

fn body(token: &str) -> Value {
    json!({"token": token, "email": "ada@operator.example", "first_name": "Ada", "password": "a long and quiet river"})
}

async fn the_first_person_comes_in_once(f: Arc<Fixture>) {
    let link = f.app.create_first_person_link(600).await.unwrap().unwrap();
    assert_eq!(format!("{:?}", link.token), "PlainCookie(…)");
    let token = link.token.reveal();
    let post = async |body: &Value| send(f.operator.bare(Method::POST, "/v1/first-person").json(body)).await;
    for (member, value) in [("email", "ada"), ("password", "short"), ("password", "operator operator"), ("role", "x")] {
        let mut wrong = body(&token);
        wrong[member] = json!(value);
        let refused = post(&wrong).await.expect(422);
        assert!(refused.to_string().contains(member), "{member}: {refused}");
    }
    assert_eq!(post(&body("clv_f_x")).await.code(409), "first_person_link_invalid");
    let (one, own) = (body(&token), body(&token));
    let (a, b) = tokio::join!(post(&one), post(&own));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "once");
    let credentials = json!({"email": "ada@operator.example", "password": "a long and quiet river"});
    assert_eq!(post(&body(&token)).await.status, 409);
    assert_eq!(send(f.operator.bare(Method::POST, "/v1/sign-in").json(&credentials)).await.status, 200);
    let users = f.operator.get(&format!("/v1/tenants/{}/users", f.root)).await.expect(200);
    assert_eq!((users["items"].as_array().unwrap().len(), &users["items"][0]["status"]), (1, &json!("active")));
    let audit = f.audit(&f.root).await;
    assert!(audit.iter().any(|entry| entry["action"] == "user.first_person_made"));
    assert!(!format!("{audit:?}").contains(&token));
    assert!(f.app.create_first_person_link(600).await.unwrap().is_none(), "there is somebody who can invite others");
}

async fn a_link_is_for_a_while_and_the_newest_alone(f: Arc<Fixture>) {
    let post = async |token: &str| send(f.operator.bare(Method::POST, "/v1/first-person").json(&body(token))).await;
    let old = f.app.create_first_person_link(600).await.unwrap().unwrap().token.reveal();
    let new = f.app.create_first_person_link(600).await.unwrap().unwrap().token.reveal();
    assert_eq!(post(&old).await.status, 409);
    f.app.clock().advance(600);
    assert_eq!(post(&new).await.status, 409);
    let last = f.app.create_first_person_link(600).await.unwrap().unwrap().token.reveal();
    assert_eq!(post(&last).await.status, 204);
}
