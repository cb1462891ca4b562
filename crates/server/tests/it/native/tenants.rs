//! Tenants.

use crate::fixture::{Fixture, on_both};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    tenants_are_made_changed_and_listed,
    names_and_kinds_are_checked,
    limits_come_from_above,
    details_are_kept_and_merged,
    bad_details_are_named_all_at_once,
    external_ids_are_unique_beneath_a_parent,
    f9_names_are_reserved_or_normalised,
    lists_are_filtered_sorted_and_searched,
    nobody_finds_what_is_beside_them,
    a_tenant_is_not_moved,
    a_tenant_is_suspended_and_taken_back,
    a_trial_is_converted_once,
    only_a_suspended_tenant_is_deleted,
    nothing_is_made_beneath_what_is_being_deleted,
    the_own_tenant_is_managed_from_above
];

async fn tenants_are_made_changed_and_listed(f: Arc<Fixture>) {
    let body = json!({"name": " Acme ", "kind": "organization", "parent_id": f.root});
    let answer = f.operator.post("/v1/tenants", &body).await;
    let location = answer.header("location").unwrap().to_owned();
    let made = answer.expect(201);
    assert_eq!(
        (made["name"].as_str(), made["kind"].as_str(), made["status"].as_str()),
        (Some("Acme"), Some("organization"), Some("active"))
    );
    assert_eq!(made["org_key"].as_str().unwrap().len(), 8);
    assert_eq!(f.operator.get(&location).await.expect(200), made);
    let changed = f.operator.patch(&location, &json!({"name": "Acme Corp", "status": "suspended"})).await.expect(200);
    assert_eq!((changed["name"].as_str(), changed["status"].as_str()), (Some("Acme Corp"), Some("suspended")));
    let list = f.operator.get("/v1/tenants").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

async fn names_and_kinds_are_checked(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let root = f.root.clone();
    let cases = [
        (json!({"name": "ＡＣＭＥ", "kind": "organization", "parent_id": root}), 409),
        (json!({"name": "X", "kind": "operator", "parent_id": root}), 422),
        (json!({"name": "X", "kind": "instance", "parent_id": root}), 422),
        (json!({"name": "X", "kind": "galaxy", "parent_id": root}), 422),
        (json!({"name": "X", "kind": "instance", "parent_id": org}), 201),
        (json!({"name": "X", "kind": "organization", "parent_id": "00000000-0000-7000-8000-000000000000"}), 422),
        (json!({"name": "X", "kind": "organization"}), 422),
    ];
    let f = &f;
    let post = |body: serde_json::Value| async move { f.operator.post("/v1/tenants", &body).await.status.as_u16() };
    for (body, status) in cases {
        assert_eq!(post(body.clone()).await, status, "{body}");
    }
}

async fn limits_come_from_above(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, admin) = f.application(&org, "Admin", json!({"tenants": ["READ", "UPDATE"]})).await;
    let path = format!("/v1/tenants/{org}");
    assert_eq!(admin.patch(&path, &json!({"application_limit": 99})).await.status, 403);
    assert_eq!(admin.patch(&path, &json!({"status": "suspended"})).await.status, 403);
    assert_eq!(admin.patch(&path, &json!({"name": "Renamed"})).await.status, 200);
    assert_eq!(f.operator.patch(&path, &json!({"application_limit": 2})).await.expect(200)["application_limit"], 2);
    f.application(&org, "Second", json!({})).await;
    let third = f.operator.post(&format!("{path}/applications"), &json!({"name": "Third", "grants": {}})).await;
    let problem = third.expect(409);
    assert_eq!(problem["code"], "application_limit_reached");
    assert!(problem["detail"].as_str().unwrap().contains("may have 2"), "{problem}");
}

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

