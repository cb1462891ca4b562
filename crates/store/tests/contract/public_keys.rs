//! Public keys of applications.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::jwk::Algorithm;
use claviger_domain::public_key::PublicKey;
use claviger_store::Store;

facts!(keys_belong_to_one_application, a_kid_is_taken_once, sealed_macs_are_read_by_application);

fn public_key(application: ApplicationId, number: u8) -> PublicKey {
    PublicKey {
        id: secret_id(u128::from(number)),
        application_id: application,
        name: format!("Key {number}"),
        kid: format!("kid-{number}"),
        algorithm: if number.is_multiple_of(2) { Algorithm::Es256 } else { Algorithm::EdDsa },
        public: vec![number; 32],
        created_at: NOW,
        expires_at: (number == 2).then(|| at(60)),
    }
}

async fn insert(store: &Store, tenant: TenantId, key: &PublicKey) -> claviger_domain::Result<()> {
    let mut tx = store.begin().await.unwrap();
    tx.insert_public_key(tenant, key).await?;
    tx.commit().await
}

async fn keys_belong_to_one_application(store: Store) {
    let (tenant, application) = seed(&store).await;
    let keys = [public_key(application, 1), public_key(application, 2)];
    for key in &keys {
        insert(&store, tenant, key).await.unwrap();
    }
    assert_eq!(store.list_public_keys(tenant, application).await.unwrap(), keys);
    let live = store.find_credential(tenant, application).await.unwrap().unwrap().keys;
    assert_eq!(
        live.iter().map(|key| (key.id, &key.kid, key.expires_at)).collect::<Vec<_>>(),
        [(keys[0].id, &keys[0].kid, None), (keys[1].id, &keys[1].kid, Some(at(60)))]
    );
    for stranger in [(tenant_id(0), application), (tenant, application_id(9))] {
        assert_eq!(store.list_public_keys(stranger.0, stranger.1).await.unwrap(), []);
        let mut tx = store.begin().await.unwrap();
        assert!(!tx.delete_public_key(stranger.0, stranger.1, keys[0].id).await.unwrap());
    }
    let mut tx = store.begin().await.unwrap();
    assert!(tx.delete_public_key(tenant, application, keys[0].id).await.unwrap());
    assert_eq!(tx.list_public_keys(tenant, application).await.unwrap(), keys[1..]);
    assert!(tx.delete_application(tenant, application).await.unwrap(), "with its keys");
    tx.commit().await.unwrap();
    assert_eq!(store.list_public_keys(tenant, application).await.unwrap(), []);
    let gone = insert(&store, tenant, &keys[0]).await;
    assert!(matches!(gone, Err(Error::NotFound("application"))), "{gone:?}");
}

async fn a_kid_is_taken_once(store: Store) {
    let (tenant, application) = seed(&store).await;
    let key = public_key(application, 1);
    insert(&store, tenant, &key).await.unwrap();
    let same = PublicKey { id: secret_id(9), public: vec![9; 32], ..key };
    assert_eq!(code(insert(&store, tenant, &same).await.unwrap_err()), "key_exists");
}

async fn sealed_macs_are_read_by_application(store: Store) {
    let (tenant, application) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    for number in [1, 2] {
        tx.insert_secret(tenant, &secret(application, number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let expected = [(secret_id(1), vec![7; 93]), (secret_id(2), vec![7; 93])];
    assert_eq!(store.list_sealed_macs(tenant, application).await.unwrap(), expected);
    assert_eq!(store.list_sealed_macs(tenant, application_id(2)).await.unwrap(), []);
}
