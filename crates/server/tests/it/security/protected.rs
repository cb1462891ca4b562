//! G2, G3, G8: attributes that nobody may set, or not to that, by every way of changing things that a face has; and levels that go away
//! while somebody is given them.

use super::matrix::{Objects, Operation, operations};
use crate::cyrisma::{login, tenant, text};
use crate::fixture::{Client, Fixture, on_both, send};
use crate::people::{Person, SUPER_ADMIN, built_in, person, session, stepped_up, user};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    g2_no_dialect_sets_what_is_protected,
    g2_nobody_lifts_anything_above_themselves,
    g2_carbon_black_changes_nothing_protected,
    g2_cyrisma_changes_nothing_protected,
    g8_a_level_that_is_held_stays,
    g8_a_level_goes_or_is_given_never_both,
];

/// What nobody sets by changing something.
const PROTECTED: [&str; 24] = [
    "id",
    "tenant_id",
    "number",
    "client_id",
    "org_key",
    "agent_key",
    "kind",
    "parent_id",
    "built_in",
    "version",
    "created_at",
    "updated_at",
    "purge_at",
    "provisioning",
    "password",
    "password_hash",
    "password_set_at",
    "verified",
    "mfa_enrolled",
    "is_owner",
    "role",
    "roles",
    "secret",
    "email",
];
/// Which of them an operation means something by.
const MEANT: [(&str, &str); 2] = [("update_tenant", "email"), ("update_identity_provider", "client_id")];
/// What is written only where it changes, by those it is meant for.
const RESERVED: [(&str, &str); 5] = [
    ("update_user", "status"),
    ("update_user", "access_level_ids"),
    ("update_me", "reach"),
    ("update_me", "status"),
    ("update_me", "access_level_ids"),
];

/// Everything that stands at a tenant.
async fn standing(f: &Fixture, org: &str) -> Vec<Value> {
    let mut found = vec![f.operator.get(&format!("/v1/tenants/{org}")).await.expect(200)];
    for list in ["applications", "access-levels", "users", "identity-providers", "trusted-issuers"] {
        found.push(f.operator.get(&format!("/v1/tenants/{org}/{list}")).await.expect(200));
    }
    found
}

