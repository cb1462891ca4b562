//! Plans against what a server could hold.

use serde_json::{Map, Value, json};

use super::document::Wanted;
use super::plan::{Action, Current, Plan, Tenant, plan};
use super::{show, yaml};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("{value}") };
    members
}

fn list(value: Value) -> Vec<Map<String, Value>> {
    let Value::Array(items) = value else { panic!("{value}") };
    items.into_iter().map(object).collect()
}

/// An operator with one customer that has a level and two applications.
fn server() -> Current {
    let acme = Tenant {
        path: vec!["Acme".into()],
        id: "t1".into(),
        body: object(json!({
            "id": "t1", "name": "Acme", "kind": "organization", "status": "active", "application_limit": 10, "version": 4
        })),
        levels: list(json!([
            {"id": "l0", "name": "View All", "built_in": true, "grants": {}, "version": 1},
            {"id": "l1", "name": "Readers", "built_in": false, "description": "", "version": 2,
             "grants": {"org.audits": ["READ"]}},
        ])),
        applications: list(json!([
            {"id": "a1", "name": "SIEM", "client_id": "a1", "description": "", "owner": "a@b", "access_level_id": "l1",
             "grants": null, "reach": "own", "allowed_networks": ["10.0.0.0/8"], "expires_at": null, "enabled": true,
             "rate_limit": {"requests": 5, "window_seconds": 1}, "version": 3},
            {"id": "a2", "name": "Portal", "client_id": "a2", "access_level_id": null, "grants": {}, "version": 1},
        ])),
        policy: Some(object(json!({"tenant_id": "t1", "rotate_every_days": 90, "version": 2}))),
        token_settings: Some(object(json!({"lifetime_seconds": 600, "effective_lifetime_seconds": 600}))),
        issuers: list(json!([
            {"id": "i1", "name": "CI", "issuer": "https://ci.example", "audience": null, "version": 5, "enabled": true,
             "algorithms": ["RS256"], "jwks_uri": null, "jwks": null, "bindings": [
                {"id": "b1", "application_id": "a1", "description": "", "last_use": null,
                 "conditions": [{"claim": "sub", "matches": "repo:acme/*"}]}]},
            {"id": "i2", "name": "Old", "issuer": "https://old.example", "version": 1, "bindings": []},
        ])),
        providers: list(json!([
            {"id": "p1", "name": "Acme", "issuer": "https://login.example", "client_id": "claviger", "version": 6,
             "has_client_secret": true, "scopes": ["openid", "email"], "domains": ["a.example", "b.example"],
             "create_users": false, "enabled": true, "required": false, "default_access_level_ids": ["l0"],
             "role_mapping": [{"claim": "groups", "value": "x", "access_level_ids": ["l1", "l0"]}]},
        ])),
    };
    let root = Tenant { id: "t0".into(), ..Tenant::default() };
    Current { tenants: vec![root, acme], built_in: vec!["View All".into()], own_application: "a2".into() }
}

fn wanted(text: &str) -> Wanted {
    Wanted::read(yaml::parse(text).unwrap()).unwrap()
}

fn planned(text: &str) -> Plan {
    plan(&server(), &wanted(text), false).unwrap()
}

fn actions(plan: &Plan) -> Vec<(Action, &str)> {
    plan.steps.iter().map(|step| (step.action, step.name.as_str())).collect()
}

const SIEM: &str = "applications:\n- {tenant: Acme, name: SIEM, access_level: readers, owner: a@b, rate_limit: 5,\n   \
                    allowed_networks: [10.0.0.0/8], enabled: true, expires_at: null}\n";

#[test]
fn what_is_as_it_should_be_stays() {
    let plan = planned(&format!(
        "tenants: [{{name: Acme, kind: organization, application_limit: 10}}]\n\
         credential_policies: [{{tenant: Acme, rotate_every_days: 90}}]\n\
         access_levels: [{{tenant: Acme, name: Readers, grants: {{org.audits: [READ]}}}}]\n{SIEM}"
    ));
    use Action::{Drift, Unchanged};
    let expected =
        [(Unchanged, "Acme"), (Unchanged, ""), (Unchanged, "Readers"), (Unchanged, "SIEM"), (Drift, "Portal")];
    assert_eq!(actions(&plan), expected);
    assert_eq!(plan.pending().count(), 0);
}

