//! F2, F4, F10: ids of another tenant where they stand in a body, a query or a header, its cursors, its jobs, its idempotency keys and
//! its ETags. Each comes to what an id comes to that nobody has; and a tenant that is named beside the credential is not believed.

use super::boundary::{CANARY, NOBODY, clients, foreign, said};
use super::matrix::{Objects, body, operations};
use crate::fixture::{Answer, Client, Fixture, on_both, send};
use crate::oauth::{token, with_token};
use crate::people::{Person, SUPER_ADMIN, built_in, person, stepped_up};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

on_both![
    f2_what_a_request_names_is_ones_own_or_missing,
    f2_etags_tell_nothing_of_others,
    f2_idempotency_keys_bring_nothing_of_others,
    f4_cursors_of_others_lead_nowhere,
    f4_jobs_of_others_are_missing,
    f10_a_tenant_beside_the_credential_is_not_believed,
];

const ETAGS: [&str; 4] = ["\"1\"", "\"2\"", "\"99\"", "*"];

/// Whoever asks.
enum Asker {
    Application(Client),
    Person(Person),
}

impl Asker {
    async fn ask(&self, method: &Method, path: &str, body: &Value) -> Answer {
        let request = match self {
            Self::Application(client) => client.request(method.clone(), path),
            Self::Person(person) => person.request(method.clone(), path),
        };
        if body.is_null() { send(request).await } else { send(request.json(body)).await }
    }
}

/// Each role as an application, and somebody who may do everything.
async fn askers(f: &Fixture, org: &str) -> Vec<Asker> {
    let mut askers: Vec<_> = clients(f, org).await.into_iter().map(Asker::Application).collect();
    let owner = person(f, org, "owner@own.example", &[&built_in(f, SUPER_ADMIN).await]).await;
    askers.push(Asker::Person(stepped_up(f, &owner).await));
    askers
}

/// Requests at one's own tenant that name something of somebody's: `@level`, `@user`, `@application`, `@org`.
fn naming(own: &Objects) -> Vec<(Method, String, Value)> {
    let at = |path: &str| format!("/v1/tenants/{}{path}", own.org);
    let application = at(&format!("/applications/{}", own.application));
    let issuer = at(&format!("/trusted-issuers/{}", own.issuer));
    let provider = at(&format!("/identity-providers/{}", own.provider));
    let user = at(&format!("/users/{}", own.user));
    let imported = json!([{"sha256": "3".repeat(64)}]);
    let binding = json!([{"application_id": "@application", "conditions": [{"claim": "sub", "matches": "x"}]}]);
    let rule = json!([{"claim": "groups", "value": "x", "access_level_ids": ["@level"]}]);
    let sso = json!({"name": "New", "issuer": "https://new.example", "client_id": "c", "domains": ["new.example"]});
    let with = |mut body: Value, name: &str, value: &Value| {
        body[name] = value.clone();
        body
    };
    let job = |of: &str, value: Value| {
        let mut body = json!({"tenant": {"name": "New", "kind": "organization"}});
        body[of] = value;
        body
    };
    let import = json!({"name": "New", "client_id": "IMPORTED", "secrets": imported, "grants": {}});
    vec![
        (Method::POST, "/v1/tenants".into(), json!({"name": "New", "kind": "instance", "parent_id": "@org"})),
        (Method::GET, "/v1/tenants?parent_id=@org".into(), Value::Null),
        (Method::GET, "/v1/tenants?beneath=@org".into(), Value::Null),
        (Method::POST, at("/applications"), json!({"name": "New", "access_level_id": "@level"})),
        (Method::POST, at("/applications"), json!({"name": "New", "grants": {}, "owner_id": "@user"})),
        (Method::PATCH, application.clone(), json!({"access_level_id": "@level"})),
        (Method::PATCH, application, json!({"owner_id": "@user"})),
        (Method::POST, at("/applications/import"), with(import.clone(), "owner_id", &json!("@user"))),
        (Method::POST, at("/applications/import?dry_run=true"), with(import, "owner_id", &json!("@user"))),
        (
            Method::POST,
            at("/applications/import"),
            json!({"name": "New", "client_id": "IMPORTED", "secrets": imported, "access_level_id": "@level"}),
        ),
        (Method::POST, at("/applications/revoke"), json!({"filter": {"ids": ["@application"]}, "mode": "disable"})),
        (Method::POST, at("/applications/revoke"), json!({"filter": {"access_level_id": "@level"}, "mode": "disable"})),
        (Method::POST, at("/simulate"), json!({"application_id": "@application", "permission": "org.audits:READ"})),
        (Method::POST, at("/users"), json!({"email": "new@own.example", "access_level_ids": ["@level"]})),
        (Method::PUT, format!("{user}/roles"), json!({"access_level_ids": ["@level"]})),
        (Method::DELETE, format!("{user}?successor_id=@user"), Value::Null),
        (Method::POST, at("/identity-providers"), with(sso.clone(), "default_access_level_ids", &json!(["@level"]))),
        (Method::POST, at("/identity-providers"), with(sso, "role_mapping", &rule)),
        (Method::PATCH, provider.clone(), json!({"default_access_level_ids": ["@level"]})),
        (Method::PATCH, provider, json!({"role_mapping": rule})),
        (
            Method::POST,
            at("/trusted-issuers"),
            json!({"name": "New", "issuer": "https://new.example", "bindings": binding}),
        ),
        (Method::PATCH, issuer.clone(), json!({"bindings": binding})),
        (Method::POST, format!("{issuer}/test"), json!({"token": "x", "application_id": "@application"})),
        (Method::POST, at("/provisionings"), job("application", json!({"name": "A", "access_level_id": "@level"}))),
        (
            Method::POST,
            at("/provisionings"),
            job("administrator", json!({"email": "a@new.example", "access_level_ids": ["@level"]})),
        ),
        (Method::GET, at("/usage?application_id=@application"), Value::Null),
        (Method::GET, at("/access-record?application=@application"), Value::Null),
        (Method::GET, at("/notices?application_id=@application"), Value::Null),
        (Method::GET, at("/audit?target=@application"), Value::Null),
        (Method::GET, at("/audit?actor=@user"), Value::Null),
        (Method::GET, "/v1/verify?permission=org.audits:READ&tenant=@org".into(), Value::Null),
    ]
}

