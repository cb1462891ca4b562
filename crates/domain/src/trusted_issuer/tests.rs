//! Rules of trusted issuers.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn conditions(drafts: Value) -> Vec<Condition> {
    parse_conditions("/c", serde_json::from_value(drafts).unwrap()).unwrap()
}

fn binding(number: u128, application: u128, sub: &str) -> Binding {
    Binding {
        id: BindingId::from_u128(number),
        description: String::new(),
        application_id: ApplicationId::from_u128(application),
        conditions: conditions(json!([{"claim": "sub", "matches": sub}])),
    }
}

fn issuer(bindings: Vec<Binding>) -> TrustedIssuer {
    TrustedIssuer {
        id: IssuerId::from_u128(1),
        tenant_id: TenantId::from_u128(1),
        name: "CI".into(),
        trust: Trust {
            issuer: parse_issuer("/issuer", "https://issuer.example/").unwrap(),
            audience: None,
            keys: KeySource::Discovery,
            algorithms: vec![Algorithm::Rs256],
            max_age_seconds: AGE_DEFAULT,
            single_use: true,
            enabled: true,
        },
        bindings,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn bind(issuer: &TrustedIssuer, sub: &str, named: Option<u128>) -> Result<u128, Mismatch> {
    let claims = json!({ "sub": sub });
    issuer.bind(claims.as_object().unwrap(), named.map(ApplicationId::from_u128)).map(|found| found.id.as_u128())
}

#[test]
fn one_application_or_the_named_one_is_bound() {
    let issuer = issuer(vec![binding(1, 10, "repo:a/*"), binding(2, 20, "repo:a/b"), binding(3, 20, "repo:a/**")]);
    assert_eq!(bind(&issuer, "repo:a/c/d", None), Ok(3));
    assert_eq!(bind(&issuer, "repo:a/c", None), Err(Mismatch::Ambiguous));
    assert_eq!(bind(&issuer, "repo:a/c", Some(10)), Ok(1));
    assert_eq!(bind(&issuer, "repo:a/b", Some(20)), Ok(2), "the first of several to one application");
    assert_eq!(bind(&issuer, "repo:a/b", Some(30)), Err(Mismatch::Binding));
    assert_eq!(bind(&issuer, "repo:b/b", None), Err(Mismatch::Binding));
}

fn patched(before: &TrustedIssuer, patch: TrustedIssuerPatch) -> TrustedIssuer {
    let mut next = 100;
    let fresh = || {
        next += 1;
        Ok(BindingId::from_u128(next))
    };
    before.patched(patch, NOW, fresh).unwrap()
}

fn ids(issuer: &TrustedIssuer) -> Vec<u128> {
    issuer.bindings.iter().map(|binding| binding.id.as_u128()).collect()
}

#[test]
fn what_changes_has_another_id() {
    let before = issuer(vec![binding(1, 10, "repo:a/*"), binding(2, 20, "repo:a/b")]);
    let renamed =
        patched(&before, TrustedIssuerPatch { name: Some(Name::parse("/n", "B").unwrap()), ..Default::default() });
    assert_eq!((ids(&renamed), renamed.name.as_str(), renamed.version), (vec![1, 2], "B", 2));
    let wanted = |bindings: &[Binding]| Some(bindings.iter().cloned().map(NewBinding::from).collect());
    let swapped = [before.bindings[1].clone(), Binding { description: "x".into(), ..before.bindings[0].clone() }];
    assert_eq!(ids(&patched(&before, TrustedIssuerPatch { bindings: wanted(&swapped), ..Default::default() })), [2, 1]);
    let changed = [binding(9, 10, "repo:a/c"), before.bindings[1].clone(), before.bindings[1].clone()];
    let after = patched(&before, TrustedIssuerPatch { bindings: wanted(&changed), ..Default::default() });
    assert_eq!(ids(&after), [101, 2, 102], "a copy is another one");
    for patch in [
        TrustedIssuerPatch { enabled: Some(false), ..Default::default() },
        TrustedIssuerPatch { max_age_seconds: Some(60), ..Default::default() },
        TrustedIssuerPatch { audience: Some(Some("x".into())), ..Default::default() },
        TrustedIssuerPatch { algorithms: Some(vec![Algorithm::Es256]), ..Default::default() },
        TrustedIssuerPatch { keys: Some(KeySource::Pinned("{}".into())), ..Default::default() },
        TrustedIssuerPatch { single_use: Some(false), ..Default::default() },
        TrustedIssuerPatch {
            issuer: Some(parse_issuer("/i", "https://issuer.example").unwrap()),
            ..Default::default()
        },
    ] {
        assert_eq!(ids(&patched(&before, patch)), [101, 102]);
    }
    assert_eq!(ids(&patched(&before, TrustedIssuerPatch { enabled: Some(true), ..Default::default() })), [1, 2]);
}

#[test]
fn members_have_bounds() {
    let words =
        |words: &[&str]| parse_algorithms("/a", &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    assert_eq!(words(&["EdDSA", "RS256"]).unwrap(), [Algorithm::Rs256, Algorithm::EdDsa]);
    for bad in [&[][..], &["none"], &["HS256"], &["RS256", "RS256"], &["rs256"]] {
        assert!(words(bad).is_err(), "{bad:?}");
    }
    assert!(parse_age("/m", 59).is_err() && parse_age("/m", 86_401).is_err() && parse_age("/m", 60).is_ok());
    assert!(parse_audience("/a", String::new()).is_err() && parse_audience("/a", "a b".into()).is_err());
    assert!(parse_issuer("/i", "https://a.example/?x").is_err() && parse_issuer("/i", "a.example").is_err());
    assert!(check_bindings("/b", 50).is_ok() && check_bindings("/b", 51).is_err());
    let drafts = |drafts: Value| parse_conditions("/c", serde_json::from_value(drafts).unwrap());
    assert!(drafts(json!([])).is_err());
    assert!(drafts(json!([{"claim": "aud", "equals": "x"}])).is_err(), "nothing about sub");
    assert!(drafts(json!([{"claim": "sub", "contains": "x"}])).is_err(), "nothing about sub");
    assert!(drafts(json!(vec![json!({"claim": "sub", "equals": "x"}); 17])).is_err());
    assert!(parse_pinned("/jwks", &json!({"keys": []})).is_err());
}

#[test]
fn an_issuer_is_neither_this_server_nor_within() {
    let trust = issuer(Vec::new()).trust;
    let allowance = Allowance::default();
    assert!(trust.check(&allowance, "https://claviger.example").is_ok());
    assert!(trust.check(&allowance, "https://issuer.example").is_err(), "but for a slash");
    let inside = |text: &str| parse_issuer("/i", text).unwrap();
    assert!(Trust { issuer: inside("https://10.0.0.1"), ..trust.clone() }.check(&allowance, "x").is_err());
    let pinned = Trust { issuer: inside("https://10.0.0.1"), keys: KeySource::Pinned("{}".into()), ..trust.clone() };
    assert!(pinned.check(&allowance, "x").is_ok(), "nothing is fetched");
    let fetched = Trust { keys: KeySource::Fetched(inside("https://[::1]/jwks")), ..trust.clone() };
    assert!(fetched.check(&allowance, "x").is_err());
    assert_eq!(trust.discovery().unwrap().as_str(), "https://issuer.example/.well-known/openid-configuration");
}

proptest! {
    #[test]
    fn a_binding_that_stays_keeps_its_id(kept in proptest::collection::vec(any::<bool>(), 1..8)) {
        let bindings: Vec<_> = kept.iter().zip(1_u128..).map(|(_, number)| binding(number, number, &format!("s{number}"))).collect();
        let before = issuer(bindings.clone());
        let wanted: Vec<_> = kept.iter().zip(&bindings).filter(|(kept, _)| **kept).map(|(_, binding)| binding.clone()).collect();
        let patch = TrustedIssuerPatch { bindings: Some(wanted.iter().cloned().map(NewBinding::from).collect()), ..Default::default() };
        prop_assert_eq!(patched(&before, patch).bindings, wanted);
    }
}
