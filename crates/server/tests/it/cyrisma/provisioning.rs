//! The structure: read, made, suspended, taken back, converted, deleted; and how many endpoints there are.

use super::{call, login, text};
use crate::fixture::{Answer, Client, Fixture, on_both, send};
use crate::oauth::encode;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    the_structure_is_one_list,
    organizations_and_instances_are_made,
    what_cannot_be_made_names_its_field,
    a_repeated_creation_is_one,
    lives_are_changed_in_this_familys_words,
    what_is_out_of_reach_is_not_there,
    rights_of_this_family_are_enough,
    usage_is_told_by_day_and_month,
];

const INSTANCES: &str = "/app/partner/instances";

/// A partner with an organisation and an instance, and an application of it with a token.
pub(super) struct Partner {
    pub(super) id: String,
    pub(super) org: String,
    pub(super) instance: String,
    pub(super) client: Client,
    pub(super) token: String,
}

/// Everything that this family's doors ask for.
pub(super) fn rights() -> Value {
    json!({
        "cyrisma.instances": ["CREATE", "READ", "UPDATE", "DELETE"],
        "cyrisma.users": ["CREATE", "READ", "UPDATE"],
        "cyrisma.usage": ["READ"],
    })
}

pub(super) async fn partner(f: &Fixture, name: &str) -> Partner {
    let (id, _) = super::tenant(f, name, "partner", &f.root).await;
    let (org, _) = super::tenant(f, "Beta", "organization", &id).await;
    let (instance, _) = super::tenant(f, "One", "instance", &org).await;
    let body = json!({"name": "Portal", "grants": rights(), "reach": "beneath"});
    let (_, client) = f.application_with(&id, body).await;
    let token = text(&login(&client).await, "access_token");
    Partner { id, org, instance, client, token }
}

impl Partner {
    /// Sends a form as this family's clients do.
    pub(super) async fn form(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.client.bare(method, path).header("authorization", format!("access_token {}", self.token));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        send(request.body(encode(fields))).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        call(&self.client, Method::GET, path, &self.token, None).await
    }

    async fn structure(&self) -> Vec<Value> {
        self.get(&format!("{INSTANCES}/info")).await.expect(200).as_array().unwrap().clone()
    }

    async fn hierarchies(&self) -> Vec<String> {
        self.structure().await.iter().map(|row| text(row, "hierarchy")).collect()
    }

    async fn patch(&self, what: &str, id: &str) -> Answer {
        self.form(Method::PATCH, &format!("{INSTANCES}/{what}"), &[("instance_id", id)]).await
    }
}

fn fields<'a>(kind: &'a str, parent: &'a str, name: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("instance_type", kind),
        ("is_consulting", "false"),
        ("parent_instance_id", parent),
        ("name", name),
        ("short_name", name),
        ("country", "CH"),
        ("email", "ops@example.com"),
    ]
}

async fn the_structure_is_one_list(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let (alpha, _) = super::tenant(&f, "alpha", "organization", &p.id).await;
    super::tenant(&f, "Inner", "organization", &alpha).await;
    f.operator.put(&format!("/v1/tenants/{}/endpoints", p.instance), &json!({"count": 12})).await.expect(200);
    let expected = ["Partner", "Partner/alpha", "Partner/alpha/Inner", "Partner/Beta", "Partner/Beta/One"];
    assert_eq!(p.hierarchies().await, expected);
    let rows = p.structure().await;
    let host = p.client.base.trim_start_matches("http://");
    let native = f.operator.get(&format!("/v1/tenants/{}", p.instance)).await.expect(200);
    assert_eq!(
        rows[4],
        json!({
            "instance_id": p.instance, "name": "One", "short_name": "One", "parent_id": p.org,
            "hierarchy": "Partner/Beta/One", "instance_type": "standard", "is_consulting": false,
            "number_of_endpoints": 12, "url": host, "tenant_id": null, "agent_key": native["agent_key"], "mfa": "0",
        })
    );
    assert_eq!((&rows[0]["parent_id"], &rows[0]["instance_type"]), (&Value::Null, &json!("organization")));
    for path in
        [format!("info/{}", p.instance), format!("info/{}/", p.instance), format!("info?instance_id={}", p.instance)]
    {
        assert_eq!(p.get(&format!("{INSTANCES}/{path}")).await.expect(200), json!([rows[4]]), "{path}");
    }
    for name in ["instance_id", "instanceID", "InstanceId"] {
        let answer = p.form(Method::GET, &format!("{INSTANCES}/info/"), &[(name, &p.instance)]).await;
        assert_eq!(answer.expect(200), json!([rows[4]]), "{name}");
    }
    // What is suspended is left out with everything beneath it, and found by nobody who asks for it.
    p.patch("suspend", &p.org).await.expect(200);
    assert_eq!(p.hierarchies().await, expected[..3]);
    for id in [&p.org, &p.instance] {
        assert_eq!(p.get(&format!("{INSTANCES}/info/{id}")).await.expect(200), json!([]));
    }
    p.patch("reactivate", &p.org).await.expect(200);
    assert_eq!(p.hierarchies().await, expected);
    // An application that reaches its own tenant only has that.
    let (_, own) = f.application_with(&p.id, json!({"name": "Own", "grants": rights(), "reach": "own"})).await;
    let token = text(&login(&own).await, "access_token");
    let rows = call(&own, Method::GET, &format!("{INSTANCES}/info"), &token, None).await.expect(200);
    assert_eq!(rows.as_array().unwrap().len(), 1);
}

