//! Notices.

use crate::fixtures::*;
use claviger_domain::id::NoticeId;
use claviger_domain::lifetime::DAY;
use claviger_domain::notice::{Dismissal, KEPT_DAYS, Notice, NoticeFilter, NoticeKind, Telling};
use claviger_store::Store;
use std::collections::BTreeSet;

facts!(the_same_is_told_once, lists_are_newest_first_and_narrowed, what_is_past_goes);

fn notice(number: u128, telling: Telling) -> Notice {
    Notice { id: NoticeId::from_u128(number), telling, created_at: at(9), dismissed: None }
}

fn telling(kind: NoticeKind, application: u128) -> Telling {
    Telling::new(kind, &crate::fixtures::application(tenant_id(1), application), "soon".into())
}

async fn the_same_is_told_once(store: Store) {
    let (tenant, id) = seed(&store).await;
    let about = telling(NoticeKind::ApplicationExpiring, 1);
    let about = [
        about.clone(),
        about.clone().due(at(60), 3),
        about.clone().due(at(60), 1),
        about.clone().due(at(61), 1),
        Telling { secret_id: Some(secret_id(1)), owner: Some("ops@example.com".into()), ..about },
        telling(NoticeKind::SecretLeaked, 1),
    ];
    let mut tx = store.begin().await.unwrap();
    for (number, telling) in about.iter().enumerate() {
        let one = notice(number as u128 + 1, telling.clone());
        assert!(tx.insert_notice(tenant, &one).await.unwrap(), "{telling:?}");
        assert!(!tx.insert_notice(tenant, &notice(number as u128 + 100, telling.clone())).await.unwrap());
        assert_eq!(tx.find_notice(tenant, one.id).await.unwrap(), Some(one.clone()));
        assert_eq!(tx.find_notice(tenant_id(0), one.id).await.unwrap(), None);
    }
    let keys: BTreeSet<_> = about.iter().map(Telling::key).collect();
    assert_eq!(tx.list_told(tenant, id).await.unwrap(), keys);
    tx.commit().await.unwrap();
    assert_eq!(store.list_told(tenant, id).await.unwrap(), keys);
    assert_eq!(store.list_told(tenant_id(0), id).await.unwrap(), BTreeSet::new());
}

async fn lists_are_newest_first_and_narrowed(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &crate::fixtures::application(tenant, 2)).await;
    let kinds = [NoticeKind::SecretExpiring, NoticeKind::SecretRetired];
    let all: Vec<_> = [(1, kinds[0], 1), (2, kinds[1], 1), (3, kinds[0], 2)]
        .map(|(number, kind, application)| notice(number, telling(kind, application)))
        .into();
    for one in &all {
        tx.insert_notice(tenant, one).await.unwrap();
    }
    for (seconds, by) in [(20, "first"), (30, "second")] {
        let dismissal = Dismissal { at: at(seconds), by: by.into() };
        tx.dismiss_notice(tenant, all[1].id, &dismissal).await.unwrap();
    }
    tx.commit().await.unwrap();
    let dismissed = Some(Dismissal { at: at(20), by: "first".into() });
    let put_away = Notice { dismissed, ..all[1].clone() };
    let none = NoticeFilter::default();
    let list = async |filter: &NoticeFilter, limit, after: Option<&Notice>| {
        let page = page(limit, after.map(|notice| notice.id.to_string()));
        store.list_notices(tenant, filter, &page).await.unwrap()
    };
    let every = NoticeFilter { dismissed: true, ..none.clone() };
    assert_eq!(list(&none, 9, None).await, [all[2].clone(), all[0].clone()]);
    assert_eq!(list(&every, 9, None).await, [all[2].clone(), put_away.clone(), all[0].clone()]);
    assert_eq!(list(&every, 1, Some(&all[2])).await, [put_away.clone(), all[0].clone()], "one more than the limit");
    let retired = NoticeFilter { kind: Some(kinds[1]), ..every.clone() };
    assert_eq!(list(&retired, 9, None).await, [put_away]);
    let of_first = NoticeFilter { application_id: Some(id), ..none };
    assert_eq!(list(&of_first, 9, None).await, [all[0].clone()]);
    assert_eq!(store.list_notices(tenant_id(0), &every, &page(9, None)).await.unwrap(), []);
}

async fn what_is_past_goes(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_notice(tenant, &notice(1, telling(NoticeKind::SecretLeaked, 1))).await.unwrap();
    tx.sweep(at(9 + KEPT_DAYS * DAY)).await.unwrap();
    assert_eq!(tx.list_told(tenant, id).await.unwrap().len(), 1);
    tx.sweep(at(10 + KEPT_DAYS * DAY)).await.unwrap();
    assert_eq!(tx.list_told(tenant, id).await.unwrap().len(), 0);
    tx.insert_notice(tenant, &notice(2, telling(NoticeKind::SecretLeaked, 1))).await.unwrap();
    assert!(tx.delete_application(tenant, id).await.unwrap());
    assert_eq!(tx.list_told(tenant, id).await.unwrap().len(), 0);
}
