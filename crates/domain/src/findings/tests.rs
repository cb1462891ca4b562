//! Each rule by itself, and what holds for all of them.

use super::*;
use crate::application::{LastUse, Reach, Rights};
use crate::id::{ClientId, TenantId};
use proptest::prelude::*;
use std::net::IpAddr;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const PATIENCE: Patience = Patience { unused_days: 90, held_days: 90 };

fn days(ago: i64) -> Timestamp {
    days_ago(NOW, ago)
}

fn grants(rights: &[(&str, &[Verb])]) -> Grants {
    rights.iter().map(|(name, verbs)| ((*name).to_owned(), verbs.iter().copied().collect())).collect()
}

fn network(text: &str) -> Network {
    Network::parse("", text).unwrap()
}

fn secret(number: u128, made: i64, used: Option<i64>) -> Secret {
    let address = Some(IpAddr::from([10, 1, 0, 1]));
    let last_use = used.map(|ago| LastUse { at: days(ago), address, user_agent: String::new() });
    Secret {
        id: SecretId::from_u128(number),
        application_id: ApplicationId::from_u128(1),
        hint: format!("clv_a_…{number:04}"),
        created_at: days(made),
        expires_at: None,
        ends_at: None,
        last_use,
        temporary: false,
    }
}

/// A year old, in use, with nothing to find.
fn look() -> Look {
    let id = ApplicationId::from_u128(1);
    let held = grants(&[("org.audits", &[Verb::Read])]);
    Look {
        application: Application {
            id,
            tenant_id: TenantId::from_u128(1),
            client_id: ClientId::of(id),
            name: "SIEM".into(),
            description: String::new(),
            owner: Some("ops@example.com".into()),
            owner_id: None,
            rights: Rights::Inline(held.clone()),
            reach: Reach::Own,
            allowed_networks: Some(vec![network("10.1.0.0/16")]),
            expires_at: Some(days(-30)),
            ends_at: Some(days(-30)),
            enabled: true,
            rate_limit: None,
            dpop_bound: false,
            version: 1,
            created_at: days(365),
            updated_at: days(365),
        },
        grants: held,
        rights_since: days(365),
        networks_since: days(365),
        secrets: vec![secret(1, 365, Some(1))],
        rights: BTreeMap::from([("org.audits:READ".to_owned(), days(1))]),
        networks: Vec::new(),
    }
}

fn kinds(look: &Look) -> Vec<Kind> {
    look.findings(PATIENCE, NOW).into_iter().map(|found| found.kind).collect()
}

#[test]
fn an_application_in_order_has_no_findings() {
    assert_eq!(look().findings(PATIENCE, NOW), []);
}

#[test]
fn an_application_is_unused_after_so_many_days() {
    let mut it = look();
    it.rights.clear();
    it.secrets = vec![secret(1, 365, Some(89))];
    it.grants.clear();
    assert_eq!(kinds(&it), []);
    it.secrets = vec![secret(1, 365, Some(90))];
    let found = it.findings(PATIENCE, NOW).remove(0);
    assert_eq!((found.kind, found.since, found.remedy), (Kind::ApplicationUnused, days(90), Remedy::Disable));
    it.secrets = vec![secret(2, 10, None)];
    assert_eq!(kinds(&it), [], "somebody has given it a secret lately");
    it.secrets = vec![secret(1, 365, Some(90))];
    it.application.enabled = false;
    assert_eq!(kinds(&it), [], "it is disabled");
}

#[test]
fn what_is_new_is_not_held_against_anybody() {
    let mut it = look();
    it.application.created_at = days(89);
    it.application.allowed_networks = None;
    it.rights_since = days(89);
    it.rights.clear();
    it.secrets = vec![secret(1, 89, None)];
    assert_eq!(kinds(&it), []);
    let shorter = Patience { unused_days: 30, held_days: 30 };
    let found = it.findings(shorter, NOW);
    assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::ApplicationUnused, Kind::SecretUnused]);
}

#[test]
fn a_second_secret_is_unused_and_one_never_used() {
    let mut it = look();
    it.secrets = vec![secret(1, 365, Some(200)), secret(2, 100, Some(1))];
    let found = it.findings(PATIENCE, NOW).remove(0);
    assert_eq!((found.kind, found.since), (Kind::SecretUnused, days(200)));
    assert_eq!(found.remedy, Remedy::RevokeSecret(SecretId::from_u128(1)));
    assert_eq!(found.subjects, [SecretId::from_u128(1).to_string()]);
    it.secrets = vec![secret(1, 365, Some(1)), secret(2, 91, None)];
    assert_eq!(kinds(&it), [Kind::SecretUnused]);
    it.secrets[1].ends_at = Some(days(1));
    assert_eq!(kinds(&it), [], "it has ended by itself");
}