async fn organizations_and_instances_are_made(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let create = format!("{INSTANCES}/create");
    let mut sent = fields("Organization", &p.id, "Acme");
    sent.extend([("mfa_type", "2"), ("tenant_id", "MDR-7"), ("city", "Bern"), ("State", "BE")]);
    let made = p.form(Method::POST, &create, &sent).await.expect(200);
    let id = text(&made, "instance_id");
    assert_eq!(made.as_object().unwrap().len(), 2);
    let native = f.operator.get(&format!("/v1/tenants/{id}")).await.expect(200);
    assert_eq!((&native["agent_key"], &native["kind"]), (&made["agent_key"], &json!("organization")));
    assert_eq!((&native["country"], &native["parent_id"]), (&json!("CH"), &json!(p.id)));
    let row = p.get(&format!("{INSTANCES}/info/{id}")).await.expect(200)[0].clone();
    assert_eq!((&row["mfa"], &row["tenant_id"]), (&json!("2"), &json!("MDR-7")));
    let status = p.get(&format!("{INSTANCES}/provision-status/{id}")).await.expect(200);
    assert_eq!(status, json!({"instance_id": id, "status": "complete", "error_description": ""}));
    // As soon as that is complete, an instance can stand beneath it; one may start as consulting.
    let mut sent = fields("standard", &id, "Trial");
    sent[1] = ("IsConsulting", "YES");
    let path = format!("{create}/");
    let made = p.form(Method::POST, &path, &sent).await.expect(200);
    let row = p.get(&format!("{INSTANCES}/info/{}", text(&made, "instance_id"))).await.expect(200)[0].clone();
    assert_eq!((&row["is_consulting"], &row["hierarchy"]), (&json!(true), &json!("Partner/Acme/Trial")));
    // As JSON and as multipart, too.
    let body: serde_json::Map<_, _> =
        fields("org", &p.id, "By JSON").iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let request = |content_type: &str, body: String| {
        let request = p.client.bare(Method::POST, &create).header("authorization", format!("access_token {}", p.token));
        send(request.header("content-type", content_type).body(body))
    };
    request("application/json", Value::Object(body).to_string()).await.expect(200);
    let parts: String = fields("org", &p.id, "By parts")
        .iter()
        .map(|(name, value)| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"))
        .collect();
    request("multipart/form-data; boundary=b", format!("{parts}--b--\r\n")).await.expect(200);
    let names = p.hierarchies().await;
    assert!(
        names.contains(&"Partner/By JSON".to_owned()) && names.contains(&"Partner/By parts".to_owned()),
        "{names:?}"
    );
}

async fn what_cannot_be_made_names_its_field(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let create = format!("{INSTANCES}/create");
    for (field, value) in [
        ("instance_type", "partner"),
        ("is_consulting", "true"),
        ("is_consulting", "maybe"),
        ("country", "Atlantis"),
        ("email", "nobody\r\nBcc: x@example.com"),
        ("short_name", &"x".repeat(71)),
        ("name", ""),
        ("mfa_type", "3"),
        ("email", ""),
    ] {
        let mut sent: Vec<_> =
            fields("organization", &p.id, "Acme").into_iter().filter(|(name, _)| *name != field).collect();
        sent.push((field, value));
        let refused = p.form(Method::POST, &create, &sent).await.expect(400);
        assert_eq!(refused["error"], "invalid_request", "{field}={value}");
        assert!(text(&refused, "error_description").contains(field), "{field}: {refused}");
    }
    for parent in [&f.root, "01890000-0000-7000-8000-000000000000", "nothing"] {
        let refused = p.form(Method::POST, &create, &fields("organization", parent, "Acme")).await.expect(400);
        assert_eq!(refused["error"], "instance_not_found", "{parent}");
    }
    for (kind, parent) in [("standard", &p.id), ("organization", &p.instance), ("standard", &p.instance)] {
        let refused = p.form(Method::POST, &create, &fields(kind, parent, "Acme")).await.expect(400);
        assert_eq!(
            refused["error"], "invalid_request",
            "an instance stands beneath an organization, and nothing beneath it"
        );
        assert!(text(&refused, "error_description").starts_with("parent_instance_id: "), "{refused}");
    }
    let twice = p.form(Method::POST, &create, &fields("organization", &p.id, "BETA")).await.expect(400);
    assert_eq!(twice["error"], "conflict");
}

async fn a_repeated_creation_is_one(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let create = format!("{INSTANCES}/create");
    let send_once = async |name: &str| {
        let request = p.client.bare(Method::POST, &create).header("authorization", format!("access_token {}", p.token));
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").header("idempotency-key", "k");
        send(request.body(encode(&fields("organization", &p.id, name)))).await
    };
    let first = send_once("Acme").await.expect(200);
    assert_eq!(send_once("Acme").await.expect(200), first);
    assert_eq!(send_once("Other").await.expect(400)["error"], "invalid_request");
    assert_eq!(p.hierarchies().await.iter().filter(|name| *name == "Partner/Acme").count(), 1);
}

async fn lives_are_changed_in_this_familys_words(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    for _ in 0..2 {
        let suspended = p.patch("suspend", &p.org).await.expect(200);
        assert_eq!(suspended, json!({"instanceID": p.org, "name": "Beta", "enabled": 0}));
    }
    for path in ["reactivate", "reactivate/", "info", "info/"] {
        let reactivated = p.patch(path, &p.org).await.expect(200);
        assert_eq!(reactivated, json!({"instance_id": p.org, "name": "Beta", "enabled": 1}), "{path}");
    }
    for _ in 0..2 {
        let converted = p.patch("convert", &p.instance).await.expect(200);
        assert_eq!(converted, json!({"instance_id": p.instance, "name": "One", "consulting_status": "standard"}));
    }
    let mfa = format!("{INSTANCES}/mfa");
    let set = p.form(Method::PATCH, &mfa, &[("instanceId", &p.org), ("MfaType", "1")]).await.expect(200);
    assert_eq!(set, json!({"instance_id": p.org, "name": "Beta", "mfa_type": "1"}));
    let native = f.operator.get(&format!("/v1/tenants/{}", p.org)).await.expect(200);
    assert_eq!(native["mfa_required"], "email");
    let refused = p.form(Method::PATCH, &mfa, &[("instance_id", &p.org), ("mfa_type", "9")]).await.expect(400);
    assert_eq!(refused["error"], "invalid_request");
    // Neither one's own root nor an organisation can be so treated.
    for (what, id) in [("suspend", &p.id), ("reactivate", &p.id), ("convert", &p.org), ("convert", &p.id)] {
        assert_eq!(p.patch(what, id).await.expect(400)["error"], "invalid_request", "{what}");
    }
    let place = format!("{INSTANCES}/{}", p.instance);
    assert_eq!(p.form(Method::DELETE, &place, &[]).await.expect(400)["error"], "conflict", "suspend it first");
    p.patch("suspend", &p.instance).await.expect(200);
    let deleted = p.form(Method::DELETE, &place, &[]).await.expect(200);
    assert_eq!((&deleted["instance_id"], &deleted["enabled"]), (&json!(p.instance), &json!(0)));
    assert!(deleted["purge_at"].is_string());
    let audit = f.audit(&p.org).await;
    assert!(audit.iter().any(|entry| entry["action"] == "tenant.suspended"), "{audit:?}");
}

async fn what_is_out_of_reach_is_not_there(f: Arc<Fixture>) {
    let (p, other) = (partner(&f, "Partner").await, partner(&f, "Other").await);
    let none = "01890000-0000-7000-8000-000000000000";
    let mut bodies = Vec::new();
    for id in [other.id.as_str(), &other.org, &other.instance, &f.root, none, "nothing"] {
        for what in ["suspend", "reactivate", "convert", "info"] {
            bodies.push(p.patch(what, id).await.expect(400));
        }
        bodies.push(
            p.form(Method::PATCH, &format!("{INSTANCES}/mfa"), &[("instance_id", id), ("mfa_type", "0")])
                .await
                .expect(400),
        );
        for path in [format!("info/{id}"), format!("info?instance_id={id}"), format!("provision-status/{id}")] {
            bodies.push(p.get(&format!("{INSTANCES}/{path}")).await.expect(400));
        }
        bodies.push(p.form(Method::DELETE, &format!("{INSTANCES}/{id}"), &[]).await.expect(400));
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "whether it is there or not");
    assert_eq!(bodies[0]["error"], "instance_not_found");
    assert!(other.structure().await.len() == 3 && p.structure().await.len() == 3);
}

async fn rights_of_this_family_are_enough(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    // They count at these doors and nowhere else.
    assert_eq!(p.client.get("/v1/tenants").await.status, 403);
    let grants = json!({"cyrisma.users": ["READ"]});
    let (_, lacking) =
        f.application_with(&p.id, json!({"name": "Lacking", "grants": grants, "reach": "beneath"})).await;
    let token = text(&login(&lacking).await, "access_token");
    for (method, path, right) in [
        (Method::GET, "instances/info", "cyrisma.instances:READ"),
        (Method::GET, "usage?from=2027-01-01&to=2027-01-02", "cyrisma.usage:READ"),
    ] {
        let refused = call(&lacking, method, &format!("/app/partner/{path}"), &token, None).await.expect(403);
        assert_eq!(refused["error"], "access_denied");
        assert!(text(&refused, "error_description").contains(right), "{refused}");
    }
    // Ours are as good.
    let grants = json!({"tenants": ["READ"]});
    let (_, native) = f.application_with(&p.id, json!({"name": "Native", "grants": grants, "reach": "beneath"})).await;
    let token = text(&login(&native).await, "access_token");
    call(&native, Method::GET, &format!("{INSTANCES}/info"), &token, None).await.expect(200);
    assert_eq!(p.client.bare(Method::GET, &format!("{INSTANCES}/info")).send().await.unwrap().status(), 401);
}

async fn usage_is_told_by_day_and_month(f: Arc<Fixture>) {
    let p = partner(&f, "Partner").await;
    let place = format!("/v1/tenants/{}/endpoints", p.instance);
    f.operator.put(&place, &json!({"count": 5, "at": "2027-01-14T08:00:00Z"})).await.expect(200);
    f.operator.put(&place, &json!({"count": 9, "at": "2027-01-15T07:00:00Z"})).await.expect(200);
    let usage = async |query: &str| p.get(&format!("/app/partner/usage?{query}")).await;
    let days = usage("from=2027-01-14&to=2027-01-15").await.expect(200);
    let item = |day: &str, count: i64| json!({"tenant_id": p.instance, "period_start": day, "endpoint_count": count, "email_count": 0});
    assert_eq!(days["items"], json!([item("2027-01-14", 5), item("2027-01-15", 9)]));
    assert_eq!((&days["grain"], &days["root_tenant_id"]), (&json!("day"), &json!(p.id)));
    let months = usage("from=2027-01-01&to=2027-01-31&grain=month").await.expect(200);
    assert_eq!(months["items"], json!([item("2027-01-01", 9)]));
    let narrowed = usage(&format!("from=2027-01-14&to=2027-01-15&tenant_ids={}", p.org)).await.expect(200);
    assert_eq!(narrowed["items"], json!([]));
    assert_eq!(narrowed["coverage"][0]["tenant_id"], json!(p.org));
    for (query, code) in [
        ("", "invalid_date_range"),
        ("from=2027-01-14", "invalid_date_range"),
        ("from=2027-01-15&to=2027-01-14", "invalid_date_range"),
        ("from=yesterday&to=2027-01-14", "invalid_date_range"),
        ("from=2027-01-14&to=2027-01-15&grain=week", "invalid_grain"),
    ] {
        assert_eq!(usage(query).await.expect(400)["error"], code, "{query}");
    }
    let other = partner(&f, "Other").await;
    let refused = usage(&format!("from=2027-01-14&to=2027-01-15&tenant_ids={}", other.id)).await.expect(400);
    assert_eq!(refused["error"], "instance_not_found");
}
