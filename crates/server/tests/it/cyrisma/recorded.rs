//! What the public PHP client sends, byte for byte but for its credentials and ids, and what it reads of the answers.

use super::{Estate, estate, text};
use crate::fixture::{Client, Fixture, on_both};
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

on_both![the_php_client_signs_in_and_opens_its_instances];

/// Sends a recorded request as it is; status and body.
async fn replay(client: &Client, recorded: &str) -> (u16, Value) {
    let address = client.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(recorded.replace("{host}", address).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

fn post_form(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {{host}}\r\nUser-Agent: GuzzleHttp/7\r\n{headers}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn the_php_client_signs_in_and_opens_its_instances(f: Arc<Fixture>) {
    let Estate { instances: [one, two], client, .. } = estate(&f, "Acme").await;
    let body = format!("username={}&password={}&grant_type=password", client.client_id, client.secret);
    let (status, signed_in) = replay(&client, &post_form("/app/partner/login/", "", &body)).await;
    assert_eq!(status, 200, "{signed_in}");
    // It keeps the token for nine minutes and uses it for all of its customers.
    let token = text(&signed_in, "access_token");
    let authorization = format!("Authorization: access_token {token}\r\nAccept: application/json\r\n");
    for (id, _) in [&one, &two, &one] {
        let path = format!("/app/partner/instances/login/{id}");
        let (status, opened) = replay(&client, &post_form(&path, &authorization, "")).await;
        assert_eq!(status, 200);
        assert_eq!(opened["success_token_inserts"].as_array().unwrap().len(), 1, "it counts these");
    }
    f.app.clock().advance(540);
    // A form content type on a GET, without a body.
    let get = format!(
        "GET /app/partner/scans/data HTTP/1.1\r\nHost: {{host}}\r\nUser-Agent: GuzzleHttp/7\r\n{authorization}Content-Type: \
         application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    );
    let (status, refused) = replay(&client, &get).await;
    assert_eq!(
        (status, text(&refused, "error").as_str()),
        (401, "instance_not_authenticated"),
        "one host, two instances"
    );
    // It judges by the status alone that it has to sign in anew.
    f.app.clock().advance(60);
    let path = format!("/app/partner/instances/login/{}", one.0);
    let (status, over) = replay(&client, &post_form(&path, &authorization, "")).await;
    assert_eq!((status, text(&over, "error").as_str()), (401, "invalid_token"));
}
