//! Users: made, changed, given roles, disabled, deleted; and what they can see of themselves with a session.

use crate::fixture::{Fixture, on_both, send};
use crate::people::{SUPER_ADMIN, built_in, person, session, stepped_up, user};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    users_are_made_read_and_changed,
    users_are_found_and_paged,
    instances_have_no_users,
    a_tenant_has_no_more_users_than_it_may,
    g5_nobody_hands_out_more_than_they_have,
    g6_the_lower_do_not_touch_the_higher,
    g7_the_last_owner_stays,
    d5_the_disabled_are_out_at_once,
    d2_a_changed_role_holds_at_once,
    h8_a_suspended_tenant_stops_its_people,
    a_level_in_use_by_users_stays,
    what_somebody_answers_for_needs_a_successor,
    a_person_sees_and_changes_themselves,
    sessions_are_listed_and_ended,
    k5_sessions_end_by_themselves,
    k3_only_our_own_pages_use_a_session,
    c13_cookies_and_credentials_do_not_mix,
];

async fn users_are_made_read_and_changed(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let users = format!("/v1/tenants/{org}/users");
    let level = built_in(&f, "View All").await;
    let new = json!({
        "email": " Ada@Example.com ", "first_name": "Ada", "last_name": "Lovelace", "phone": "+44 20",
        "access_level_ids": [level],
    });
    let request = f.operator.request(Method::POST, &users).header("idempotency-key", "one").json(&new);
    let made = send(request.try_clone().unwrap()).await;
    let (tag, place) = (made.header("etag").unwrap().to_owned(), made.header("location").unwrap().to_owned());
    let made = made.expect(201);
    assert_eq!((made["status"].as_str(), made["reach"].as_str()), (Some("invited"), Some("beneath")));
    assert_eq!((&made["email"], &made["access_level_ids"]), (&json!("Ada@Example.com"), &json!([level])));
    assert_eq!(made["password_set_at"], Value::Null);
    assert!(made["number"].is_i64() && tag == "\"1\"");
    let replayed = send(request).await;
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    assert_eq!(replayed.expect(201), made);
    assert_eq!(f.operator.get(&place).await.expect(200), made);
    let twin = json!({"email": "ADA@example.COM"});
    let (other, _) = f.organization("Other").await;
    for tenant in [&org, &other] {
        assert_eq!(f.operator.post(&format!("/v1/tenants/{tenant}/users"), &twin).await.code(409), "email_taken");
    }
    let patch = json!({"first_name": null, "reach": "own"});
    let changed = f.operator.patch(&place, &patch).await.expect(200);
    assert_eq!(
        (&changed["first_name"], &changed["reach"], &changed["version"]),
        (&json!(""), &json!("own"), &json!(2))
    );
    let stale = f.operator.request(Method::PATCH, &place).header("if-match", &tag).json(&json!({"phone": ""}));
    assert_eq!(send(stale).await.code(412), "precondition_failed");
    for (body, pointer) in [
        (json!({"email": "ada"}), "/email"),
        (json!({"email": ["a@b.example"]}), "email"),
        (json!({"email": "a@x.example,b@y.example"}), "/email"),
        (json!({"email": "a@x.example\r\nBcc: b@y.example"}), "/email"),
        (json!({"email": "a@x.example", "first_name": "x".repeat(65)}), "/first_name"),
        (
            json!({"email": "a@x.example", "access_level_ids": ["01890000-0000-7000-8000-000000000000"]}),
            "/access_level_ids/0",
        ),
        (json!({"email": "a@x.example", "verified": true}), "verified"),
        (json!({"email": "a@x.example", "status": "active"}), "status"),
    ] {
        let refused = f.operator.post(&users, &body).await.expect(422);
        assert!(refused.to_string().contains(pointer), "{body}: {refused}");
    }
    assert_eq!(f.operator.delete(&place).await.status, 204);
    assert_eq!(f.operator.get(&place).await.code(404), "not_found");
    let audit = f.audit(&org).await;
    let told: Vec<_> = audit.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["user.deleted", "user.updated", "user.created", "tenant.created"]);
    assert_eq!(audit[1]["details"]["reach"], json!({"from": "beneath", "to": "own"}));
}

