//! Access levels.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, Reach, Rights};
use claviger_store::Store;

facts!(what_is_stored_comes_back, names_are_unique_per_tenant, a_level_in_use_stays, pages_are_stable_under_inserts);

async fn insert(store: &Store, level: &AccessLevel) -> claviger_domain::Result<()> {
    let mut tx = store.begin().await.unwrap();
    tx.insert_access_level(level.tenant_id.unwrap(), level, &key(&level.name)).await?;
    tx.commit().await
}

async fn what_is_stored_comes_back(store: Store) {
    insert_tenants(&store, 2).await;
    let stored = level(tenant_id(1), 1, "Readers");
    insert(&store, &stored).await.unwrap();
    assert_eq!(store.find_access_level(tenant_id(1), stored.id).await.unwrap(), Some(stored.clone()));
    assert_eq!(store.find_access_level(tenant_id(2), stored.id).await.unwrap(), None, "another tenant's is not found");
    let changed = AccessLevel { name: "Writers".into(), grants: grants(&["users"]), version: 2, ..stored.clone() };
    let mut tx = store.begin().await.unwrap();
    tx.update_access_level(tenant_id(1), &changed, &key("Writers")).await.unwrap();
    assert_eq!(tx.find_access_level(tenant_id(1), stored.id).await.unwrap(), Some(changed.clone()));
    let stale = tx.update_access_level(tenant_id(1), &changed, "writers").await;
    assert!(matches!(stale, Err(Error::PreconditionFailed { current: 2 })), "{stale:?}");
    let foreign = tx.update_access_level(tenant_id(2), &changed, "writers").await;
    assert!(matches!(foreign, Err(Error::NotFound("access level"))), "{foreign:?}");
}

async fn names_are_unique_per_tenant(store: Store) {
    insert_tenants(&store, 2).await;
    insert(&store, &level(tenant_id(1), 1, "Readers")).await.unwrap();
    let twin = insert(&store, &level(tenant_id(1), 2, "ＲＥＡＤＥＲＳ ")).await;
    assert_eq!(code(twin.unwrap_err()), "access_level_name_taken");
    insert(&store, &level(tenant_id(2), 3, "Readers")).await.unwrap();
    let nowhere = insert(&store, &level(tenant_id(9), 5, "Readers")).await;
    assert!(matches!(nowhere, Err(Error::NotFound("tenant"))), "{nowhere:?}");
    insert(&store, &level(tenant_id(1), 4, "Others")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let renamed = AccessLevel { version: 2, ..level(tenant_id(1), 4, "readers") };
    let taken = tx.update_access_level(tenant_id(1), &renamed, &key("readers")).await;
    assert_eq!(code(taken.unwrap_err()), "access_level_name_taken");
}

async fn a_level_in_use_stays(store: Store) {
    insert_tenants(&store, 1).await;
    insert(&store, &level(tenant_id(1), 1, "Readers")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let user = Application { rights: Rights::Level(level_id(1)), ..application(tenant_id(1), 1) };
    insert_application(&mut tx, &user).await;
    assert!(!tx.delete_access_level(tenant_id(1), level_id(1)).await.unwrap());
    assert!(!tx.level_reaches_beneath(tenant_id(1), level_id(1)).await.unwrap());
    let reaching = Application { reach: Reach::Beneath, version: 2, ..user.clone() };
    tx.update_application(tenant_id(1), &reaching, &key(&reaching.name)).await.unwrap();
    assert!(tx.level_reaches_beneath(tenant_id(1), level_id(1)).await.unwrap());
    assert!(!tx.level_reaches_beneath(tenant_id(2), level_id(1)).await.unwrap());
    let users = tx.list_level_users(tenant_id(1), level_id(1)).await.unwrap();
    assert_eq!(
        users.iter().map(|user| (user.id, user.name.as_str())).collect::<Vec<_>>(),
        [(user.id, "Application 1")]
    );
    assert!(tx.delete_application(tenant_id(1), user.id).await.unwrap());
    assert!(tx.delete_access_level(tenant_id(1), level_id(1)).await.unwrap());
    assert!(!tx.delete_access_level(tenant_id(1), level_id(1)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.find_access_level(tenant_id(1), level_id(1)).await.unwrap(), None);
}

async fn pages_are_stable_under_inserts(store: Store) {
    insert_tenants(&store, 1).await;
    for number in [2, 4, 6, 8] {
        insert(&store, &level(tenant_id(1), number, &format!("Level {number}"))).await.unwrap();
    }
    let ids = async |after: Option<u128>| -> Vec<_> {
        let after = after.map(|number| level_id(number).to_string());
        let found = store.list_access_levels(tenant_id(1), &page(1, after)).await.unwrap();
        found.into_iter().map(|level| level.id).collect()
    };
    assert_eq!(ids(None).await, [2, 4].map(level_id));
    for number in [1, 5] {
        insert(&store, &level(tenant_id(1), number, &format!("Level {number}"))).await.unwrap();
    }
    assert_eq!(ids(Some(2)).await, [4, 5].map(level_id), "what was added before the cursor moves nothing");
}
