//! Findings of a large tenant: a page reads what it shows and little more.

use crate::fixture::{Fixture, START, new, on_both};
use claviger_app::findings::FindingsQuery;
use claviger_domain::application::{Application, Secret};
use claviger_domain::findings::Kind;
use claviger_domain::id::{ApplicationId, ClientId, SecretId};
use claviger_domain::page::PageRequest;
use claviger_domain::secret::SecretHash;
use claviger_store::secrets::StoredSecret;
use claviger_store::testing::bulk::insert_applications;

on_both![a_page_does_not_read_the_whole_tenant, an_empty_page_goes_on, one_application_is_asked_about_alone];

const MANY: usize = 3_000;

async fn many(f: &Fixture) -> claviger_domain::id::TenantId {
    let tenant = f.organization("Large").await.id;
    let (made, _) = f.application(tenant, "model", &[("org.audits", &["READ"])]).await;
    let row = |number: usize| {
        let bits = u128::try_from(number).unwrap();
        let id = ApplicationId::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + bits);
        let application = Application {
            id,
            client_id: ClientId::of(id),
            name: format!("app {number}"),
            owner: Some("ops@example.com".into()),
            owner_id: None,
            ..made.application.clone()
        };
        let secret = Secret {
            id: SecretId::from_u128(0x0190_0000_0000_7000_a000_0000_0000_0000 + bits),
            application_id: id,
            ..made.secret.secret.clone()
        };
        (application, StoredSecret { secret, hash: SecretHash::of(&format!("{number}")), sealed_mac: vec![7; 93] })
    };
    let rows: Vec<_> = (0..MANY).map(row).collect();
    let mut tx = f.app.store().begin().await.unwrap();
    insert_applications(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
    tenant
}

async fn a_page_does_not_read_the_whole_tenant(f: Fixture) {
    let tenant = many(&f).await;
    let (mut page, mut count, mut pages) = (PageRequest { limit: 1_000, after: None }, 0, 0);
    f.app.fold_usage().await.unwrap();
    loop {
        let before = f.app.store().statements();
        let found = f.app.list_findings(&f.operator, tenant, FindingsQuery::default(), &page).await.unwrap();
        let read = f.app.store().statements() - before;
        assert!(read <= 5 * 4, "{read} statements for a page");
        assert!(found.items.is_sorted_by_key(claviger_domain::findings::Finding::position));
        count += found.items.len();
        pages += 1;
        let Some(next) = found.next else { break };
        page = PageRequest::parse(Some(1_000), Some(&next)).unwrap();
    }
    // Each has no end, and the one made by hand no owner either.
    assert_eq!((count, pages), (MANY + 2, 4));
    let small = PageRequest { limit: 10, after: None };
    let before = f.app.store().statements();
    let found = f.app.list_findings(&f.operator, tenant, FindingsQuery::default(), &small).await.unwrap();
    assert_eq!(found.items.len(), 10);
    // Where several nodes may have logged usage, it is asked for what they did.
    let folding = if f.app.store().engine() == claviger_store::Engine::Postgres { 4 } else { 0 };
    assert!(f.app.store().statements() - before <= 4 + folding);
    assert!(found.items.iter().all(|one| one.since == START));
}

async fn an_empty_page_goes_on(f: Fixture) {
    let tenant = many(&f).await;
    let wanted = FindingsQuery { kind: Some(Kind::NoOwner), ..FindingsQuery::default() };
    let first =
        f.app.list_findings(&f.operator, tenant, wanted, &PageRequest { limit: 50, after: None }).await.unwrap();
    assert!(first.items.is_empty());
    let next = PageRequest::parse(Some(50), first.next.as_deref()).unwrap();
    assert!(next.after.is_some());
    let second = f.app.list_findings(&f.operator, tenant, wanted, &next).await.unwrap();
    assert_eq!((second.items.len(), second.next), (1, None));
    assert_eq!(second.items[0].name, new("model", &[]).name.as_str());
}

async fn one_application_is_asked_about_alone(f: Fixture) {
    let tenant = many(&f).await;
    f.app.fold_usage().await.unwrap();
    let asked = |id: u128, limit: i64, after: Option<String>| {
        let application = Some(ApplicationId::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + id));
        let query = FindingsQuery { application, ..FindingsQuery::default() };
        let (app, operator) = (&f.app, &f.operator);
        async move { app.list_findings(operator, tenant, query, &PageRequest { limit, after }).await.unwrap() }
    };
    for id in [0, 1_500, 2_999] {
        let found = asked(id, 20, None).await;
        assert!(!found.items.is_empty() && found.next.is_none());
        assert!(found.items.iter().all(|one| one.name == format!("app {id}")));
    }
    assert!(asked(MANY as u128, 20, None).await.items.is_empty());
}
