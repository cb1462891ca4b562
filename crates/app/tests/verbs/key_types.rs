//! Legacy key types in memory: what the operator says bites at once, the clock alone ends a type, and no call costs a
//! statement.

use crate::fixture::{START, done, new, on_both, refusal, verify};
use claviger_app::applications::CreatedApplication;
use claviger_app::key_types::NewRule;
use claviger_domain::Refusal;
use claviger_domain::application::{NewApplication, Rights};
use claviger_domain::key_type::LegacyType;

on_both![a_rule_bites_when_it_is_said];

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
