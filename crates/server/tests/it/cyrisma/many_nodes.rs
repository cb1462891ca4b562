//! Sign-ins on two servers with one store.

use super::{INSTANCES, call, estate, login, refresh, text, whoami};
use crate::fixture::{Fixture, run};
use claviger_store::Engine;
use reqwest::Method;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_are_everywhere() {
    run(Engine::Postgres, &[], two_servers).await;
}

async fn two_servers(f: Arc<Fixture>) {
    let estate = estate(&f, "Acme").await;
    let node = f.join("second").await;
    let (here, there) = (&estate.client, &node.client(&estate.client));
    let first = login(here).await;
    let token = text(&first, "access_token");
    assert_eq!(whoami(there, &token).await, 200);
    // What is opened here can be reported on there at once.
    let report = async |client: &crate::fixture::Client, token: &str| {
        call(client, Method::GET, "/app/partner/scans/data", token, None).await.status.as_u16()
    };
    assert_eq!((report(here, &token).await, report(there, &token).await), (401, 401));
    let path = format!("{INSTANCES}{}", estate.instances[0].0);
    call(here, Method::POST, &path, &token, None).await.expect(200);
    assert_eq!((report(here, &token).await, report(there, &token).await), (404, 404));
    // Refreshed there, replaced here.
    let second = refresh(there, &text(&first, "refresh_token")).await.expect(200);
    let next = text(&second, "access_token");
    assert_eq!((whoami(here, &next).await, report(here, &next).await), (200, 404));
    // Used again here: dead there when the answer comes.
    assert_eq!(refresh(here, &text(&first, "refresh_token")).await.status, 400);
    for client in [here, there] {
        for token in [&token, &next] {
            assert_eq!(whoami(client, token).await, 401);
        }
        assert_eq!(refresh(client, &text(&second, "refresh_token")).await.status, 400);
    }
    // Two at once, on two servers: one of them.
    let third = login(here).await;
    let used = text(&third, "refresh_token");
    let (one, other) = tokio::join!(refresh(here, &used), refresh(there, &used));
    let won = [one, other].iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    assert_eq!(whoami(there, &text(&third, "access_token")).await, 401);
    // A reset here ends everything there.
    let fourth = text(&login(there).await, "access_token");
    let body = [("username", here.client_id.as_str()), ("password", &here.secret)];
    super::form(here, super::REGEN, &body).await.expect(200);
    assert_eq!(whoami(there, &fourth).await, 401);
    assert_eq!(there.get("/v1/whoami").await.status, 401);
    node.stop().await;
}
