//! How long credentials live, and who is told when.

use super::*;
use crate::application::{Reach, Rights};
use crate::credential_policy::CredentialPolicy;
use crate::grants::Grants;
use crate::id::{ApplicationId, ClientId, SecretId, TenantId};
use crate::rotation::OVERLAP_DEFAULT;
use proptest::prelude::*;

const MADE: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn days(days: i64) -> Timestamp {
    MADE.plus_seconds(days * DAY)
}

fn application(expires_at: Option<Timestamp>) -> Application {
    let id = ApplicationId::new(MADE, [1; 10]);
    Application {
        id,
        tenant_id: TenantId::from_u128(1),
        client_id: ClientId::of(id),
        name: "SIEM".into(),
        description: String::new(),
        owner: Some("ops@example.com".into()),
        owner_id: None,
        rights: Rights::Inline(Grants::new()),
        reach: Reach::Own,
        allowed_networks: None,
        expires_at,
        ends_at: None,
        enabled: true,
        rate_limit: None,
        dpop_bound: false,
        version: 1,
        created_at: MADE,
        updated_at: MADE,
    }
}

fn secret(made: Timestamp, expires_at: Option<Timestamp>) -> Secret {
    let id = SecretId::new(made, [2; 10]);
    let (application_id, hint) = (ApplicationId::new(MADE, [1; 10]), "clv_a_…abcd".into());
    Secret { id, application_id, hint, created_at: made, expires_at, ends_at: None, last_use: None, temporary: false }
}

fn bounds(own: CredentialPolicy) -> Option<Bounds> {
    Bounds::of([StoredPolicy::default().replaced(own, MADE)].iter())
}

fn kinds(plan: &Plan) -> Vec<(NoticeKind, Option<i64>)> {
    plan.tellings.iter().map(|telling| (telling.kind, telling.step)).collect()
}

fn told(plan: &Plan) -> BTreeSet<String> {
    plan.tellings.iter().map(Telling::key).collect()
}

#[test]
fn the_nearest_step_is_told_once() {
    let (application, secrets) = (application(None), [secret(MADE, Some(days(100)))]);
    let mut told_so_far = BTreeSet::new();
    let mut steps = Vec::new();
    // Looked at every six hours, but for the days from 71 to 98.
    for quarter in (0..400).filter(|quarter| !(71 * 4..98 * 4).contains(quarter)) {
        let now = MADE.plus_seconds(quarter * DAY / 4);
        let plan = plan(&application, &secrets, None, &told_so_far, now);
        told_so_far.extend(told(&plan));
        steps.extend(kinds(&plan).into_iter().map(|(kind, step)| (quarter / 4, kind, step)));
    }
    let expiring = NoticeKind::SecretExpiring;
    assert_eq!(steps, [(70, expiring, Some(30)), (98, expiring, Some(3)), (99, expiring, Some(1))]);
    let back = plan(&application, &secrets, None, &told_so_far, days(90));
    assert_eq!(kinds(&back), [], "a clock that is set back tells nothing further off");
    let moved = plan(&application, &[secret(MADE, Some(days(101)))], None, &told_so_far, days(100));
    assert_eq!(kinds(&moved), [(expiring, Some(1))], "another end is another matter");
}

#[test]
fn what_ends_first_is_what_is_told() {
    let own = CredentialPolicy {
        max_application_lifetime_seconds: Some(50 * DAY),
        max_secret_lifetime_seconds: Some(40 * DAY),
        ..CredentialPolicy::default()
    };
    let bounds = bounds(own);
    let none = BTreeSet::new();
    let at = |now, app: Option<Timestamp>, end: Option<Timestamp>| {
        kinds(&plan(&application(app), &[secret(MADE, end)], bounds.as_ref(), &none, now))
    };
    assert_eq!(at(days(9), None, None), []);
    assert_eq!(at(days(11), None, None), [(NoticeKind::SecretExpiring, Some(30))]);
    let both = [(NoticeKind::ApplicationExpiring, Some(30)), (NoticeKind::SecretExpiring, Some(30))];
    assert_eq!(at(days(20), None, None), both);
    assert_eq!(at(days(11), Some(days(35)), None), [(NoticeKind::ApplicationExpiring, Some(30))]);
    assert_eq!(at(days(41), None, None), [], "whose last secret has stopped has nothing left that stops");
}

#[test]
fn only_the_newest_secret_is_warned_of() {
    let secrets = [secret(MADE, Some(days(2))), secret(days(1), None)];
    assert_eq!(kinds(&plan(&application(None), &secrets, None, &BTreeSet::new(), days(1))), []);
}

#[test]
fn a_secret_that_is_not_rotated_retires() {
    let bounds = bounds(CredentialPolicy { rotate_every_days: Some(90), ..CredentialPolicy::default() });
    let (application, none) = (application(None), BTreeSet::new());
    let at = |now, expires_at| plan(&application, &[secret(MADE, expires_at)], bounds.as_ref(), &none, now);
    let due = NoticeKind::RotationDue;
    assert_eq!(kinds(&at(days(59), None)), []);
    assert_eq!(kinds(&at(days(60), None)), [(due, Some(30))]);
    assert_eq!(kinds(&at(days(90), None)), [(due, Some(0))]);
    let retires = days(90).plus_seconds(OVERLAP_DEFAULT);
    assert_eq!(at(retires.plus_seconds(-1), None).retired, []);
    let over = at(days(200), None);
    assert_eq!(over.retired, [(secret(MADE, None), retires)], "at its second, however late one looks");
    assert_eq!(kinds(&over), [(NoticeKind::SecretRetired, None)]);
    assert_eq!(at(days(200), Some(retires)), Plan::default(), "once");
    assert_eq!(at(days(200), Some(days(3))), Plan::default(), "what has ended before has not retired");
}