async fn details_are_kept_and_merged(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({
        "name": "Acme West", "kind": "instance", "parent_id": org, "trial": true,
        "trial_ends_at": "2027-03-01T00:00:00Z", "external_id": "CRM-7", "short_name": "West",
        "email": "ops@acme.example", "country": "Switzerland", "foreign_tenant_id": "xdr-1",
        "address": {"street": "Gasse 1", "postal": "3000", "city": "Bern", "state": "BE"},
        "application_limit": 3, "user_limit": 5, "endpoint_limit": 100, "mfa_required": "totp",
        "settings": {"theme": {"color": "red", "font": "A"}},
    });
    let made = f.operator.post("/v1/tenants", &body).await.expect(201);
    for member in [
        "external_id",
        "short_name",
        "email",
        "foreign_tenant_id",
        "address",
        "user_limit",
        "mfa_required",
        "settings",
        "trial",
    ] {
        assert_eq!(made[member], body[member], "{member}");
    }
    assert_eq!((made["country"].as_str(), made["application_limit"].as_i64()), (Some("CH"), Some(3)));
    assert_eq!(made["agent_key"].as_str().unwrap().len(), 32);
    assert_eq!((&made["purge_at"], &made["provisioning"]), (&Value::Null, &Value::Null));
    let path = format!("/v1/tenants/{}", made["id"].as_str().unwrap());
    assert_eq!(f.operator.get(&path).await.expect(200), made);
    let patch = json!({
        "address": {"city": "Thun"}, "country": null, "user_limit": null, "external_id": "CRM-8",
        "settings": {"theme": {"font": null}, "beta": true},
    });
    let after = f.operator.patch(&path, &patch).await.expect(200);
    assert_eq!(after["address"], json!({"street": "Gasse 1", "postal": "3000", "city": "Thun", "state": "BE"}));
    assert_eq!(after["settings"], json!({"theme": {"color": "red"}, "beta": true}));
    assert_eq!((&after["country"], &after["user_limit"]), (&Value::Null, &Value::Null));
    assert_eq!(after["agent_key"], made["agent_key"], "it stays");
    let cleared = f.operator.patch(&path, &json!({"address": null, "settings": null})).await.expect(200);
    assert_eq!(cleared["address"]["street"], Value::Null);
    assert_eq!(cleared["settings"], json!({}));
    let id = made["id"].as_str().unwrap();
    let entries = f.audit(id).await;
    let changed = &entries.iter().find(|entry| entry["action"] == "tenant.updated").unwrap()["details"];
    assert!(!entries.iter().any(|entry| entry.to_string().contains("\"beta\"")), "settings are nobody else's");
    assert!(changed.get("settings_sha256").is_some(), "{changed}");
}

async fn bad_details_are_named_all_at_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let body = json!({
        "name": "", "kind": "instance", "parent_id": org, "external_id": "", "short_name": "x".repeat(71), "email": "nobody",
        "country": "Atlantis", "address": {"city": "a\nb"}, "user_limit": -1, "endpoint_limit": 1_000_000_001_i64,
        "application_limit": -1, "trial": true, "trial_ends_at": "2020-01-01T00:00:00Z", "foreign_tenant_id": "x".repeat(256),
    });
    let refused = f.operator.post("/v1/tenants", &body).await.expect(422);
    let mut pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    let expected = [
        "/address/city",
        "/application_limit",
        "/country",
        "/email",
        "/endpoint_limit",
        "/external_id",
        "/foreign_tenant_id",
        "/name",
        "/short_name",
        "/trial_ends_at",
        "/user_limit",
    ];
    assert_eq!(pointers, expected);
    let new = |more: Value| {
        let mut body = json!({"name": "X", "kind": "organization", "parent_id": org});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, pointer) in [
        (json!({"trial": true}), "/trial"),
        (json!({"trial_ends_at": "2029-01-01T00:00:00Z"}), "/trial_ends_at"),
        (json!({"settings": {"x": "y".repeat(9_000)}}), "/settings"),
        (json!({"settings": []}), "/settings"),
        (json!({"mfa_required": "sms"}), "/mfa_required"),
        (json!({"mfa_required": null}), "/mfa_required"),
    ] {
        let refused = f.operator.post("/v1/tenants", &new(more)).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
}

async fn external_ids_are_unique_beneath_a_parent(f: Arc<Fixture>) {
    let (one, _) = f.organization("One").await;
    let (two, _) = f.organization("Two").await;
    let new =
        |parent: &str, name: &str| json!({"name": name, "kind": "instance", "parent_id": parent, "external_id": "7"});
    let first = f.operator.post("/v1/tenants", &new(&one, "A")).await.expect(201);
    f.operator.post("/v1/tenants", &new(&two, "A")).await.expect(201);
    assert_eq!(f.operator.post("/v1/tenants", &new(&one, "B")).await.code(409), "external_id_taken");
    let found = f.operator.get(&format!("/v1/tenants?external_id=7&parent_id={one}")).await.expect(200);
    assert_eq!(found["items"].as_array().unwrap(), &[first]);
}

async fn f9_names_are_reserved_or_normalised(f: Arc<Fixture>) {
    let f = &f;
    let made = |name: String| async move {
        let body = json!({"name": name, "kind": "organization", "parent_id": f.root});
        f.operator.post("/v1/tenants", &body).await.status.as_u16()
    };
    for name in ["root", "Admin", ".", "..", "O1\u{200B}A", "\u{0410}cme"] {
        assert_eq!(made(name.into()).await, 422, "{name:?}");
    }
    assert_eq!(made("x".repeat(1_000_000)).await, 422);
    assert_eq!(made("O1A".into()).await, 201);
    for twin in ["o1a", "O1A.", " O1A ", "Ｏ１Ａ"] {
        assert_eq!(made(twin.into()).await, 409, "{twin:?}");
    }
}

