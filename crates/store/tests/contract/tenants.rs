//! Tenants.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::tenant::{Kind, Status, Tenant};
use claviger_store::Store;

facts!(
    what_is_stored_comes_back,
    names_are_unique_beneath_a_parent,
    an_update_needs_the_version_before,
    the_tree_is_paged,
    tenants_of_a_kind_are_listed_by_name
);

async fn what_is_stored_comes_back(store: Store) {
    insert_tenants(&store, 1).await;
    assert_eq!(store.find_tenant(tenant_id(1)).await.unwrap(), Some(tenant(1, "Tenant 1")));
    assert_eq!(store.find_tenant(tenant_id(9)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    let changed = Tenant {
        name: "Straße".into(),
        status: Status::Suspended,
        application_limit: 99,
        version: 2,
        updated_at: at(5),
        ..tenant(1, "")
    };
    tx.update_tenant(&changed, &key("Straße")).await.unwrap();
    assert_eq!(tx.find_tenant(tenant_id(1)).await.unwrap(), Some(changed.clone()), "a unit sees its own writes");
    tx.commit().await.unwrap();
    assert_eq!(store.find_tenant(tenant_id(1)).await.unwrap(), Some(changed));
}

async fn names_are_unique_beneath_a_parent(store: Store) {
    insert_tenants(&store, 2).await;
    let insert = async |tenant: Tenant| {
        let mut tx = store.begin().await.unwrap();
        tx.insert_tenant(&tenant, &key(&tenant.name)).await?;
        tx.commit().await
    };
    assert_eq!(code(insert(tenant(3, " TENANT 1")).await.unwrap_err()), "tenant_name_taken");
    let beneath = Tenant { parent_id: Some(tenant_id(1)), kind: Kind::Instance, ..tenant(3, "Tenant 1") };
    insert(beneath).await.unwrap();
    let twin = Tenant { org_key: tenant(1, "").org_key, ..tenant(4, "Fourth") };
    assert_eq!(code(insert(twin).await.unwrap_err()), "org_key_taken");
    let orphan = Tenant { parent_id: Some(tenant_id(77)), ..tenant(4, "Fourth") };
    let refused = insert(orphan).await;
    assert!(matches!(refused, Err(Error::NotFound("tenant"))), "{refused:?}");
    let second = Tenant { id: tenant_id(5), org_key: tenant(5, "").org_key, name: "Another".into(), ..operator() };
    assert_eq!(code(insert(second).await.unwrap_err()), "operator_exists");

    let mut tx = store.begin().await.unwrap();
    let renamed = Tenant { version: 2, ..tenant(2, "tenant 1") };
    assert_eq!(code(tx.update_tenant(&renamed, &key("tenant 1")).await.unwrap_err()), "tenant_name_taken");
    let after = tx.find_tenant(tenant_id(1)).await;
    assert!(after.is_err(), "a failed statement spoils its unit");
    assert!(tx.commit().await.is_err(), "a spoiled unit cannot be committed");
}

async fn an_update_needs_the_version_before(store: Store) {
    insert_tenants(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    tx.lock_tenant(tenant_id(1)).await.unwrap();
    let stale = tx.update_tenant(&Tenant { version: 3, ..tenant(1, "New") }, "new").await;
    assert!(matches!(stale, Err(Error::PreconditionFailed { current: 1 })), "{stale:?}");
    let missing = tx.update_tenant(&Tenant { version: 2, ..tenant(8, "New") }, "new").await;
    assert!(matches!(missing, Err(Error::NotFound("tenant"))), "{missing:?}");
}

async fn the_tree_is_paged(store: Store) {
    insert_tenants(&store, 5).await;
    let mut tx = store.begin().await.unwrap();
    for number in 6..=9 {
        let tenant = Tenant { parent_id: Some(tenant_id(number % 2 + 1)), ..tenant(number, &format!("Part {number}")) };
        tx.insert_tenant(&tenant, &key(&tenant.name)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ids = async |root, limit, after| -> Vec<_> {
        let found = store.list_tenants_beneath(tenant_id(root), &page(limit, after)).await.unwrap();
        found.into_iter().map(|tenant| tenant.id).collect()
    };
    assert_eq!(ids(1, 50, None).await, [1, 6, 8].map(tenant_id));
    assert_eq!(ids(5, 50, None).await, [tenant_id(5)]);
    assert_eq!(ids(7, 50, Some(tenant_id(7).to_string())).await, []);
    assert_eq!(ids(0, 2, None).await, [0, 1, 2].map(tenant_id), "one more than the limit");
    assert_eq!(ids(0, 50, Some(tenant_id(4).to_string())).await, [5, 6, 7, 8, 9].map(tenant_id));
}

async fn tenants_of_a_kind_are_listed_by_name(store: Store) {
    insert_tenants(&store, 3).await;
    let mut tx = store.begin().await.unwrap();
    for (number, name, parent) in [(6, "b", 1), (7, "A", 1), (8, "c", 2)] {
        let parent_id = Some(tenant_id(parent));
        let instance = Tenant { parent_id, kind: Kind::Instance, ..tenant(number, name) };
        tx.insert_tenant(&instance, &key(name)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let listed = async |root, most| -> Vec<_> {
        let found = store.list_kind_beneath(tenant_id(root), Kind::Instance, most).await.unwrap();
        found.into_iter().map(|tenant| tenant.name).collect()
    };
    assert_eq!(listed(0, 9).await, ["A", "b", "c"]);
    assert_eq!(listed(1, 9).await, ["A", "b"]);
    assert_eq!(listed(0, 2).await, ["A", "b"]);
    assert_eq!(listed(8, 9).await, ["c"], "itself, too");
    assert_eq!(listed(3, 9).await, [""; 0]);
}