#[test]
fn a_new_rotation_leaves_old_secrets_their_overlap() {
    let late = days(400);
    let own = CredentialPolicy { rotate_every_days: Some(90), ..CredentialPolicy::default() };
    let bounds = Bounds::of([StoredPolicy::default().replaced(own, late)].iter()).unwrap();
    let retires_at = late.plus_seconds(OVERLAP_DEFAULT);
    assert_eq!(bounds.due(MADE), Some(Due { at: late, retires_at }));
    let plan = plan(&application(None), &[secret(MADE, None)], Some(&bounds), &BTreeSet::new(), late);
    assert_eq!(kinds(&plan), [(NoticeKind::RotationDue, Some(0))]);
}

#[test]
fn ends_beyond_a_ceiling_are_refused_and_missing_ones_are_the_ceiling() {
    assert_eq!(check_end("/e", None, None).unwrap(), None);
    assert_eq!(check_end("/e", None, Some(days(1))).unwrap(), Some(days(1)));
    assert_eq!(check_end("/e", Some(days(1)), Some(days(1))).unwrap(), Some(days(1)));
    assert_eq!(check_end("/e", Some(days(2)), None).unwrap(), Some(days(2)));
    let refused = check_end("/e", Some(days(2)), Some(days(1))).unwrap_err().to_string();
    assert!(refused.contains(&days(1).to_string()), "{refused}");
}

fn any_policy() -> impl Strategy<Value = CredentialPolicy> {
    let some = |range: std::ops::Range<i64>| proptest::option::of(range);
    (some(60..9_000_000), some(60..9_000_000), some(1..200), some(1..2_592_000)).prop_map(
        |(application, secret, rotate, overlap)| CredentialPolicy {
            max_application_lifetime_seconds: application,
            max_secret_lifetime_seconds: secret,
            rotate_every_days: rotate,
            rotation_overlap_seconds: overlap,
            ..CredentialPolicy::default()
        },
    )
}

proptest! {
    #[test]
    fn the_effective_end_is_the_least_of_all(
        policies in proptest::collection::vec(any_policy(), 0..4),
        own in proptest::option::of(0..20_000_000_i64),
        more in any_policy(),
    ) {
        let stored: Vec<_> = policies.iter().map(|own| StoredPolicy::default().replaced(own.clone(), MADE)).collect();
        let bounds = Bounds::of(stored.iter());
        let expires_at = own.map(|seconds| MADE.plus_seconds(seconds));
        let secret = secret(MADE, expires_at);
        let ends = stored.iter().flat_map(|policy| {
            let retires = policy.rotation().map(|rule| MADE.plus_seconds(rule.every_days * DAY + rule.overlap_seconds));
            [policy.own.max_secret_lifetime_seconds.map(|seconds| MADE.plus_seconds(seconds)), retires]
        });
        prop_assert_eq!(secret_end(&secret, bounds.as_ref()), ends.chain([expires_at]).flatten().min());
        let ceilings = stored.iter().filter_map(|policy| policy.own.max_application_lifetime_seconds);
        let least = ceilings.map(|seconds| MADE.plus_seconds(seconds)).chain(expires_at).min();
        prop_assert_eq!(application_end(&application(expires_at), bounds.as_ref()), least);
        // A further policy, wherever in the tree, never makes anything live longer.
        let wider: Vec<_> = stored.iter().cloned().chain([StoredPolicy::default().replaced(more, MADE)]).collect();
        let narrowed = secret_end(&secret, Bounds::of(wider.iter()).as_ref());
        prop_assert!(narrowed.map_or(i64::MAX, Timestamp::micros) <= secret_end(&secret, bounds.as_ref()).map_or(i64::MAX, Timestamp::micros));
    }

    #[test]
    fn a_step_is_the_least_that_is_reached(life in 1..40_000_000_i64, at in 0..40_000_000_i64) {
        let (end, now) = (MADE.plus_seconds(life), MADE.plus_seconds(at));
        let found = step(MADE, end, now);
        let expected = STEPS.into_iter().filter(|days| days * DAY >= life - at).min();
        prop_assert_eq!(found, expected.filter(|days| at < life && days * DAY < life));
    }

    #[test]
    fn whoever_looks_again_tells_nothing_twice(
        policy in any_policy(),
        own in proptest::option::of(0..9_000_000_i64),
        looks in proptest::collection::vec(0..9_000_000_i64, 1..12),
    ) {
        let bounds = bounds(policy);
        let mut secrets = vec![secret(MADE, own.map(|seconds| MADE.plus_seconds(seconds)))];
        let (application, mut told_so_far) = (application(None), BTreeSet::new());
        for seconds in looks {
            let plan = plan(&application, &secrets, bounds.as_ref(), &told_so_far, MADE.plus_seconds(seconds));
            let keys = told(&plan);
            prop_assert!(keys.is_disjoint(&told_so_far));
            prop_assert_eq!(keys.len(), plan.tellings.len());
            told_so_far.extend(keys);
            for (_, at) in plan.retired {
                prop_assert!(at <= MADE.plus_seconds(seconds));
                secrets[0].expires_at = Some(at);
            }
        }
    }
}
