//! What the meter counts, and when it tells.

use super::*;
use claviger_store::usage_log::Counted;

fn arrival(now: i64) -> Arrival<'static> {
    Arrival {
        secret: SecretId::from_u128(1),
        now: Timestamp::from_micros(now),
        address: Some(IpAddr::from([192, 0, 2, 1])),
        user_agent: "curl/8",
        networks: None,
    }
}

#[test]
fn calls_are_counted_once_and_flushed_once() {
    let catalogue = Catalogue::built_in();
    let meter = Meter::default();
    let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
    let audits = u32::try_from(catalogue.find("org.audits").unwrap().index).unwrap();
    let right = Some((audits, Verb::Read));
    assert_eq!(meter.arrive(&cell, &arrival(1), None, 0, None), None);
    meter.count(&cell, right, Outcome::Allowed, Timestamp::from_micros(1));
    for now in 2..=3 {
        assert_eq!(meter.arrive(&cell, &arrival(now), None, 0, Some((right, Outcome::Allowed))), None);
    }
    let Counted { usage, uses, .. } = meter.take(&catalogue).read().unwrap();
    assert_eq!((usage.len(), uses.len()), (1, 1));
    assert_eq!((usage[0].count, usage[0].right.as_str()), (3, "org.audits:READ"));
    assert_eq!(uses[0].last_use.at, Timestamp::from_micros(3));
    assert!(meter.take(&catalogue).is_empty());
    meter.count(&cell, None, Outcome::Allowed, Timestamp::from_micros(4));
    assert_eq!(meter.take(&catalogue).read().unwrap().usage[0].right, "");
}

#[test]
fn hours_are_kept_apart_and_limits_are_counted() {
    let catalogue = Catalogue::built_in();
    let meter = Meter::default();
    let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
    let limit = Some(RateLimit { requests: 1, window_seconds: 60 });
    let asks = Some((None, Outcome::Denied));
    assert!(meter.arrive(&cell, &arrival(1), limit, 1, None).unwrap().allowed);
    assert!(!meter.arrive(&cell, &arrival(2), limit, 2, asks).unwrap().allowed);
    assert!(!meter.arrive(&cell, &arrival(3_600_000_000), limit, 3, asks).unwrap().allowed);
    let Counted { usage, .. } = meter.take(&catalogue).read().unwrap();
    assert!(usage.iter().all(|usage| usage.outcome == Outcome::Limited && usage.count == 1));
    assert_eq!(usage.len(), 2);
}

#[test]
fn the_two_newest_secrets_and_the_newest_user_agent_are_remembered() {
    let (catalogue, meter) = (Catalogue::built_in(), Meter::default());
    let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
    for (secret, user_agent) in [(1, "one"), (2, "two"), (3, "three"), (2, "curl/8.1"), (2, "curl/8.2")] {
        let arrival = Arrival { secret: SecretId::from_u128(secret), user_agent, ..arrival(1) };
        meter.arrive(&cell, &arrival, None, 0, None);
    }
    let Counted { uses, .. } = meter.take(&catalogue).read().unwrap();
    let uses: Vec<_> = uses.iter().map(|used| (used.secret_id.as_u128(), used.last_use.user_agent.as_str())).collect();
    assert_eq!(uses, [(2, "curl/8.2"), (3, "three")]);
}

#[test]
fn each_allowed_network_is_seen_once_a_flush() {
    let (catalogue, meter) = (Catalogue::built_in(), Meter::default());
    let cell = Arc::new(Cell::new(TenantId::from_u128(1), ApplicationId::from_u128(2)));
    let compile = |texts: &[&str]| {
        let networks: Vec<_> = texts.iter().map(|text| Network::parse("", text).unwrap()).collect();
        Networks::compile(&networks)
    };
    let call = |now, last: u8, networks: &Networks| {
        let address = Some(IpAddr::from([192, 0, last, 1]));
        meter.arrive(&cell, &Arrival { address, networks: Some(networks), ..arrival(now) }, None, 0, None);
    };
    let seen = || {
        let networks = meter.take(&catalogue).read().unwrap().networks;
        let mut seen: Vec<_> = networks.into_iter().map(|one| (one.network, one.at.micros())).collect();
        seen.sort();
        seen
    };
    let expect = |pairs: &[(&str, i64)]| -> Vec<_> { pairs.iter().map(|(n, at)| ((*n).to_owned(), *at)).collect() };
    let networks = compile(&["192.0.2.0/24", "192.0.3.0/24"]);
    for (now, last) in [(1, 2), (2, 3), (3, 2), (4, 3)] {
        call(now, last, &networks);
    }
    assert_eq!(seen(), expect(&[("192.0.2.0/24", 3), ("192.0.3.0/24", 4)]));
    call(5, 3, &networks);
    assert_eq!(seen(), [], "that it was seen in this hour is known");
    let narrower = compile(&["192.0.3.1"]);
    cell.forget_networks();
    call(6, 3, &narrower);
    assert_eq!(seen(), expect(&[("192.0.3.0/24", 5), ("192.0.3.1/32", 6)]));
    call(3_600_000_007, 3, &narrower);
    assert_eq!(seen(), expect(&[("192.0.3.1/32", 3_600_000_007)]), "also where the address stays the same");
}

#[test]
fn user_agents_are_told_apart() {
    let texts = ["", "a", "b", "ab", "ba", "curl/8.1", "curl/8.2", "curl/8.11", "curl/8.1\0", "\0", "\0\0"];
    let prints: std::collections::HashSet<_> = texts.iter().map(|text| fingerprint(text)).collect();
    assert_eq!(prints.len(), texts.len());
}
