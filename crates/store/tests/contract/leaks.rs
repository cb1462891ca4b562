//! Leaked secrets.

use crate::fixtures::*;
use claviger_domain::leak::Outcome;
use claviger_domain::secret::SecretHash;
use claviger_store::Store;
use claviger_store::leaks::Place;

facts!(secrets_are_found_by_their_hash, what_was_reported_is_remembered);

async fn secrets_are_found_by_their_hash(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant, 2)).await;
    tx.insert_secret(tenant, &secret(id, 1)).await.unwrap();
    tx.insert_secret(tenant, &secret(application_id(2), 2)).await.unwrap();
    tx.commit().await.unwrap();
    let place = |application, number| Place { tenant, application, secret: secret_id(number) };
    assert_eq!(store.find_secrets_by_hash(&secret(id, 2).hash).await.unwrap(), [place(application_id(2), 2)]);
    assert_eq!(store.find_secrets_by_hash(&SecretHash::of("secret 3")).await.unwrap(), []);
}

async fn what_was_reported_is_remembered(store: Store) {
    let (tenant, id) = seed(&store).await;
    let hash = SecretHash::of("secret 1");
    let place = Place { tenant, application: id, secret: secret_id(1) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_leak(tenant, place, &hash, Outcome::Revoked, NOW).await.unwrap();
    tx.insert_leak(tenant, place, &hash, Outcome::Quarantined, at(9)).await.unwrap();
    let elsewhere = Place { tenant: tenant_id(0), ..place };
    tx.insert_leak(tenant_id(0), elsewhere, &hash, Outcome::Revoked, NOW).await.unwrap();
    tx.delete_application(tenant, id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        store.find_leaks_by_hash(&hash).await.unwrap(),
        [elsewhere, place],
        "also after the application is gone"
    );
    assert_eq!(store.find_leaks_by_hash(&SecretHash::of("secret 2")).await.unwrap(), []);
}