#[test]
fn rights_held_and_not_used_are_named() {
    let mut it = look();
    it.grants = grants(&[("org.audits", &[Verb::Read]), ("applications", &[Verb::Read, Verb::Update])]);
    it.rights.insert("applications:UPDATE".into(), days(120));
    let found = it.findings(PATIENCE, NOW).remove(0);
    assert_eq!((found.kind, found.since, found.remedy), (Kind::PermissionUnused, days(120), Remedy::Shrink(90)));
    assert_eq!(found.subjects, ["applications:READ", "applications:UPDATE"]);
    it.rights_since = days(30);
    assert_eq!(kinds(&it), [], "it has held them for 30 days");
}

#[test]
fn networks_are_seen_by_the_narrower_ones_and_by_the_last_address() {
    let mut it = look();
    let listed = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32"];
    it.application.allowed_networks = Some(listed.iter().map(|text| network(text)).collect());
    it.networks = vec![(network("192.0.2.0/24"), days(100)), (network("2001:db8::/32"), days(2))];
    let found = it.findings(PATIENCE, NOW).remove(0);
    assert_eq!((found.kind, found.subjects), (Kind::NetworkNeverSeen, vec!["192.0.2.0/24".to_owned()]));
    let left = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"].map(network).to_vec();
    assert_eq!(found.remedy, Remedy::KeepNetworks(left));
    it.networks_since = days(30);
    assert_eq!(kinds(&it), [], "the list is 30 days old");
    it.networks_since = days(300);
    it.application.allowed_networks = Some(vec![network("192.0.2.0/24")]);
    assert_eq!(kinds(&it), [], "the remedy would leave no network at all");
}

#[test]
fn an_end_and_an_owner_are_asked_for() {
    let mut it = look();
    it.application.owner = None;
    it.application.ends_at = None;
    assert_eq!(kinds(&it), [Kind::NoExpiry, Kind::NoOwner]);
    it.secrets[0].ends_at = Some(days(-1));
    assert_eq!(kinds(&it), [Kind::NoOwner], "its only secret ends");
}

#[test]
fn days_are_bounded_and_kinds_have_words() {
    assert!(parse_days("days", 0).is_err() && parse_days("days", 366).is_err());
    assert_eq!(parse_days("days", 365).unwrap(), 365);
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Kind::parse("unused"), None);
}

proptest! {
    #[test]
    fn positions_have_the_order_of_the_list(uses in prop::collection::vec(prop::option::of(0_i64..400), 0..4), made in 0_i64..400) {
        let mut it = look();
        it.application.owner = None;
        it.application.ends_at = None;
        it.application.created_at = days(made);
        it.secrets = (1..).zip(uses).map(|(number, used)| secret(number, made, used)).collect();
        let positions: Vec<_> = it.findings(PATIENCE, NOW).iter().map(Finding::position).collect();
        prop_assert!(positions.is_sorted());
        prop_assert!(positions.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn what_is_kept_and_what_is_dropped_make_what_was_held(bits in prop::collection::vec((0_u8..32, 0_u8..32), 1..6)) {
        let held: Grants = (0..).zip(&bits).map(|(n, (held, _))| (format!("p{n}"), Verbs::of_bits(*held))).collect();
        let held: Grants = held.into_iter().filter(|(_, verbs)| !verbs.is_empty()).collect();
        let mut it = look();
        it.grants = held.clone();
        it.rights = (0..).zip(&bits).flat_map(|(n, (_, used))| {
            Verbs::of_bits(*used).iter().map(move |verb| (format!("p{n}:{}", verb.as_str()), days(1))).collect::<Vec<_>>()
        }).collect();
        let dropped = it.unused_grants(90, NOW);
        let kept = narrowed(&held, &dropped);
        for (n, (had, used)) in (0..).zip(&bits) {
            let name = format!("p{n}");
            let verbs = |grants: &Grants| grants.get(&name).copied().unwrap_or(Verbs::NONE);
            prop_assert_eq!(verbs(&kept).bits(), had & used);
            prop_assert_eq!(verbs(&dropped).bits(), had & !used);
        }
        prop_assert_eq!(spell(&kept).len() + spell(&dropped).len(), spell(&held).len());
    }
}
