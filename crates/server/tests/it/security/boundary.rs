//! F1: every route with an id, of the committed document and of each face's own table, with the ids of another tenant: the
//! answer is that of an id that nobody has, whoever asks, and nothing of the other tenant is ever in it.

use super::matrix::{Objects, Operation, body, matrix, operations};
use crate::cyrisma::{login, tenant, text};
use crate::fixture::{Answer, Client, Fixture, on_both, send};
use crate::people::built_in;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    f1_ids_of_another_tenant_are_nobodys,
    f1_the_carbon_black_face_has_the_same_boundary,
    f1_the_cyrisma_face_has_the_same_boundary,
    f3_lists_hold_ones_own_alone,
];

pub(super) const CANARY: &str = "Kanarienvogel";
pub(super) const NOBODY: &str = "01890000-0000-7000-8000-000000000000";
const ROLES: [&str; 3] = ["Super Admin", "System Admin", "View All"];

/// Ids of anything, and everything else that names something.
fn is_id(segment: &str) -> bool {
    segment.len() == 36 && segment.bytes().filter(|byte| *byte == b'-').count() == 4
}

/// The path with other ids in the place of those that nobody has said to keep.
fn elsewhere(path: &str, kept: &[&str]) -> String {
    let swap =
        |segment: &str| if is_id(segment) && !kept.contains(&segment) { NOBODY.to_owned() } else { segment.to_owned() };
    path.split('/').map(swap).collect::<Vec<_>>().join("/")
}

/// What an answer says, whatever it was asked about.
pub(super) fn said(answer: &Answer, ids: &[&str]) -> (u16, String) {
    assert!(!answer.text.contains(CANARY), "{}", answer.text);
    let mut body = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    if body.is_object() {
        body["request_id"] = Value::Null;
        body["instance"] = Value::Null;
    }
    let plain = ids.iter().fold(body.to_string(), |text, id| text.replace(id, "ID"));
    (answer.status.as_u16(), plain)
}

/// An organisation that holds something of everything, all of it called by a name that must not get out.
pub(super) async fn foreign(f: &Fixture, name: &str) -> Objects {
    let (org, _) = f.organization(&format!("{CANARY} {name}")).await;
    let objects = Objects::make(f, &org).await;
    let path = format!("/v1/tenants/{org}/applications/{}", objects.application);
    f.operator.patch(&path, &json!({"description": CANARY})).await.expect(200);
    objects
}

pub(super) async fn clients(f: &Fixture, org: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for role in ROLES {
        let level = built_in(f, role).await;
        let body = json!({"name": role, "access_level_id": level, "reach": "beneath"});
        clients.push(f.application_with(org, body).await.1);
    }
    clients
}

async fn ask(client: &Client, operation: &Operation, path: &str, org: &str) -> Answer {
    let request = client.request(operation.method.clone(), path);
    match body(operation, org, NOBODY) {
        Some(body) => send(request.json(&body)).await,
        None => send(request).await,
    }
}

async fn f1_ids_of_another_tenant_are_nobodys(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let others = [foreign(&f, "one").await, foreign(&f, "two").await];
    let clients = clients(&f, &own).await;
    let public: Vec<_> = matrix().into_keys().collect();
    let with_ids =
        operations().into_iter().filter(|operation| operation.path.contains('{') && public.contains(&operation.id));
    let with_ids: Vec<_> =
        with_ids.filter(|operation| !operation.path.contains("{code}") && !operation.path.contains("{kid}")).collect();
    assert!(with_ids.len() > 40, "{}", with_ids.len());
    // Every operation with every role, each time with the next of the other tenants.
    let pairs = with_ids.iter().flat_map(|operation| clients.iter().map(move |client| (operation, client)));
    for ((operation, client), theirs) in pairs.zip(others.iter().cycle()) {
        let path = theirs.path(operation);
        let mut paths = vec![path.clone()];
        if operation.path.contains("{tenant_id}") && operation.path.matches('{').count() > 1 {
            // Their objects in one's own tenant.
            paths.push(path.replace(&theirs.org, &own));
        }
        for path in paths {
            let kept = if path.contains(&own) { vec![own.as_str()] } else { Vec::new() };
            let nowhere = elsewhere(&path, &kept);
            let there = ask(client, operation, &path, &theirs.org).await;
            let missing = ask(client, operation, &nowhere, NOBODY).await;
            let ids: Vec<_> = path.split('/').chain(nowhere.split('/')).filter(|segment| is_id(segment)).collect();
            let (told, expected) = (said(&there, &ids), said(&missing, &ids));
            assert_eq!(told, expected, "{} {path}", operation.id);
            assert!([403, 404, 405, 415, 422].contains(&told.0), "{} {path}: {told:?}", operation.id);
            if path.contains(&theirs.org) {
                assert_eq!(told.0, 404, "{} {path}", operation.id);
            }
        }
    }
    for theirs in &others {
        let place = format!("/v1/tenants/{}/applications/{}", theirs.org, theirs.application);
        assert_eq!(f.operator.get(&place).await.expect(200)["description"], CANARY, "untouched");
    }
}

