//! Lists of applications: every order is gapless over pages, filters hold, and searches find what they say.

use crate::fixtures::*;
use claviger_domain::application::{Application, LastUse, Rights};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::usage::SecretUse;
use claviger_store::Store;
use claviger_store::application_lists::{ApplicationFilter, ApplicationOrder, ApplicationState};

facts!(orders_go_through_all_pages, filters_and_searches_hold, what_is_known_of_secrets_stands_beside);

const NAMES: [&str; 7] = ["delta", "Alpha", "echo", "Charlie", "bravo", "golf_1", "foxtrot%"];

async fn fill(store: &Store) {
    insert_tenants(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for (number, name) in (1..).zip(NAMES) {
        let end = (number % 2 == 0).then(|| at(1_000 - i64::try_from(number).unwrap()));
        let one = Application {
            name: name.to_owned(),
            expires_at: end,
            enabled: number != 3,
            owner: (number == 4).then(|| "Ops@Example.com".to_owned()),
            rights: if number == 5 { Rights::Level(level_id(7)) } else { Rights::Inline(grants(&["applications"])) },
            ..application(tenant_id(1), number)
        };
        insert_application(&mut tx, &one).await;
        tx.insert_secret(tenant_id(1), &secret(application_id(number), number)).await.unwrap();
    }
    insert_application(&mut tx, &application(tenant_id(2), 9)).await;
    for (number, seconds) in [(2, 50), (6, 90), (4, 70)] {
        let last_use = LastUse { at: at(seconds), address: None, user_agent: "test".into() };
        let (tenant_id, application_id) = (tenant_id(1), application_id(number));
        let one = SecretUse { tenant_id, application_id, secret_id: secret_id(number), last_use };
        tx.touch_secrets(&[one]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn names(store: &Store, filter: &ApplicationFilter, order: ApplicationOrder, limit: i64) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest::parse(Some(limit), cursor.as_deref()).unwrap();
        let items = store.list_applications_by(tenant_id(1), filter, order, at(997), &request).await.unwrap();
        let page = Page::cut(items, &request, |listed| listed.position(order));
        found.extend(page.items.into_iter().map(|listed| listed.application.name));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

async fn orders_go_through_all_pages(store: Store) {
    fill(&store).await;
    let all = ApplicationFilter::default();
    for limit in [1, 2, 3, 50] {
        let by = async |order| names(&store, &all, order, limit).await.join(" ");
        assert_eq!(by(ApplicationOrder::Name).await, "Alpha bravo Charlie delta echo foxtrot% golf_1");
        assert_eq!(by(ApplicationOrder::Oldest).await, NAMES.join(" "));
        let mut newest = NAMES.to_vec();
        newest.reverse();
        assert_eq!(by(ApplicationOrder::Newest).await, newest.join(" "));
        assert_eq!(by(ApplicationOrder::Ends).await, "golf_1 Charlie Alpha delta echo bravo foxtrot%");
        assert_eq!(by(ApplicationOrder::LastUsed).await, "golf_1 Charlie Alpha foxtrot% bravo echo delta");
    }
    let request = PageRequest { limit: 5, after: Some("x".into()) };
    for order in [ApplicationOrder::Ends, ApplicationOrder::LastUsed] {
        assert!(store.list_applications_by(tenant_id(1), &all, order, NOW, &request).await.is_err());
    }
}

async fn filters_and_searches_hold(store: Store) {
    fill(&store).await;
    let by = async |filter: ApplicationFilter| names(&store, &filter, ApplicationOrder::Name, 2).await.join(" ");
    let state = |state| ApplicationFilter { state: Some(state), ..ApplicationFilter::default() };
    assert_eq!(by(state(ApplicationState::Disabled)).await, "echo");
    assert_eq!(by(state(ApplicationState::Ended)).await, "Charlie golf_1");
    assert_eq!(by(state(ApplicationState::Active)).await, "Alpha bravo delta foxtrot%");
    let level = ApplicationFilter { level: Some(level_id(7)), ..ApplicationFilter::default() };
    assert_eq!(by(level).await, "bravo");
    let text = |text: &str| ApplicationFilter { text: Some(text.to_owned()), ..ApplicationFilter::default() };
    assert_eq!(by(text("AL")).await, "Alpha");
    assert_eq!(by(text("ops@")).await, "Charlie", "its owner");
    assert_eq!(by(text("_")).await, "golf_1", "no letter stands for others");
    assert_eq!(by(text("%")).await, "foxtrot%");
    assert_eq!(by(text("' or 1 = 1")).await, "");
    assert_eq!(by(text(&application_id(3).to_string())).await, "echo", "its client id");
}

async fn what_is_known_of_secrets_stands_beside(store: Store) {
    fill(&store).await;
    let request = PageRequest::parse(None, None).unwrap();
    let all = ApplicationFilter::default();
    let found = store.list_applications_by(tenant_id(1), &all, ApplicationOrder::Oldest, NOW, &request).await.unwrap();
    let alpha = &found[1];
    assert_eq!(store.count_applications(tenant_id(1)).await.unwrap(), 7);
    assert_eq!(store.count_applications(tenant_id(3)).await.unwrap(), 0);
    assert_eq!((alpha.secrets, alpha.hint.as_deref(), alpha.notices), (1, Some("clv_a_…wxyz"), 0));
    assert_eq!((alpha.used_at, found[0].used_at), (Some(at(50)), None));
    assert_eq!(
        store.find_application(tenant_id(1), alpha.application.id).await.unwrap().as_ref(),
        Some(&alpha.application)
    );
}
