//! What the keyring loads.

use crate::fixtures::*;
use claviger_domain::application::{Application, Rights};
use claviger_domain::secret::SecretHash;
use claviger_store::Store;

facts!(a_credential_holds_all_that_is_verified, all_credentials_load_in_pages);

async fn a_credential_holds_all_that_is_verified(store: Store) {
    let (tenant, id) = seed(&store).await;
    let own = level(tenant, 1, "Readers");
    let user = Application { rights: Rights::Level(own.id), ..application(tenant, 2) };
    let built_in = Application { rights: Rights::Level(level_id(77)), ..application(tenant, 3) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_access_level(tenant, &own, "readers").await.unwrap();
    insert_application(&mut tx, &user).await;
    insert_application(&mut tx, &built_in).await;
    for number in [1, 2] {
        tx.insert_secret(tenant, &secret(user.id, number)).await.unwrap();
    }
    tx.commit().await.unwrap();

    let found = store.find_credential(tenant, user.id).await.unwrap().unwrap();
    assert_eq!(found.application, user);
    assert_eq!(found.level_grants, Some(own.grants));
    assert_eq!(found.secrets.iter().map(|secret| secret.id).collect::<Vec<_>>(), [1, 2].map(secret_id));
    assert!(found.secrets[1].hash.matches(&SecretHash::of("secret 2")));
    assert_eq!(found.secrets[1].expires_at, None);
    let mut tx = store.begin().await.unwrap();
    tx.delete_secrets(tenant, user.id).await.unwrap();
    let within = tx.find_credential(tenant, user.id).await.unwrap().unwrap();
    assert_eq!((within.application, within.secrets.len()), (user.clone(), 0), "a unit sees what it has done");
    assert!(tx.find_credential(tenant_id(0), user.id).await.unwrap().is_none());
    drop(tx);
    let found = store.find_credential(tenant, built_in.id).await.unwrap().unwrap();
    assert_eq!((found.application, found.level_grants), (built_in, None));
    assert!(store.find_credential(tenant, id).await.unwrap().unwrap().secrets.is_empty());
    assert!(store.find_credential(tenant_id(0), id).await.unwrap().is_none());
}

async fn all_credentials_load_in_pages(store: Store) {
    insert_tenants(&store, 3).await;
    let mut tx = store.begin().await.unwrap();
    let mut expected = Vec::new();
    for tenant in 1..=3 {
        for number in 0..7 {
            let application = application(tenant_id(tenant), number * 100 + tenant);
            insert_application(&mut tx, &application).await;
            for nth in 0..number % 3 {
                tx.insert_secret(tenant_id(tenant), &secret(application.id, number * 10 + nth)).await.unwrap();
            }
            expected.push((application, usize::try_from(number % 3).unwrap()));
        }
    }
    tx.commit().await.unwrap();
    expected.sort_by_key(|(application, _)| application.id);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let found = store.load_credentials(after, 5).await.unwrap();
        let Some(last) = found.last() else { break };
        after = Some((last.application.tenant_id, last.application.id));
        seen.extend(found.into_iter().map(|one| (one.application, one.secrets.len())));
    }
    assert_eq!(seen, expected);
}