async fn users_are_found_and_paged(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    for number in 0..7 {
        let body =
            json!({"email": format!("u{number}@acme.example"), "first_name": "Ada", "last_name": format!("L{number}")});
        f.operator.post(&format!("/v1/tenants/{org}/users"), &body).await.expect(201);
    }
    for query in ["?limit=3", "?limit=3&q=ada", "?limit=3&status=invited", "?limit=3&q=ADA&status=invited"] {
        let (mut path, mut seen) = (format!("/v1/tenants/{org}/users{query}"), Vec::new());
        loop {
            let page = f.operator.get(&path).await.expect(200);
            seen.extend(
                page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/tenants/{org}/users{query}&cursor={next}");
        }
        assert_eq!(seen.len(), 7, "{query}: {seen:?}");
        seen.dedup();
        assert_eq!(seen.len(), 7, "{query}");
    }
    let one = f.operator.get(&format!("/v1/tenants/{org}/users?q=l4")).await.expect(200);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    let none = f.operator.get(&format!("/v1/tenants/{org}/users?status=active")).await.expect(200);
    assert_eq!(none["items"], json!([]));
}

async fn instances_have_no_users(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({"name": "East", "kind": "instance", "parent_id": org});
    let instance = f.operator.post("/v1/tenants", &body).await.expect(201);
    let users = format!("/v1/tenants/{}/users", instance["id"].as_str().unwrap());
    let refused = f.operator.post(&users, &json!({"email": "ada@acme.example"})).await;
    assert_eq!(refused.code(409), "instance_without_users");
}

async fn a_tenant_has_no_more_users_than_it_may(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"user_limit": 2})).await.expect(200);
    let users = format!("/v1/tenants/{org}/users");
    let bodies: Vec<_> = (0..5).map(|number| json!({"email": format!("u{number}@acme.example")})).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| f.operator.post(&users, body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    for refused in answers.into_iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.code(409), "user_limit_reached");
    }
}

async fn g5_nobody_hands_out_more_than_they_have(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let users = format!("/v1/tenants/{org}/users");
    let rights = json!({"users": ["CREATE", "READ", "UPDATE", "DELETE"], "access-levels": ["UPDATE"]});
    let level = json!({"name": "People", "description": "", "grants": rights});
    let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
    let level = level["id"].as_str().unwrap();
    let super_admin = built_in(&f, SUPER_ADMIN).await;
    let admin = person(&f, &org, "admin@acme.example", &[level]).await;
    let more = json!({"email": "x@acme.example", "access_level_ids": [super_admin]});
    assert_eq!(admin.post(&users, &more).await.status, 403);
    let own = format!("{}/roles", admin.path());
    let refused = admin.send(Method::PUT, &own, &json!({"access_level_ids": [level, super_admin]})).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let wider = json!({"grants": {"users": ["CREATE", "READ", "UPDATE", "DELETE"], "applications": ["CREATE"]}});
    let refused = admin.send(Method::PATCH, &format!("/v1/tenants/{org}/access-levels/{level}"), &wider).await;
    assert_eq!(refused.status, 403, "a right gained by editing one's own role");
    let equal = admin.post(&users, &json!({"email": "x@acme.example", "access_level_ids": [level]})).await;
    assert_eq!(equal.status, 201, "{}", equal.text);
    // One who reaches only their own tenant makes nobody who reaches beneath.
    f.operator.patch(&admin.path(), &json!({"reach": "own"})).await.expect(200);
    assert_eq!(admin.post(&users, &json!({"email": "y@acme.example"})).await.status, 403);
    assert_eq!(admin.post(&users, &json!({"email": "y@acme.example", "reach": "own"})).await.status, 201);
    assert_eq!(admin.send(Method::PATCH, &admin.path(), &json!({"reach": "beneath"})).await.status, 403);
}