/// The text with somebody's ids in it.
fn filled(text: &str, ids: [(&str, &str); 4]) -> String {
    ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
}

/// What stands at a tenant, to see that nothing of it was changed.
async fn standing(f: &Fixture, objects: &Objects) -> Vec<Value> {
    let at = format!("/v1/tenants/{}", objects.org);
    let mut found = Vec::new();
    for path in ["applications", "access-levels", "users", "identity-providers", "trusted-issuers"] {
        found.push(f.operator.get(&format!("{at}/{path}")).await.expect(200));
    }
    found.push(f.operator.get(&format!("/v1/tenants?beneath={}", objects.org)).await.expect(200));
    found
}

async fn f2_what_a_request_names_is_ones_own_or_missing(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let own = Objects::make(&f, &own).await;
    let theirs = foreign(&f, "one").await;
    let before = standing(&f, &theirs).await;
    let askers = askers(&f, &own.org).await;
    let there = [
        ("@level", theirs.level.as_str()),
        ("@user", theirs.user.as_str()),
        ("@application", theirs.application.as_str()),
        ("@org", theirs.org.as_str()),
    ];
    let nowhere = there.map(|(name, _)| (name, NOBODY));
    let ids: Vec<_> = there.iter().map(|(_, id)| *id).chain([NOBODY]).collect();
    for (method, path, body) in naming(&own) {
        for asker in &askers {
            let ask = async |ids| {
                let body = serde_json::from_str(&filled(&body.to_string(), ids)).unwrap();
                asker.ask(&method, &filled(&path, ids), &body).await
            };
            let (told, missing) = (ask(there).await, ask(nowhere).await);
            let told = said(&told, &ids);
            assert_eq!(told, said(&missing, &ids), "{method} {path} {body}");
            let reads = method == Method::GET || path.ends_with("/revoke") || path.ends_with("/test");
            // What proxies ask is asked of credentials, and a session is none.
            let known = [400, 403, 404, 422].contains(&told.0) || (told.0 == 401 && path.contains("/verify"));
            assert!(known || (reads && told.0 == 200), "{method} {path}: {told:?}");
        }
    }
    assert_eq!(standing(&f, &theirs).await, before, "untouched");
}

