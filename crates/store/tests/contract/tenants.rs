//! Tenants.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::tenant::details::{Address, MfaRequirement};
use claviger_domain::tenant::{Details, Kind, Stage, Status, Tenant};
use claviger_store::Store;

facts!(
    what_is_stored_comes_back,
    names_are_unique_beneath_a_parent,
    an_update_needs_the_version_before,
    external_ids_are_unique_beneath_a_parent
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
        purge_at: Some(at(9)),
        provisioning: Some(Stage::Running),
        details: details(),
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

/// Every member of the details, each with a value of its own.
fn details() -> Details {
    Details {
        external_id: Some("A-1".into()),
        short_name: Some("One".into()),
        email: Some("ops@one.example".into()),
        address: Address {
            street: Some("Gasse 1".into()),
            postal: Some("3000".into()),
            city: Some("Bern".into()),
            state: Some("BE".into()),
        },
        country: Some("CH".into()),
        agent_key: Some("key".into()),
        foreign_tenant_id: Some("xdr-1".into()),
        trial: true,
        trial_ends_at: Some(at(7)),
        user_limit: Some(3),
        endpoint_limit: Some(0),
        mfa_required: MfaRequirement::Totp,
        settings: serde_json::Map::from_iter([("theme".to_owned(), "dark".into())]),
    }
}

async fn external_ids_are_unique_beneath_a_parent(store: Store) {
    insert_tenants(&store, 2).await;
    let named = |number, parent: u128, id: &str| Tenant {
        parent_id: Some(tenant_id(parent)),
        details: Details { external_id: Some(id.into()), ..Details::default() },
        ..tenant(number, &format!("Named {number}"))
    };
    let insert = async |tenant: Tenant| {
        let mut tx = store.begin().await.unwrap();
        tx.insert_tenant(&tenant, &key(&tenant.name)).await?;
        tx.commit().await
    };
    insert(named(3, 0, "A")).await.unwrap();
    insert(named(4, 0, "B")).await.unwrap();
    insert(named(5, 1, "A")).await.unwrap();
    assert_eq!(code(insert(named(6, 0, "A")).await.unwrap_err()), "external_id_taken");
    let mut tx = store.begin().await.unwrap();
    let changed = Tenant { version: 2, ..named(4, 0, "A") };
    assert_eq!(code(tx.update_tenant(&changed, "named 4").await.unwrap_err()), "external_id_taken");
}
