//! People of organisations: made, listed, found, disabled, and back again.

use super::provisioning::{Partner, partner};
use super::text;
use crate::fixture::{Answer, Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person, session, user};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    people_are_made_and_found,
    people_are_disabled_and_come_back,
    what_cannot_be_made_is_refused,
    the_window_of_a_list_can_be_chosen,
    others_people_are_not_there,
    the_mightier_are_not_touched,
];

const CREATE: &str = "/app/partner/instances/users/create";
const INFO: &str = "/app/partner/users/info";
const DISABLE: &str = "/app/partner/users/disable";

async fn create(p: &Partner, instance: &str, username: &str) -> Answer {
    let fields = [("instance_id", instance), ("username", username), ("FirstName", "Ada"), ("last_name", "Lovelace")];
    p.form(Method::POST, CREATE, &fields).await
}

async fn list(p: &Partner) -> Vec<Value> {
    p.get(INFO).await.expect(200).as_array().unwrap().clone()
}

async fn people_are_made_and_found(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let made = create(&p, &p.org, "Ada@Example.com").await.expect(200);
    let expected = json!({
        "id": made["id"], "username": "Ada@Example.com", "first_name": "Ada", "last_name": "Lovelace", "enabled": "1",
        "instance_id": p.org,
    });
    assert_eq!(made, expected);
    let at_root = create(&p, &p.id, "bob@example.com").await.expect(200);
    for place in [INFO.to_owned(), format!("{INFO}/")] {
        let all = p.get(&place).await.expect(200);
        let mut all = all.as_array().unwrap().clone();
        all.sort_by_key(|one| text(one, "username"));
        assert_eq!(all, [made.clone(), at_root.clone()]);
    }
    for reference in [text(&made, "id"), "ada@example.com".into(), "ADA@EXAMPLE.COM".into()] {
        assert_eq!(p.get(&format!("{INFO}/{reference}")).await.expect(200), json!([made]), "{reference}");
    }
    // Whoever hands nothing out that reads everything gives no role.
    let native = f.operator.get(&format!("/v1/tenants/{}/users/{}", p.org, text(&made, "id"))).await.expect(200);
    assert_eq!((&native["access_level_ids"], &native["status"]), (&json!([]), &json!("invited")));
    let level = built_in(&f, SUPER_ADMIN).await;
    let body = json!({"name": "Mighty", "access_level_id": level, "reach": "beneath"});
    let (_, client) = f.application_with(&p.id, body).await;
    let token = text(&super::login(&client).await, "access_token");
    let mighty = Partner { client, token, ..p };
    let made = create(&mighty, &mighty.org, "eve@example.com").await.expect(200);
    let native = f.operator.get(&format!("/v1/tenants/{}/users/{}", mighty.org, text(&made, "id"))).await.expect(200);
    assert_eq!(native["access_level_ids"], json!([built_in(&f, "View All").await]), "it sees what is beneath");
    assert_eq!(native["reach"], "beneath");
}

async fn people_are_disabled_and_come_back(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let made = create(&p, &p.org, "ada@example.com").await.expect(200);
    let id = text(&made, "id");
    let (_, cookie) = session(&f, &p.org, &id).await;
    let me = async || {
        let request =
            f.operator.bare(Method::GET, "/v1/me").header("cookie", format!("__Host-claviger_session={cookie}"));
        crate::fixture::send(request).await.status.as_u16()
    };
    assert_eq!(me().await, 200);
    let mut expected = made.clone();
    expected["enabled"] = json!("0");
    for reference in [id.as_str(), "ada@example.com"] {
        let disabled = p.form(Method::PATCH, DISABLE, &[("user_id", reference)]).await.expect(200);
        assert_eq!(disabled, json!([expected]), "{reference}");
        assert_eq!(me().await, 401);
    }
    assert_eq!(list(&p).await, [expected]);
    assert_eq!(create(&p, &p.org, "ADA@example.com").await.expect(200), made, "the same one");
    assert_eq!(create(&p, &p.org, "ada@example.com").await.expect(200), made, "and again");
    assert_eq!(me().await, 401, "its sessions have ended for good");
    let told = f.audit(&p.org).await;
    let told: Vec<_> =
        told.iter().filter_map(|entry| entry["action"].as_str()).filter(|one| one.starts_with("user.")).collect();
    assert_eq!(told, ["user.enabled", "user.disabled", "user.disabled", "user.created"]);
}

