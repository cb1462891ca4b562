//! F7, F15: a partner at the organisation of another partner, and a tenant that makes all the noise it can beside one that works.

use super::boundary::{CANARY, NOBODY, said};
use super::matrix::{Objects, body, operations};
use crate::cyrisma::tenant;
use crate::fixture::{Client, Fixture, on_both, send};
use crate::native::sign_in::{PASSWORD, give_password, sign_in};
use crate::people::{SUPER_ADMIN, built_in, person, stepped_up, user};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;

on_both![f7_a_partner_is_nobody_at_anothers_organization, f15_noise_of_one_tenant_fails_nobody_else];

async fn f7_a_partner_is_nobody_at_anothers_organization(f: Arc<Fixture>) {
    let (one, _) = tenant(&f, "One", "partner", &f.root).await;
    let (two, _) = tenant(&f, &format!("{CANARY} two"), "partner", &f.root).await;
    let (theirs, key) = tenant(&f, CANARY, "organization", &two).await;
    let theirs = Objects::make(&f, &theirs).await;
    let level = built_in(&f, SUPER_ADMIN).await;
    let runs = json!({"name": "Runs", "access_level_id": level, "reach": "beneath"});
    let (_, client) = f.application_with(&one, runs).await;
    let owner = stepped_up(&f, &person(&f, &one, "owner@one.example", &[&level]).await).await;
    let before = f.operator.get(&format!("/v1/tenants/{}/export?beneath=true", theirs.org)).await.expect(200);
    let mut seen = 0;
    for operation in operations().into_iter().filter(|operation| operation.path.contains("{tenant_id}")) {
        seen += 1;
        let path = theirs.path(&operation);
        for place in [&theirs.org, &two] {
            let (there, nowhere) = (path.replace(&theirs.org, place), path.replace(&theirs.org, NOBODY));
            for person in [false, true] {
                let ask = async |path: &str, org: &str| {
                    let request = match person {
                        true => owner.request(operation.method.clone(), path),
                        false => client.request(operation.method.clone(), path),
                    };
                    match body(&operation, org, &theirs.application) {
                        Some(body) => send(request.json(&body)).await,
                        None if [Method::POST, Method::PUT].contains(&operation.method) => {
                            send(request.json(&json!({}))).await
                        }
                        None => send(request).await,
                    }
                };
                let ids = [place.as_str(), NOBODY];
                let told = said(&ask(&there, place).await, &ids);
                assert_eq!(told, said(&ask(&nowhere, NOBODY).await, &ids), "{} at {place}", operation.id);
                assert_eq!(told.0, 404, "{}: {}", operation.id, told.1);
            }
        }
    }
    assert!(seen > 60, "{seen}");
    for path in [format!("/appservices/v6/orgs/{key}/users"), format!("/jobs/v1/orgs/{key}/jobs")] {
        let nowhere = client.get(&path.replace(&key, "NOSUCHORG")).await;
        let ids = [key.as_str(), "NOSUCHORG"];
        assert_eq!(said(&client.get(&path).await, &ids), said(&nowhere, &ids), "{path}");
    }
    let after = f.operator.get(&format!("/v1/tenants/{}/export?beneath=true", theirs.org)).await.expect(200);
    let plain = |mut export: serde_json::Value| {
        export["exported_at"].take();
        export
    };
    assert_eq!(plain(after), plain(before), "untouched");
}

/// Twenty times what it may, of everything that is bounded: calls, wrong secrets, guesses at a password, applications; how many were
/// refused of each.
async fn noise(f: &Fixture, org: &str, client: &Client) -> [usize; 4] {
    let mut refused = [0; 4];
    let stranger = Client { secret: "clv_a_wrong".into(), ..client.clone() };
    let applications = format!("/v1/tenants/{org}/applications");
    for number in 0..200 {
        let mut answers = vec![client.get("/v1/whoami").await, stranger.get("/v1/whoami").await];
        if number % 8 == 0 {
            answers.push(sign_in(&f.operator, "noise@noisy.example", "a wrong password, again").await);
            answers.push(f.operator.post(&applications, &json!({"name": format!("N{number}"), "grants": {}})).await);
        }
        for (count, answer) in refused.iter_mut().zip(answers) {
            *count += usize::from([401, 409, 429].contains(&answer.status.as_u16()));
        }
    }
    refused
}

async fn f15_noise_of_one_tenant_fails_nobody_else(f: Arc<Fixture>) {
    let (noisy, _) = f.organization("Noisy").await;
    let (quiet, _) = f.organization("Quiet").await;
    f.operator.patch(&format!("/v1/tenants/{noisy}"), &json!({"application_limit": 10})).await.expect(200);
    let limited = json!({"name": "Noise", "grants": {}, "rate_limit": {"requests": 10, "window_seconds": 3600}});
    let (_, noise_client) = f.application_with(&noisy, limited).await;
    let loud = user(&f, &noisy, "noise@noisy.example", &[]).await;
    give_password(&f, &noisy, &loud, PASSWORD).await;
    let level = built_in(&f, SUPER_ADMIN).await;
    let body =
        json!({"name": "Works", "access_level_id": level, "rate_limit": {"requests": 10_000, "window_seconds": 3600}});
    let (_, works) = f.application_with(&quiet, body).await;
    let ada = person(&f, &quiet, "ada@quiet.example", &[&level]).await;
    let task = {
        let (f, noisy) = (Arc::clone(&f), noisy.clone());
        tokio::spawn(async move { noise(&f, &noisy, &noise_client).await })
    };
    let (mut number, mut done) = (0, false);
    // One round more, when the noise has used up whatever there is.
    while !std::mem::replace(&mut done, task.is_finished()) {
        number += 1;
        for (answer, expected) in [
            (works.get("/v1/verify?permission=users:READ&tenant=any").await, 204),
            (works.get(&format!("/v1/tenants/{quiet}/users")).await, 200),
            (ada.get("/v1/me").await, 200),
            (ada.send(Method::PATCH, "/v1/me", &json!({"phone": format!("{number}")})).await, 200),
            (
                works
                    .post(
                        &format!("/v1/tenants/{quiet}/access-levels"),
                        &json!({"name": format!("L{number}"), "description": "", "grants": {}}),
                    )
                    .await,
                201,
            ),
        ] {
            assert_eq!(answer.status, expected, "in round {number}: {}", answer.text);
        }
    }
    let refused = task.await.unwrap();
    assert_eq!(refused, [190, 200, 25, 16]);
    // Its people sign in whatever was guessed about others.
    let bob = user(&f, &quiet, "bob@quiet.example", &[]).await;
    give_password(&f, &quiet, &bob, PASSWORD).await;
    assert_eq!(sign_in(&f.operator, "bob@quiet.example", PASSWORD).await.status, 200);
    // What was refused is in the record of whoever was refused, in few entries, and in nobody else's.
    let denials =
        |entries: Vec<serde_json::Value>| entries.iter().filter(|one| one["action"] == "access.denied").count();
    assert!((1..40).contains(&denials(f.audit(&noisy).await)));
    assert_eq!(denials(f.audit(&quiet).await), 0);
}