async fn g6_the_lower_do_not_touch_the_higher(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let level = json!({"name": "People", "description": "",
        "grants": {"users": ["CREATE", "READ", "UPDATE", "DELETE"], "sessions": ["READ", "DELETE"]}});
    let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
    let admin = person(&f, &org, "admin@acme.example", &[level["id"].as_str().unwrap()]).await;
    let owner = person(&f, &org, "owner@acme.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let before = f.operator.get(&owner.path()).await.expect(200);
    for (method, path, body) in [
        (Method::PATCH, owner.path(), json!({"first_name": "Evil"})),
        (Method::PUT, format!("{}/roles", owner.path()), json!({"access_level_ids": []})),
        (Method::POST, format!("{}/disable", owner.path()), json!({})),
        (Method::POST, format!("{}/enable", owner.path()), json!({})),
        (Method::DELETE, owner.path(), json!({})),
        (Method::DELETE, format!("{}/sessions", owner.path()), json!({})),
        (Method::DELETE, format!("{}/sessions/{}", owner.path(), owner.session), json!({})),
    ] {
        let refused = admin.send(method.clone(), &path, &body).await;
        assert_eq!(refused.status, 403, "{method} {path}: {}", refused.text);
    }
    assert_eq!(f.operator.get(&owner.path()).await.expect(200), before);
    assert_eq!(owner.get("/v1/me").await.status, 200, "the session goes on");
}

/// G7, by each way of removing somebody.
async fn g7_the_last_owner_stays(f: Arc<Fixture>) {
    let level = built_in(&f, SUPER_ADMIN).await;
    let none = json!({"access_level_ids": []});
    let ways = [(Method::PUT, "/roles", none), (Method::POST, "/disable", json!({})), (Method::DELETE, "", json!({}))];
    for (round, (method, way, body)) in ways.iter().enumerate() {
        let (org, _) = f.organization(&format!("Acme {round}")).await;
        let one = person(&f, &org, &format!("one@{round}.example"), &[&level]).await;
        let two = person(&f, &org, &format!("two@{round}.example"), &[&level]).await;
        let (one, two) = (stepped_up(&f, &one).await, stepped_up(&f, &two).await);
        let (first, second) = (format!("{}{way}", one.path()), format!("{}{way}", two.path()));
        let (a, b) = tokio::join!(one.send(method.clone(), &second, body), two.send(method.clone(), &first, body));
        let done = [a.status.is_success(), b.status.is_success()];
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{method} {way}: {} {}", a.text, b.text);
        let last = if done[0] { &one } else { &two };
        for (method, way, body) in &ways {
            let refused = send(f.operator.request(method.clone(), &format!("{}{way}", last.path())).json(body)).await;
            assert_eq!(refused.code(409), "last_owner", "{method} {way}");
        }
        assert_eq!(last.get("/v1/me").await.status, 200);
    }
}

async fn d5_the_disabled_are_out_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let ada = person(&f, &org, "ada@acme.example", &[]).await;
    assert_eq!(ada.get("/v1/me").await.status, 200);
    let disabled = f.operator.post(&format!("{}/disable", ada.path()), &json!({})).await.expect(200);
    assert_eq!(disabled["status"], "disabled");
    let refused = ada.get("/v1/me").await;
    assert_eq!(refused.header("www-authenticate"), Some("Session realm=\"claviger\""));
    assert_eq!(refused.code(401), "session_ended");
    // A session that came about meanwhile is none, either.
    let (_, cookie) = session(&f, &org, &ada.id).await;
    let late = crate::people::Person { cookie, ..ada.clone() };
    assert_eq!(late.get("/v1/me").await.status, 401);
    f.operator.post(&format!("{}/enable", ada.path()), &json!({})).await.expect(200);
    assert_eq!(ada.get("/v1/me").await.status, 401, "what has ended does not come back");
    let back = session(&f, &org, &ada.id).await;
    assert_eq!(crate::people::Person { cookie: back.1, ..ada.clone() }.get("/v1/me").await.status, 200);
    assert_eq!(f.operator.delete(&ada.path()).await.status, 204);
    assert_eq!(ada.get("/v1/me").await.status, 401);
}

async fn d2_a_changed_role_holds_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{org}/access-levels");
    let level = json!({"name": "Readers", "description": "", "grants": {"users": ["READ"]}});
    let level = f.operator.post(&levels, &level).await.expect(201)["id"].as_str().unwrap().to_owned();
    let ada = person(&f, &org, "ada@acme.example", &[&level]).await;
    assert_eq!(ada.get(&ada.path()).await.status, 200);
    let edit = f.operator.patch(&format!("{levels}/{level}"), &json!({"grants": {"audit": ["READ"]}})).await;
    assert_eq!(edit.status, 200, "{}", edit.text);
    assert_eq!(ada.get(&ada.path()).await.code(403), "permission_missing");
    assert_eq!(ada.get(&format!("/v1/tenants/{org}/audit")).await.status, 200);
    f.operator.put(&format!("{}/roles", ada.path()), &json!({"access_level_ids": []})).await.expect(200);
    assert_eq!(ada.get(&format!("/v1/tenants/{org}/audit")).await.status, 403);
    let denials = f.audit(&org).await;
    let denied = denials.iter().find(|entry| entry["details"]["reason"] == "audit:READ").unwrap();
    assert_eq!(
        (denied["actor"]["kind"].as_str(), denied["actor"]["id"].as_str()),
        (Some("user"), Some(ada.id.as_str()))
    );
}

