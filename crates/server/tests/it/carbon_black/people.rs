//! Users, grants and profiles as clients of this family know them, and what they come to when the people call.

use crate::fixture::{Answer, Client, Fixture, on_both, send};
use crate::people::{SUPER_ADMIN, built_in, person, session, user};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    users_are_registered_listed_and_changed,
    what_cannot_be_registered_says_so,
    grants_come_and_go,
    a_profile_counts_while_its_conditions_hold,
    a_profile_for_the_organization_does_not_reach_beneath,
    nobody_grants_above_their_own_rights,
    roles_that_can_be_given_are_listed,
    other_organizations_people_are_missing,
    the_last_owner_keeps_its_grant,
];

const VIEW_ALL: &str = "psc:role::BETA_VIEW_ALL";

/// An organisation and an application of it that manages its people.
struct Org {
    id: String,
    key: String,
    client: Client,
}

impl Org {
    async fn new(f: &Fixture, name: &str) -> Self {
        let (id, key) = f.organization(name).await;
        let level = built_in(f, SUPER_ADMIN).await;
        let body = json!({"name": "Manager", "access_level_id": level, "reach": "beneath"});
        let (_, client) = f.application_with(&id, body).await;
        Self { id, key, client }
    }

    fn users(&self) -> String {
        format!("/appservices/v6/orgs/{}/users", self.key)
    }

    fn grants(&self) -> String {
        format!("/access/v2/orgs/{}/grants", self.key)
    }

    fn urn(&self) -> String {
        format!("psc:org:{}", self.key)
    }

    /// A user who has signed in: number, id and cookie.
    async fn signed_in(&self, f: &Fixture, email: &str) -> (i64, String, String) {
        let id = user(f, &self.id, email, &[]).await;
        let (_, cookie) = session(f, &self.id, &id).await;
        let read = f.operator.get(&format!("/v1/tenants/{}/users/{id}", self.id)).await.expect(200);
        (read["number"].as_i64().unwrap(), id, cookie)
    }

    fn principal(&self, number: i64) -> String {
        format!("psc:user:{}:{number}", self.key)
    }

    fn profile(&self, conditions: &Value) -> Value {
        json!({"orgs": {"allow": [self.urn()]}, "roles": [VIEW_ALL], "conditions": conditions})
    }
}

/// What a session of a person may see, by status.
async fn as_person(f: &Fixture, cookie: &str, path: &str) -> u16 {
    let request = f.operator.bare(Method::GET, path).header("cookie", format!("__Host-claviger_session={cookie}"));
    send(request).await.status.as_u16()
}

