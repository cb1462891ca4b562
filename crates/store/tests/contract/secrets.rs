//! Secrets.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::application::{LastUse, Secret};
use claviger_domain::usage::SecretUse;
use claviger_store::Store;
use claviger_store::secrets::StoredSecret;

facts!(secrets_come_and_go, the_later_use_wins, many_uses_at_once, no_secret_outlives_its_application);

async fn secrets_come_and_go(store: Store) {
    let (tenant, id) = seed(&store).await;
    let ending = Secret { expires_at: Some(at(60)), ends_at: Some(at(60)), ..secret(id, 2).secret };
    let mut tx = store.begin().await.unwrap();
    tx.insert_secret(tenant, &secret(id, 1)).await.unwrap();
    tx.insert_secret(tenant, &StoredSecret { secret: ending.clone(), ..secret(id, 2) }).await.unwrap();
    tx.insert_secret(tenant, &secret(id, 3)).await.unwrap();
    assert_eq!(tx.list_secrets(tenant, id).await.unwrap(), [secret(id, 1).secret, ending, secret(id, 3).secret]);
    assert!(!tx.delete_secret(tenant_id(0), id, secret_id(1)).await.unwrap(), "not through another tenant");
    assert!(tx.delete_secret(tenant, id, secret_id(1)).await.unwrap());
    assert!(!tx.delete_secret(tenant, id, secret_id(1)).await.unwrap());
    assert_eq!(tx.delete_secrets(tenant, id).await.unwrap(), [2, 3].map(secret_id));
    tx.commit().await.unwrap();
    assert_eq!(store.list_secrets(tenant, id).await.unwrap(), []);
}

async fn the_later_use_wins(store: Store) {
    let (tenant, id) = seed(&store).await;
    let used = |number, seconds, agent: &str| SecretUse {
        tenant_id: tenant,
        application_id: id,
        secret_id: secret_id(number),
        last_use: LastUse { at: at(seconds), address: "2001:db8::1".parse().ok(), user_agent: agent.into() },
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_secret(tenant, &secret(id, 1)).await.unwrap();
    tx.touch_secrets(&[used(1, 5, "five"), used(1, 9, "nine"), used(1, 7, "seven"), used(4, 1, "gone")]).await.unwrap();
    tx.touch_secrets(&[used(1, 8, "eight")]).await.unwrap();
    tx.touch_secrets(&[]).await.unwrap();
    tx.commit().await.unwrap();
    let found = store.list_secrets(tenant, id).await.unwrap();
    assert_eq!(found[0].last_use, Some(used(1, 9, "nine").last_use));

    let mut tx = store.begin().await.unwrap();
    let hidden = LastUse { at: at(20), address: None, user_agent: String::new() };
    tx.touch_secrets(&[SecretUse { last_use: hidden.clone(), ..used(1, 0, "") }]).await.unwrap();
    tx.insert_secret(tenant, &secret(id, 4)).await.unwrap();
    let found = tx.list_secrets(tenant, id).await.unwrap();
    assert_eq!(found[0].last_use, Some(hidden));
    assert_eq!(found[1].last_use, None, "the use of a secret that was not there was dropped");
}

async fn many_uses_at_once(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    for number in 0..333 {
        tx.insert_secret(tenant, &secret(id, number)).await.unwrap();
    }
    let uses: Vec<_> = (0..333)
        .rev()
        .map(|number| SecretUse {
            tenant_id: tenant,
            application_id: id,
            secret_id: secret_id(number),
            last_use: LastUse { at: NOW, address: None, user_agent: number.to_string() },
        })
        .collect();
    let before = store.statements();
    tx.touch_secrets(&uses).await.unwrap();
    assert!(store.statements() - before <= 6);
    let found = tx.list_secrets(tenant, id).await.unwrap();
    for (number, secret) in found.iter().enumerate() {
        assert_eq!(secret.last_use.as_ref().unwrap().user_agent, number.to_string());
    }
    assert_eq!(found.len(), 333);
}

/// One unit adds a secret while another deletes the application: either order ends without a secret and without a fault.
async fn no_secret_outlives_its_application(store: Store) {
    let (tenant, _) = seed(&store).await;
    for number in 2..22 {
        let mut tx = store.begin().await.unwrap();
        insert_application(&mut tx, &application(tenant, number)).await;
        tx.commit().await.unwrap();
        let id = application_id(number);
        let adding = tokio::spawn({
            let store = store.clone();
            async move {
                let mut tx = store.begin().await.unwrap();
                tx.insert_secret(tenant, &secret(id, number)).await?;
                tokio::task::yield_now().await;
                tx.commit().await
            }
        });
        let deleting = tokio::spawn({
            let store = store.clone();
            async move {
                let mut tx = store.begin().await.unwrap();
                assert!(tx.delete_application(tenant, id).await.unwrap());
                tx.commit().await.unwrap();
            }
        });
        deleting.await.unwrap();
        let added = adding.await.unwrap();
        assert!(matches!(added, Ok(()) | Err(Error::NotFound("application"))), "{added:?}");
        assert_eq!(store.list_secrets(tenant, id).await.unwrap(), []);
    }
}
