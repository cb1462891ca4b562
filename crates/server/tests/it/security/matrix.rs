//! G: every operation against the written matrix of rights (`authorization.toml`): with everything but the right it needs
//! it is refused and names what is missing; with nothing but that right it is not.

use crate::fixture::{Answer, Client, Fixture, START, on_both, send};
use claviger_domain::id::{ApplicationId, NoticeId, TenantId};
use claviger_domain::notice::{Notice, NoticeKind, Telling};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

on_both![
    g1_every_operation_needs_its_right,
    a9_a_reader_writes_nothing,
    g3_protected_members_are_refused,
    foreign_objects_look_missing
];

/// One operation of the document.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: Method,
    pub(super) path: String,
}

pub(super) fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(include_str!("../../../../../docs/openapi/native.json")).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let Some(id) = operation["operationId"].as_str() else { continue };
            found.push(Operation { id: id.to_owned(), method, path: path.clone() });
        }
    }
    assert!(found.len() > 20);
    found
}

/// The written matrix: operation → the rights it needs; none for one that needs no right, and no entry for a public one.
pub(super) fn matrix() -> BTreeMap<String, Vec<String>> {
    let table: toml::Table = include_str!("../../authorization.toml").parse().unwrap();
    let mut rows = BTreeMap::new();
    for row in table["row"].as_array().unwrap() {
        let text = |name: &str| row.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        if row.get("public").is_none() && row.get("door").is_none() {
            let rights = ["permission", "also"].into_iter().filter_map(text);
            let rights = rights.flat_map(|rights| rights.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
            rows.insert(text("operation").unwrap(), rights);
        }
    }
    rows
}

/// The operations whose rows say something: `operator`, that only credentials of the operator may call them, `above`, only those of a tenant above, `person`, that only
/// people may, `door`, that whoever calls proves itself in the body.
fn saying(word: &str) -> Vec<String> {
    let table: toml::Table = include_str!("../../authorization.toml").parse().unwrap();
    let rows = table["row"].as_array().unwrap().iter().filter(|row| row.get(word).is_some());
    rows.map(|row| row["operation"].as_str().unwrap().to_owned()).collect()
}

/// A body with which the operation would succeed.
pub(super) fn body(operation: &Operation, org: &str, application: &str) -> Option<Value> {
    match operation.id.as_str() {
        "create_tenant" => Some(json!({"name": "New", "kind": "instance", "parent_id": org})),
        "report_endpoints" => Some(json!({"count": 3})),
        "provision_tenant" => Some(json!({"tenant": {"name": "Provisioned", "kind": "instance"}})),
        "create_access_level" => Some(json!({"name": "New", "description": "", "grants": {}})),
        "import_access_level" => Some(json!({"name": "New", "capabilities": []})),
        "create_application" => Some(json!({"name": "New", "grants": {}})),
        "update_tenant" | "update_access_level" | "update_application" => Some(json!({"name": "Changed"})),
        "duplicate_access_level"
        | "regenerate_secret"
        | "rotate_secret"
        | "issue_temporary_secret"
        | "put_credential_policy"
        | "shrink_application"
        | "invalidate_tenant_tokens"
        | "invalidate_application_tokens"
        | "rotate_signing_key"
        | "revoke_signing_key" => Some(json!({})),
        "create_trusted_issuer" => Some(json!({"name": "New", "issuer": "https://issuer.example"})),
        "test_trusted_issuer" => Some(json!({"token": "x"})),
        "create_identity_provider" => Some(json!({
            "name": "New", "issuer": "https://issuer.example", "client_id": "claviger", "domains": [format!("new-{org}.example")],
        })),
        "update_identity_provider" => Some(json!({"name": "Changed"})),
        "create_user" => Some(json!({"email": format!("new@{org}.example"), "reach": "own"})),
        "update_user" | "update_me" => Some(json!({"first_name": "Changed"})),
        "change_own_password" => {
            Some(json!({"current_password": "a long and quiet river", "new_password": "an even longer river"}))
        }
        "put_user_roles" => Some(json!({"access_level_ids": []})),
        "disable_user" | "enable_user" | "sign_out" => Some(json!({})),
        "invite_user" | "create_recovery_codes" | "ask_passkey_again" => Some(json!({})),
        "rename_factor" => Some(json!({"name": "Changed"})),
        "step_up" => Some(json!({"kind": "totp", "code": "123456"})),
        "request_email_change" => Some(json!({"email": format!("other@{org}.example")})),
        "update_trusted_issuer" => Some(json!({"name": "Changed"})),
        "update_token_settings" => Some(json!({"lifetime_seconds": 600})),
        "register_public_key" => {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            Some(json!({"name": "CI", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}))
        }
        "report_leaks" => Some(json!({"texts": ["nothing"], "source": "test"})),
        "update_secret" => Some(json!({"expires_at": null})),
        "update_secret_visibility" => Some(json!({"visibility": "show_once", "confirm": true})),
        "import_applications" => {
            let secret = json!({"sha256": "1".repeat(64)});
            Some(
                json!({"name": "Imported", "grants": {}, "client_id": org.to_uppercase().replace('-', "_"), "secrets": [secret]}),
            )
        }
        "revoke_applications" => Some(json!({"filter": {"ids": [application]}, "mode": "disable"})),
        "transfer_applications" => Some(json!({"from_owner": "nobody@example.com", "to_owner": "ops@example.com"})),
        "simulate" => Some(json!({"application_id": application, "permission": "org.audits:READ"})),
        _ => None,
    }
}

/// Objects of a tenant for the placeholders of paths.
pub(super) struct Objects {
    pub(super) org: String,
    pub(super) level: String,
    pub(super) application: String,
    secret: String,
    kid: String,
    key: String,
    pub(super) issuer: String,
    pub(super) provider: String,
    notice: String,
    pub(super) user: String,
    session: String,
    provisioning: String,
}

impl Objects {
    pub(super) async fn make(f: &Fixture, org: &str) -> Self {
        let level = json!({"name": "Object", "description": "", "grants": {}});
        let level = f.operator.post(&format!("/v1/tenants/{org}/access-levels"), &level).await.expect(201);
        let made = f
            .operator
            .post(&format!("/v1/tenants/{org}/applications"), &json!({"name": "Object", "grants": {}}))
            .await
            .expect(201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let application = text(&made["application"]["id"]);
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"});
        let keys = format!("/v1/tenants/{org}/applications/{application}/keys");
        let key = f.operator.post(&keys, &json!({"name": "Object", "jwk": jwk})).await.expect(201);
        let issuer = json!({"name": "Object", "issuer": "https://object.example"});
        let issuer = f.operator.post(&format!("/v1/tenants/{org}/trusted-issuers"), &issuer).await.expect(201);
        let provider = json!({
            "name": "Object", "issuer": "https://object.example", "client_id": "claviger", "domains": [format!("{org}.test")],
        });
        let provider = f.operator.post(&format!("/v1/tenants/{org}/identity-providers"), &provider).await.expect(201);
        let user = json!({"email": format!("object@{org}.example"), "reach": "own"});
        let user = f.operator.post(&format!("/v1/tenants/{org}/users"), &user).await.expect(201);
        let user = text(&user["id"]);
        Self {
            session: crate::people::session(f, org, &user).await.0,
            user,
            key: text(&key["id"]),
            issuer: text(&issuer["id"]),
            provider: text(&provider["id"]),
            notice: notice(f, org, &application).await,
            provisioning: provisioning(f, org).await,
            org: org.to_owned(),
            level: text(&level["id"]),
            application,
            secret: text(&made["secret"]["id"]),
            kid: text(&f.operator.get("/v1/signing-keys").await.expect(200)["items"][0]["kid"]),
        }
    }

    pub(super) fn path(&self, operation: &Operation) -> String {
        let id = match &operation.path {
            path if path.contains("access-levels") => &self.level,
            path if path.contains("trusted-issuers") => &self.issuer,
            path if path.contains("identity-providers") => &self.provider,
            path if path.contains("/users/") => &self.user,
            _ => &self.application,
        };
        operation
            .path
            .replace("{tenant_id}", &self.org)
            .replace("{id}", id)
            .replace("{secret_id}", &self.secret)
            .replace("{kid}", &self.kid)
            .replace("{key_id}", &self.key)
            .replace("{notice_id}", &self.notice)
            .replace("{provisioning_id}", &self.provisioning)
            .replace("{session_id}", &self.session)
            .replace("{code}", "not_found")
    }
}

/// An instance that is provisioned, with a first secret that waits.
async fn provisioning(f: &Fixture, org: &str) -> String {
    let body = json!({
        "tenant": {"name": "Object", "kind": "instance"}, "application": {"name": "First", "grants": {}},
    });
    let job = f.operator.post(&format!("/v1/tenants/{org}/provisionings"), &body).await.expect(202);
    let id = job["id"].as_str().unwrap().to_owned();
    crate::native::provisionings::complete(f, &format!("/v1/tenants/{org}/provisionings/{id}")).await;
    id
}

/// A notice about an application, as the server leaves one by itself.
async fn notice(f: &Fixture, org: &str, application: &str) -> String {
    let (tenant, application) = (TenantId::parse(org).unwrap(), ApplicationId::parse(application).unwrap());
    let found = f.app.store().find_application(tenant, application).await.unwrap().unwrap();
    let telling = Telling::new(NoticeKind::ApplicationExpiring, &found, "soon".into());
    let notice = Notice { id: NoticeId::new(START, [7; 10]), telling, created_at: START, dismissed: None };
    let mut tx = f.app.store().begin().await.unwrap();
    assert!(tx.insert_notice(tenant, &notice).await.unwrap());
    tx.commit().await.unwrap();
    notice.id.to_string()
}

async fn call(client: &Client, operation: &Operation, objects: &Objects) -> Answer {
    let request = client.request(operation.method.clone(), &objects.path(operation));
    match body(operation, &objects.org, &objects.application) {
        Some(body) => send(request.json(&body)).await,
        None => send(request).await,
    }
}

/// All rights of the catalogue but those.
async fn all_but(f: &Fixture, without: &[String]) -> Value {
    let catalogue = f.operator.get("/v1/catalogue").await.expect(200);
    let mut grants = json!({});
    for permission in catalogue["items"].as_array().unwrap() {
        let name = permission["name"].as_str().unwrap();
        let verbs = permission["verbs"].as_array().unwrap().iter();
        let kept: Vec<_> =
            verbs.filter(|verb| !without.contains(&format!("{name}:{}", verb.as_str().unwrap()))).cloned().collect();
        if !kept.is_empty() {
            grants[name] = kept.into();
        }
    }
    grants
}

async fn g1_every_operation_needs_its_right(f: Arc<Fixture>) {
    let (matrix, operator_only) = (matrix(), [saying("operator"), saying("above")].concat());
    let (people_only, doors) = (saying("person"), saying("door"));
    f.operator.patch(&format!("/v1/tenants/{}", f.root), &json!({"application_limit": 1_000})).await.expect(200);
    for (number, operation) in operations().into_iter().enumerate() {
        let (org, _) = f.organization(&format!("Org {number}")).await;
        let objects = Objects::make(&f, &org).await;
        if doors.contains(&operation.id) {
            let answer = send(f.operator.bare(operation.method.clone(), &objects.path(&operation))).await;
            assert!([400, 422].contains(&answer.status.as_u16()), "{} without a body: {}", operation.id, answer.text);
            continue;
        }
        let Some(rights) = matrix.get(&operation.id) else {
            let answer = send(f.operator.bare(operation.method.clone(), &objects.path(&operation))).await;
            assert_eq!(answer.status, 200, "{} is public", operation.id);
            continue;
        };
        let stranger = send(f.operator.bare(operation.method.clone(), &objects.path(&operation))).await;
        assert_eq!(stranger.status, 401, "{} without a credential: {}", operation.id, stranger.text);
        if people_only.contains(&operation.id) {
            let (_, mighty) = f.application(&org, "Mighty", all_but(&f, &[]).await).await;
            assert_eq!(call(&mighty, &operation, &objects).await.code(403), "forbidden", "{}", operation.id);
            continue;
        }
        // What only those above may call is called by them, and by nobody else whatever it holds.
        let home = if operator_only.contains(&operation.id) { &f.root } else { &org };
        let application = |name: String, grants: Value| {
            let f = &f;
            async move {
                let reach = if home == &f.root { "beneath" } else { "own" };
                f.application_with(home, json!({"name": name, "grants": grants, "reach": reach})).await.1
            }
        };
        if home != &org {
            let (_, mighty) = f.application(&org, "Mighty", all_but(&f, &[]).await).await;
            assert_eq!(call(&mighty, &operation, &objects).await.code(403), "forbidden", "{}", operation.id);
        }
        for right in rights {
            let rest = all_but(&f, std::slice::from_ref(right)).await;
            let lacking = application(format!("Lacks {right} {number}"), rest).await;
            let refused = call(&lacking, &operation, &objects).await.expect(403);
            assert_eq!(refused["missing_permission"], right.as_str(), "{}", operation.id);
        }
        let mut only = json!({});
        for right in rights {
            let (name, verb) = right.split_once(':').unwrap();
            let verbs = only[name].as_array().cloned().unwrap_or_default();
            only[name] = verbs.into_iter().chain([json!(verb)]).collect();
        }
        let holding = application(format!("Holds {number}"), only).await;
        let status = call(&holding, &operation, &objects).await.status;
        if operation.id.starts_with("verify") {
            assert_eq!(status, 400, "asked without parameters");
        } else if operation.id == "read_secret_text" {
            assert_eq!(status, 409, "the tenant shows secrets once");
        } else if operation.id == "invite_user" {
            assert_eq!(status, 409, "the user can sign in already");
        } else if operation.id == "update_legacy_key_types" {
            assert_eq!(status, 403, "for the operator alone");
        } else if operation.id == "retry_provisioning" {
            assert_eq!(status, 409, "it has not failed");
        } else if operation.id == "claim_first_secret" {
            assert_eq!(status, 404, "it reaches its own tenant alone");
        } else if operation.id == "delete_tenant" || operation.id == "convert_tenant" {
            assert_eq!(status, 409, "it is active, and no instance");
        } else {
            assert!(status.is_success(), "{} with {rights:?} alone: {status}", operation.id);
        }
    }
    let known: Vec<_> = operations().into_iter().map(|operation| operation.id).collect();
    for operation in matrix.keys() {
        assert!(known.contains(operation), "{operation} is no operation");
    }
}

async fn a9_a_reader_writes_nothing(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let objects = Objects::make(&f, &org).await;
    let levels = f.operator.get(&format!("/v1/tenants/{org}/access-levels")).await.expect(200);
    assert_eq!(levels["items"][0]["name"], "View All");
    let (_, reader) =
        f.application_with(&org, json!({"name": "Reader", "access_level_id": levels["items"][0]["id"]})).await;
    let matrix = matrix();
    // A question may be put by POST: what writes is what needs more than to read.
    let writes = |operation: &Operation| {
        operation.method != Method::GET
            && matrix.get(&operation.id).is_some_and(|rights| rights.iter().any(|right| !right.ends_with(":READ")))
    };
    for operation in operations().into_iter().filter(writes) {
        assert_eq!(call(&reader, &operation, &objects).await.status, 403, "{}", operation.id);
    }
}

async fn g3_protected_members_are_refused(f: Arc<Fixture>) {
    let (org, _) = f.organization("Acme").await;
    let objects = Objects::make(&f, &org).await;
    let paths = [
        format!("/v1/tenants/{org}"),
        format!("/v1/tenants/{org}/access-levels/{}", objects.level),
        format!("/v1/tenants/{org}/applications/{}", objects.application),
    ];
    for path in paths {
        let before = f.operator.get(&path).await.expect(200);
        for member in [
            "id",
            "tenant_id",
            "client_id",
            "created_at",
            "updated_at",
            "version",
            "role",
            "verified",
            "is_owner",
            "org_key",
            "parent_id",
        ] {
            let refused = f
                .operator
                .patch(&path, &json!({"name": "Evil", member: before.get(member).cloned().unwrap_or(json!("x"))}))
                .await
                .expect(422);
            assert!(refused.to_string().contains(member), "{member} in {refused}");
        }
        for (media, body) in [
            ("application/json-patch+json", r#"[{"op":"replace","path":"/name","value":"Evil"}]"#),
            ("application/x-www-form-urlencoded", "name=Evil"),
        ] {
            let answer = send(f.operator.request(Method::PATCH, &path).header("content-type", media).body(body)).await;
            assert_eq!(answer.status, 415, "{media}");
        }
        let put = send(f.operator.request(Method::PUT, &path).json(&json!({"name": "Evil"}))).await;
        assert_eq!(put.status, 405);
        assert_eq!(f.operator.get(&path).await.expect(200), before, "unchanged");
    }
}

async fn foreign_objects_look_missing(f: Arc<Fixture>) {
    let (own, _) = f.organization("Own").await;
    let (foreign, _) = f.organization("Foreign").await;
    let (theirs, none) = (Objects::make(&f, &foreign).await, uuid_like());
    let (_, admin) = f.application(&own, "Admin", all_but(&f, &[]).await).await;
    for operation in operations().into_iter().filter(|operation| operation.path.contains("{tenant_id}")) {
        let there = call(&admin, &operation, &theirs).await;
        let nowhere = Objects {
            org: none.clone(),
            level: theirs.level.clone(),
            application: theirs.application.clone(),
            secret: theirs.secret.clone(),
            key: theirs.key.clone(),
            kid: theirs.kid.clone(),
            issuer: theirs.issuer.clone(),
            provider: theirs.provider.clone(),
            notice: theirs.notice.clone(),
            provisioning: theirs.provisioning.clone(),
            user: theirs.user.clone(),
            session: theirs.session.clone(),
        };
        let missing = call(&admin, &operation, &nowhere).await;
        // Their objects under one's own tenant are missing, too.
        let mixed = Objects { org: own.clone(), ..nowhere };
        let mixed = call(&admin, &operation, &mixed).await;
        let strip = |answer: Answer, tenant: &str| {
            let mut body = answer.expect(404);
            body["request_id"] = Value::Null;
            body.to_string().replace(tenant, "TENANT")
        };
        assert_eq!(strip(there, &foreign), strip(missing, &none), "{}", operation.id);
        if operation.path.contains("{id}") {
            assert_eq!(mixed.status, 404, "{}", operation.id);
        }
    }
}

fn uuid_like() -> String {
    "01890000-0000-7000-8000-000000000000".to_owned()
}
