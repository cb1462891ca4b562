//! The lives of credentials in memory: a policy bites when the verb that sets it returns, retirement at its second, and what
//! was told stays told.

use crate::fixture::{Fixture, done, new, on_both, refusal, verify};
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_domain::application::NewApplication;
use claviger_domain::credential_policy::CredentialPolicy;
use claviger_domain::id::TenantId;
use claviger_domain::lifetime::DAY;
use claviger_domain::notice::{NoticeFilter, NoticeKind};
use claviger_domain::page::PageRequest;
use claviger_domain::rotation::{OVERLAP_DEFAULT, Rotation};
use claviger_domain::tenant::Kind;
use claviger_domain::{Error, Refusal};
use std::sync::Arc;

on_both![
    a_lowered_ceiling_bites_at_once,
    whoever_would_end_their_own_credential_says_so,
    policies_outlive_the_server,
    a_tenant_made_later_is_bounded_too,
    what_is_not_rotated_retires_at_its_second,
    what_retired_comes_back_by_no_policy,
    a_clock_that_jumps_tells_nothing_twice,
    a_bounded_hit_costs_no_statement,
];

fn secrets(days: i64) -> CredentialPolicy {
    CredentialPolicy { max_secret_lifetime_seconds: Some(days * DAY), ..CredentialPolicy::default() }
}

fn applications(days: i64) -> CredentialPolicy {
    CredentialPolicy { max_application_lifetime_seconds: Some(days * DAY), ..CredentialPolicy::default() }
}

fn rotation(days: i64) -> CredentialPolicy {
    CredentialPolicy { rotate_every_days: Some(days), ..CredentialPolicy::default() }
}

async fn set(f: &Fixture, tenant: TenantId, policy: CredentialPolicy) {
    f.app.put_credential_policy(&f.operator, tenant, policy, true, None).await.unwrap();
}

async fn kinds(app: &App, caller: &Caller, tenant: TenantId) -> Vec<(NoticeKind, Option<i64>)> {
    let filter = NoticeFilter { dismissed: true, ..NoticeFilter::default() };
    let page = app.list_notices(caller, tenant, &filter, &PageRequest::parse(None, None).unwrap()).await.unwrap();
    page.items.into_iter().map(|notice| (notice.telling.kind, notice.telling.step)).collect()
}

async fn a_lowered_ceiling_bites_at_once(f: Fixture) {
    let partner = f.tenant("Partner", Kind::Partner, f.operator.tenant().id).await;
    let org = f.tenant("Acme", Kind::Organization, partner.id).await;
    let beside = f.organization("Beside").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let (other, other_id) = f.application(beside.id, "SIEM", &[]).await;
    let (secret, other) = (made.secret.text.reveal(), other.secret.text.reveal());
    f.app.clock().advance(10 * DAY);
    for too_low in [secrets(10), applications(10), secrets(3)] {
        for tenant in [org.id, partner.id] {
            set(&f, tenant, too_low.clone()).await;
            assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired, "{too_low:?}");
            verify(&f.app, &other_id, &other).await.unwrap();
            set(&f, tenant, CredentialPolicy::default()).await;
            verify(&f.app, &id, &secret).await.unwrap();
        }
    }
    set(&f, partner.id, secrets(11)).await;
    set(&f, org.id, secrets(99)).await;
    let caller = verify(&f.app, &id, &secret).await.unwrap();
    let end = made.application.created_at.plus_seconds(11 * DAY);
    assert_eq!(caller.credential_end(), Some(end), "a tenant cannot loosen what stands above");
    assert_eq!(caller.advice().unwrap().expires_at, Some(end));
    f.app.clock().advance(DAY);
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
}

async fn whoever_would_end_their_own_credential_says_so(f: Fixture) {
    f.app.clock().advance(10 * DAY);
    let root = f.operator.tenant().id;
    let refused = f.app.put_credential_policy(&f.operator, root, secrets(10), false, None).await.unwrap_err();
    assert!(matches!(&refused, Error::Invalid(fields) if fields[0].pointer == "/confirm"), "{refused:?}");
    f.app.put_credential_policy(&f.operator, root, secrets(11), false, None).await.unwrap();
    f.app.put_credential_policy(&f.operator, root, secrets(10), true, None).await.unwrap();
    let again = f.app.put_credential_policy(&f.operator, root, secrets(11), true, None).await;
    assert!(matches!(again, Err(Error::Unauthenticated(Refusal::Expired))), "{again:?}");
}

async fn policies_outlive_the_server(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    set(&f, f.operator.tenant().id, secrets(1)).await;
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    again.load_keyring().await.unwrap();
    verify(&again, &id, &secret).await.unwrap();
    again.clock().advance(DAY);
    assert_eq!(refusal(verify(&again, &id, &secret).await), Refusal::Expired);
    again.store().close().await;
}