async fn f2_etags_tell_nothing_of_others(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let theirs = foreign(&f, "one").await;
    let askers = askers(&f, &own).await;
    for (kind, id) in [
        ("applications", &theirs.application),
        ("access-levels", &theirs.level),
        ("users", &theirs.user),
        ("identity-providers", &theirs.provider),
        ("trusted-issuers", &theirs.issuer),
    ] {
        for (method, etag) in ETAGS.iter().flat_map(|etag| [Method::PATCH, Method::DELETE].map(|of| (of, etag))) {
            for asker in &askers {
                let ask = async |org: &str, id: &str| {
                    let path = format!("/v1/tenants/{org}/{kind}/{id}");
                    let request = match asker {
                        Asker::Application(client) => client.request(method.clone(), &path),
                        Asker::Person(person) => person.request(method.clone(), &path),
                    };
                    send(request.header("if-match", *etag).json(&json!({}))).await
                };
                let ids = [theirs.org.as_str(), id.as_str(), NOBODY];
                let told = said(&ask(&theirs.org, id).await, &ids);
                assert_eq!(told, said(&ask(NOBODY, NOBODY).await, &ids), "{method} {kind} {etag}");
                assert_eq!(told.0, 404, "{method} {kind} {etag}");
                let told = said(&ask(&own, id).await, &ids);
                assert_eq!(told, said(&ask(&own, NOBODY).await, &ids), "{method} {kind} {etag}");
            }
        }
    }
}

