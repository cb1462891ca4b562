//! Many applications at once.

use crate::fixtures::*;
use claviger_domain::application::{Application, LastUse, Rights};
use claviger_domain::bulk::{Filter, Revocation};
use claviger_domain::usage::{Outcome, SecretUse, UsageDelta};
use claviger_store::Store;

facts!(
    every_part_of_a_filter_narrows,
    what_is_revoked_already_fits_no_more,
    a_call_with_any_secret_is_use,
    changes_touch_one_application,
    names_and_client_ids_are_found,
);

async fn ids(store: &Store, filter: Filter, revocation: Option<Revocation>) -> Vec<u128> {
    let mut tx = store.begin().await.unwrap();
    let found = tx.match_applications(tenant_id(1), &filter, revocation, at(864_000), 10).await.unwrap();
    found.iter().map(|one| one.application.id.as_u128() - application_id(0).as_u128()).collect()
}

/// Four applications of tenant 1 and one of tenant 2.
async fn prepare(store: &Store) {
    insert_tenants(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    let owned = |number, owner: &str| Application {
        owner: Some(owner.to_owned()),
        owner_id: None,
        created_at: at(i64::try_from(number).unwrap()),
        ..application(tenant_id(1), number)
    };
    insert_application(&mut tx, &owned(1, "a@example.com")).await;
    insert_application(&mut tx, &owned(2, "b@example.com")).await;
    insert_application(&mut tx, &Application { rights: Rights::Level(level_id(1)), ..owned(3, "a@example.com") }).await;
    insert_application(&mut tx, &Application { name: "Zoë".into(), ..application(tenant_id(1), 4) }).await;
    insert_application(&mut tx, &Application { owner: Some("a@example.com".into()), ..application(tenant_id(2), 5) })
        .await;
    tx.insert_secret(tenant_id(1), &secret(application_id(1), 1)).await.unwrap();
    tx.insert_secret(tenant_id(1), &secret(application_id(2), 2)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn every_part_of_a_filter_narrows(store: Store) {
    prepare(&store).await;
    let none = Filter::default;
    let owner = |owner: Option<&str>| Filter { owner: Some(owner.map(str::to_owned)), ..none() };
    assert_eq!(ids(&store, none(), None).await, [1, 2, 3, 4]);
    assert_eq!(ids(&store, owner(Some("a@example.com")), None).await, [1, 3]);
    assert_eq!(ids(&store, owner(None), None).await, [4]);
    let level = Filter { access_level_id: Some(level_id(1)), ..none() };
    assert_eq!(ids(&store, level, None).await, [3]);
    assert_eq!(ids(&store, Filter { name_prefix: Some("Zo".into()), ..none() }, None).await, [4]);
    assert_eq!(ids(&store, Filter { name_prefix: Some("Zoë".into()), ..none() }, None).await, [4]);
    assert_eq!(ids(&store, Filter { name_prefix: Some("%".into()), ..none() }, None).await, [0; 0]);
    let old = Filter { created_before: Some(at(3)), ..owner(Some("a@example.com")) };
    assert_eq!(ids(&store, old, None).await, [1]);
    let named = Filter { ids: Some([4, 1, 4, 5, 9].map(application_id).to_vec()), ..none() };
    assert_eq!(ids(&store, named.clone(), None).await, [1, 4], "those of another tenant are none");
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.match_applications(tenant_id(1), &named, None, at(0), 1).await.unwrap().len(), 1);
    assert_eq!(tx.match_applications(tenant_id(1), &none(), None, at(0), 3).await.unwrap().len(), 3);
}

async fn what_is_revoked_already_fits_no_more(store: Store) {
    prepare(&store).await;
    assert_eq!(ids(&store, Filter::default(), Some(Revocation::DeleteSecrets)).await, [1, 2]);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.disable_application(tenant_id(1), application_id(2), at(9)).await.unwrap());
    assert!(!tx.disable_application(tenant_id(1), application_id(2), at(9)).await.unwrap());
    assert!(
        !tx.disable_application(tenant_id(2), application_id(1), at(9)).await.unwrap(),
        "not through another tenant"
    );
    tx.commit().await.unwrap();
    assert_eq!(ids(&store, Filter::default(), Some(Revocation::Disable)).await, [1, 3, 4]);
}

async fn a_call_with_any_secret_is_use(store: Store) {
    prepare(&store).await;
    let mut tx = store.begin().await.unwrap();
    let last_use = LastUse { at: at(863_000), address: None, user_agent: String::new() };
    let (tenant_id, application_id) = (tenant_id(1), application_id(1));
    tx.touch_secrets(&[SecretUse { tenant_id, application_id, secret_id: secret_id(1), last_use }]).await.unwrap();
    let called = UsageDelta {
        tenant_id,
        application_id: crate::fixtures::application_id(3),
        right: String::new(),
        outcome: Outcome::Allowed,
        hour: at(863_000).hour(),
        count: 1,
        last_at: at(863_000),
    };
    tx.add_usage(&[called]).await.unwrap();
    tx.commit().await.unwrap();
    let unused = |days| Filter { unused_days: Some(days), ..Filter::default() };
    assert_eq!(ids(&store, unused(1), None).await, [2, 4], "3 was called with a secret that is gone");
    assert_eq!(ids(&store, unused(11), None).await, [0; 0], "none is as old as that");
    let mut tx = store.begin().await.unwrap();
    let found = tx.match_applications(tenant_id, &Filter::default(), None, at(0), 1).await.unwrap();
    assert_eq!(found[0].last_used_at, Some(at(863_000)));
}

async fn changes_touch_one_application(store: Store) {
    prepare(&store).await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.change_owner(tenant_id(1), application_id(1), "c@example.com", at(7)).await.unwrap());
    assert!(!tx.change_owner(tenant_id(2), application_id(1), "c@example.com", at(7)).await.unwrap());
    assert!(tx.disable_application(tenant_id(1), application_id(1), at(8)).await.unwrap());
    let changed = tx.find_application(tenant_id(1), application_id(1)).await.unwrap().unwrap();
    assert_eq!((changed.owner.as_deref(), changed.version), (Some("c@example.com"), 3));
    assert_eq!((changed.enabled, changed.updated_at), (false, at(8)));
    let other = tx.find_application(tenant_id(1), application_id(2)).await.unwrap().unwrap();
    assert_eq!((other.owner.as_deref(), other.version, other.enabled), (Some("b@example.com"), 1, true));
}

async fn names_and_client_ids_are_found(store: Store) {
    prepare(&store).await;
    let mut tx = store.begin().await.unwrap();
    let found = tx.find_application_by_name(tenant_id(1), &key("ZOË")).await.unwrap();
    assert_eq!(found, Some(application_id(4)));
    assert_eq!(tx.find_application_by_name(tenant_id(2), &key("Zoë")).await.unwrap(), None);
    assert!(tx.is_client_id_taken(&application_id(5).to_string()).await.unwrap());
    assert!(!tx.is_client_id_taken("another").await.unwrap());
}