async fn lists_are_filtered_sorted_and_searched(f: Arc<Fixture>) {
    let partner = json!({"name": "Zeta Partner", "kind": "partner", "parent_id": f.root});
    let partner = f.operator.post("/v1/tenants", &partner).await.expect(201)["id"].as_str().unwrap().to_owned();
    for name in ["Müller Bank", "alpine Works", "Bank of Bern"] {
        f.operator
            .post("/v1/tenants", &json!({"name": name, "kind": "organization", "parent_id": partner}))
            .await
            .expect(201);
    }
    let f = &f;
    let list =
        |query: &'static str| async move { names(&f.operator.get(&format!("/v1/tenants?{query}")).await.expect(200)) };
    let set = |query: &'static str| async move {
        let mut found = list(query).await;
        found.sort();
        found
    };
    assert_eq!(list("kind=partner").await, ["Zeta Partner"]);
    assert_eq!(list("kind=organization&sort=name").await, ["alpine Works", "Bank of Bern", "Müller Bank"]);
    assert_eq!(list("sort=name&limit=2").await, ["alpine Works", "Bank of Bern"]);
    assert_eq!(set("q=BANK").await, ["Bank of Bern", "Müller Bank"], "ids of one millisecond have no order");
    assert_eq!(list("q=ban+ber").await, ["Bank of Bern"]);
    assert_eq!(list("q=ban&kind=partner").await, [""; 0]);
    assert_eq!(list("status=suspended").await, [""; 0]);
    let page = f.operator.get("/v1/tenants?q=bank&limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = f.operator.get(&format!("/v1/tenants?q=bank&limit=1&cursor={cursor}")).await.expect(200);
    let mut both = [names(&page), names(&rest)].concat();
    both.sort();
    assert_eq!((both, &rest["next_cursor"]), (vec!["Bank of Bern".to_owned(), "Müller Bank".to_owned()], &Value::Null));
    for bad in ["q=", "q=a+b+c+d+e", "q=bank&sort=name", "kind=galaxy", "parent_id=x", "external_id=", "sort=age"] {
        assert_eq!(f.operator.get(&format!("/v1/tenants?{bad}")).await.status, 422, "{bad}");
    }
}

/// F3.
async fn nobody_finds_what_is_beside_them(f: Arc<Fixture>) {
    let (one, _) = f.organization("Acme One").await;
    let (two, _) = f.organization("Acme Two").await;
    let known = json!({"name": "Secret Acme", "kind": "instance", "parent_id": two, "external_id": "7"});
    let hidden = f.operator.post("/v1/tenants", &known).await.expect(201)["id"].as_str().unwrap().to_owned();
    for reach in ["own", "beneath"] {
        let reader = json!({"name": reach, "grants": {"tenants": ["READ"]}, "reach": reach});
        let (_, reader) = f.application_with(&one, reader).await;
        for query in ["", "q=acme", "q=secret", "external_id=7", "sort=name", "kind=instance"] {
            let found = reader.get(&format!("/v1/tenants?{query}")).await.expect(200);
            let expected: &[&str] = if ["", "q=acme", "sort=name"].contains(&query) { &["Acme One"] } else { &[] };
            assert_eq!(names(&found), expected, "{query}");
        }
        let foreign = reader.get(&format!("/v1/tenants?parent_id={two}")).await;
        let nowhere = reader.get("/v1/tenants?parent_id=00000000-0000-7000-8000-000000000000").await;
        assert_eq!((foreign.status, foreign.text), (nowhere.status, nowhere.text));
        assert_eq!(reader.get(&format!("/v1/tenants/{hidden}")).await.status, 404);
    }
}

async fn a_tenant_is_not_moved(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (other, _) = f.organization("Other").await;
    let refused = f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"parent_id": other})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/parent_id");
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("stays"), "{refused}");
}

async fn a_tenant_is_suspended_and_taken_back(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let below = json!({"name": "West", "kind": "instance", "parent_id": org});
    let below = f.operator.post("/v1/tenants", &below).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (_, client) = f.application(&below, "Client", json!({"org.audits": ["READ"]})).await;
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    let (suspend, reactivate) = (format!("/v1/tenants/{org}/suspend"), format!("/v1/tenants/{org}/reactivate"));
    let first = f.operator.post(&suspend, &json!({})).await.expect(200);
    assert_eq!(first["status"], "suspended");
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
    let again = f.operator.post(&suspend, &json!({})).await;
    assert_eq!(again.header("etag"), Some("\"2\""));
    assert_eq!(again.expect(200), first, "again is a success");
    assert_eq!(f.operator.get(&format!("/v1/tenants/{below}")).await.expect(200)["status"], "active", "its own");
    let back = crate::fixture::send(f.operator.request(Method::POST, &reactivate)).await.expect(200);
    assert_eq!(back["status"], "active");
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
    let stale = f.operator.request(Method::POST, &suspend).header("If-Match", "\"1\"");
    assert_eq!(crate::fixture::send(stale).await.status, 412);
    let actions: Vec<_> = f.audit(&org).await.into_iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["tenant.reactivated", "tenant.suspended", "tenant.suspended", "tenant.created"]);
}