async fn a_tenant_made_later_is_bounded_too(f: Fixture) {
    set(&f, f.operator.tenant().id, applications(5)).await;
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let end = made.application.id.made_at().plus_seconds(5 * DAY);
    assert_eq!((made.application.expires_at, made.application.ends_at), (Some(end), Some(end)));
    let late = NewApplication { expires_at: Some(end.plus_seconds(1)), ..new("Late", &[]) };
    let refused = f.app.create_application(&f.operator, org.id, late, None).await.unwrap_err();
    assert!(refused.to_string().contains("/expires_at"), "{refused}");
    let secret = made.secret.text.reveal();
    f.app.clock().advance(5 * DAY - 1);
    verify(&f.app, &id, &secret).await.unwrap();
    f.app.clock().advance(1);
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
}

async fn what_is_not_rotated_retires_at_its_second(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let (application, secret) = (made.application.id, made.secret.text.reveal());
    set(&f, org.id, rotation(90)).await;
    f.app.clock().advance(90 * DAY + OVERLAP_DEFAULT - 1);
    verify(&f.app, &id, &secret).await.unwrap();
    f.app.clock().advance(1);
    // Nobody has looked yet.
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
    f.app.clock().advance(DAY);
    f.app.tell_lifetimes().await.unwrap();
    f.app.tell_lifetimes().await.unwrap();
    assert_eq!(kinds(&f.app, &f.operator, org.id).await, [(NoticeKind::SecretRetired, None)]);
    // It has retired for good: a policy that is lifted brings nothing back.
    set(&f, org.id, CredentialPolicy::default()).await;
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
    let rotated = f.app.rotate_secret(
        &f.operator,
        org.id,
        application,
        Rotation::Routine { overlap_seconds: OVERLAP_DEFAULT },
        None,
    );
    let rotated = done(rotated.await.unwrap());
    assert_eq!((rotated.secret.secret.expires_at, rotated.previous), (None, None), "the end is not inherited");
    verify(&f.app, &id, &rotated.secret.text.reveal()).await.unwrap();
}

async fn what_retired_comes_back_by_no_policy(f: Fixture) {
    let partner = f.tenant("Partner", Kind::Partner, f.operator.tenant().id).await;
    let org = f.tenant("Acme", Kind::Organization, partner.id).await;
    for (number, after) in [CredentialPolicy::default(), rotation(9), rotation(8)].into_iter().enumerate() {
        set(&f, partner.id, rotation(10)).await;
        let (made, id) = f.application(org.id, &format!("SIEM {number}"), &[]).await;
        let secret = made.secret.text.reveal();
        f.app.clock().advance(10 * DAY + OVERLAP_DEFAULT - 1);
        verify(&f.app, &id, &secret).await.unwrap();
        f.app.clock().advance(1);
        assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
        // Nobody has looked since.
        set(&f, partner.id, after.clone()).await;
        assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired, "{after:?}");
        set(&f, partner.id, CredentialPolicy::default()).await;
        assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired, "{after:?}");
    }
}

async fn a_clock_that_jumps_tells_nothing_twice(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    set(&f, org.id, rotation(90)).await;
    f.app.clock().advance(89 * DAY);
    f.app.tell_lifetimes().await.unwrap();
    let told = [(NoticeKind::RotationDue, Some(1))];
    assert_eq!(kinds(&f.app, &f.operator, org.id).await, told, "the nearest step alone");
    // Far ahead and back again: what retired by a wrong clock works until its real end.
    f.app.clock().advance(1_000 * DAY);
    f.app.tell_lifetimes().await.unwrap();
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
    f.app.clock().advance(-1_000 * DAY);
    verify(&f.app, &id, &secret).await.unwrap();
    let racing: Vec<_> = (0..4)
        .map(|_| {
            let app = Arc::clone(&f.app);
            tokio::spawn(async move { app.tell_lifetimes().await.unwrap() })
        })
        .collect();
    for one in racing {
        one.await.unwrap();
    }
    f.app.clock().advance(2 * DAY);
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::Expired);
    f.app.tell_lifetimes().await.unwrap();
    let all = [(NoticeKind::SecretRetired, None), told[0]];
    assert_eq!(kinds(&f.app, &f.operator, org.id).await, all);
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    again.clock().advance(91 * DAY);
    again.tell_lifetimes().await.unwrap();
    assert_eq!(refusal(verify(&again, &id, &secret).await), Refusal::Expired);
    again.store().close().await;
}

async fn a_bounded_hit_costs_no_statement(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    set(&f, org.id, CredentialPolicy { rotate_every_days: Some(1), ..secrets(1) }).await;
    let before = f.app.store().statements();
    for _ in 0..100 {
        verify(&f.app, &id, &secret).await.unwrap();
    }
    assert_eq!(f.app.store().statements(), before);
}