async fn what_cannot_be_made_is_refused(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    assert_eq!(create(&p, &p.instance, "ada@example.com").await.expect(400)["error"], "not_an_organization");
    for (instance, username, error) in [
        (p.org.as_str(), "ada", "invalid_request"),
        (&p.org, "", "invalid_request"),
        (&f.root, "ada@example.com", "instance_not_found"),
        ("nothing", "ada@example.com", "instance_not_found"),
    ] {
        assert_eq!(create(&p, instance, username).await.expect(400)["error"], error, "{instance} {username}");
    }
    let (elsewhere, _) = f.organization("Elsewhere").await;
    user(&f, &elsewhere, "taken@example.com", &[]).await;
    assert_eq!(create(&p, &p.org, "taken@example.com").await.expect(400)["error"], "conflict");
    for path in [format!("{INFO}/nobody@example.com"), format!("{INFO}/01890000-0000-7000-8000-000000000000")] {
        assert_eq!(p.get(&path).await.expect(400)["error"], "user_not_found");
    }
    assert_eq!(p.form(Method::PATCH, DISABLE, &[("user_id", "nobody")]).await.expect(400)["error"], "user_not_found");
    assert_eq!(p.form(Method::PATCH, DISABLE, &[]).await.expect(400)["error"], "invalid_request");
}

async fn the_window_of_a_list_can_be_chosen(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    for number in 0..5 {
        create(&p, &p.org, &format!("user{number}@example.com")).await.expect(200);
    }
    let all = list(&p).await;
    assert_eq!(all.len(), 5);
    for (limit, offset, expected) in
        [("2", "0", &all[..2]), ("2", "3", &all[3..]), ("10", "9", &all[5..]), ("0", "0", &all[..0])]
    {
        let path = format!("{INFO}?limit={limit}&offset={offset}");
        assert_eq!(p.get(&path).await.expect(200).as_array().unwrap(), expected);
        let by_form = p.form(Method::GET, INFO, &[("limit", limit), ("offset", offset)]).await.expect(200);
        assert_eq!(by_form.as_array().unwrap(), expected);
    }
    for bad in ["limit=-1", "limit=many", "offset=-1", "limit=1001"] {
        assert_eq!(p.get(&format!("{INFO}?{bad}")).await.expect(400)["error"], "invalid_request", "{bad}");
    }
}

async fn others_people_are_not_there(f: Arc<Fixture>) {
    let (p, other) = (partner(&f, "Partner").await, partner(&f, "Other").await);
    let theirs = create(&other, &other.org, "eve@example.com").await.expect(200);
    let nobody = "01890000-0000-7000-8000-000000000000";
    let mut bodies = Vec::new();
    for reference in [text(&theirs, "id").as_str(), "eve@example.com", nobody, "nobody@example.com"] {
        bodies.push(p.get(&format!("{INFO}/{reference}")).await.expect(400));
        bodies.push(p.form(Method::PATCH, DISABLE, &[("user_id", reference)]).await.expect(400));
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert!(list(&p).await.is_empty());
    assert_eq!(list(&other).await, [theirs]);
}

/// G6.
async fn the_mightier_are_not_touched(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    let boss = person(&f, &p.org, "boss@example.com", &[&owner]).await;
    let refused = p.form(Method::PATCH, DISABLE, &[("user_id", &boss.id)]).await.expect(403);
    assert_eq!(refused["error"], "access_denied");
    assert_eq!(boss.get("/v1/me").await.status, 200);
}
