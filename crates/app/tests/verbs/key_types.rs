//! Legacy key types in memory: what the operator says bites at once, the clock alone ends a type, and no call costs a
//! statement.

use crate::fixture::{Fixture, START, done, new, on_both, refusal, verify};
use claviger_app::applications::CreatedApplication;
use claviger_app::key_types::NewRule;
use claviger_domain::Refusal;
use claviger_domain::application::{NewApplication, Rights};
use claviger_domain::id::TenantId;
use claviger_domain::key_type::LegacyType;
use claviger_domain::lifetime::DAY;
use claviger_domain::notice::NoticeFilter;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use std::collections::BTreeSet;

on_both![a_rule_bites_when_it_is_said, owners_are_told_of_sunsets_once];

fn rule(allowed: bool, seconds: i64) -> Vec<(LegacyType, NewRule)> {
    vec![(LegacyType::Siem, NewRule { allowed, sunset: Some(START.plus_seconds(seconds).to_string()) })]
}

async fn a_rule_bites_when_it_is_said(f: crate::fixture::Fixture) {
    let org = f.organization("Acme").await.id;
    let root = f.operator.tenant().id;
    f.app.put_legacy_rules(&f.operator, root, rule(true, 60)).await.unwrap();
    let old = NewApplication { rights: Rights::Legacy(LegacyType::Siem), ..new("Old", &[]) };
    let made = done(f.app.create_application(&f.operator, org, old, None).await.unwrap());
    let CreatedApplication { application, secret } = made;
    let (client_id, secret) = (application.client_id.to_string(), secret.text.reveal());
    let caller = verify(&f.app, &client_id, &secret).await.unwrap();
    assert_eq!(caller.advice().unwrap().sunset.unwrap().at, START.plus_seconds(60));

    let before = f.app.store().statements();
    f.app.clock().advance(59);
    assert!(verify(&f.app, &client_id, &secret).await.is_ok());
    f.app.clock().advance(1);
    assert_eq!(refusal(verify(&f.app, &client_id, &secret).await), Refusal::KeyTypeRetired);
    assert_eq!(f.app.store().statements(), before, "by the clock, in memory");

    f.app.put_legacy_rules(&f.operator, org, rule(true, 600)).await.unwrap();
    assert!(verify(&f.app, &client_id, &secret).await.is_ok(), "what is said nearer counts, at once");
    f.app.put_legacy_rules(&f.operator, org, rule(false, -1)).await.unwrap();
    assert_eq!(refusal(verify(&f.app, &client_id, &secret).await), Refusal::KeyTypeRetired);
    f.app.put_legacy_rules(&f.operator, org, rule(true, 600)).await.unwrap();

    // Another server on the same store finds the same.
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    again.load_keyring().await.unwrap();
    assert!(verify(&again, &client_id, &secret).await.is_ok());
    again.clock().advance(600);
    assert_eq!(refusal(verify(&again, &client_id, &secret).await), Refusal::KeyTypeRetired);
}

/// What owners of the tenant's applications were told: of whose end, when it is, how many days ahead. Nothing twice.
async fn told(f: &Fixture, tenant: TenantId) -> BTreeSet<(String, Timestamp, Option<i64>)> {
    f.app.tell_lifetimes().await.unwrap();
    f.app.tell_lifetimes().await.unwrap();
    let page = PageRequest::parse(None, None).unwrap();
    let notices = f.app.list_notices(&f.operator, tenant, &NoticeFilter::default(), &page).await.unwrap();
    let count = notices.items.len();
    let tellings = notices.items.into_iter().map(|notice| notice.telling);
    let told: BTreeSet<_> = tellings.map(|told| (told.application_name, told.due_at.unwrap(), told.step)).collect();
    assert_eq!(told.len(), count);
    told
}

async fn owners_are_told_of_sunsets_once(f: Fixture) {
    let org = f.organization("Acme").await.id;
    let root = f.operator.tenant().id;
    let legacy = |name| NewApplication { rights: Rights::Legacy(LegacyType::Siem), ..new(name, &[]) };
    f.app.put_legacy_rules(&f.operator, root, rule(true, 100 * DAY)).await.unwrap();
    f.app.create_application(&f.operator, org, legacy("Old"), None).await.unwrap();
    f.app.create_application(&f.operator, org, new("Custom", &[]), None).await.unwrap();
    let (first, moved) = (START.plus_seconds(100 * DAY), START.plus_seconds(200 * DAY));
    let said = |end, step| ("Old".to_owned(), end, step);
    let mut expected = BTreeSet::from([said(first, None)]);
    assert_eq!(told(&f, org).await, expected, "when it was made, and not again");
    f.app.put_legacy_rules(&f.operator, root, rule(true, 200 * DAY)).await.unwrap();
    expected.insert(said(moved, None));
    assert_eq!(told(&f, org).await, expected, "the operator has moved the day");
    // One that is made late knows the day from its making, and is warned at the steps that are left.
    let mut day = 0;
    for (next, steps) in [(169, &[][..]), (170, &[30]), (186, &[14]), (198, &[3]), (199, &[1]), (200, &[])] {
        f.app.clock().advance((next - day) * DAY);
        day = next;
        expected.extend(steps.iter().map(|step| said(moved, Some(*step))));
        assert_eq!(told(&f, org).await, expected, "{day}");
    }
    // A day that is near when it is said is told once, as near as it is; so is who came later than the step.
    let near = START.plus_seconds(210 * DAY);
    f.app.put_legacy_rules(&f.operator, org, rule(true, 210 * DAY)).await.unwrap();
    f.app.create_application(&f.operator, org, legacy("Late"), None).await.unwrap();
    expected.extend([("Late".to_owned(), near, None), said(near, Some(14))]);
    assert_eq!(told(&f, org).await, expected);
    f.app.clock().advance(8 * DAY);
    expected.extend([("Late".to_owned(), near, Some(3)), said(near, Some(3))]);
    assert_eq!(told(&f, org).await, expected);
}