async fn a_trial_is_converted_once(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let trial = json!({"name": "Try", "kind": "instance", "parent_id": org, "trial": true, "trial_ends_at": "2030-01-01T00:00:00Z"});
    let id = f.operator.post("/v1/tenants", &trial).await.expect(201)["id"].as_str().unwrap().to_owned();
    let convert = format!("/v1/tenants/{id}/convert");
    for _ in 0..2 {
        let converted = f.operator.post(&convert, &json!({})).await.expect(200);
        assert_eq!((&converted["trial"], &converted["trial_ends_at"]), (&json!(false), &Value::Null));
    }
    let back = f.operator.patch(&format!("/v1/tenants/{id}"), &json!({"trial": true})).await.expect(422);
    assert!(back.to_string().contains("/convert"), "{back}");
    assert_eq!(f.operator.post(&format!("/v1/tenants/{org}/convert"), &json!({})).await.code(409), "not_an_instance");
}

async fn only_a_suspended_tenant_is_deleted(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let (_, client) = f.application(&org, "Client", json!({"org.audits": ["READ"]})).await;
    let path = format!("/v1/tenants/{org}");
    assert_eq!(f.operator.delete(&path).await.code(409), "tenant_not_suspended");
    f.operator.post(&format!("{path}/suspend"), &json!({})).await.expect(200);
    let leaving = f.operator.delete(&path).await.expect(202);
    assert_eq!(
        (leaving["status"].as_str(), leaving["purge_at"].as_str()),
        (Some("deleting"), Some("2027-02-14T08:00:00.000000Z"))
    );
    assert_eq!(f.operator.delete(&path).await.expect(202), leaving, "again is a success");
    assert_eq!(f.operator.post(&format!("{path}/suspend"), &json!({})).await.expect(200), leaving);
    assert_eq!(f.operator.patch(&path, &json!({"status": "deleting"})).await.status, 422);
    assert_eq!(client.verify("org.audits:READ").await.status, 401);
    assert_eq!(names(&f.operator.get("/v1/tenants?status=deleting").await.expect(200)), ["Acme"]);
    let back = f.operator.post(&format!("{path}/reactivate"), &json!({})).await.expect(200);
    assert_eq!((back["status"].as_str(), &back["purge_at"]), (Some("active"), &Value::Null));
    assert_eq!(client.verify("org.audits:READ").await.status, 204);
}

async fn nothing_is_made_beneath_what_is_being_deleted(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let child = json!({"name": "Part", "kind": "organization", "parent_id": org});
    let part = f.operator.post("/v1/tenants", &child).await.expect(201)["id"].as_str().unwrap().to_owned();
    f.operator.post(&format!("/v1/tenants/{org}/suspend"), &json!({})).await.expect(200);
    f.operator.delete(&format!("/v1/tenants/{org}")).await.expect(202);
    for parent in [&org, &part] {
        let below = json!({"name": "New", "kind": "instance", "parent_id": parent});
        assert_eq!(f.operator.post("/v1/tenants", &below).await.code(409), "tenant_deleting");
    }
}

async fn the_own_tenant_is_managed_from_above(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let rights = json!({"tenants": ["CREATE", "READ", "UPDATE", "DELETE"]});
    let admin = json!({"name": "Manager", "grants": rights, "reach": "beneath"});
    let (_, admin) = f.application_with(&org, admin).await;
    let path = format!("/v1/tenants/{org}");
    for verb in ["suspend", "reactivate", "convert"] {
        assert_eq!(admin.post(&format!("{path}/{verb}"), &json!({})).await.code(403), "forbidden", "{verb}");
    }
    assert_eq!(admin.delete(&path).await.code(403), "forbidden");
    for member in ["external_id", "user_limit", "endpoint_limit", "trial_ends_at"] {
        let refused = admin.patch(&path, &json!({member: null})).await.expect(403);
        assert!(refused["detail"].as_str().unwrap().contains(member), "{refused}");
    }
    admin.patch(&path, &json!({"email": "ops@acme.example", "mfa_required": "totp"})).await.expect(200);
    let root = format!("/v1/tenants/{}", f.root);
    assert_eq!(f.operator.post(&format!("{root}/suspend"), &json!({})).await.code(403), "forbidden");
    assert_eq!(f.operator.delete(&root).await.code(403), "forbidden");
}