async fn f2_idempotency_keys_bring_nothing_of_others(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let (other, _) = f.organization(CANARY).await;
    let (ours, theirs) = (clients(&f, &own).await.remove(0), clients(&f, &other).await.remove(0));
    let body = json!({"name": "New", "description": "", "grants": {}});
    let levels = |org: &str| format!("/v1/tenants/{org}/access-levels");
    let post = async |client: &Client, org: &str| {
        let request = client.request(Method::POST, &levels(org)).header("idempotency-key", "one");
        send(request.json(&body)).await
    };
    let made = post(&theirs, &other).await.expect(201);
    let (there, nowhere) = (post(&ours, &other).await, post(&ours, NOBODY).await);
    let ids = [other.as_str(), NOBODY];
    assert_eq!(said(&there, &ids), said(&nowhere, &ids));
    assert_eq!(there.status, 404, "{}", there.text);
    let own_one = post(&ours, &own).await;
    assert_eq!(own_one.header("idempotency-replayed"), None);
    assert_ne!(own_one.expect(201)["id"], made["id"]);
    // A person and an application of one tenant do not share theirs, either.
    let owner = person(&f, &own, "owner@own.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let request = owner.request(Method::POST, &levels(&own)).header("idempotency-key", "one");
    assert_eq!(send(request.json(&body)).await.code(409), "access_level_name_taken", "done, not replayed");
    assert_eq!(post(&theirs, &other).await.header("idempotency-replayed"), Some("true"));
}

/// The lists of a tenant, and those across tenants.
fn lists(org: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(include_str!("../../../../../docs/openapi/native.json")).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parameters = methods["get"]["parameters"].as_array().into_iter().flatten();
        if parameters.clone().any(|parameter| parameter["name"] == "cursor") && !path.contains("{id}") {
            let span = if path.ends_with("/utilization") { "&from=2027-01-01&to=2027-01-31" } else { "" };
            found.push(format!("{}?limit=1{span}", path.replace("{tenant_id}", org)));
        }
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

async fn f4_cursors_of_others_lead_nowhere(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    Objects::make(&f, &own).await;
    let theirs = foreign(&f, "one").await;
    for (place, body) in [
        ("applications", json!({"name": format!("{CANARY} two"), "grants": {}})),
        ("users", json!({"email": format!("{CANARY}@one.example")})),
        ("access-levels", json!({"name": CANARY, "description": "", "grants": {}})),
    ] {
        f.operator.post(&format!("/v1/tenants/{}/{place}", theirs.org), &body).await.expect(201);
    }
    let mut cursors = Vec::new();
    for list in lists(&theirs.org) {
        let page = f.operator.get(&list).await.expect(200);
        cursors.extend(page["next_cursor"].as_str().map(str::to_owned));
    }
    assert!(cursors.len() > 4, "{cursors:?}");
    for asker in askers(&f, &own).await {
        for list in lists(&own) {
            for cursor in &cursors {
                let answer = asker.ask(&Method::GET, &format!("{list}&cursor={cursor}"), &Value::Null).await;
                let (status, text) = said(&answer, &[]);
                assert!([200, 403, 422].contains(&status), "{list}: {text}");
                assert!(!text.contains(&theirs.org), "{list}: {text}");
            }
        }
    }
}

async fn f4_jobs_of_others_are_missing(f: Arc<Fixture>) {
    let (own, key) = f.organization("Own").await;
    let (other, their_key) = f.organization(CANARY).await;
    let (ours, theirs) = (clients(&f, &own).await.remove(0), clients(&f, &other).await.remove(0));
    let export = format!("/audit_log/v1/orgs/{their_key}/logs/_export");
    let job = theirs.post(&export, &json!({"format": "json"})).await.expect(200)["job_id"].clone();
    let nobody = job.as_i64().unwrap() + 1_000;
    for what in ["", "/progress", "/download"] {
        let ask = async |key: &str, job: String| ours.get(&format!("/jobs/v1/orgs/{key}/jobs/{job}{what}")).await;
        for key in [&key, &their_key] {
            let (there, nowhere) = (ask(key, job.to_string()).await, ask(key, nobody.to_string()).await);
            let (job, nobody) = (job.to_string(), nobody.to_string());
            let ids = [nobody.as_str(), job.as_str()];
            assert_eq!(said(&there, &ids), said(&nowhere, &ids), "{what}");
            assert_eq!(there.status, 404, "{what}");
        }
    }
    assert_eq!(ours.get(&format!("/jobs/v1/orgs/{key}/jobs")).await.expect(200)["num_found"], 0);
    let mine = theirs.get(&format!("/jobs/v1/orgs/{their_key}/jobs/{job}")).await;
    assert_eq!(mine.status, 200, "{}", mine.text);
}

async fn f10_a_tenant_beside_the_credential_is_not_believed(f: Arc<Fixture>) {
    let (own, key) = f.organization("Own").await;
    let objects = Objects::make(&f, &own).await;
    let theirs = foreign(&f, "one").await;
    let their_key = f.operator.get(&format!("/v1/tenants/{}", theirs.org)).await.expect(200)["org_key"].clone();
    let their_key = their_key.as_str().unwrap();
    let client = clients(&f, &own).await.remove(0);
    let owner = person(&f, &own, "owner@own.example", &[&built_in(&f, SUPER_ADMIN).await]).await;
    let owner = stepped_up(&f, &owner).await;
    for path in [
        "/v1/whoami",
        "/v1/tenants",
        &format!("/v1/tenants/{own}/users"),
        "/v1/verify?permission=users:READ&tenant=any",
    ] {
        for request in [client.request(Method::GET, path), owner.request(Method::GET, path)] {
            let plain = send(request.try_clone().unwrap()).await;
            for header in
                ["x-tenant-id", "tenant-id", "x-tenant", "x-org-key", "x-claviger-tenant", "x-forwarded-tenant"]
            {
                for value in [theirs.org.as_str(), their_key] {
                    let told = send(request.try_clone().unwrap().header(header, value)).await;
                    assert_eq!(said(&told, &[]), said(&plain, &[]), "{header} {path}");
                }
            }
            // Told apart from what is known by name, so that nobody takes it for a filter.
            let mark = if path.contains('?') { '&' } else { '?' };
            let queried = client.get(&format!("{path}{mark}tenant_id={}", theirs.org)).await;
            assert!([200, 400, 422].contains(&queried.status.as_u16()), "{path}: {}", queried.text);
            assert!(
                queried.status != 200
                    || said(&queried, &[]).1 == said(&send(client.request(Method::GET, path)).await, &[]).1
            );
        }
    }
    for operation in operations() {
        let Some(mut body) = body(&operation, &own, &objects.application) else { continue };
        let path = objects.path(&operation);
        for member in ["tenant_id", "organization_id", "org_key"] {
            body[member] = json!(theirs.org);
            for request in
                [client.request(operation.method.clone(), &path), owner.request(operation.method.clone(), &path)]
            {
                let refused = send(request.json(&body)).await;
                let (status, text) = said(&refused, &[]);
                assert!([403, 422].contains(&status), "{} {member}: {text}", operation.id);
                assert!(status == 403 || text.contains(member), "{} {member}: {text}", operation.id);
            }
            body.as_object_mut().unwrap().remove(member);
        }
    }
    let token = token(&client, &[("tenant_id", &theirs.org), ("org_key", their_key)]).await;
    let who = with_token(&client, Method::GET, "/v1/whoami", &token, None).await.expect(200);
    assert_eq!(who["tenant_id"], own.as_str());
    let body = json!({"email": "eve@own.example", "org_key": their_key, "org_id": theirs.org, "tenant_id": theirs.org});
    let made = client.post(&format!("/appservices/v6/orgs/{key}/users"), &body).await;
    let there = f.operator.get(&format!("/v1/tenants/{}/users?q=eve", theirs.org)).await.expect(200);
    assert_eq!(there["items"], json!([]), "{}", made.text);
}