async fn g2_no_dialect_sets_what_is_protected(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let objects = Objects::make(&f, &org).await;
    let owner = person(&f, &org, "owner@acme.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let owner = stepped_up(&f, &owner).await;
    let before = standing(&f, &org).await;
    let changes = |operation: &Operation| [Method::PATCH, Method::PUT].contains(&operation.method);
    let changes: Vec<_> = operations().into_iter().filter(changes).collect();
    assert!(changes.len() > 14, "{}", changes.len());
    for operation in &changes {
        let path = objects.path(operation);
        let both = |method: &Method| [f.operator.request(method.clone(), &path), owner.request(method.clone(), &path)];
        let reserved = RESERVED.iter().filter(|(id, _)| *id == operation.id).map(|(_, member)| *member);
        for member in PROTECTED.into_iter().chain(reserved) {
            if MEANT.contains(&(operation.id.as_str(), member)) {
                continue;
            }
            for media in ["application/json", "application/merge-patch+json"] {
                for request in both(&operation.method) {
                    let body = json!({member: "x"}).to_string();
                    let refused = send(request.header("content-type", media).body(body)).await;
                    let status = refused.status.as_u16();
                    // People have no business with some, applications none with others; no PUT is a patch.
                    let otherwise = status == 403 || (status == 415 && operation.method == Method::PUT);
                    assert!(otherwise || status == 422, "{} {member}: {status} {}", operation.id, refused.text);
                    assert!(
                        status != 422 || refused.text.contains(member),
                        "{} {member}: {}",
                        operation.id,
                        refused.text
                    );
                }
            }
        }
        for op in ["add", "replace", "move", "copy", "test", "remove"] {
            let patch = json!([{"op": op, "path": "/tenant_id", "from": "/id", "value": "x"}]).to_string();
            for (media, expected) in [
                ("application/json-patch+json", [415, 422]),
                ("application/merge-patch+json", [422, 415]),
                ("application/json", [422, 400]),
            ] {
                for request in both(&operation.method) {
                    let status = send(request.header("content-type", media).body(patch.clone())).await.status.as_u16();
                    assert!(expected.contains(&status) || status == 403, "{} {media}: {status}", operation.id);
                }
            }
        }
        // The other way of changing is none.
        let other = if operation.method == Method::PATCH { Method::PUT } else { Method::PATCH };
        if !changes.iter().any(|one| one.method == other && one.path == operation.path) {
            for request in both(&other) {
                assert_eq!(send(request.json(&json!({}))).await.status, 405, "{other} {path}");
            }
        }
        for request in both(&operation.method) {
            let refused =
                send(request.header("content-type", "application/x-www-form-urlencoded").body("name=Evil")).await;
            assert!([415, 403].contains(&refused.status.as_u16()), "{}: {}", operation.id, refused.text);
        }
    }
    assert_eq!(standing(&f, &org).await, before, "unchanged");
}

/// An organisation with what lies above a caller, and callers that may change all of it but for that.
struct Above {
    org: String,
    key: String,
    level: String,
    super_admin: String,
    /// A user and an application above the callers, and ones that are not.
    boss: Person,
    lead: String,
    peer: String,
    tool: String,
    client: Client,
    person: Person,
}

impl Above {
    async fn set(f: &Fixture) -> Self {
        let (org, key) = f.organization("Acme").await;
        let super_admin = built_in(f, SUPER_ADMIN).await;
        let everything = json!(["CREATE", "READ", "UPDATE", "DELETE"]);
        let grants = json!({
            "users": everything, "applications": everything, "access-levels": everything, "tenants": ["READ", "UPDATE"],
            "sessions": ["READ", "DELETE"],
        });
        let level = json!({"name": "People", "description": "", "grants": grants});
        let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
        let level = level["id"].as_str().unwrap().to_owned();
        let boss = person(f, &org, "boss@acme.example", &[&super_admin]).await;
        person(f, &org, "other.boss@acme.example", &[&super_admin]).await;
        let lead = json!({"name": "Lead", "access_level_id": super_admin});
        let (lead, _) = f.application_with(&org, lead).await;
        let peer = json!({"email": "peer@acme.example", "reach": "own"});
        let peer = f.operator.post(&format!("/v1/tenants/{org}/users"), &peer).await.expect(201);
        let (tool, _) = f.application_with(&org, json!({"name": "Tool", "grants": {}, "reach": "own"})).await;
        let body = json!({"name": "Caller", "access_level_id": level, "reach": "own"});
        let (_, client) = f.application_with(&org, body).await;
        let person = person(f, &org, "caller@acme.example", &[&level]).await;
        f.operator.patch(&person.path(), &json!({"reach": "own"})).await.expect(200);
        let (session, cookie) = session(f, &org, &person.id).await;
        let person = Person { session, cookie, ..person };
        let person = stepped_up(f, &person).await;
        let peer = peer["id"].as_str().unwrap().to_owned();
        Self { org, key, level, super_admin, boss, lead, peer, tool, client, person }
    }

    fn at(&self, path: &str) -> String {
        format!("/v1/tenants/{}{path}", self.org)
    }
}

async fn g2_nobody_lifts_anything_above_themselves(f: Arc<Fixture>) {
    let a = Above::set(&f).await;
    let before = standing(&f, &a.org).await;
    let more = json!({"audit": ["READ"]});
    let (peer, tool) = (a.at(&format!("/users/{}", a.peer)), a.at(&format!("/applications/{}", a.tool)));
    let level = a.at(&format!("/access-levels/{}", a.level));
    let lead = a.at(&format!("/applications/{}", a.lead));
    let boss = a.boss.path();
    let secret = json!([{"sha256": "4".repeat(64)}]);
    for (method, path, body) in [
        // What lies beneath, to above.
        (Method::PATCH, peer.clone(), json!({"reach": "beneath"})),
        (Method::PUT, format!("{peer}/roles"), json!({"access_level_ids": [a.super_admin]})),
        (Method::PATCH, tool.clone(), json!({"reach": "beneath"})),
        (Method::PATCH, tool.clone(), json!({"access_level_id": a.super_admin})),
        (Method::PATCH, tool.clone(), json!({"grants": more})),
        (Method::PATCH, level.clone(), json!({"grants": more})),
        (Method::PUT, format!("{}/roles", a.person.path()), json!({"access_level_ids": [a.level, a.super_admin]})),
        (Method::PATCH, a.person.path(), json!({"reach": "beneath"})),
        // What lies above, to anything.
        (Method::PATCH, boss.clone(), json!({"first_name": "Evil"})),
        (Method::PATCH, boss.clone(), json!({"reach": "own"})),
        (Method::PUT, format!("{boss}/roles"), json!({"access_level_ids": []})),
        (Method::POST, format!("{boss}/disable"), json!({})),
        (Method::POST, format!("{boss}/enable"), json!({})),
        (Method::POST, format!("{boss}/invitation"), json!({})),
        (Method::DELETE, format!("{boss}/factors"), Value::Null),
        (Method::DELETE, format!("{boss}/sessions"), Value::Null),
        (Method::DELETE, boss.clone(), Value::Null),
        (Method::PATCH, lead.clone(), json!({"enabled": false})),
        (Method::PATCH, lead.clone(), json!({"access_level_id": a.level})),
        (Method::DELETE, lead.clone(), Value::Null),
        (Method::POST, format!("{lead}/rotate"), json!({})),
        (Method::POST, format!("{lead}/regenerate"), json!({})),
        (Method::POST, a.at("/applications/revoke"), json!({"filter": {"ids": [a.lead]}, "mode": "disable"})),
        // What is new, above.
        (Method::POST, a.at("/users"), json!({"email": "x@acme.example", "reach": "beneath"})),
        (
            Method::POST,
            a.at("/users"),
            json!({"email": "x@acme.example", "reach": "own", "access_level_ids": [a.super_admin]}),
        ),
        (Method::POST, a.at("/applications"), json!({"name": "X", "grants": more, "reach": "own"})),
        (Method::POST, a.at("/applications"), json!({"name": "X", "grants": {}, "reach": "beneath"})),
        (
            Method::POST,
            a.at("/applications/import"),
            json!({"name": "X", "client_id": "IMPORTED", "grants": more, "reach": "own", "secrets": secret}),
        ),
        (Method::POST, a.at("/access-levels"), json!({"name": "X", "description": "", "grants": more})),
        (
            Method::POST,
            a.at("/access-levels/import"),
            json!({"name": "X", "capabilities": [{"name": "org.audits", "verbs": ["READ"]}]}),
        ),
        (Method::POST, a.at(&format!("/access-levels/{}/duplicate", a.super_admin)), json!({"name": "X"})),
        // What those above the tenant say about it.
        (Method::PATCH, a.at(""), json!({"application_limit": 9})),
        (Method::PATCH, a.at(""), json!({"user_limit": 9})),
        (Method::PATCH, a.at(""), json!({"status": "suspended"})),
        (Method::PATCH, a.at(""), json!({"trial_ends_at": "2099-01-01T00:00:00Z"})),
    ] {
        for request in [a.client.request(method.clone(), &path), a.person.request(method.clone(), &path)] {
            let request = if body.is_null() { request } else { request.json(&body) };
            let refused = send(request).await;
            assert_eq!(refused.status, 403, "{method} {path} {body}: {}", refused.text);
        }
    }
    let own = a.person.send(Method::PATCH, "/v1/me", &json!({"reach": "beneath"})).await;
    assert_eq!(own.status, 422, "{}", own.text);
    assert_eq!(standing(&f, &a.org).await, before, "unchanged");
    assert_eq!(a.boss.get("/v1/me").await.status, 200, "the session goes on");
}

async fn g2_carbon_black_changes_nothing_protected(f: Arc<Fixture>) {
    let a = Above::set(&f).await;
    let number =
        async |id: &str| f.operator.get(&a.at(&format!("/users/{id}"))).await.expect(200)["number"].as_i64().unwrap();
    let (boss, peer) = (number(&a.boss.id).await, number(&a.peer).await);
    let users = format!("/appservices/v6/orgs/{}/users", a.key);
    let grants = format!("/access/v2/orgs/{}/grants", a.key);
    let principal = |number: i64| format!("psc:user:{}:{number}", a.key);
    let urn = format!("psc:org:{}", a.key);
    let (view, all) = ("psc:role::BETA_VIEW_ALL", "psc:role::BETA_SUPER_ADMIN");
    let profile = json!({"orgs": {"allow": [urn]}, "roles": [all], "conditions": {}});
    let before = standing(&f, &a.org).await;
    for (method, path, body) in [
        (Method::PUT, format!("{users}/{boss}"), json!({"first_name": "Evil"})),
        (Method::DELETE, format!("{users}/{boss}"), json!({})),
        (Method::DELETE, format!("{users}/{boss}/google-auth"), json!({})),
        (Method::PUT, format!("{grants}/{}", principal(boss)), json!({"roles": [view], "profiles": []})),
        (Method::DELETE, format!("{grants}/{}", principal(boss)), json!({})),
        (Method::POST, grants.clone(), json!({"principal": principal(peer), "roles": [all], "org_ref": urn})),
        (Method::POST, grants.clone(), json!({"principal": principal(peer), "profiles": [profile], "org_ref": urn})),
        (Method::POST, format!("{grants}/{}/profiles", principal(boss)), profile.clone()),
    ] {
        let refused = send(a.client.request(method.clone(), &path).json(&body)).await;
        assert_eq!(refused.status, 403, "{method} {path} {body}: {}", refused.text);
    }
    for (name, value) in [
        ("login_id", json!(boss)),
        ("org_key", json!("OTHER")),
        ("org_id", json!(7)),
        ("role", json!("SUPER_ADMIN")),
        ("admin_login_version", json!(9)),
        ("is_admin", json!(true)),
        ("email", json!("evil@acme.example")),
        ("status", json!("ACTIVE")),
        ("password", json!("a long and quiet river")),
    ] {
        let answer = send(a.client.request(Method::PUT, &format!("{users}/{peer}")).json(&json!({name: value}))).await;
        assert!([200, 400, 403, 422].contains(&answer.status.as_u16()), "{name}: {}", answer.text);
    }
    assert_eq!(standing(&f, &a.org).await, before, "unchanged");
}

async fn g2_cyrisma_changes_nothing_protected(f: Arc<Fixture>) {
    let (partner, _) = tenant(&f, "Partner", "partner", &f.root).await;
    let (org, _) = tenant(&f, "Beta", "organization", &partner).await;
    let (instance, _) = tenant(&f, "One", "instance", &org).await;
    let grants =
        json!({"cyrisma.instances": ["CREATE", "READ", "UPDATE"], "cyrisma.users": ["CREATE", "READ", "UPDATE"]});
    let (_, client) =
        f.application_with(&partner, json!({"name": "Portal", "grants": grants, "reach": "beneath"})).await;
    let boss = person(&f, &org, "boss@beta.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let token = text(&login(&client).await, "access_token");
    let before = standing(&f, &org).await;
    let ask = async |method: Method, path: &str, body: &Value| {
        let request = client.bare(method, &format!("/app/partner/{path}"));
        send(request.header("authorization", format!("access_token {token}")).json(body)).await
    };
    for what in ["instances/suspend", "instances/reactivate", "instances/convert"] {
        let body = json!({"instance_id": partner});
        let refused = ask(Method::PATCH, what, &body).await;
        assert!([400, 403, 404].contains(&refused.status.as_u16()), "its own: {what}: {}", refused.text);
    }
    let disable = ask(Method::PATCH, "users/disable", &json!({"user_id": boss.id})).await;
    assert!([403, 404].contains(&disable.status.as_u16()), "{}", disable.text);
    let one = format!("/v1/tenants/{instance}");
    let was = f.operator.get(&one).await.expect(200);
    for name in
        ["id", "tenant_id", "org_key", "parent_id", "kind", "status", "application_limit", "user_limit", "created_at"]
    {
        let answer =
            ask(Method::PATCH, "instances/mfa", &json!({"instance_id": instance, "mfa_type": "0", name: "x"})).await;
        assert!([200, 400].contains(&answer.status.as_u16()), "{name}: {}", answer.text);
        let mut is = f.operator.get(&one).await.expect(200);
        for kept in ["version", "updated_at"] {
            is[kept] = was[kept].clone();
        }
        assert_eq!(is, was, "{name}");
    }
    assert_eq!(standing(&f, &org).await, before, "unchanged");
    assert_eq!(boss.get("/v1/me").await.status, 200);
}

async fn g8_a_level_that_is_held_stays(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{org}/access-levels");
    let level = async |name: &str| {
        let body = json!({"name": name, "description": "", "grants": {"users": ["READ"]}});
        let made = f.operator.post(&levels, &body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let (role, profile, own, rule) =
        (level("Role").await, level("Profile").await, level("Own").await, level("Rule").await);
    let ada = person(&f, &org, "ada@acme.example", &[&role]).await;
    let bob = person(&f, &org, "bob@acme.example", &[]).await;
    let number = f.operator.get(&bob.path()).await.expect(200)["number"].clone();
    let body = json!({
        "principal": format!("psc:user:{key}:{number}"), "org_ref": format!("psc:org:{key}"),
        "profiles": [{"orgs": {"allow": [format!("psc:org:{key}")]}, "roles": [format!("psc:role:{key}:{profile}")]}],
    });
    let manager = json!({"name": "M", "access_level_id": built_in(&f, SUPER_ADMIN).await, "reach": "beneath"});
    let (_, manager) = f.application_with(&org, manager).await;
    manager.post(&format!("/access/v2/orgs/{key}/grants"), &body).await.expect(200);
    let (_, client) = f.application_with(&org, json!({"name": "A", "access_level_id": own})).await;
    let provider = json!({
        "name": "P", "issuer": "https://p.example", "client_id": "c", "domains": ["p.example"],
        "default_access_level_ids": [rule],
    });
    f.operator.post(&format!("/v1/tenants/{org}/identity-providers"), &provider).await.expect(201);
    for (held, name) in [(&role, "a role"), (&profile, "a profile"), (&own, "an application"), (&rule, "a rule")] {
        let refused = f.operator.delete(&format!("{levels}/{held}")).await;
        assert_eq!(refused.code(409), "access_level_in_use", "{name}");
    }
    // Its rights can be taken from it, and nobody falls back to anything.
    for held in [&role, &profile, &own] {
        f.operator.patch(&format!("{levels}/{held}"), &json!({"grants": {}})).await.expect(200);
    }
    let users = format!("/v1/tenants/{org}/users");
    assert_eq!(ada.get(&users).await.code(403), "permission_missing");
    assert_eq!(bob.get(&users).await.code(403), "permission_missing");
    assert_eq!(client.get(&users).await.code(403), "permission_missing");
    f.operator.put(&format!("{}/roles", ada.path()), &json!({"access_level_ids": []})).await.expect(200);
    assert_eq!(f.operator.delete(&format!("{levels}/{role}")).await.status, 204);
    assert_eq!(ada.get("/v1/me").await.expect(200)["grants"], json!({}));
}

async fn g8_a_level_goes_or_is_given_never_both(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{org}/access-levels");
    let ada = user(&f, &org, "ada@acme.example", &[]).await;
    let roles = format!("/v1/tenants/{org}/users/{ada}/roles");
    for round in 0..12 {
        let body = json!({"name": format!("L{round}"), "description": "", "grants": {"users": ["READ"]}});
        let level = f.operator.post(&levels, &body).await.expect(201)["id"].as_str().unwrap().to_owned();
        let (place, given) = (format!("{levels}/{level}"), json!({"access_level_ids": [level]}));
        let application = json!({"name": format!("A{round}"), "access_level_id": level});
        let applications = format!("/v1/tenants/{org}/applications");
        let gives = async {
            if round % 2 == 0 {
                f.operator.put(&roles, &given).await
            } else {
                f.operator.post(&applications, &application).await
            }
        };
        let (gone, given) = tokio::join!(f.operator.delete(&place), gives);
        match gone.status.as_u16() {
            204 => assert_eq!(given.status, 422, "{}", given.text),
            409 => assert!(given.status.is_success(), "{}", given.text),
            other => panic!("{other}: {}", gone.text),
        }
        let there = f.operator.get(&place).await.status.as_u16();
        assert_eq!(there, if gone.status == 204 { 404 } else { 200 });
    }
}