/// The paths of a face's table that hold an id.
fn table(source: &str) -> Vec<String> {
    let texts = source.split('"').skip(1).step_by(2);
    let mut paths: Vec<_> = texts
        .filter(|text| text.contains("/{") && !text.contains("{*") && !text.contains("{path}"))
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

async fn f1_the_carbon_black_face_has_the_same_boundary(f: Arc<Fixture>) {
    let (own, key) = f.organization("Own").await;
    let theirs = foreign(&f, "one").await;
    let their_key = f.operator.get(&format!("/v1/tenants/{}", theirs.org)).await.expect(200)["org_key"].clone();
    let their_key = their_key.as_str().unwrap();
    let number = f.operator.get(&format!("/v1/tenants/{}/users/{}", theirs.org, theirs.user)).await.expect(200);
    let number = number["number"].as_i64().unwrap();
    let clients = clients(&f, &own).await;
    let paths = table(include_str!("../../../../api/src/carbon_black/routes.rs"));
    assert!(paths.len() > 12, "{paths:?}");
    for path in paths {
        let fill = |org: &str, key_of: &str, number: i64, id: &str| {
            path.replace("{org}", org)
                .replace("{principal}", &format!("psc:user:{key_of}:{number}"))
                .replace("{login_id}", &number.to_string())
                .replace("{uuid}", id)
                .replace("{api_id}", id)
                .replace("{id}", &number.to_string())
        };
        let nobody = number + 1_000;
        for (there, nowhere) in [
            (fill(their_key, their_key, number, &theirs.application), fill("NOSUCHORG", "NOSUCHORG", nobody, NOBODY)),
            (fill(&key, their_key, number, &theirs.application), fill(&key, "NOSUCHORG", nobody, NOBODY)),
            (fill(&key, &key, number, &theirs.application), fill(&key, &key, nobody, NOBODY)),
        ] {
            assert!(!there.contains('{'), "a placeholder that this test does not know: {there}");
            if there == nowhere {
                continue;
            }
            for method in METHODS {
                for client in &clients {
                    let ask = async |path: &str| send(client.request(method.clone(), path).json(&json!({}))).await;
                    let (there, nowhere) = (ask(&there).await, ask(&nowhere).await);
                    let ids = [their_key, "NOSUCHORG", theirs.application.as_str(), NOBODY];
                    let told = said(&there, &ids);
                    assert_eq!(told, said(&nowhere, &ids), "{method} {path}");
                    assert!([400, 403, 404, 405].contains(&told.0), "{method} {path}: {told:?}");
                }
            }
        }
    }
}

async fn f1_the_cyrisma_face_has_the_same_boundary(f: Arc<Fixture>) {
    let (own, _) = tenant(&f, "Own", "partner", &f.root).await;
    let (theirs, _) = tenant(&f, CANARY, "organization", &f.root).await;
    let (instance, _) = tenant(&f, &format!("{CANARY} 1"), "instance", &theirs).await;
    let user = json!({"email": format!("{CANARY}@example.com"), "first_name": CANARY});
    let user = f.operator.post(&format!("/v1/tenants/{theirs}/users"), &user).await.expect(201);
    let user = text(&user, "id");
    let clients = clients(&f, &own).await;
    let mut paths = table(include_str!("../../../../api/src/cyrisma/routes.rs"));
    // What these name stands in a form.
    for what in ["info", "suspend", "reactivate", "convert", "mfa", "create", "users/create"] {
        paths.push(format!("instances/{what}"));
    }
    paths.push("users/disable".into());
    assert!(paths.len() > 10, "{paths:?}");
    for client in &clients {
        let token = text(&login(client).await, "access_token");
        for path in &paths {
            let named = if path.contains("user_ref") || path.ends_with("disable") {
                [&user, &user]
            } else {
                [&theirs, &instance]
            };
            for (id, method) in named.into_iter().flat_map(|id| METHODS.map(|method| (id, method))) {
                let ask = async |id: &str| {
                    let path = path.replace("{instance_id}", id).replace("{user_ref}", id);
                    assert!(!path.contains('{'), "a placeholder that this test does not know: {path}");
                    let form = json!({
                        "instance_id": id, "parent_instance_id": id, "user_id": id, "mfa_type": "1",
                        "instance_type": "organization", "is_consulting": "false", "name": "New", "short_name": "New",
                        "country": "CH", "email": "a@example.com", "username": "new@example.com", "first_name": "A",
                        "last_name": "B",
                    });
                    let request = client.bare(method.clone(), &format!("/app/partner/{path}"));
                    send(request.header("authorization", format!("access_token {token}")).json(&form)).await
                };
                let (there, nowhere) = (ask(id).await, ask(NOBODY).await);
                let ids = [id.as_str(), NOBODY];
                let told = said(&there, &ids);
                assert_eq!(told, said(&nowhere, &ids), "{method} {path}");
                assert!([400, 403, 404, 405].contains(&told.0), "{method} {path}: {told:?}");
            }
        }
    }
}

async fn f3_lists_hold_ones_own_alone(f: Arc<Fixture>) {
    let (own, key) = f.organization("Own").await;
    foreign(&f, "one").await;
    let clients = clients(&f, &own).await;
    let client = &clients[0];
    for path in [
        "/v1/tenants?limit=1000".to_owned(),
        format!("/v1/tenants?q={CANARY}"),
        format!("/v1/tenants/{own}/users?q={CANARY}"),
        format!("/v1/tenants/{own}/applications"),
        format!("/v1/tenants/{own}/audit"),
        format!("/v1/tenants/{own}/access-levels"),
        format!("/appservices/v6/orgs/{key}/users"),
    ] {
        let answer = client.get(&path).await;
        said(&answer, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let token = text(&login(client).await, "access_token");
    for path in ["instances/info", "users/info"] {
        let request = client.bare(Method::GET, &format!("/app/partner/{path}"));
        let answer = send(request.header("authorization", format!("access_token {token}"))).await;
        said(&answer, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
