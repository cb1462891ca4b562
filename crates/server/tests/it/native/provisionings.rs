//! Provisioning.

use crate::fixture::{Answer, Fixture, on_both, send};
use claviger_domain::id::{ProvisioningId, TenantId};
use claviger_domain::provisioning::Progress;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

on_both![
    a_tenant_comes_with_its_first_application,
    the_first_secret_is_claimed_once,
    a_first_secret_lapses,
    what_has_failed_is_taken_up_again,
    f13_the_same_order_is_done_once,
    f13_parallel_orders_make_one_tenant,
    nothing_stands_beneath_what_is_not_complete,
    nobody_hands_out_more_than_they_have,
    orders_are_checked_before_anything_is_made,
    others_see_nothing_of_it
];

fn order(name: &str) -> Value {
    json!({
        "tenant": {"name": name, "kind": "organization", "external_id": name, "country": "CHE", "mfa_required": "totp"},
        "application": {"name": "First", "grants": {"org.audits": ["READ"]}, "reach": "beneath"},
    })
}

pub(crate) async fn complete(f: &Fixture, path: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let job = f.operator.get(path).await.expect(200);
        if job["status"] == "complete" || job["status"] == "failed" {
            return job;
        }
        assert!(Instant::now() < deadline, "never complete: {job}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

async fn provision(f: &Fixture, body: &Value) -> (String, Value) {
    let answer = f.operator.post(&format!("/v1/tenants/{}/provisionings", f.root), body).await;
    let place = answer.header("location").unwrap().to_owned();
    (place, answer.expect(202))
}

async fn a_tenant_comes_with_its_first_application(f: Arc<Fixture>) {
    let (place, accepted) = provision(&f, &order("Acme")).await;
    assert_eq!((&accepted["status"], &accepted["steps"][0]["status"]), (&json!("queued"), &json!("complete")));
    let tenant = text(&accepted["tenant_id"]);
    let job = complete(&f, &place).await;
    assert_eq!((&job["status"], &job["error"], &job["secret"]), (&json!("complete"), &Value::Null, &json!("waiting")));
    let steps: Vec<_> = job["steps"].as_array().unwrap().iter().map(|step| text(&step["step"])).collect();
    assert_eq!(steps, ["tenant", "application"]);
    let made = f.operator.get(&format!("/v1/tenants/{tenant}")).await.expect(200);
    assert_eq!(
        (&made["provisioning"], &made["country"], &made["external_id"]),
        (&Value::Null, &json!("CH"), &json!("Acme"))
    );
    let application = text(&job["application_id"]);
    let application = f.operator.get(&format!("/v1/tenants/{tenant}/applications/{application}")).await.expect(200);
    assert_eq!((&application["name"], &application["reach"]), (&json!("First"), &json!("beneath")));
    let actions: Vec<_> = f.audit(&tenant).await.iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions, ["application.created", "tenant.created"]);
    let actor = &f.audit(&tenant).await[0]["actor"];
    assert_eq!(actor["id"], f.operator.client_id.as_str(), "whoever asked for it");
    let list = f.operator.get(&format!("/v1/tenants/{}/provisionings", f.root)).await.expect(200);
    assert_eq!(list["items"], json!([job]));
    let alone = json!({"tenant": {"name": "Alone", "kind": "partner"}});
    let (_, alone) = provision(&f, &alone).await;
    assert_eq!(
        (&alone["status"], &alone["secret"]),
        (&json!("complete"), &json!("none")),
        "there is nothing else to do"
    );
}

async fn the_first_secret_is_claimed_once(f: Arc<Fixture>) {
    let (place, accepted) = provision(&f, &order("Acme")).await;
    complete(&f, &place).await;
    let claim = format!("{place}/secret");
    let keyed = || f.operator.request(Method::POST, &claim).header("Idempotency-Key", "once");
    let answer = send(keyed()).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let claimed = answer.expect(200);
    let secret = text(&claimed["secret"]["text"]);
    assert_eq!((&claimed["secret"]["temporary"], &claimed["application_id"].is_string()), (&json!(true), &true));
    let again = send(keyed()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(200)["secret"]["text"], Value::Null);
    let late: Answer = f.operator.post(&claim, &json!({})).await;
    assert_eq!(late.code(410), "secret_claimed");
    assert_eq!(f.operator.get(&place).await.expect(200)["secret"], "claimed");
    let first = f.client(&text(&claimed["client_id"]), &secret);
    assert_eq!(first.get("/v1/whoami").await.code(401), "secret_temporary");
    let regen = first.bare(Method::POST, "/app/partner/login/regen-pass");
    let form = format!("username={}&password={}", first.client_id, first.secret);
    let regen = regen.header("content-type", "application/x-www-form-urlencoded").body(form);
    let new = send(regen).await.expect(200);
    let new = f.client(&first.client_id, &text(&new["newPass"]));
    assert_eq!(new.verify("org.audits:READ").await.status, 204);
    let tenant = text(&accepted["tenant_id"]);
    for entry in f.audit(&tenant).await {
        assert!(!entry.to_string().contains(&secret), "{entry}");
    }
}

async fn a_first_secret_lapses(f: Arc<Fixture>) {
    let (place, _) = provision(&f, &order("Acme")).await;
    let job = complete(&f, &place).await;
    let mut replaced = order("Other");
    replaced["tenant"]["external_id"] = json!("Other");
    let (other, accepted) = provision(&f, &replaced).await;
    let other_job = complete(&f, &other).await;
    let (tenant, application) = (text(&accepted["tenant_id"]), text(&other_job["application_id"]));
    f.operator
        .post(&format!("/v1/tenants/{tenant}/applications/{application}/regenerate"), &json!({}))
        .await
        .expect(200);
    assert_eq!(f.operator.post(&format!("{other}/secret"), &json!({})).await.code(410), "secret_lapsed");
    f.app.clock().advance(7 * 86_400);
    assert_eq!(f.operator.get(&place).await.expect(200)["secret"], "lapsed");
    assert_eq!(f.operator.post(&format!("{place}/secret"), &json!({})).await.code(410), "secret_lapsed");
    assert!(job["secret_until"].is_string());
}

/// Makes it stand as if every step after the first had failed.
pub(crate) async fn fail(f: &Fixture, place: &str) {
    let (parent, id) = (TenantId::parse(&f.root).unwrap(), place.rsplit('/').next().unwrap());
    let mut tx = f.app.store().begin().await.unwrap();
    let mut job = tx.find_provisioning(parent, ProvisioningId::parse(id).unwrap()).await.unwrap().unwrap();
    (job.progress, job.error) = (Progress::Failed, Some("a name was taken".into()));
    for step in job.steps.iter_mut().skip(1) {
        (step.progress, step.made) = (Progress::Failed, None);
    }
    tx.update_provisioning(parent, &job).await.unwrap();
    tx.commit().await.unwrap();
}

async fn what_has_failed_is_taken_up_again(f: Arc<Fixture>) {
    let (place, accepted) = provision(&f, &order("Acme")).await;
    let job = complete(&f, &place).await;
    let retry = format!("{place}/retry");
    assert_eq!(f.operator.post(&retry, &json!({})).await.code(409), "provisioning_not_failed");
    let tenant = text(&accepted["tenant_id"]);
    let first = format!("/v1/tenants/{tenant}/applications/{}", text(&job["application_id"]));
    f.operator.delete(&first).await.expect(204);
    fail(&f, &place).await;
    for (name, rights) in [
        ("may make no application", json!({"tenants": ["CREATE", "READ"], "org.audits": ["READ"]})),
        ("has not the right itself", json!({"tenants": ["CREATE", "READ"], "applications": ["CREATE"]})),
    ] {
        let body = json!({"name": name, "grants": rights, "reach": "beneath"});
        let (_, weak) = f.application_with(&f.root, body).await;
        weak.post(&retry, &json!({})).await.code(403);
    }
    assert_eq!(f.operator.get(&place).await.expect(200)["status"], "failed");
    let taken_up = f.operator.post(&retry, &json!({})).await.expect(202);
    assert_eq!((&taken_up["id"], &taken_up["error"]), (&job["id"], &Value::Null));
    let job = complete(&f, &place).await;
    assert_eq!((&job["status"], &job["secret"]), (&json!("complete"), &json!("waiting")));
    assert_eq!(f.operator.post(&retry, &json!({})).await.code(409), "provisioning_not_failed");
}

async fn f13_the_same_order_is_done_once(f: Arc<Fixture>) {
    let (place, first) = provision(&f, &order("Acme")).await;
    let (again, second) = provision(&f, &order("Acme")).await;
    assert_eq!((&place, &first["tenant_id"]), (&again, &second["tenant_id"]));
    let mut other = order("Acme");
    other["tenant"]["name"] = json!("Acme 2");
    let path = format!("/v1/tenants/{}/provisionings", f.root);
    assert_eq!(f.operator.post(&path, &other).await.code(409), "external_id_taken");
    // Also where what the first order has made is in the way of another one: its administrator.
    let with_administrator = |name: &str| {
        let mut order = order("Staffed");
        order["tenant"]["name"] = json!(name);
        order["administrator"] = json!({"email": "ada@staffed.example"});
        order
    };
    let (staffed, _) = provision(&f, &with_administrator("Staffed")).await;
    complete(&f, &staffed).await;
    assert_eq!(f.operator.post(&path, &with_administrator("Renamed")).await.code(409), "external_id_taken");
    let mut twin = order("Acme");
    twin["tenant"]["external_id"] = json!("B");
    assert_eq!(f.operator.post(&path, &twin).await.code(409), "tenant_name_taken");
    let keyed = |body: Value| f.operator.request(Method::POST, &path).header("Idempotency-Key", "k").json(&body);
    let once = send(keyed(order("Keyed"))).await;
    let replay = send(keyed(order("Keyed"))).await;
    assert_eq!(replay.header("location"), once.header("location"));
    assert_eq!(replay.header("idempotency-replayed"), Some("true"));
    assert_eq!(send(keyed(order("Changed"))).await.status, 422);
    complete(&f, &place).await;
    let tenant = text(&first["tenant_id"]);
    let applications = f.operator.get(&format!("/v1/tenants/{tenant}/applications")).await.expect(200);
    assert_eq!(applications["items"].as_array().unwrap().len(), 1);
}

async fn f13_parallel_orders_make_one_tenant(f: Arc<Fixture>) {
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let f = Arc::clone(&f);
            tokio::spawn(async move {
                let mut body = order("Acme");
                if number % 2 == 1 {
                    body["tenant"]["name"] = json!(format!("Acme {number}"));
                }
                let path = format!("/v1/tenants/{}/provisionings", f.root);
                let answer = f.operator.post(&path, &body).await;
                (answer.status.as_u16(), answer.json())
            })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        let (status, body) = task.await.unwrap();
        assert!(status == 202 || status == 409, "{body}");
        made.extend((status == 202).then(|| text(&body["tenant_id"])));
    }
    made.dedup();
    assert_eq!(made.len(), 1, "all that were accepted are the same");
    let found = f.operator.get("/v1/tenants?external_id=Acme").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

async fn nothing_stands_beneath_what_is_not_complete(f: Arc<Fixture>) {
    let (place, accepted) = provision(&f, &order("Acme")).await;
    let tenant = text(&accepted["tenant_id"]);
    let below = json!({"name": "West", "kind": "instance", "parent_id": tenant});
    let early = f.operator.post("/v1/tenants", &below).await;
    if early.status != 201 {
        assert_eq!(early.code(409), "tenant_not_ready");
        complete(&f, &place).await;
        f.operator.post("/v1/tenants", &below).await.expect(201);
    }
}

/// G5.
async fn nobody_hands_out_more_than_they_have(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let grants = json!({"tenants": ["CREATE", "READ"], "applications": ["CREATE", "UPDATE"]});
    let (_, partner) = f.application_with(&org, json!({"name": "Partner", "grants": grants, "reach": "beneath"})).await;
    let path = format!("/v1/tenants/{org}/provisionings");
    let mut body = order("Below");
    let refused = partner.post(&path, &body).await.expect(403);
    assert_eq!(refused["missing_permission"], "org.audits:READ");
    body["application"]["grants"] = json!({"tenants": ["READ"]});
    let accepted = partner.post(&path, &body).await.expect(202);
    complete(&f, &format!("{path}/{}", text(&accepted["id"]))).await;
    assert_eq!(partner.post(&format!("{path}/{}/secret", text(&accepted["id"])), &json!({})).await.status, 200);
    let (_, maker) = f.application(&org, "Maker", json!({"tenants": ["CREATE"]})).await;
    let refused = maker.post(&path, &order("Other")).await.expect(403);
    assert_eq!(refused["missing_permission"], "applications:CREATE");
    let admin = json!({"name": "Narrow", "grants": {"tenants": ["CREATE", "READ"], "applications": ["CREATE"], "org.audits": ["READ"]}});
    let (_, narrow) = f.application_with(&org, admin).await;
    assert_eq!(narrow.post(&path, &order("Wide")).await.code(403), "forbidden", "a reach above its own");
}

async fn orders_are_checked_before_anything_is_made(f: Arc<Fixture>) {
    let path = format!("/v1/tenants/{}/provisionings", f.root);
    let levels = f.operator.get(&format!("/v1/tenants/{}/access-levels", f.root)).await.expect(200);
    let level = json!({"name": "Own", "description": "", "grants": {}});
    let own = f.operator.post(&format!("/v1/tenants/{}/access-levels", f.root), &level).await.expect(201);
    let with = |member: &str, value: Value| {
        let mut body = order("Bad");
        *body.pointer_mut(member).unwrap() = value;
        body
    };
    for (body, pointer) in [
        (with("/tenant/name", json!("root")), "/tenant/name"),
        (with("/tenant/country", json!("Atlantis")), "/tenant/country"),
        (with("/tenant/kind", json!("instance")), "/kind"),
        (with("/application/name", json!("")), "/application/name"),
        (with("/application/grants", json!({"no.such": ["READ"]})), "/application/grants/no.such"),
        (with("/application", json!({"name": "X"})), "/application"),
        (with("/application", json!({"name": "X", "access_level_id": own["id"]})), "/application/access_level_id"),
    ] {
        let refused = f.operator.post(&path, &body).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let built_in = with("/application", json!({"name": "X", "access_level_id": levels["items"][0]["id"]}));
    let mut none = built_in.clone();
    none["tenant"]["application_limit"] = json!(0);
    assert_eq!(f.operator.post(&path, &none).await.status, 422);
    let (place, _) = provision(&f, &built_in).await;
    assert_eq!(complete(&f, &place).await["status"], "complete");
    assert_eq!(f.operator.get("/v1/tenants?q=bad").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

/// F4.
async fn others_see_nothing_of_it(f: Arc<Fixture>) {
    let (one, _) = f.organization("One").await;
    let (two, _) = f.organization("Two").await;
    let path = format!("/v1/tenants/{two}/provisionings");
    let body = json!({"tenant": {"name": "Below", "kind": "instance"}, "application": {"name": "A", "grants": {}}});
    let job = f.operator.post(&path, &body).await.expect(202);
    let rights = json!({"tenants": ["CREATE", "READ"], "applications": ["CREATE", "READ", "UPDATE"]});
    let (_, stranger) = f.application_with(&one, json!({"name": "S", "grants": rights, "reach": "beneath"})).await;
    let id = text(&job["id"]);
    let nowhere = "00000000-0000-7000-8000-000000000000";
    for (there, missing) in [
        (format!("{path}/{id}"), format!("/v1/tenants/{nowhere}/provisionings/{id}")),
        (path.clone(), format!("/v1/tenants/{nowhere}/provisionings")),
        (format!("/v1/tenants/{one}/provisionings/{id}"), format!("/v1/tenants/{one}/provisionings/{nowhere}")),
    ] {
        let (there, missing) = (stranger.get(&there).await, stranger.get(&missing).await);
        assert_eq!(there.status, 404);
        assert_eq!(there.json()["detail"], missing.json()["detail"]);
    }
    assert_eq!(stranger.post(&format!("{path}/{id}/secret"), &json!({})).await.status, 404);
    assert_eq!(stranger.post(&path, &body).await.status, 404);
}