async fn h8_a_suspended_tenant_stops_its_people(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let ada = person(&f, &org, "ada@acme.example", &[]).await;
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"status": "suspended"})).await.expect(200);
    assert_eq!(ada.get("/v1/me").await.code(401), "tenant_suspended");
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"status": "active"})).await.expect(200);
    assert_eq!(ada.get("/v1/me").await.status, 200);
}

/// G8.
async fn a_level_in_use_by_users_stays(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let levels = format!("/v1/tenants/{org}/access-levels");
    let level = json!({"name": "Readers", "description": "", "grants": {}});
    let level = f.operator.post(&levels, &level).await.expect(201)["id"].as_str().unwrap().to_owned();
    let ada = user(&f, &org, "ada@acme.example", &[&level]).await;
    let refused = f.operator.delete(&format!("{levels}/{level}")).await.expect(409);
    assert_eq!(refused["code"], "access_level_in_use");
    assert_eq!(refused["referrers"], json!([{"kind": "user", "id": ada, "name": "Ada"}]));
    assert_eq!(f.operator.delete(&format!("/v1/tenants/{org}/users/{ada}")).await.status, 204);
    assert_eq!(f.operator.delete(&format!("{levels}/{level}")).await.status, 204);
}

async fn what_somebody_answers_for_needs_a_successor(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let ada = user(&f, &org, "ada@acme.example", &[]).await;
    let bob = user(&f, &org, "bob@acme.example", &[]).await;
    let above = user(&f, &f.root, "ops@operator.example", &[]).await;
    let beside = user(&f, &other, "eve@other.example", &[]).await;
    let new = json!({"name": "SIEM", "grants": {}, "owner_id": ada});
    let (siem, _) = f.application_with(&org, new).await;
    let path = format!("/v1/tenants/{org}/applications/{siem}");
    let owner = async || {
        let application = f.operator.get(&path).await.expect(200);
        (application["owner_id"].clone(), application["owner"].clone())
    };
    assert_eq!(owner().await, (json!(ada), json!("ada@acme.example")));
    let both = json!({"owner_id": ada, "owner": "x@acme.example"});
    assert_eq!(f.operator.patch(&path, &both).await.status, 422);
    assert_eq!(f.operator.patch(&path, &json!({"owner_id": beside})).await.status, 422, "of a tenant beside");
    assert_eq!(f.operator.patch(&path, &json!({"owner_id": above})).await.status, 200, "of one above");
    // For whoever does not reach it, one above does not exist.
    let rights = json!({"applications": ["READ", "UPDATE"]});
    let (_, editor) = f.application(&org, "Editor", rights).await;
    assert_eq!(editor.patch(&path, &json!({"owner_id": above})).await.status, 200, "it stays as it is");
    f.operator.patch(&path, &json!({"owner_id": ada})).await.expect(200);
    assert_eq!(editor.patch(&path, &json!({"owner_id": above})).await.status, 422);
    let user = format!("/v1/tenants/{org}/users/{ada}");
    let refused = f.operator.delete(&user).await.expect(409);
    assert_eq!(refused["code"], "has_dependants");
    assert_eq!(refused["referrers"], json!([{"kind": "application", "id": siem, "name": "SIEM"}]));
    for successor in [&ada, &beside, &above] {
        assert_eq!(f.operator.delete(&format!("{user}?successor_id={successor}")).await.status, 422, "{successor}");
    }
    assert_eq!(f.operator.delete(&format!("{user}?successor_id={bob}")).await.status, 204);
    assert_eq!(owner().await, (json!(bob), json!("bob@acme.example")));
    f.operator.patch(&path, &json!({"owner": "team@acme.example"})).await.expect(200);
    assert_eq!(owner().await, (Value::Null, json!("team@acme.example")));
    let audit = f.audit(&org).await;
    let deleted = audit.iter().find(|entry| entry["action"] == "user.deleted").unwrap();
    assert_eq!(
        (&deleted["details"]["successor_id"], &deleted["details"]["application_ids"]),
        (&json!(bob), &json!([siem]))
    );
}

