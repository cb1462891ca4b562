//! What makes pages hard: long names, full and empty lists, tenants in every state, credentials that end.

use crate::harness::{PASSWORD, World};
use crate::server::{Credential, SUPER_ADMIN, Server, id};
use serde_json::{Value, json};
use tokio::process::Command;

/// A name as long as they come, without a place to break it.
const LONG_NAME: &str = "Middle-European-Security-Operations-and-Incident-Response-Centre_of_the_United_Regional_Savings_Banks_and_Building_Soc";
const LONG_ADDRESS: &str = "a.person.with.a.rather.long.address.in.many.parts@subsidiary.of.a.large.example.com";
/// More than one page of a list holds.
const MANY: usize = 60;

/// Fills the demo's store with it, and signs in as its owner, who has just proved who she is. Answers where to begin: full pages before
/// empty ones, since of each kind the first is looked at.
pub(crate) async fn furnish(World { server, browser }: &World) -> Vec<String> {
    let acme = server.credentials["samples"][0]["tenant_id"].as_str().unwrap().to_owned();
    let at = |tenant: &str, rest: &str| format!("/console/tenants/{tenant}{rest}");
    server.person(&server.root, "ada@example.com", SUPER_ADMIN).await;
    let mut begin = applications(server, &acme).await;
    begin.extend(people(server, &acme).await);
    begin.extend(tenants(server).await);
    let empty = server.tenant(&server.root, LONG_NAME, "organization").await;
    browser.sign_in("ada@example.com").await;
    browser.open("/console/step-up").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Confirm").await;
    begin.extend(["", "/applications", "/people", "/access-levels", "/audit", "/usage"].map(|rest| at(&acme, rest)));
    begin.extend(["", "/tenants", "/operator"].map(|rest| at(&server.root, rest)));
    begin.extend(["/console/account", "/console/switch", "/console/step-up"].map(str::to_owned));
    begin.push(at(&acme, "/nothing-here"));
    let none = ["", "/applications", "/access-levels", "/people", "/tenants", "/audit", "/usage"];
    begin.extend(none.map(|rest| at(&empty, rest)));
    begin
}

/// Applications in every state, with calls; where their pages are that no link leads to.
async fn applications(server: &Server, acme: &str) -> Vec<String> {
    let beneath = |rest: &str| format!("/v1/tenants/{acme}{rest}");
    let put = async |rest: &str, body: Value| {
        let answer = server.curl(&server.operator, "PUT", &beneath(rest), Some(&body)).await;
        assert_eq!(answer.status, 200, "{rest}: {}", answer.body);
    };
    put("/secret-visibility", json!({ "visibility": "retaining" })).await;
    let later = in_sixty_days().await;
    put("/legacy-key-types", json!({ "siem": { "allowed": true, "sunset": later } })).await;
    let level = json!({ "name": LONG_NAME, "description": "Reads alerts and the audit record, and what devices there are",
        "grants": { "org.audits": ["READ"], "org.alerts": ["READ"], "device": ["READ"] } });
    let level = id(&server.post(&beneath("/access-levels"), &level).await);
    let long = json!({ "name": LONG_NAME, "access_level_id": level, "owner": LONG_ADDRESS, "description": "One that is hard to show",
        "allowed_networks": ["127.0.0.0/8", "2001:db8::/32"], "expires_at": format!("{later}T00:00:00Z") });
    let long = server.post(&beneath("/applications"), &long).await;
    let by = Credential::of(&long);
    for right in ["org.audits:READ", "org.alerts:READ", "device.quarantine:EXECUTE"] {
        server.verifies(&by, right).await;
    }
    let long = id(&long);
    server.post(&beneath(&format!("/applications/{long}/rotate")), &json!({ "overlap_seconds": 86_400 })).await;
    let key = json!({ "name": "Old connector", "key_type": "siem" });
    let key = id(&server.post(&beneath("/applications"), &key).await);
    let issuer = json!({ "name": "Build service", "issuer": "https://ci.example", "audience": "claviger",
        "algorithms": ["ES256"], "bindings": [{ "description": "Deploys from the main branch", "application_id": long,
        "conditions": [{ "claim": "sub", "equals": "repo:acme/siem:ref:refs/heads/main" },
            { "claim": "/kubernetes.io/namespace", "one_of": ["production", "staging"] }] }] });
    let issuer = id(&server.post(&beneath("/trusted-issuers"), &issuer).await);
    let provider = json!({ "name": "Acme Login", "issuer": "https://login.acme.example", "client_id": "claviger",
        "domains": ["login.acme.example"], "role_mapping": [
            { "claim": "groups", "value": "siem-readers", "access_level_ids": [level] }] });
    let provider = id(&server.post(&beneath("/identity-providers"), &provider).await);
    let at = |rest: &str| format!("/console/tenants/{acme}{rest}");
    vec![
        at(&format!("/applications/{long}")),
        at(&format!("/access-levels/{level}")),
        at(&format!("/access-levels/{level}/delete")),
        at(&format!("/access-levels/compare?one={level}&other={}", server.level(&server.root, SUPER_ADMIN).await)),
        at(&format!("/security/key-types/{key}/migrate")),
        at(&format!("/security/issuers/{issuer}")),
        at("/security/remove-secret"),
        at(&format!("/sso/{provider}")),
        at(&format!("/sso/{provider}/delete")),
        at("/sso"),
    ]
}

