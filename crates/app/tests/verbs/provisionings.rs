//! F14: a provisioning that falls between any two steps is gone on with, or was never there; never half.

use crate::fixture::{Fixture, START, done, on_both, open};
use claviger_domain::application::{Reach, Rights};
use claviger_domain::name::Name;
use claviger_domain::page::PageRequest;
use claviger_domain::provisioning::{NewProvisioning, Progress, Provisioning, SecretState, WantedApplication};
use claviger_domain::tenant::{Kind, NewTenant, Stage};
use claviger_store::{Options, Store};

on_both![
    f14_whoever_comes_after_a_fall_goes_on,
    f14_what_was_not_accepted_is_absent,
    steps_are_done_once_by_however_many,
    a_step_that_cannot_be_done_says_why,
    a_tenant_that_is_not_ready_says_so
];

fn order(f: &Fixture, name: &str) -> NewProvisioning {
    let parent = f.operator.tenant().id;
    let mut tenant = NewTenant::new(Name::parse("/name", name).unwrap(), Kind::Organization, parent);
    tenant.details.external_id = Some(Some(name.to_owned()));
    let grants = crate::fixture::grants(&[("org.audits", &["READ"])]);
    let name = Name::parse("/name", "First").unwrap();
    let application = Some(WantedApplication { name, rights: Rights::Inline(grants), reach: Reach::Own });
    NewProvisioning { tenant, application, administrator: None }
}

async fn accept(f: &Fixture, name: &str) -> Provisioning {
    done(f.app.accept_provisioning(&f.operator, order(f, name), None).await.unwrap())
}

async fn read(store: &Store, job: &Provisioning) -> Provisioning {
    store.find_provisioning(job.parent_id, job.id).await.unwrap().unwrap()
}

async fn applications(store: &Store, job: &Provisioning) -> usize {
    let page = PageRequest { limit: 9, after: None };
    store.list_applications(job.tenant_id, &page).await.unwrap().len()
}

async fn f14_whoever_comes_after_a_fall_goes_on(f: Fixture) {
    let before_any = accept(&f, "One").await;
    let after_all = accept(&f, "Two").await;
    while f.app.advance_provisioning(after_all.parent_id, after_all.id).await.unwrap() {}
    f.app.leave().await;
    f.app.store().close().await;
    let store = Store::open(Options { location: f.guard.location(), accept_data_loss: false }).await.unwrap();
    let app = open(store, 7).await.unwrap();
    app.resume_provisionings().await.unwrap();
    for job in [before_any, after_all] {
        let found = read(app.store(), &job).await;
        assert_eq!((found.progress, found.secret(START)), (Progress::Complete, SecretState::Waiting));
        assert_eq!(applications(app.store(), &job).await, 1);
        let tenant = app.store().find_tenant(job.tenant_id).await.unwrap().unwrap();
        assert_eq!(tenant.provisioning, None);
    }
    assert_eq!(app.store().list_open_provisionings(9).await.unwrap(), []);
}

async fn f14_what_was_not_accepted_is_absent(f: Fixture) {
    let mut twice = order(&f, "One");
    accept(&f, "One").await;
    twice.tenant.details.external_id = Some(Some("other".into()));
    assert!(f.app.accept_provisioning(&f.operator, twice, None).await.is_err(), "the name is taken");
    let page = PageRequest { limit: 9, after: None };
    let jobs = f.app.list_provisionings(&f.operator, f.operator.tenant().id, &page).await.unwrap();
    assert_eq!(jobs.items.len(), 1);
    let tenants = f.app.list_tenants(&f.operator, &Default::default(), &page).await.unwrap();
    assert_eq!(tenants.items.len(), 2, "the operator and the one");
}

async fn steps_are_done_once_by_however_many(f: Fixture) {
    let job = accept(&f, "One").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let app = f.app.clone();
            tokio::spawn(async move { app.resume_provisionings().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(applications(f.app.store(), &job).await, 1);
    assert_eq!(read(f.app.store(), &job).await.progress, Progress::Complete);
}

async fn a_step_that_cannot_be_done_says_why(f: Fixture) {
    let job = accept(&f, "One").await;
    f.application(job.tenant_id, "First", &[]).await;
    f.app.resume_provisionings().await.unwrap();
    let failed = read(f.app.store(), &job).await;
    assert_eq!(failed.progress, Progress::Failed);
    assert!(failed.error.unwrap().contains("First"), "the name is taken");
    let tenant = f.app.store().find_tenant(job.tenant_id).await.unwrap().unwrap();
    assert_eq!(tenant.provisioning, Some(Stage::Failed));
    assert_eq!(f.app.store().list_open_provisionings(9).await.unwrap(), [], "it is not tried for ever");
    let renamed = claviger_domain::application::ApplicationPatch {
        name: Some(Name::parse("/name", "Other").unwrap()),
        ..Default::default()
    };
    let (there, page) = (job.tenant_id, PageRequest { limit: 9, after: None });
    let twin = f.app.store().list_applications(there, &page).await.unwrap().remove(0);
    f.app.update_application(&f.operator, there, twin.id, renamed, None).await.unwrap();
    accept(&f, "One").await;
    f.app.resume_provisionings().await.unwrap();
    let mended = read(f.app.store(), &job).await;
    assert_eq!((mended.progress, mended.error), (Progress::Complete, None), "the same order takes it up again");
}

async fn a_tenant_that_is_not_ready_says_so(f: Fixture) {
    let job = accept(&f, "One").await;
    let tenant = f.app.find_tenant(&f.operator, job.tenant_id).await.unwrap();
    assert_eq!(tenant.provisioning, Some(Stage::Queued));
    let below = NewTenant::new(Name::parse("/name", "Below").unwrap(), Kind::Instance, job.tenant_id);
    let early = f.app.create_tenant(&f.operator, below.clone(), None).await;
    assert!(matches!(early, Err(claviger_domain::Error::Conflict { code: "tenant_not_ready", .. })), "{early:?}");
    f.app.resume_provisionings().await.unwrap();
    done(f.app.create_tenant(&f.operator, below, None).await.unwrap());
}
