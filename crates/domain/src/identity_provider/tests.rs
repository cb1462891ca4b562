use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn level(number: u128) -> AccessLevelId {
    AccessLevelId::from_u128(number)
}

fn rule(claim: &str, value: &str, levels: &[u128]) -> RoleRule {
    RoleRule::parse("/r", claim.into(), value.into(), levels.iter().copied().map(level).collect()).unwrap()
}

fn provider(rules: Vec<RoleRule>, defaults: &[u128]) -> IdentityProvider {
    let new = NewIdentityProvider {
        name: Name::parse("/name", "Acme").unwrap(),
        issuer: Target::parse("/issuer", "https://idp.example/acme").unwrap(),
        client_id: "client".into(),
        client_secret: Some(ClientSecret::parse("/s", "secret".into()).unwrap()),
        scopes: parse_scopes("/scopes", vec!["email".into()]).unwrap(),
        domains: parse_domains("/domains", &["Acme.example".into()]).unwrap(),
        creates_users: true,
        role_rules: rules,
        default_roles: defaults.iter().copied().map(level).collect(),
        enabled: true,
        required: false,
    };
    new.into_provider(TenantId::from_u128(1), ProviderId::from_u128(2), NOW)
}

#[test]
fn domains_are_hosts_that_are_somebodys() {
    assert_eq!(Domain::parse("/d", " Acme.Example ").unwrap().as_str(), "acme.example");
    for bad in
        ["", "acme", "@acme.example", "acme..example", "-acme.example", "acme.example.", "ácme.example", "GMail.com"]
    {
        assert!(Domain::parse("/d", bad).is_err(), "{bad}");
    }
    let twice = parse_domains("/domains", &["b.example".into(), "a.example".into(), "B.example".into()]).unwrap();
    assert_eq!(twice.iter().map(Domain::as_str).collect::<Vec<_>>(), ["a.example", "b.example"]);
    assert!(parse_domains("/domains", &[]).is_err());
}

#[test]
fn an_address_leads_by_the_whole_of_its_domain() {
    let provider = provider(Vec::new(), &[]);
    assert!(provider.serves("ada@acme.example"));
    for other in
        ["ada@sub.acme.example", "ada@acme.example.evil.example", "ada@notacme.example", "acme.example", "ada@", ""]
    {
        assert!(!provider.serves(other), "{other}");
    }
    assert_eq!(domain_of("a@b@acme.example"), Some("acme.example"));
}

#[test]
fn rules_give_what_their_claims_say() {
    let rules =
        vec![rule("groups", "admins", &[3, 2]), rule("/realm/role", "auditor", &[4]), rule("team", "blue", &[2])];
    let provider = provider(rules, &[9]);
    let roles = |claims: Value| provider.roles_of(claims.as_object().unwrap());
    assert_eq!(roles(json!({})), [level(9)]);
    assert_eq!(roles(json!({"groups": ["users", "admins"], "team": "blue"})), [level(2), level(3), level(9)]);
    assert_eq!(roles(json!({"groups": "admins", "realm": {"role": "auditor"}})), [2, 3, 4, 9].map(level));
    assert_eq!(roles(json!({"groups": ["Admins"], "team": ["bluest"], "realm": {"role": {}}})), [level(9)]);
    assert_eq!(provider.all_roles(), [2, 3, 4, 9].map(level));
    let enough = |claims: Value| provider.is_told_enough(claims.as_object().unwrap());
    assert!(enough(json!({"email": "a", "groups": [], "realm": {"role": null}, "team": 1})));
    assert!(!enough(json!({"groups": [], "realm": {"role": null}, "team": 1})) && !enough(json!({"email": "a"})));
    let places = [9, 3, 4].map(|number| provider.place_of(level(number)));
    assert_eq!(
        places,
        ["/default_access_level_ids/0", "/role_mapping/0/access_level_ids/1", "/role_mapping/1/access_level_ids/0"]
    );
    let many: Vec<u128> = (1..=50).collect();
    let most = self::provider(Vec::new(), &many);
    let rules = vec![rule("groups", "x", &[51])];
    assert!(most.check_roles().is_ok() && IdentityProvider { role_rules: rules, ..most }.check_roles().is_err());
    assert!(RoleRule::parse("/r", "groups".into(), "admins".into(), Vec::new()).is_err());
    assert!(RoleRule::parse("/r", String::new(), "admins".into(), vec![level(1)]).is_err());
}

#[test]
fn a_change_leaves_what_it_does_not_name() {
    let before = provider(vec![rule("groups", "admins", &[3])], &[]);
    let after = before.patched(IdentityProviderPatch::default(), NOW.plus_seconds(1));
    assert_eq!((after.version, after.has_secret), (2, true));
    assert_eq!(IdentityProvider { version: 1, updated_at: NOW, ..after }, before);
    let patch = IdentityProviderPatch { client_secret: Some(None), required: Some(true), ..Default::default() };
    let after = before.patched(patch, NOW);
    assert!(!after.has_secret && after.required);
}

#[test]
fn scopes_hold_openid_once() {
    let parse = |scopes: &[&str]| parse_scopes("/scopes", scopes.iter().map(|&scope| scope.to_owned()).collect());
    assert_eq!(parse(&[]).unwrap(), ["openid"]);
    assert_eq!(parse(&["email", "openid", "email"]).unwrap(), ["openid", "email"]);
    assert!(parse(&["a b"]).is_err() && parse(&[""]).is_err() && parse(&["x"; 11]).is_err());
}

#[test]
fn this_server_is_no_provider_of_its_own() {
    let issuer = Target::parse("", "https://claviger.example/").unwrap();
    assert!(check_issuer(&issuer, &Allowance::default(), "https://claviger.example").is_err());
    assert!(check_issuer(&issuer, &Allowance::default(), "https://other.example").is_ok());
    let inside = Target::parse("", "https://10.0.0.1").unwrap();
    assert!(check_issuer(&inside, &Allowance::default(), "https://claviger.example").is_err());
}

#[test]
fn secrets_are_not_printed() {
    let secret = ClientSecret::parse("/s", "hush".into()).unwrap();
    assert_eq!(format!("{secret:?}"), "ClientSecret(…)");
    assert!(ClientSecret::parse("/s", String::new()).is_err() && ClientSecret::parse("/s", "a\nb".into()).is_err());
}

proptest! {
    #[test]
    fn nobody_gets_what_no_rule_names(groups in proptest::collection::vec("[a-c]{1,2}", 0..6)) {
        let provider = provider(vec![rule("groups", "a", &[1]), rule("groups", "bc", &[2])], &[]);
        let claims = json!({"groups": groups.clone()});
        let roles = provider.roles_of(claims.as_object().unwrap());
        prop_assert_eq!(roles.contains(&level(1)), groups.iter().any(|one| one == "a"));
        prop_assert_eq!(roles.contains(&level(2)), groups.iter().any(|one| one == "bc"));
        prop_assert!(roles.iter().all(|role| provider.all_roles().contains(role)));
    }
}
