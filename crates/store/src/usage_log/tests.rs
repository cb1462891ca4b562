//! A row of the usage log is read as it was written, and damage is noticed.

use super::*;
use proptest::prelude::*;

fn batch() -> UsageBatch {
    let at = Timestamp::from_micros;
    let mut batch = UsageBatch::default();
    for (application, user_agent) in [(1, "curl/8"), (2, "curl/8"), (3, "naïve\u{1f511}")] {
        let mut of = batch.of(TenantId::from_u128(5), ApplicationId::from_u128(application));
        of.called("org.audits:READ", Outcome::Allowed, 7, at(3_600_000_000), at(3_600_000_001));
        of.called("", Outcome::Limited, u32::MAX, at(0), at(i64::MAX));
        let address = [None, Some([192, 0, 2, 1].into()), Some(IpAddr::V6(Ipv6Addr::LOCALHOST))];
        for (secret, address) in (1..).zip(address) {
            of.used(SecretId::from_u128(secret), at(9), address, user_agent);
        }
        of.seen("192.0.2.0/24", at(9));
    }
    batch
}

#[test]
fn what_is_written_is_read() {
    let Counted { usage, uses, networks } = batch().read().unwrap();
    assert_eq!((usage.len(), uses.len(), networks.len()), (6, 9, 3));
    assert_eq!((networks[2].network.as_str(), networks[2].application_id.as_u128()), ("192.0.2.0/24", 3));
    let (first, last) = (&usage[0], &usage[5]);
    assert_eq!((first.right.as_str(), first.outcome, first.count), ("org.audits:READ", Outcome::Allowed, 7));
    assert_eq!((last.right.as_str(), last.outcome, last.count), ("", Outcome::Limited, i64::from(u32::MAX)));
    assert_eq!((last.application_id.as_u128(), last.last_at.micros()), (3, i64::MAX));
    assert_eq!(uses[4].last_use.address, Some([192, 0, 2, 1].into()));
    assert_eq!(uses[8].last_use.user_agent, "naïve\u{1f511}");
}

proptest! {
    #[test]
    fn any_number_and_time_is_read_as_written(number: u64, times: Vec<i64>) {
        let mut bytes = Vec::new();
        write(&mut bytes, number);
        let mut last = 0;
        times.iter().for_each(|at| write_time(&mut bytes, &mut last, Timestamp::from_micros(*at)));
        let (mut rest, mut last) = (bytes.as_slice(), 0);
        prop_assert_eq!(read_number(&mut rest), Some(number));
        for at in times {
            prop_assert_eq!(read_time(&mut rest, &mut last), Some(Timestamp::from_micros(at)));
        }
        prop_assert!(rest.is_empty());
    }
}

#[test]
fn a_caller_of_a_second_takes_few_bytes() {
    let mut batch = UsageBatch::default();
    for application in 0..1_000_u32 {
        let at = Timestamp::from_micros(1_800_000_000_000_000 + i64::from(application % 7) * 140_000);
        let mut of = batch.of(TenantId::from_u128(5), ApplicationId::from_u128(application.into()));
        of.called("org.audits:READ", Outcome::Allowed, 1, Timestamp::from_micros(1_800_000_000_000_000), at);
        of.used(SecretId::from_u128(application.into()), at, Some([192, 0, 2, 1].into()), "curl/8");
    }
    assert!(batch.len() <= 55_000, "{}", batch.len());
}

#[test]
fn damage_is_noticed_and_never_fatal() {
    let batch = batch();
    let body = &batch.shards.values().next().unwrap().bytes;
    for end in 0..body.len() {
        let _ = read(&body[..end], &mut Counted::default());
        let mut damaged = body.clone();
        damaged[end] ^= 0xff;
        let _ = read(&damaged, &mut Counted::default());
    }
    assert!(read(&[], &mut Counted::default()).is_none());
    assert!(read(&body[..body.len() - 1], &mut Counted::default()).is_none());
}