/// G3.
async fn a_person_sees_and_changes_themselves(f: Arc<Fixture>) {
    let (org, key) = f.organization("Acme").await;
    let ada = person(&f, &org, "ada@acme.example", &[&built_in(&f, "View All").await]).await;
    let me = ada.get("/v1/me").await.expect(200);
    assert_eq!((&me["user"]["id"], &me["tenant_name"], &me["org_key"]), (&json!(ada.id), &json!("Acme"), &json!(key)));
    assert_eq!((&me["session"]["current"], &me["session"]["methods"]), (&json!(true), &json!(["pwd"])));
    let who = ada.get("/v1/whoami").await.expect(200);
    assert_eq!(
        (&who["user_id"], &who["application_id"], &who["grants"]),
        (&json!(ada.id), &Value::Null, &me["grants"])
    );
    let changed = ada.send(Method::PATCH, "/v1/me", &json!({"last_name": "Lovelace"})).await.expect(200);
    assert_eq!(changed["user"]["last_name"], "Lovelace");
    for member in [
        "role",
        "tenant_id",
        "verified",
        "mfa_enrolled",
        "is_owner",
        "created_at",
        "reach",
        "email",
        "access_level_ids",
    ] {
        let refused = ada.send(Method::PATCH, "/v1/me", &json!({"last_name": "Evil", member: "x"})).await.expect(422);
        assert!(refused.to_string().contains(member), "{member} in {refused}");
    }
    assert_eq!(ada.get("/v1/me").await.expect(200)["user"], changed["user"]);
    // What hangs on an application's credential a person cannot have.
    let audit = f.audit(&org).await;
    assert_eq!((&audit[0]["action"], &audit[0]["actor"]["kind"]), (&json!("user.updated"), &json!("user")));
    assert_eq!(f.operator.get("/v1/me").await.code(403), "forbidden");
}

async fn sessions_are_listed_and_ended(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let ada = person(&f, &org, "ada@acme.example", &[]).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        let (session, cookie) = session(&f, &org, &ada.id).await;
        others.push(crate::people::Person { session, cookie, ..ada.clone() });
    }
    let list = ada.get("/v1/me/sessions").await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 4);
    let current: Vec<_> = items.iter().filter(|item| item["current"] == true).map(|item| &item["id"]).collect();
    assert_eq!(current, [&json!(ada.session)]);
    assert_eq!(ada.delete(&format!("/v1/me/sessions/{}", others[0].session)).await.status, 204);
    assert_eq!(ada.delete(&format!("/v1/me/sessions/{}", others[0].session)).await.status, 404);
    assert_eq!(others[0].get("/v1/me").await.status, 401);
    let sessions = format!("{}/sessions", ada.path());
    assert_eq!(f.operator.get(&sessions).await.expect(200)["items"].as_array().unwrap().len(), 3);
    assert_eq!(f.operator.delete(&format!("{sessions}/{}", others[1].session)).await.status, 204);
    assert_eq!(others[1].get("/v1/me").await.status, 401);
    // Another person's session is none of theirs.
    let bob = person(&f, &org, "bob@acme.example", &[]).await;
    assert_eq!(ada.delete(&format!("/v1/me/sessions/{}", bob.session)).await.status, 404);
    assert_eq!(f.operator.delete(&format!("{sessions}/{}", bob.session)).await.status, 404);
    let out = others[2].post("/v1/sign-out", &json!({})).await;
    let cookie = out.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-claviger_session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite="), "{cookie}");
    assert_eq!((out.status.as_u16(), others[2].get("/v1/me").await.status.as_u16()), (204, 401));
    assert_eq!(f.operator.delete(&sessions).await.expect(200), json!({"ended": 1}));
    assert_eq!(ada.get("/v1/me").await.status, 401);
    assert_eq!(bob.get("/v1/me").await.status, 200);
}

async fn k5_sessions_end_by_themselves(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let resting = person(&f, &org, "resting@acme.example", &[]).await;
    let busy = person(&f, &org, "busy@acme.example", &[]).await;
    let mut gone = 0;
    let clock = f.app.clock();
    for step in [1_799, 1, 1_798].into_iter().chain(std::iter::repeat_n(1_799, 22)) {
        assert_eq!(busy.get("/v1/me").await.status, 200, "{gone} s");
        if gone == 1_799 || gone == 1_800 {
            // Not by the resting one: that would be a use.
            let sessions = f.operator.get(&format!("{}/sessions", resting.path())).await.expect(200);
            assert_eq!(sessions["items"].as_array().unwrap().len(), usize::from(gone < 1_800), "{gone} s");
        }
        if gone == 1_800 {
            assert_eq!(resting.get("/v1/me").await.status, 401);
        }
        clock.advance(step);
        gone += step;
    }
    assert_eq!(gone, 43_176);
    assert_eq!(busy.get("/v1/me").await.status, 200);
    clock.advance(23);
    assert_eq!(busy.get("/v1/me").await.status, 200);
    clock.advance(1);
    assert_eq!(busy.get("/v1/me").await.code(401), "session_ended");
}