async fn users_are_registered_listed_and_changed(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let new = json!({
        "org_id": 0, "role": "DEPRECATED", "auth_method": "PASSWORD", "email": "ada@example.com",
        "first_name": "Ada", "last_name": "Lovelace", "role_urn": VIEW_ALL,
    });
    let made = org.client.post(&org.users(), &new).await.expect(200);
    assert_eq!(
        made,
        json!({"password": null, "success": true, "login_id": null, "message": "Success", "registration_status": "SUCCESS"})
    );
    let none = org.client.get(&org.users()).await.expect(200);
    assert_eq!(none, json!({"success": true, "message": "Success", "users": []}), "invited, and not there yet");
    let native = org.client.get(&format!("/v1/tenants/{}/users", org.id)).await.expect(200);
    let id = native["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(native["items"][0]["reach"], "own");
    session(&f, &org.id, &id).await;
    let listed = org.client.get(&org.users()).await.expect(200)["users"][0].clone();
    let number = listed["login_id"].as_i64().unwrap();
    for (member, value) in [
        ("org_key", json!(org.key)),
        ("auth_method", json!("PASSWORD")),
        ("login_name", json!("ada@example.com")),
        ("email", json!("ada@example.com")),
        ("last_name", json!("Lovelace")),
        ("phone", json!("")),
        ("role", json!("DEPRECATED")),
    ] {
        assert_eq!(listed[member], value, "{member}");
    }
    for member in ["org_id", "admin_login_version", "org_admin_version", "contact_id", "contact_version"] {
        assert!(listed[member].is_i64(), "{member}");
    }
    let mut sent = listed.clone();
    (sent["phone"], sent["last_name"]) = (json!("+44 20"), json!("King"));
    let place = format!("{}/{number}", org.users());
    let changed = org.client.put(&place, &sent).await.expect(200);
    assert_eq!((&changed["phone"], &changed["last_name"]), (&json!("+44 20"), &json!("King")));
    let other = json!({"email": "eve@example.com", "login_id": number});
    assert_eq!(org.client.put(&place, &other).await.expect(400)["field"], "email");
    assert_eq!(org.client.put(&place, &json!({"login_id": number + 1})).await.expect(400)["field"], "login_id");
    assert_eq!(org.client.put(&place, &json!({"admin": true})).await.expect(400)["property_name"], "admin");
    assert_eq!(org.client.delete(&place).await.status, 204);
    assert_eq!(org.client.delete(&place).await.expect(404)["error_code"], "NOT_FOUND");
    let told = f.audit(&org.id).await;
    let told: Vec<_> =
        told.iter().filter_map(|entry| entry["action"].as_str()).filter(|action| action.starts_with("user.")).collect();
    assert_eq!(told, ["user.deleted", "user.updated", "user.created"]);
}

async fn what_cannot_be_registered_says_so(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let new = |email: &str| json!({"org_id": 0, "role": "DEPRECATED", "auth_method": "PASSWORD", "email": email});
    org.client.post(&org.users(), &new("ada@example.com")).await.expect(200);
    let twice = org.client.post(&org.users(), &new("ADA@example.com")).await.expect(200);
    assert_eq!((&twice["registration_status"], &twice["success"]), (&json!("ERROR"), &json!(false)));
    for (member, value, field) in [
        ("email", json!("nobody"), "email"),
        ("auth_method", json!("SAML"), "auth_method"),
        ("role_urn", json!("psc:role::NO_SUCH"), "role_urn"),
        ("phone", json!(7), "phone"),
        ("profiles", json!([{"orgs": {"allow": ["psc:org:OTHER"]}, "roles": [VIEW_ALL]}]), "profiles[0].orgs.allow"),
    ] {
        let mut body = new("eve@example.com");
        body[member] = value;
        assert_eq!(org.client.post(&org.users(), &body).await.expect(400)["field"], field, "{member}");
    }
}

async fn grants_come_and_go(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let (number, id, _) = org.signed_in(&f, "ada@example.com").await;
    let principal = org.principal(number);
    let place = format!("{}/{principal}", org.grants());
    assert_eq!(org.client.get(&place).await.expect(404)["error_code"], "NOT_FOUND");
    let asked = json!([{"principal": principal, "org_ref": org.urn()}]);
    let fetched = |answer: Answer| answer.expect(200)["results"].as_array().unwrap().clone();
    assert!(fetched(org.client.post("/access/v2/grants/_fetch", &asked).await).is_empty());
    let new = json!({
        "principal": principal, "org_ref": org.urn(), "principal_name": "Ada", "roles": [VIEW_ALL], "profiles": [],
    });
    let made = org.client.post(&org.grants(), &new).await.expect(200);
    assert_eq!(
        (&made["principal"], &made["roles"], &made["expires"]),
        (&json!(principal), &json!([VIEW_ALL]), &json!(0))
    );
    assert_eq!((&made["org_ref"], &made["can_manage"]), (&json!(org.urn()), &json!(true)));
    for member in ["created_by", "updated_by", "create_time", "update_time"] {
        assert!(made[member].is_string(), "{member}");
    }
    assert_eq!(org.client.get(&place).await.expect(200), made);
    assert_eq!(fetched(org.client.post("/access/v2/grants/_fetch", &asked).await), std::slice::from_ref(&made));
    assert_eq!(org.client.post(&org.grants(), &new).await.expect(409)["error_code"], "CONFLICT");
    // What the native API shows is the same.
    let native = org.client.get(&format!("/v1/tenants/{}/users/{id}", org.id)).await.expect(200);
    assert_eq!(native["access_level_ids"], json!([built_in(&f, "View All").await]));

    let profiles = format!("{place}/profiles");
    let wanted = org.profile(&json!({"cidr": ["192.0.2.0/24"], "expiration": "20991031T12:34:56", "disabled": true}));
    let profile = org.client.post(&profiles, &wanted).await.expect(200);
    assert_eq!(
        profile["conditions"],
        json!({"cidr": ["192.0.2.0/24"], "expiration": "2099-10-31T12:34:56.000Z", "disabled": true})
    );
    assert_eq!(profile["orgs"], json!({"allow": [org.urn()], "deny": []}));
    let seen = org.client.get(&format!("/v1/tenants/{}/users/{id}/access-profiles", org.id)).await.expect(200);
    assert_eq!(seen["items"][0]["networks"], json!(["192.0.2.0/24"]));
    assert_eq!((&seen["items"][0]["id"], &seen["items"][0]["disabled"]), (&profile["profile_uuid"], &json!(true)));
    let mut sent = made.clone();
    (sent["roles"], sent["profiles"]) = (json!([]), json!([profile]));
    sent["profiles"][0]["conditions"] = json!({"cidr": [], "expiration": 0, "disabled": false});
    let changed = org.client.put(&place, &sent).await.expect(200);
    assert_eq!((&changed["roles"], &changed["profiles"][0]["profile_uuid"]), (&json!([]), &profile["profile_uuid"]));
    assert_eq!(changed["profiles"][0]["conditions"], json!({"cidr": null, "expiration": 0, "disabled": false}));
    let one = format!("{profiles}/{}", profile["profile_uuid"].as_str().unwrap());
    let narrowed = org.client.put(&one, &wanted).await.expect(200);
    assert_eq!(narrowed, profile);
    assert_eq!(org.client.delete(&one).await.expect(200), profile);
    assert_eq!(org.client.delete(&one).await.expect(404)["error_code"], "NOT_FOUND");
    assert_eq!(org.client.put(&one, &wanted).await.expect(404)["error_code"], "NOT_FOUND");
    for (body, field) in [
        (json!({"principal": "psc:user:OTHER:1"}), "principal"),
        (json!({"expires": 1_800_000_000}), "expires"),
        (json!({"org_ref": "psc:org:OTHER"}), "org_ref"),
        (json!({"roles": ["psc:role:OTHER:ADMIN"]}), "roles[0]"),
        (json!({"profiles": [{"orgs": {"allow": [org.urn()], "deny": ["psc:org:X"]}}]}), "profiles[0].orgs.deny"),
        (json!({"profiles": [{"orgs": {"allow": []}}]}), "profiles[0].orgs.allow"),
        (json!({"profiles": [org.profile(&json!({"cidr": ["10.0.0.1/8"]}))]}), "profiles[0].conditions.cidr/0"),
        (json!({"profiles": [org.profile(&json!({"expiration": "soon"}))]}), "profiles[0].conditions.expiration"),
    ] {
        let refused = org.client.put(&place, &body).await.expect(400);
        assert_eq!(refused["field"], field, "{body} {refused}");
    }
    assert_eq!(org.client.delete(&place).await.expect(200)["principal"], json!(principal));
    assert_eq!(org.client.get(&place).await.status, 404);
    assert_eq!(org.client.delete(&place).await.status, 404);
    assert_eq!(org.client.post(&profiles, &wanted).await.status, 404);
}

async fn a_profile_counts_while_its_conditions_hold(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let (number, id, cookie) = org.signed_in(&f, "ada@example.com").await;
    let (place, path) = (format!("{}/{}", org.grants(), org.principal(number)), format!("/v1/tenants/{}", org.id));
    let new = json!({"principal": org.principal(number), "profiles": [org.profile(&json!({}))]});
    let made = org.client.post(&org.grants(), &new).await.expect(200);
    assert_eq!(as_person(&f, &cookie, &path).await, 200);
    let one = format!("{place}/profiles/{}", made["profiles"][0]["profile_uuid"].as_str().unwrap());
    let end = f.app.clock().now().plus_seconds(60).to_string();
    for (conditions, status) in [
        (json!({"disabled": true}), 403),
        (json!({"disabled": false}), 200),
        (json!({"cidr": ["198.51.100.0/24"]}), 403),
        (json!({"cidr": ["198.51.100.0/24", "127.0.0.0/8"]}), 200),
        (json!({"expiration": "2020-01-01T00:00:00Z"}), 403),
        (json!({"expiration": end}), 200),
    ] {
        org.client.put(&one, &org.profile(&conditions)).await.expect(200);
        assert_eq!(as_person(&f, &cookie, &path).await, status, "{conditions}");
    }
    f.app.clock().advance(60);
    assert_eq!(as_person(&f, &cookie, &path).await, 403, "it has expired");
    // The level cannot go while a profile names it, and the user counts as one who holds it.
    let level = json!({"name": "Night", "description": "", "grants": {"tenants": ["READ"]}});
    let level = org.client.post(&format!("/v1/tenants/{}/access-levels", org.id), &level).await.expect(201);
    let mut wanted = org.profile(&json!({"disabled": true}));
    wanted["roles"] = json!([format!("psc:role:{}:NIGHT", org.key)]);
    org.client.put(&one, &wanted).await.expect(200);
    let level = format!("/v1/tenants/{}/access-levels/{}", org.id, level["id"].as_str().unwrap());
    assert_eq!(org.client.delete(&level).await.code(409), "access_level_in_use");
    assert_eq!(org.client.delete(&place).await.status, 200);
    assert_eq!(org.client.delete(&level).await.status, 204);
    assert_eq!(org.client.delete(&format!("/v1/tenants/{}/users/{id}", org.id)).await.status, 204);
}

async fn a_profile_for_the_organization_does_not_reach_beneath(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let child = json!({"name": "Child", "kind": "organization", "parent_id": org.id});
    let child = f.operator.post("/v1/tenants", &child).await.expect(201);
    let child = format!("/v1/tenants/{}", child["id"].as_str().unwrap());
    let (number, _, cookie) = org.signed_in(&f, "ada@example.com").await;
    let place = format!("{}/{}", org.grants(), org.principal(number));
    let mut new = json!({"principal": org.principal(number), "profiles": [org.profile(&json!({}))]});
    org.client.post(&org.grants(), &new).await.expect(200);
    assert_eq!(as_person(&f, &cookie, &child).await, 404);
    let beneath = format!("{}:CHILDREN", org.urn());
    new["profiles"][0]["orgs"]["allow"] = json!([org.urn(), beneath]);
    org.client.put(&place, &new).await.expect(200);
    assert_eq!(as_person(&f, &cookie, &child).await, 200);
    // What reaches less narrows everything: nobody gets more than a profile says by another one.
    new["profiles"] = json!([new["profiles"][0], org.profile(&json!({}))]);
    assert!(org.client.put(&place, &new).await.expect(400)["message"].as_str().unwrap().contains("equally far"));
    new["profiles"] = json!([org.profile(&json!({}))]);
    new["profiles"][0]["orgs"]["allow"] = json!([beneath]);
    assert_eq!(org.client.put(&place, &new).await.expect(400)["field"], "profiles[0].orgs.allow");
}

/// G5.
async fn nobody_grants_above_their_own_rights(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let rights = json!({"users": ["CREATE", "READ", "UPDATE", "DELETE"], "access-levels": ["READ"]});
    let (_, small) = f.application_with(&org.id, json!({"name": "Small", "grants": rights, "reach": "own"})).await;
    let (number, _, _) = org.signed_in(&f, "ada@example.com").await;
    let place = format!("{}/{}", org.grants(), org.principal(number));
    let new = json!({"principal": org.principal(number), "roles": [VIEW_ALL]});
    assert_eq!(small.post(&org.grants(), &new).await.expect(403)["error_code"], "FORBIDDEN");
    let disabled = json!({"principal": org.principal(number), "profiles": [org.profile(&json!({"disabled": true}))]});
    assert_eq!(small.post(&org.grants(), &disabled).await.status, 403, "nor what counts later");
    let registered = json!({"email": "eve@example.com", "role_urn": VIEW_ALL});
    assert_eq!(small.post(&org.users(), &registered).await.status, 403);
    let registered = json!({"email": "eve@example.com", "profiles": [org.profile(&json!({}))]});
    assert_eq!(small.post(&org.users(), &registered).await.status, 403);
    // And nobody touches whoever has more by a profile, on either door.
    let made = org.client.post(&org.grants(), &disabled).await.expect(200);
    assert_eq!(small.get(&place).await.expect(200)["can_manage"], false);
    let one = format!("{place}/profiles/{}", made["profiles"][0]["profile_uuid"].as_str().unwrap());
    for (method, path) in [(Method::DELETE, &place), (Method::DELETE, &one)] {
        assert_eq!(send(small.request(method, path)).await.status, 403, "{path}");
    }
    assert_eq!(small.delete(&format!("{}/{number}", org.users())).await.status, 403);
    assert_eq!(small.put(&format!("{}/{number}", org.users()), &json!({})).await.status, 403);
}

async fn roles_that_can_be_given_are_listed(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let level = json!({"name": "Night shift", "description": "Nights", "grants": {"users": ["READ"]}});
    org.client.post(&format!("/v1/tenants/{}/access-levels", org.id), &level).await.expect(201);
    let path = |client: &Client| {
        format!("/access/v3/orgs/{}/principals/{}/roles/permitted?type=USER", org.key, client.client_id)
    };
    let urns = |body: &Value, key: &str| -> Vec<String> {
        body["results"][key].as_array().unwrap().iter().map(|role| role["urn"].as_str().unwrap().to_owned()).collect()
    };
    let all = org.client.get(&path(&org.client)).await.expect(200);
    let own = format!("psc:role:{}:NIGHT_SHIFT", org.key);
    for key in [org.key.clone(), format!("{}:CHILDREN", org.key)] {
        assert!(urns(&all, &key).contains(&own) && urns(&all, &key).contains(&VIEW_ALL.to_owned()), "{key}");
    }
    let rights = json!({"users": ["READ"], "access-levels": ["READ"]});
    let (_, small) = f.application_with(&org.id, json!({"name": "Small", "grants": rights, "reach": "own"})).await;
    let few = small.get(&path(&small)).await.expect(200);
    assert_eq!(urns(&few, &org.key), [own]);
    assert!(urns(&few, &format!("{}:CHILDREN", org.key)).is_empty());
    assert_eq!(small.get(&path(&org.client)).await.status, 404, "another key's");
}

/// F2.
async fn other_organizations_people_are_missing(f: Arc<Fixture>) {
    let (org, other) = (Org::new(&f, "Acme").await, Org::new(&f, "Other").await);
    let (theirs, _, _) = other.signed_in(&f, "eve@example.com").await;
    let new = json!({"principal": other.principal(theirs), "roles": [VIEW_ALL]});
    other.client.post(&other.grants(), &new).await.expect(200);
    let nobody = theirs + 1_000;
    for (method, own, none, body) in [
        (Method::PUT, format!("{}/{theirs}", org.users()), format!("{}/{nobody}", org.users()), json!({})),
        (Method::DELETE, format!("{}/{theirs}", org.users()), format!("{}/{nobody}", org.users()), json!({})),
        (Method::GET, org.principal(theirs), org.principal(nobody), json!({})),
        (Method::GET, other.principal(theirs), other.principal(nobody), json!({})),
        (Method::DELETE, other.principal(theirs), other.principal(nobody), json!({})),
        (Method::PUT, other.principal(theirs), other.principal(nobody), json!({})),
    ] {
        let path = |place: String| if place.starts_with('/') { place } else { format!("{}/{place}", org.grants()) };
        let there = send(org.client.request(method.clone(), &path(own)).json(&body)).await;
        let nowhere = send(org.client.request(method.clone(), &path(none.clone())).json(&body)).await;
        assert_eq!((there.status.as_u16(), &there.text), (404, &nowhere.text), "{method} {none}");
    }
    for path in [other.users(), other.grants()] {
        let body = json!({"email": "x@example.com"});
        let there = org.client.post(&path, &body).await;
        let nowhere = org.client.post(&path.replace(&other.key, "NOSUCHORG"), &body).await;
        assert_eq!((there.status.as_u16(), &there.text), (404, &nowhere.text), "{path}");
    }
    let asked = json!([
        {"principal": other.principal(theirs), "org_ref": other.urn()},
        {"principal": org.principal(theirs), "org_ref": org.urn()},
    ]);
    let found = org.client.post("/access/v2/grants/_fetch", &asked).await.expect(200);
    assert_eq!(found, json!({"results": []}));
}

/// G7.
async fn the_last_owner_keeps_its_grant(f: Arc<Fixture>) {
    let org = Org::new(&f, "Acme").await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    let first = person(&f, &org.id, "ada@example.com", &[&owner]).await;
    let read = f.operator.get(&first.path()).await.expect(200);
    let place = format!("{}/{}", org.grants(), org.principal(read["number"].as_i64().unwrap()));
    assert_eq!(org.client.delete(&place).await.expect(409)["error_code"], "CONFLICT");
    person(&f, &org.id, "bob@example.com", &[&owner]).await;
    assert_eq!(org.client.delete(&place).await.status, 200);
    assert_eq!(as_person(&f, &first.cookie, &format!("/v1/tenants/{}", org.id)).await, 403, "at once");
}