#[test]
fn differences_are_shown_member_by_member() {
    let plan = planned("applications:\n- {tenant: Acme, name: siem, grants: {org.audits: [READ]}, owner: null}\n");
    let [step, _] = &plan.steps[..] else { panic!("{plan:?}") };
    assert_eq!((step.action, step.id.as_deref(), step.version), (Action::Update, Some("a1"), Some(3)));
    let text = show::text(&plan);
    for line in [
        "~ update application \"siem\" of \"Acme\"",
        "    grants: null -> {\"org.audits\":[\"READ\"]}",
        "    name: \"SIEM\" -> \"siem\"",
        "    owner: \"a@b\" -> null",
        "? not in the file application \"Portal\" of \"Acme\"",
        "0 to create, 1 to update, 0 to delete, 0 unchanged, 1 not in the file",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    assert_eq!(show::json(&plan)["pending"], 1);
}

#[test]
fn a_new_tenant_comes_before_what_it_holds() {
    let plan = planned(
        "applications: [{tenant: [New, Part], name: A, access_level: View All, client_id: X}]\n\
         access_levels: [{tenant: New, name: L, grants: {}}]\n\
         tenants: [{parent: New, name: Part, kind: instance}, {name: New, kind: organization}]\n",
    );
    let created: Vec<_> = plan.pending().map(|step| step.name.as_str()).collect();
    assert_eq!(created, ["New", "Part", "L", "A"]);
    assert!(plan.steps[3].notes[0].contains("client id of its own"));
}

#[test]
fn only_what_is_listed_by_kind_counts_as_missing() {
    let text = "access_levels: [{tenant: Acme, name: Other, grants: {}}]\n";
    assert_eq!(actions(&planned(text)), [(Action::Create, "Other"), (Action::Drift, "Readers")]);
    let text = format!("{SIEM}access_levels: []\n");
    let pruned = plan(&server(), &wanted(&text), true).unwrap();
    let expected = [(Action::Unchanged, "SIEM"), (Action::Drift, "Portal"), (Action::Delete, "Readers")];
    assert_eq!(actions(&pruned), expected, "the credential in use is spared");
    assert!(pruned.steps[1].notes[0].contains("in use"));
}

#[test]
fn what_could_never_be_done_is_told_at_once() {
    let text = "tenants: [{name: Acme, kind: instance}, {name: New}]\n\
                applications:\n- {tenant: Nowhere, name: A, grants: {}}\n- {tenant: Acme, name: B}\n\
                - {tenant: Acme, name: C, access_level: Missing}\naccess_levels: [{tenant: Acme, name: D}]\n";
    let impossible = plan(&server(), &wanted(text), false).unwrap_err();
    let reasons =
        ["cannot be changed", "needs a kind", "needs grants", "no such tenant", "needs access_level", "\"Missing\""];
    for (told, what) in impossible.iter().zip(reasons) {
        assert!(told.contains(what), "{what}: {impossible:?}");
    }
    assert_eq!(impossible.len(), 6, "{impossible:?}");
}

#[test]
fn a_client_id_is_told_and_kept() {
    let plan = planned("applications: [{tenant: Acme, name: SIEM, client_id: other}]\n");
    assert_eq!(plan.steps[0].action, Action::Unchanged);
    assert!(show::text(&plan).contains("cannot be changed"));
}

#[test]
fn issuers_are_bound_by_names_of_applications() {
    let same = "trusted_issuers:\n- tenant: Acme\n  name: ci\n  issuer: https://ci.example\n  bindings:\n  - application: siem\n    \
                conditions: [{claim: sub, matches: 'repo:acme/*'}]\n";
    let found = planned(same);
    let [step, drift] = &found.steps[..] else { panic!("{found:?}") };
    assert_eq!(step.changes.iter().map(|change| change.member.as_str()).collect::<Vec<_>>(), ["name"]);
    assert_eq!((drift.action, drift.name.as_str()), (Action::Drift, "Old"));
    let other = same.replace("repo:acme/*", "repo:acme/app");
    let found = planned(&other);
    assert_eq!(found.steps[0].changes[0].member, "bindings");
    assert_eq!(found.steps[0].changes[0].from.as_ref().unwrap()[0]["application"], "SIEM");
    let pruned = plan(&server(), &wanted(same), true).unwrap();
    assert_eq!(pruned.steps[1].action, Action::Delete);
    let unknown = plan(&server(), &wanted(&same.replace("siem", "nobody")), false).unwrap_err();
    assert!(unknown[0].contains("no application \"nobody\""), "{unknown:?}");
    let new = "trusted_issuers: [{tenant: Acme, name: New}]\n";
    assert!(plan(&server(), &wanted(new), false).unwrap_err()[0].contains("needs issuer"));
}

#[test]
fn token_settings_are_a_tenants_one() {
    let found = planned("token_settings: [{tenant: Acme, lifetime_seconds: 600}]\n");
    assert_eq!(actions(&found), [(Action::Unchanged, "")]);
    let found = planned("token_settings: [{tenant: Acme, lifetime_seconds: null}]\n");
    assert_eq!(found.steps[0].action, Action::Update);
    assert!(show::text(&found).contains("~ update token settings of \"Acme\""));
}

#[test]
fn identity_providers_name_access_levels() {
    let same = "identity_providers:\n- {tenant: Acme, name: acme, issuer: 'https://login.example', client_id: claviger, \
                scopes: [email], domains: [B.example, a.example], default_access_levels: [view all], \
                role_mapping: [{claim: groups, value: x, access_levels: [VIEW ALL, readers]}]}\n";
    let step = &planned(same).steps[0];
    assert_eq!(step.changes.iter().map(|change| change.member.as_str()).collect::<Vec<_>>(), ["name"], "{step:?}");
    let more = planned(&same.replace("name: acme", "name: Acme").replace("VIEW ALL, readers", "readers"));
    assert_eq!(more.steps[0].changes[0].member, "role_mapping");
    assert_eq!((more.steps[0].version, more.steps[0].id.as_deref()), (Some(6), Some("p1")));
    let new = planned(
        "identity_providers: [{tenant: Acme, name: N, issuer: 'https://n.example', client_id: c, domains: [n.example]}]",
    );
    assert_eq!(actions(&new)[0].0, Action::Create);
    assert!(
        new.steps[0].notes[0].contains("client secret") && new.steps[0].changes.iter().any(|c| c.member == "client_id")
    );
    assert_eq!(actions(&new)[1], (Action::Drift, "Acme"));
    for (bad, why) in [
        ("{tenant: Acme, name: N}", "needs issuer, client_id and domains"),
        ("{tenant: Acme, name: Acme, default_access_levels: [Nobody]}", "no access level \"Nobody\""),
        (
            "{tenant: Acme, name: Acme, role_mapping: [{claim: a, value: b, access_levels: [Nobody]}]}",
            "no access level",
        ),
    ] {
        let refused = plan(&server(), &wanted(&format!("identity_providers: [{bad}]")), false).unwrap_err();
        assert!(refused[0].contains(why), "{refused:?}");
    }
    assert!(Wanted::read(yaml::parse("identity_providers: [{name: N, client_secret: x}]").unwrap()).is_err());
}