async fn k3_only_our_own_pages_use_a_session(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let ada = person(&f, &org, "ada@acme.example", &[]).await;
    let cookie = format!("__Host-claviger_session={}", ada.cookie);
    let bare = |method: Method| f.operator.bare(method, "/v1/me").header("cookie", &cookie);
    let json_body = r#"{"last_name":"Evil"}"#;
    let own = f.operator.base.clone();
    let host = own.trim_start_matches("http://").to_owned();
    let evil = [
        (None, None, Some("application/json")),
        (Some("https://evil.example".to_owned()), None, Some("application/json")),
        (Some("null".into()), None, Some("application/json")),
        (Some(format!("https://{host}.evil.example")), None, Some("application/json")),
        (Some(format!("{own}/")), None, Some("application/json")),
        (Some(own.clone()), Some("cross-site"), Some("application/json")),
        (Some(own.clone()), Some("same-site"), Some("application/json")),
        (Some(own.clone()), Some("same-origin"), Some("text/plain")),
        (Some(own.clone()), Some("same-origin"), Some("application/x-www-form-urlencoded")),
        (Some(own.clone()), Some("same-origin"), Some("multipart/form-data")),
        (Some(own.clone()), Some("same-origin"), None),
    ];
    for (origin, site, media) in &evil {
        let mut request = bare(Method::PATCH).body(json_body);
        for (name, value) in [("origin", origin.as_deref()), ("sec-fetch-site", *site), ("content-type", *media)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let refused = send(request).await;
        assert_eq!(refused.status, 403, "{origin:?} {site:?} {media:?}: {}", refused.text);
        let out = f.operator.bare(Method::POST, "/v1/sign-out").header("cookie", &cookie);
        let out = origin.iter().fold(out, |out, origin| out.header("origin", origin));
        assert_eq!(send(out).await.status, 403);
    }
    assert_eq!(ada.get("/v1/me").await.expect(200)["user"]["last_name"], "");
    // The public URL and the host that was called are our own; a page that only reads names no origin.
    for origin in [own, format!("https://{host}")] {
        let request =
            bare(Method::PATCH).header("origin", origin).header("content-type", "application/json; charset=utf-8");
        assert_eq!(send(request.body("{}")).await.status, 200);
    }
    assert_eq!(send(bare(Method::GET).header("sec-fetch-site", "cross-site")).await.status, 200);
}

async fn c13_cookies_and_credentials_do_not_mix(f: Arc<Fixture>) {
    let (org, org_key) = f.organization("Acme").await;
    let ada = person(&f, &org, "ada@acme.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let get = |path: &str| f.operator.bare(Method::GET, path);
    let bearer = get("/v1/me").header("authorization", format!("Bearer {}", ada.cookie));
    assert_eq!(send(bearer).await.status, 401, "a session's cookie as bearer");
    let token = get("/v1/me").header("x-auth-token", format!("{}/{}", ada.cookie, ada.id));
    assert_eq!(send(token).await.status, 401);
    for secret in [f.operator.secret.clone(), "x".into(), String::new()] {
        let cookie = get("/v1/me").header("cookie", format!("__Host-claviger_session={secret}"));
        assert_eq!(send(cookie).await.status, 401, "a secret as cookie");
    }
    let plain = get("/v1/me").header("cookie", format!("claviger_session={}", ada.cookie));
    assert_eq!(send(plain).await.status, 401, "without the prefix a sub-domain could set it");
    let both = f.operator.request(Method::GET, "/v1/me");
    let both = both.header("cookie", format!("__Host-claviger_session={}", ada.cookie));
    assert_eq!(send(both).await.code(400), "credential_ambiguous");
    let two =
        get("/v1/me").header("cookie", format!("__Host-claviger_session={0}; __Host-claviger_session={0}", ada.cookie));
    assert_eq!(send(two).await.code(400), "credential_ambiguous");
    // What is for machines alone knows no cookie.
    for path in [
        "/v1/verify?permission=org.audits:READ&tenant=any".to_owned(),
        format!("/audit_log/v1/orgs/{org_key}/logs/_queue"),
    ] {
        assert_eq!(ada.get(&path).await.status, 401, "{path}");
    }
    // K9: what is stored of it is a hash.
    let hash = claviger_domain::secret::SecretHash::of(&ada.cookie);
    assert!(f.app.store().find_session_holder(&hash).await.unwrap().is_some());
}