/// A day that does not come while a test runs.
async fn in_sixty_days() -> String {
    let output = Command::new("date").args(["-u", "-d", "+60 days", "+%F"]).output().await.expect("date is missing");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Somebody who has come, and somebody who is invited.
async fn people(server: &Server, acme: &str) -> Vec<String> {
    server.person(acme, "grace@acme.example", SUPER_ADMIN).await;
    let body = json!({ "email": LONG_ADDRESS, "first_name": "Wolfeschlegelsteinhausenbergerdorff",
        "last_name": "Featherstonehaugh-Cholmondeley" });
    let invited = id(&server.post(&format!("/v1/tenants/{acme}/users"), &body).await);
    let one = format!("/console/tenants/{acme}/people/{invited}");
    let rest = ["", "/edit", "/roles", "/delete", "/factors/reset", "/identities/forget"];
    rest.iter().map(|rest| format!("{one}{rest}")).collect()
}

/// Tenants in every state; one with more applications than a page holds.
async fn tenants(server: &Server) -> Vec<String> {
    let root = &server.root;
    let at = |tenant: &str, rest: &str| format!("/console/tenants/{tenant}{rest}");
    let order = json!({ "tenant": { "name": "Provisioned", "kind": "organization" },
        "application": { "name": "First", "access_level_id": server.level(root, SUPER_ADMIN).await },
        "administrator": { "email": "eve@provisioned.example" } });
    let job = id(&server.post(&format!("/v1/tenants/{root}/provisionings"), &order).await);
    let suspended = server.tenant(root, "Suspended", "organization").await;
    server.post(&format!("/v1/tenants/{suspended}/suspend"), &json!({})).await;
    let leaving = server.tenant(root, "Leaving", "organization").await;
    server.post(&format!("/v1/tenants/{leaving}/suspend"), &json!({})).await;
    assert_eq!(server.curl(&server.operator, "DELETE", &format!("/v1/tenants/{leaving}"), None).await.status, 202);
    let body = json!({ "name": "Full", "kind": "organization", "parent_id": root, "application_limit": 1_000,
        "external_id": "CRM-0001", "endpoint_limit": 5 });
    let full = id(&server.post("/v1/tenants", &body).await);
    let body = json!({ "name": "Full, on trial", "kind": "instance", "parent_id": full, "trial": true });
    let trial = id(&server.post("/v1/tenants", &body).await);
    let level = server.auditor(&full).await;
    let one = |number: usize| {
        json!({ "name": format!("Integration {number:03}"), "access_level_id": level, "owner": "ops@full.example",
            "client_id": format!("KEY{number:05}"), "secrets": [{ "sha256": format!("{number:064x}"), "hint": "…last" }] })
    };
    let all: Vec<_> = (1..=MANY).map(one).collect();
    server.post(&format!("/v1/tenants/{full}/applications/import"), &json!(all)).await;
    for (tenant, count) in [(&full, 7), (&trial, 3)] {
        let path = format!("/v1/tenants/{tenant}/endpoints");
        let answer = server.curl(&server.operator, "PUT", &path, Some(&json!({ "count": count }))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    vec![
        at(root, &format!("/provisionings/{job}")),
        at(&full, "/applications"),
        at(&full, "/utilization"),
        at(&full, "/details"),
        at(&trial, "/details/convert"),
        at(&suspended, "/details/delete"),
        at(&suspended, "/details/reactivate"),
        at(&leaving, "/details"),
    ]
}
