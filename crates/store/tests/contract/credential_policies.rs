//! Credential policies.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::credential_policy::{CredentialPolicy, OnLeak, StoredPolicy};
use claviger_store::Store;

facts!(the_last_policy_is_kept, policies_are_loaded_in_pages);

fn full() -> CredentialPolicy {
    CredentialPolicy {
        max_application_lifetime_seconds: Some(1_000),
        max_secret_lifetime_seconds: Some(900),
        rotate_every_days: Some(90),
        rotation_overlap_seconds: Some(60),
        unused_after_days: Some(30),
        on_leak: Some(OnLeak::Quarantine),
    }
}

async fn the_last_policy_is_kept(store: Store) {
    insert_tenants(&store, 2).await;
    let tenant = tenant_id(1);
    assert_eq!(store.find_credential_policy(tenant).await.unwrap(), None);
    let first = StoredPolicy::default().replaced(full(), NOW);
    let second = first.replaced(CredentialPolicy::default(), at(9));
    for policy in [&first, &second] {
        let mut tx = store.begin().await.unwrap();
        tx.put_credential_policy(tenant, policy, policy.updated_at.unwrap()).await.unwrap();
        assert_eq!(tx.find_credential_policy(tenant).await.unwrap().as_ref(), Some(policy));
        tx.commit().await.unwrap();
        assert_eq!(store.find_credential_policy(tenant).await.unwrap().as_ref(), Some(policy));
    }
    assert_eq!(store.find_credential_policy(tenant_id(2)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    let refused = tx.put_credential_policy(tenant_id(9), &first, NOW).await;
    assert!(matches!(refused, Err(Error::NotFound("tenant"))), "{refused:?}");
}

async fn policies_are_loaded_in_pages(store: Store) {
    insert_tenants(&store, 3).await;
    let policy = StoredPolicy::default().replaced(full(), NOW);
    let mut tx = store.begin().await.unwrap();
    for number in [1, 3] {
        tx.put_credential_policy(tenant_id(number), &policy, NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    let first = store.load_credential_policies(None, 1).await.unwrap();
    assert_eq!(first, [(tenant_id(1), policy.clone())]);
    assert_eq!(store.load_credential_policies(Some(tenant_id(1)), 9).await.unwrap(), [(tenant_id(3), policy)]);
}
