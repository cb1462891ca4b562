//! The Cyrisma face: login, refresh, reset, instance login.

mod instances;
mod login;
mod many_nodes;
mod people;
mod provisioning;
mod recorded;
mod refresh;
mod reset;

use crate::fixture::{Answer, Client, Fixture, send};
use crate::oauth::encode;
use reqwest::Method;
use serde_json::{Value, json};

pub(super) const LOGIN: &str = "/app/partner/login/";
pub(super) const REGEN: &str = "/app/partner/login/regen-pass";
pub(super) const INSTANCES: &str = "/app/partner/instances/login/";

/// Presents a form without any header of ours.
pub(super) async fn form(client: &Client, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let request = client.bare(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    send(request.body(encode(parameters))).await
}

/// Signs a credential in; further fields come with it.
pub(super) async fn try_login(client: &Client, more: &[(&str, &str)]) -> Answer {
    let own = [("grant_type", "password"), ("username", client.client_id.as_str()), ("password", &client.secret)];
    let fields: Vec<_> = own.into_iter().chain(more.iter().copied()).collect();
    form(client, LOGIN, &fields).await
}

/// What a login gives.
pub(super) async fn login(client: &Client) -> Value {
    try_login(client, &[]).await.expect(200)
}

/// Presents a refresh token.
pub(super) async fn refresh(client: &Client, token: &str) -> Answer {
    form(client, LOGIN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// Calls with a token as this family does, if a host is given by asking that one.
pub(super) async fn call(client: &Client, method: Method, path: &str, token: &str, host: Option<&str>) -> Answer {
    let mut request = client.bare(method, path).header("authorization", format!("access_token {token}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    send(request).await
}

/// The text of a member.
pub(super) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}

/// What a token may still do, by status: 200 or 401.
pub(super) async fn whoami(client: &Client, token: &str) -> u16 {
    call(client, Method::GET, "/v1/whoami", token, None).await.status.as_u16()
}

/// An organisation with two instances, and an application that reaches them.
pub(super) struct Estate {
    pub(super) org: String,
    pub(super) instances: [(String, String); 2],
    pub(super) application: String,
    pub(super) client: Client,
}

/// Makes a tenant; its id and org key.
pub(super) async fn tenant(f: &Fixture, name: &str, kind: &str, parent: &str) -> (String, String) {
    let body = json!({ "name": name, "kind": kind, "parent_id": parent });
    let made = f.operator.post("/v1/tenants", &body).await.expect(201);
    (text(&made, "id"), text(&made, "org_key"))
}

pub(super) async fn estate(f: &Fixture, name: &str) -> Estate {
    let (org, _) = f.organization(name).await;
    let instances = [tenant(f, "One", "instance", &org).await, tenant(f, "Two", "instance", &org).await];
    let grants = json!({ "name": "Portal", "grants": {}, "reach": "beneath" });
    let (application, client) = f.application_with(&org, grants).await;
    Estate { org, instances, application, client }
}
