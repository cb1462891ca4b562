use super::*;
use crate::grants::{Grants, Verb, Verbs};
use crate::tenant::Kind;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn order(name: &str, application: bool) -> NewProvisioning {
    let grants: Grants = [("org.alerts".to_owned(), Verbs::NONE.with(Verb::Read))].into_iter().collect();
    let wanted = WantedApplication {
        name: Name::parse("/name", "First").unwrap(),
        rights: Rights::Inline(grants),
        reach: Reach::Beneath,
    };
    let tenant = NewTenant::new(Name::parse("/name", name).unwrap(), Kind::Organization, TenantId::from_u128(1));
    let administrator = WantedAdministrator {
        email: Email::parse("/email", "ada@acme.example").unwrap(),
        first_name: "Ada".into(),
        last_name: String::new(),
        roles: vec![AccessLevelId::from_u128(6)],
    };
    NewProvisioning {
        tenant,
        application: application.then_some(wanted),
        administrator: application.then_some(administrator),
    }
}

fn accepted(application: bool) -> Provisioning {
    let new = order("Acme", application);
    Provisioning {
        id: ProvisioningId::from_u128(1),
        parent_id: TenantId::from_u128(1),
        tenant_id: TenantId::from_u128(2),
        fingerprint: new.fingerprint(),
        progress: Progress::Queued,
        steps: new.steps(TenantId::from_u128(2), NOW),
        wanted: new.wanted(),
        error: None,
        secret_until: None,
        claimed_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

#[test]
fn steps_are_done_one_after_the_other() {
    let mut job = accepted(true);
    assert_eq!(job.next_step(), Some(StepKind::Application));
    let id = ApplicationId::from_u128(7);
    job.complete(StepKind::Application, id.to_string(), NOW.plus_seconds(1));
    assert_eq!((job.progress, job.application_id()), (Progress::Running, Some(id)));
    assert_eq!(job.next_step(), Some(StepKind::Administrator));
    job.complete(StepKind::Administrator, "user".into(), NOW.plus_seconds(2));
    assert_eq!((job.progress, job.next_step()), (Progress::Complete, None));
    let mut failed = accepted(true);
    failed.fail(StepKind::Application, "no".into(), NOW);
    assert_eq!((failed.progress, failed.next_step()), (Progress::Failed, None));
    failed.retry(NOW);
    assert_eq!((failed.progress, failed.next_step()), (Progress::Running, Some(StepKind::Application)));
    assert_eq!(failed.error, None);
    assert_eq!(accepted(false).next_step(), None);
}

#[test]
fn what_is_stored_comes_back() {
    for job in [accepted(true), accepted(false)] {
        assert_eq!(steps_from_json(&steps_to_json(&job.steps)), Some(job.steps));
        assert_eq!(Wanted::from_json(&job.wanted.to_json()), Some(job.wanted));
    }
    assert_eq!(Wanted::from_json(&json!({ "application": {} })), None);
}

#[test]
fn the_same_order_has_the_same_fingerprint() {
    assert_eq!(order("Acme", true).fingerprint(), order("Acme", true).fingerprint());
    assert_ne!(order("Acme", true).fingerprint(), order("Acme", false).fingerprint());
    assert_ne!(order("Acme", true).fingerprint(), order("Acme 2", true).fingerprint());
}

#[test]
fn a_secret_is_claimed_once_and_in_time() {
    let mut job = accepted(true);
    assert!(matches!(job.check_claim(NOW), Err(Error::NotFound(_))));
    job.secret_until = Some(NOW.plus_seconds(9));
    assert!(job.check_claim(NOW).is_ok());
    assert!(matches!(job.check_claim(NOW.plus_seconds(9)), Err(Error::Conflict { code: "secret_lapsed", .. })));
    job.claimed_at = Some(NOW);
    assert!(matches!(job.check_claim(NOW), Err(Error::Conflict { code: "secret_claimed", .. })));
}
